"""kill -9 at random moments, of the daemon and of its next hop, under load: every message that was
answered 250 is in the mailbox, and one is there twice only where the end of its data was sent and
nothing good was heard (RFC 5321 6.1, RFC 1047). E2E_SEED makes it different, E2E_LONG=1 longer."""

import os
import random
import re
import subprocess
import sys
import threading
import time
import unittest

from daemon import E2E, HERE, FreePort

LONG = os.environ.get("E2E_LONG") == "1"
SEED = int(os.environ.get("E2E_SEED", 1))
SEEDS = range(SEED, SEED + (4 if LONG else 2))
SECONDS = 10 if LONG else 3
KILLS = 4  # at least, however slow the machine is
SENDERS = 8
MARK = re.compile(rb"^X-Mark: (\S+)\r?$", re.M)
SHAPE = dict(workers=2, top="Message_Memory = 4096\nGateway_Retry_Time = 0")


class Sender(threading.Thread):
    """Sends one message after another, each again until it is confirmed. Remembers what it heard."""

    def __init__(self, d, name, seed, over):
        super().__init__()
        self.d, self.mark, self.over = d, name, over
        self.chance = random.Random(seed)
        self.confirmed = []
        self.doubtful = {}  # by message: how often its end was sent, and no 2xx came
        self.refused = {}  # by code: how often
        self.fault = None

    def run(self):
        number = 0
        try:
            while not self.over.is_set():
                number += 1
                end = time.monotonic() + 30
                while not self.confirm("%s.%d" % (self.mark, number)):
                    if time.monotonic() > end:
                        raise AssertionError("%s.%d is never accepted: %r" % (self.mark, number, self.refused))
                    time.sleep(0.02)
        except Exception as e:
            self.fault = e

    def confirm(self, mark):
        """True: 250. False: the client was told that it was not, or the connection broke."""
        self.ended = False
        try:
            code = self.transaction(mark)
        except (OSError, AssertionError):
            code = 0  # refused, reset, or closed without an answer
        if code == 250:
            self.confirmed.append(mark)
            return True
        if code >= 500:
            raise AssertionError("%s is refused for ever: %d" % (mark, code))
        self.refused[code] = self.refused.get(code, 0) + 1
        if self.ended:
            self.doubtful[mark] = self.doubtful.get(mark, 0) + 1
        return False

    def transaction(self, mark):
        size = self.chance.choice((1, 10, 300, 2000))
        with self.d.client() as c:
            c.hello()
            for command in "MAIL FROM:<a@example.net>", "RCPT TO:<b@example.org>", "DATA":
                code = c.say(command).code
                if code >= 400:
                    return code
            c.send(b"X-Mark: %s\r\n\r\n" % mark.encode() + b"x" * 60 + b"\r\n")
            c.send((b"y" * 70 + b"\r\n") * size)
            self.ended = True
            c.send(b"end\r\n.\r\n")
            return c.reply().code


class SmtpSource(threading.Thread):
    """One short run after another; a run that ends well had all of its messages confirmed."""

    MESSAGES = 10

    def __init__(self, d, over):
        super().__init__()
        self.port, self.over, self.confirmed, self.failed = d.port, over, [], 0

    def run(self):
        number = 0
        while not self.over.is_set():
            number += 1
            sender = "source%d@example.net" % number
            done = subprocess.run(["smtp-source", "-s", "3", "-m", str(self.MESSAGES), "-l", "6000", "-f", sender,
                                   "-t", "b@example.org", "inet:127.0.0.1:%d" % self.port],
                                  stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
            if done.returncode == 0:
                self.confirmed.append(sender)
            else:
                self.failed += 1
                time.sleep(0.05)


class SinkProcess:
    """sink.py as a process that can be killed; each life writes into a directory of its own."""

    def __init__(self, directory):
        self.directory, self.lives = directory, 0
        self.free_port = FreePort()
        self.port = self.free_port.port
        self.process = None
        self.start()

    def start(self):
        self.lives += 1
        life = os.path.join(self.directory, "life%d" % self.lives)
        os.makedirs(life)
        self.process = subprocess.Popen([sys.executable, os.path.join(HERE, "sink.py"), "--port", str(self.port),
                                         "--dir", life], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        if b"listening" not in self.process.stdout.readline():
            raise AssertionError("the sink does not start")

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def close(self):
        self.kill()
        self.free_port.give()

    def mails(self):
        found = []
        for where, _, names in os.walk(self.directory):
            for name in names:
                if name.endswith(".eml"):
                    with open(os.path.join(where, name), "rb") as f:
                        found.append(f.read())
        return found


class Killed(E2E):
    def load(self, d, kill, seed):
        """Everybody sends while kill(chance) is called again and again; then they finish in peace."""
        chance = random.Random(seed)
        over = threading.Event()
        senders = [Sender(d, "s%d.%d" % (seed, i), seed * 100 + i, over) for i in range(SENDERS)]
        source = SmtpSource(d, over)
        for t in senders + [source]:
            t.start()
        kills, end = 0, time.monotonic() + SECONDS
        try:
            while time.monotonic() < end or kills < KILLS:
                time.sleep(chance.uniform(0.02, 0.6))
                kill(chance)
                kills += 1
        finally:
            time.sleep(0.1)
            over.set()
            for t in senders + [source]:
                t.join()
        for s in senders:
            if s.fault is not None:
                raise s.fault
        return senders, source, kills

    def check(self, senders, source, kills, mails):
        copies = {}
        for mail in mails:
            for mark in MARK.findall(mail):
                copies[mark.decode()] = copies.get(mark.decode(), 0) + 1
        confirmed = [mark for s in senders for mark in s.confirmed]
        doubtful = {mark: n for s in senders for mark, n in s.doubtful.items()}
        lost = [mark for mark in confirmed if mark not in copies]
        self.assertEqual(lost, [], "answered 250, and not there")
        for mark, n in copies.items():
            self.assertLessEqual(n, 1 + doubtful.get(mark, 0), "%s is there too often" % mark)
        self.assertGreater(len(confirmed), 20)
        twice = sum(n - 1 for n in copies.values())
        refused = {}
        for s in senders:
            for code, n in s.refused.items():
                refused[code] = refused.get(code, 0) + n
        print("%s: %d killed; %d confirmed, all there; %d sent again unanswered or 451, %d there twice; put off %r; "
              "smtp-source %d runs well, %d not" % (self.id().split(".")[-1], kills, len(confirmed),
                                                    sum(doubtful.values()), twice, refused,
                                                    len(source.confirmed), source.failed))

    def check_source(self, source, mails, path):
        for sender in source.confirmed:
            count = sum(path % sender.encode() in mail for mail in mails)
            self.assertGreaterEqual(count, SmtpSource.MESSAGES, sender)

    def test_the_daemon_with_a_Maildir(self):
        for seed in SEEDS:
            with self.subTest(seed=seed):
                d = self.daemon(**SHAPE)

                def kill(chance):
                    d.kill()
                    time.sleep(chance.choice((0, 0.1)))
                    d.start()

                outcome = self.load(d, kill, seed)
                mails = d.mails()
                self.check(*outcome, mails)
                self.check_source(outcome[1], mails, b"Return-Path: <%s>")
                for mail in mails:
                    if MARK.search(mail):
                        self.assertTrue(mail.endswith(b"\nend\n"), "a message in new/ is whole")
                self.assert_quiet(d)

    def sink(self, d):
        sink = SinkProcess(os.path.join(d.dir, "sink"))
        self.addCleanup(sink.close)
        d.configure(gateway="127.0.0.1:%d" % sink.port)
        d.start()
        return sink

    def test_the_daemon_with_a_next_hop(self):
        for seed in SEEDS:
            with self.subTest(seed=seed):
                d = self.daemon(start=False, **SHAPE)
                sink = self.sink(d)

                def kill(chance):
                    d.kill()
                    d.start()

                self.check(*self.load(d, kill, seed), sink.mails())
                self.assert_quiet(d)

    def test_the_next_hop(self):
        for seed in SEEDS:
            with self.subTest(seed=seed):
                d = self.daemon(start=False, **SHAPE)
                sink = self.sink(d)

                def kill(chance):
                    sink.kill()
                    time.sleep(chance.choice((0, 0.2)))
                    sink.start()

                outcome = self.load(d, kill, seed)
                self.check(*outcome, sink.mails())
                self.assert_quiet(d)
                # Nobody who stayed connected to us heard anything but a 451.
                self.assertLessEqual({code for s in outcome[0] for code in s.refused}, {451})

    def test_both(self):
        d = self.daemon(start=False, **SHAPE)
        sink = self.sink(d)

        def kill(chance):
            if chance.random() < 0.5:
                d.kill()
                d.start()
            else:
                sink.kill()
                sink.start()

        self.check(*self.load(d, kill, SEED), sink.mails())
        self.assert_quiet(d)


if __name__ == "__main__":
    unittest.main()
