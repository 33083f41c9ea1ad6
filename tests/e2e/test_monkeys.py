"""Everything at once, at random: clients that stop anywhere, a next hop in every mood, tarpits at each
phase, reloads, kicks and questions. Nobody is left in the counts, and no mail was confirmed that the
next hop did not confirm. E2E_SECONDS and E2E_SEED make it longer and different."""

import os
import random
import threading
import time
import unittest

from daemon import E2E
from sink import Sink

SECONDS = float(os.environ.get("E2E_SECONDS", 8))
SEED = int(os.environ.get("E2E_SEED", 1))

POLICY = {
    "connect_phase1": 'ec_tarpit "0.02";',
    "ehlo_phase1": 'ec_tarpit "0.01";',
    "rcptto_phase1": 'ec_tarpit "0.005";\n'
                     'if ec_test :is "%{vctx_mess:rcptto_localpart}" "no" { ec_action 550 "5.7.1 no"; }',
    "data_phase1": 'ec_tarpit "0.01";',
}
LIMITS = """\
Command_Timeout = 1
Idle_Time = 2
Transaction_Timeout = 3
Max_Errors = 9
Listener_Sessions = 40
"""
MOODS = ("close", "reset", "silent", "garbage", "long", "450 4.0.0 later", "550 5.0.0 never", "421 4.0.0 bye",
         "sleep 0.05; polite", "250 ok; reset")
PHASES = ("greeting", "EHLO", "MAIL", "RCPT", "DATA", "content", "dot", "RSET", "QUIT")
QUESTIONS = (["who"], ["top"], ["count", "SMTP", "0-32"], ["stats"], ["why", "127.1.1.1"], ["status"])


def session(chance):
    """Octets that are more or less a session, whole or cut off somewhere."""

    def message():
        return b"".join(chance.choice((b"x" * 80, b"..", b"", b"y" * 5000)) + b"\r\n"
                        for _ in range(chance.randrange(60)))

    def transaction():
        return (b"MAIL FROM:<a@example.net>\r\nRCPT TO:<%s@example.org>\r\nRCPT TO:<c@example.org>\r\n"
                b"DATA\r\n%s.\r\n" % (chance.choice((b"b", b"no")), message()))

    pieces = (transaction, transaction, lambda: b"NOOP\r\n", lambda: b"RSET\r\n", lambda: b"MAIL FROM:<>\r\n",
              lambda: b"HELP\r\n" * chance.randrange(60), lambda: chance.choice((b"X\r\n", b"\n", b"NOOP\r\n")))
    octets = b"EHLO probe.example\r\n" + b"".join(chance.choice(pieces)() for _ in range(chance.randrange(8)))
    octets += chance.choice((b"QUIT\r\n", b""))
    return octets[: chance.choice((len(octets), len(octets), chance.randrange(len(octets))))]


class Monkeys(E2E):
    def until_the_end(self, step, seed):
        """A thread that does the step again and again. What it throws fails the test."""
        chance = random.Random(SEED * 1000 + seed)

        def run():
            try:
                while time.monotonic() < self.end:
                    step(chance)
            except Exception as e:
                self.faults.append(e)

        t = threading.Thread(target=run)
        t.start()
        return t

    def client(self, number):
        def step(chance):
            try:
                c = self.d.client(source="127.%d.%d.1" % (chance.randrange(1, 4), number), greet=False,
                                  receive_buffer=chance.choice((None, 4096)))
            except OSError:
                return
            with c:
                try:
                    self.misbehave(c, chance)
                except OSError:
                    pass

        return step

    def misbehave(self, c, chance):
        unsent = session(chance)
        c.sock.settimeout(0.5)
        while unsent and chance.random() > 0.02:
            size = chance.choice((1, 10, 1000, 100000))
            c.send(unsent[:size])
            unsent = unsent[size:]
            if chance.random() < 0.2:
                time.sleep(chance.random() * 0.02)
        how = chance.random()
        if how < 0.3:
            c.reset()
            return
        if how < 0.6:
            c.finish_sending()
        c.sock.settimeout(0.1 + chance.random())
        while how < 0.9 and c.sock.recv(65536):
            pass

    def mood(self, chance):
        phase, mood = chance.choice(PHASES), chance.choice(MOODS)
        if phase == "content" and mood.startswith("250"):
            mood = "close"  # to us it would be its answer to the dot
        self.sink.deeds = {phase: mood} if chance.random() < 0.7 else {}
        time.sleep(0.05)

    def operator(self, chance):
        what = chance.random()
        if what < 0.3:
            self.d.configure(sieve=chance.choice((POLICY, None)),
                             gateway=chance.choice(("maildir:mail", "127.0.0.1:%d" % self.sink.port)))
            self.assertTrue(self.d.reload())
        elif what < 0.6:
            self.d.ctl("kick", "127.%d.0.0/16" % chance.randrange(1, 4))
        else:
            self.assertEqual(self.d.ctl(*chance.choice(QUESTIONS)).code, 0)
        time.sleep(0.1)

    def test_everything_at_once(self):
        self.sink, self.faults = Sink(), []
        self.addCleanup(self.sink.close)
        self.d = self.daemon(workers=3, gateway="127.0.0.1:%d" % self.sink.port, top="Message_Memory = 4096",
                             esmtp=LIMITS, sieve=POLICY)
        self.end = time.monotonic() + SECONDS
        steps = [self.client(number) for number in range(12)] + [self.mood, self.operator]
        threads = [self.until_the_end(step, seed) for seed, step in enumerate(steps)]
        for t in threads:
            t.join()
        self.assertEqual(self.faults, [])

        self.sink.close()  # a session may wait for it as long as unread input is there (T10)
        self.assert_quiet(self.d)
        sent = [line for line in self.d.lines if "status=sent" in line and "relay=maildir:" not in line]
        kept = [t for t in self.sink.transactions if t.code is not None and 200 <= t.code < 300]
        self.assertLessEqual(len(sent), len(kept))
        self.assertGreater(len(sent) + len(self.d.mails()), 0)


if __name__ == "__main__":
    unittest.main()
