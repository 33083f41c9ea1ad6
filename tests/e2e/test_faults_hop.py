"""Next hops that fall silent, flood, or die in the middle: within its time each is a 451, and the
worker goes on meanwhile. The times of RFC 5321 4.5.3.2 are minutes and no option; here they are
made short in the memory of the daemon."""

import os
import signal
import struct
import subprocess
import threading
import time
import unittest

from daemon import E2E, SANITIZED, TIDEWAITER, wait_until
from sink import Sink

PHASES = ("connect", "greeting", "EHLO", "MAIL", "RCPT", "DATA", "content", "dot")
TIMEOUTS = ("reach", "connect", "greeting", "helo", "mail", "rcpt", "data", "block", "dot")  # relay_timeouts
BIG = b"Subject: x\r\n\r\n" + (b"x" * 76 + b"\r\n") * 100_000


def shorten_timeouts(d, ms):
    """As a debugger would."""
    symbols = subprocess.run(["nm", TIDEWAITER], capture_output=True, text=True, check=True).stdout
    at = next(int(line.split()[0], 16) for line in symbols.splitlines() if line.endswith(" relay_timeouts"))
    with open("/proc/%d/maps" % d.pid) as f:
        base = next(int(line.split("-")[0], 16) for line in f if line.rstrip().endswith(os.path.realpath(TIDEWAITER)))
    with open("/proc/%d/mem" % d.pid, "r+b", buffering=0) as memory:
        memory.seek(base + at)
        if struct.unpack("9I", memory.read(36))[-1] != 600_000:
            raise AssertionError("that is not relay_timeouts")
        memory.seek(base + at)
        memory.write(struct.pack("9I", 4 * ms, *[ms] * 8))


class Faults(E2E):
    def setUp(self):
        self.sink = Sink()
        self.addCleanup(self.sink.close)
        self.d = self.daemon(workers=1, gateway="127.0.0.1:%d" % self.sink.port,
                             top="Gateway_Retry_Time = 0\nGateway_Idle_Time = 0")

    def converse(self, c, content=BIG):
        """Up to the first refusal."""
        for line in "MAIL FROM:<a@example.net>", "RCPT TO:<b@example.org>", "DATA":
            reply = c.say(line)
            if reply.code >= 400:
                return reply
        c.send(content + b".\r\n")
        return c.reply()

    def others_are_served(self, until):
        """Clients beside it, on the only worker: how long the slowest waited."""
        slowest = 0
        while not until():
            began = time.monotonic()
            with self.d.client(source="127.3.0.1") as c:
                c.say("NOOP", 250)
            slowest = max(slowest, time.monotonic() - began)
            time.sleep(0.01)
        return slowest

    def refusals(self, deed, phases, within):
        for phase in phases:
            with self.subTest(phase), self.d.client() as c:
                c.timeout = within + 5
                c.hello()
                self.sink.deeds = {phase: deed}
                answer = []
                began = time.monotonic()
                t = threading.Thread(target=lambda: answer.append(self.converse(c)))
                t.start()
                slowest = self.others_are_served(lambda: not t.is_alive())
                t.join()
                self.assertEqual(answer[0].code, 451)
                self.assertLess(time.monotonic() - began, within)
                self.assertLess(slowest, 0.5)
                # The session is none the worse for it.
                self.sink.deeds = {}
                c.say("RSET", 250)
                self.assertEqual(self.converse(c, b"x\r\n").code, 250)
                c.say("QUIT", 221)
        self.assert_quiet(self.d)

    def test_it_accepts_and_never_answers(self):
        shorten_timeouts(self.d, 300)
        self.refusals("silent", PHASES, 3)

    def test_it_floods_with_lines(self):
        shorten_timeouts(self.d, 600)
        self.flooded("flood")

    def test_it_floods_with_one_line(self):
        shorten_timeouts(self.d, 600)
        self.flooded("torrent")

    def flooded(self, deed):
        before = self.d.resident()
        self.refusals(deed, PHASES, 5)
        print("%s: %d KiB of memory" % (deed, (self.d.resident() - before) >> 10))
        self.assertLess(self.d.resident() - before, (256 if SANITIZED else 8) << 20)

    def test_it_dies_in_the_middle_of_the_content(self):
        for deed in "close", "reset", "sleep 0.1; reset", "451 4.3.0 enough; close":
            with self.subTest(deed):
                self.refusals(deed, ["content"], 5)
        self.assertEqual([t.code for t in self.sink.transactions if len(t.raw) > 1000 and t.ended], [])

    def test_it_answers_the_dot_and_dies_before_we_look(self):
        """The one moment where nobody can know better: either answer is right, and a message that we
        do not confirm may come a second time."""
        for deed in "250 2.0.0 Kept; reset", "250 2.0.0 Kept; close", "reset", "close":
            with self.subTest(deed), self.d.client() as c:
                self.sink.deeds = {"dot": "sleep 0.2; " + deed}
                self.sink.transactions.clear()
                c.hello()
                c.envelope()
                c.say("DATA", 354)
                c.send(b"x\r\n.\r\n")
                wait_until(lambda: any(t.ended for t in self.sink.transactions), "it has the message")
                self.d.signal(signal.SIGSTOP)
                try:
                    t = self.sink.wait()[0]
                    time.sleep(0.1)
                finally:
                    self.d.signal(signal.SIGCONT)
                reply = c.reply()
                self.assertIn(reply.code, (250, 451) if t.code == 250 else (451,))
                self.sink.deeds = {}
                self.assertEqual(self.converse(c, b"again\r\n").code, 250)
                self.assertTrue(self.sink.wait(2)[1].content.endswith(b"\r\nagain\r\n"))
        self.assert_quiet(self.d)

    def test_many_at_once_while_it_is_silent(self):
        """It is not asked by each of them in turn until the client gives up."""
        shorten_timeouts(self.d, 300)
        self.sink.deeds = {"greeting": "silent"}
        answers = []

        def one():
            with self.d.client() as c:
                c.hello()
                answers.append(self.converse(c, b"x\r\n").code)

        threads = [threading.Thread(target=one) for _ in range(50)]
        began = time.monotonic()
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertLess(time.monotonic() - began, 5)
        self.assertEqual(answers, [451] * 50)
        self.assert_quiet(self.d)


if __name__ == "__main__":
    unittest.main()
