"""Limits on connections: session caps (D76), and descriptors that run out."""

import os
import resource
import time
import unittest

from daemon import E2E, wait_until
from sink import Sink

FULL = "4.4.5"


class Caps(E2E):
    def admitted(self, d, source="127.0.0.1", **more):
        return d.client(source=source, **more)

    def refused(self, d, source="127.0.0.1", **more):
        c = d.client(source=source, greet=False, **more)
        c.expect(421, FULL)
        c.expect_closed()
        c.close()

    def test_D76_listener_sessions(self):
        d = self.daemon(esmtp="Listener_Sessions = 2")
        one, two = self.admitted(d), self.admitted(d)
        self.refused(d)
        self.refused(d, source=None, host="::1")
        d.wait_for_log(r"warning: Connection concurrency limit exceeded: \d+ from unknown\[127\.0\.0\.1\] "
                       r"for service smtp \((Listener|Service)_Sessions of ")
        d.wait_for_log(r"NOQUEUE: reject: CONNECT from unknown\[127\.0\.0\.1\]: 421 4\.4\.5 ")
        one.close()
        d.wait_for_count(1)
        three = self.admitted(d)
        self.refused(d)
        for c in two, three:
            c.close()
        self.assert_quiet(d)

    def test_D76_of_one_Listen(self):
        d = self.daemon(listen="Listener_Sessions = 1")
        with self.admitted(d):
            self.refused(d)
            with self.admitted(d, source=None, host="::1"):
                self.refused(d, source=None, host="::1")

    def test_D76_service_sessions(self):
        d = self.daemon(esmtp="Service_Sessions = 1")
        with self.admitted(d):
            self.refused(d)

    def test_D76_a_peer_has_a_budget_of_its_own(self):
        d = self.daemon(esmtp='Peer "127.0.7.0/24" { Listener_Sessions = 2 }\nPeer "127.0.7.9" { Listener_Sessions = 1 }')
        with self.admitted(d, "127.0.7.1"), self.admitted(d, "127.0.7.2"), self.admitted(d, "127.0.8.1"):
            self.refused(d, "127.0.7.3")
            with self.admitted(d, "127.0.7.9"):  # the best match counts it
                self.refused(d, "127.0.7.9")
            with self.admitted(d, "127.0.8.2"):
                pass

    def test_D76_the_outer_cap_holds_for_peers_too(self):
        d = self.daemon(esmtp='Listener_Sessions = 2\nPeer "127.0.7.0/24" { Listener_Sessions = 5 }')
        with self.admitted(d, "127.0.7.1"), self.admitted(d, "127.0.7.2"):
            self.refused(d, "127.0.7.3")

    def test_D76_refused_sessions_use_no_slot(self):
        """Not even of the cap that had room."""
        d = self.daemon(esmtp='Listener_Sessions = 2\nPeer "127.0.7.0/24" { Listener_Sessions = 1 }')
        with self.admitted(d, "127.0.7.1"):
            for _ in range(5):
                self.refused(d, "127.0.7.2")
            with self.admitted(d, "127.0.8.1"):
                self.refused(d, "127.0.8.1")

    def test_D76_refused_sessions_are_counted(self):
        d = self.daemon(esmtp="Listener_Sessions = 1")
        with self.admitted(d):
            for _ in range(3):
                self.refused(d)
        stats = d.ctl("stats").out
        self.assertRegex(stats, r"(?m)connections\b.*\b4\b|\b4\b.*connections")

    def test_D76_caps_come_before_policy(self):
        d = self.daemon(esmtp="Listener_Sessions = 1", sieve={"accept_phase1": 'ec_log "asked";'})
        with self.admitted(d):
            self.refused(d)
        d.wait_for_count(0)
        self.assertEqual(len([l for l in d.lines if l.endswith("asked")]), 1)

    def test_D76_held_sessions_use_their_slot(self):
        d = self.daemon(esmtp="Listener_Sessions = 1", sieve={"connect_phase1": 'ec_tarpit 60 "slow";'})
        with d.client(greet=False) as held:
            d.wait_for_log("tarpit")
            self.refused(d)
            held.reset()
        d.wait_for_count(0)

    def test_T6_caps_survive_a_reload(self):
        d = self.daemon(esmtp="Listener_Sessions = 2")
        with self.admitted(d), self.admitted(d):
            d.configure(esmtp="Listener_Sessions = 3")
            self.assertTrue(d.reload())
            with self.admitted(d):
                self.refused(d)
            d.configure(esmtp="Listener_Sessions = 1")
            self.assertTrue(d.reload())
            self.refused(d)
        d.wait_for_count(0)
        with self.admitted(d):
            self.refused(d)

    def test_peer_settings(self):
        """The longest block that has an option gives it (4.3)."""
        d = self.daemon(domains=None, esmtp='Relay_Domains = ( "example.org" )\nPeer "127.0.0.0/8" { Max_Errors = 1 }\n'
                        'Peer "127.0.7.0/24" { Open_Relay = true }')
        with self.admitted(d, "127.0.7.1") as c:
            c.hello()
            c.envelope("a@example.net", "b@anything.example")
            c.say("XYZZY", 421)
        with self.admitted(d, "127.0.8.1") as c:
            c.hello()
            c.say("MAIL FROM:<a@example.net>", 250)
            c.say("RCPT TO:<b@anything.example>", 421)


class Descriptors(E2E):
    def fill(self, d):
        """Clients until nobody is let in any more; the last of them waits in the kernel."""
        clients = []
        try:
            while True:
                clients.append(d.client(greet=False))
                clients[-1].sock.settimeout(0.3)
                clients[-1].sock.recv(100)
        except TimeoutError:
            return clients

    def test_running_out_costs_no_cpu_and_passes(self):
        d = self.daemon(descriptors=64, workers=1)
        clients = self.fill(d)
        self.assertGreater(len(clients), 20)
        clients += [d.client(greet=False) for _ in range(10)]
        d.wait_for_log("accepting on .* pauses: Too many open files")
        before = d.cpu_seconds()
        time.sleep(1.5)
        self.assertLess(d.cpu_seconds() - before, 0.3)
        self.assertLess(len([l for l in d.lines if "pauses" in l]), 3)
        served = clients[0]
        served.unread = b""
        served.sock.settimeout(20)
        served.say("NOOP", 250)

        for c in clients[:30]:
            c.close()
        for c in clients[-11:]:
            c.expect(220)  # those who waited are let in
        for c in clients[30:]:
            c.close()
        self.assert_quiet(d)

    def allow(self, d, more):
        """From now on the daemon may open so many more than it has open."""
        pid = d.process.pid
        highest = max(int(fd) for fd in os.listdir("/proc/%d/fd" % pid))
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (highest + 1 + more, 64))

    def test_crowds_leave_descriptors_for_next_hops(self):
        with Sink() as sink:
            d = self.daemon(descriptors=64, workers=1, gateway="127.0.0.1:%d" % sink.port)
            one = d.client()
            one.hello()
            fillers = self.fill(d)
            one.envelope()
            one.message()
            for c in fillers:
                c.close()
            one.close()
            self.assert_quiet(d)

    def test_without_descriptors_a_next_hop_is_451(self):
        with Sink() as sink:
            d = self.daemon(descriptors=64, workers=1, gateway="127.0.0.1:%d" % sink.port,
                            top="Gateway_Retry_Time = 0")
            one = d.client()
            one.hello()
            self.allow(d, 0)
            one.say("MAIL FROM:<a@example.net>", 451)
            self.allow(d, 20)
            one.envelope()
            one.message()
            one.close()
            self.assert_quiet(d)

    def test_without_descriptors_a_message_is_451_or_452(self):
        """The file for a message cannot be made: the client is told to come back."""
        d = self.daemon(descriptors=64, workers=1)
        clients = [d.client() for _ in range(10)]
        for c in clients:
            c.hello()
            c.envelope()
            c.say("DATA", 354)
        self.allow(d, 0)
        for c in clients:
            c.send(b"x\r\n.\r\n")
        codes = {c.expect().code for c in clients}
        self.assertLessEqual(codes, {250, 451, 452})
        self.assertIn(451, codes)
        self.allow(d, 20)
        for c in clients:
            c.envelope()
            c.message()
            c.close()
        self.assert_quiet(d)


if __name__ == "__main__":
    unittest.main()
