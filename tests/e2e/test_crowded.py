"""Reloads and upgrades with thousands of sessions there, while others come and go all the time:
nobody is dropped, and every count is as it was."""

import resource
import socket
import threading
import time
import unittest

from crowd import Crowd
from daemon import E2E, SANITIZED, wait_until

# Of 900 each, as far as descriptors go.
CROWDS = min(3 if SANITIZED else 11, (resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 200) // 1000)
RATE = 1000  # a second; a sanitizer takes what it takes
SHAPE = dict(workers=2, listen="Listen_Backlog = 4096",
             sieve={"connect_phase1": '($n) = audit_connections_on_service "/24"; vctx_conn_set "n" "${n}";'})


class Churn:
    """Clients that come, are greeted, say QUIT, hear 221 and the end."""

    THREADS = 4

    def __init__(self, d):
        self.address = "127.0.0.1", d.port
        self.done, self.faults = [0] * self.THREADS, []
        self.over = threading.Event()
        self.began = time.monotonic()
        self.threads = [threading.Thread(target=self._run, args=(i,)) for i in range(self.THREADS)]
        for t in self.threads:
            t.start()

    def _one(self, source):
        with socket.socket() as s:
            s.settimeout(20)
            s.bind((source, 0))
            s.connect(self.address)
            heard = s.recv(500)
            if not heard.startswith(b"220 "):
                raise AssertionError("the banner is %r" % heard)
            s.sendall(b"QUIT\r\n")
            heard = b""
            while not heard.endswith(b"\n"):
                more = s.recv(500)
                heard += more
                if not more:
                    break
            if not heard.startswith(b"221 ") or s.recv(1) != b"":
                raise AssertionError("the end is %r" % heard)

    def _run(self, number):
        pace = self.THREADS / RATE
        due = time.monotonic()
        while not self.over.is_set():
            try:
                self._one("127.7.%d.%d" % (number, self.done[number] % 250 + 1))
                self.done[number] += 1
            except (OSError, AssertionError) as e:
                self.faults.append(repr(e))
            due = max(due + pace, time.monotonic() - 1)
            time.sleep(max(0, due - time.monotonic()))

    def stop(self):
        """How many a second there were."""
        self.over.set()
        for t in self.threads:
            t.join()
        return sum(self.done) / (time.monotonic() - self.began)


class Crowded(E2E):
    def fill(self, d):
        self.crowds = []
        self.addCleanup(lambda: [crowd.kill() for crowd in self.crowds])
        for i in range(CROWDS):
            self.crowds.append(Crowd(d, 900, "127.%d.0.0/16" % (20 + i)))
        self.held = 900 * CROWDS
        self.assertEqual(d.count(), self.held)

    def assert_all_there(self, d):
        for i in range(CROWDS):
            self.assertEqual(d.count("127.%d.0.0/16" % (20 + i)), 900)
            self.assertEqual(d.count("127.%d.1.0/24" % (20 + i)), 256)
            self.assertEqual(d.count("127.%d.0.9/32" % (20 + i)), 1)

    def test_T6_T8_reload(self):
        d = self.daemon(**SHAPE)
        self.fill(d)
        churn = Churn(d)
        try:
            for i in range(10):
                d.configure(esmtp="Max_Errors = %d" % (i + 5))
                self.assertTrue(d.reload())
                self.assert_all_there(d)
        finally:
            rate = churn.stop()
        print("%d held, %.0f clients a second" % (self.held, rate))
        self.assertEqual(churn.faults, [])
        self.assertGreater(rate, 50 if SANITIZED else 300)
        d.wait_for_count(self.held)
        self.assert_all_there(d)
        self.assertEqual(d.ask("stats")["hangups"], 0)
        self.send_home(d)
        self.assert_quiet(d)

    def send_home(self, d):
        while self.crowds:
            self.crowds.pop().kill()
            self.held -= 900
            d.wait_for_count(self.held)

    def listening(self, d):
        """Sockets that listen on the port over IPv4: closing one of them resets who waits in it."""
        with open("/proc/net/tcp") as f:
            rows = [line.split() for line in f]
        return {row[9] for row in rows if row[1].endswith(":%04X" % d.port) and row[3] == "0A"}

    def test_T6_fewer_workers_and_more(self):
        d = self.daemon(**dict(SHAPE, workers=4))
        self.fill(d)
        sockets = self.listening(d)
        self.assertEqual(len(sockets), 4)
        churn = Churn(d)
        try:
            for workers in 1, 3, 2, 6, 1, 4:
                d.configure(workers=workers)
                self.assertTrue(d.reload())
                self.assertEqual(d.ask("status")["workers"], workers)
                self.assert_all_there(d)
                self.assertLessEqual(sockets, self.listening(d))
                served = sum(churn.done)
                wait_until(lambda: sum(churn.done) > served + 50, "they are served")
        finally:
            churn.stop()
        self.assertEqual(churn.faults, [])
        self.assertEqual(len(self.listening(d)), 6)
        self.send_home(d)
        self.assert_quiet(d)

    def test_upgrade(self):
        d = self.daemon(top="Drain_Timeout = 60", **SHAPE)
        self.fill(d)
        churn = Churn(d)
        try:
            time.sleep(1)
            heir = d.heir()
            self.addCleanup(self._end, heir)
            heir.configure(workers=3)
            heir.start()
            d.wait_for_log("upgrade: handed over")
            self.assert_all_there(heir)
            served = sum(churn.done)
            wait_until(lambda: sum(churn.done) > served + 100, "they are served")
            self.assert_all_there(heir)
        finally:
            rate = churn.stop()
        print("%d held, %.0f clients a second" % (self.held, rate))
        self.assertEqual(churn.faults, [])
        heir.wait_for_count(self.held)
        self.send_home(heir)
        self.assertEqual(d.wait(), 0)
        self.assert_quiet(heir)


if __name__ == "__main__":
    unittest.main()
