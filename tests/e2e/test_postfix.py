"""Mail passed on to a real Postfix, which delivers it into a Maildir."""

import re
import shutil
import subprocess
import unittest

import postfix
from daemon import E2E, PATIENCE, wait_until


@unittest.skipIf(postfix.missing(), postfix.missing())
class ThroughPostfix(E2E):
    @classmethod
    def setUpClass(cls):
        cls.hop = postfix.Postfix()
        cls.addClassCleanup(cls.hop.stop)
        cls.hop.start()

    def setUp(self):
        self.d = self.daemon(gateway="127.0.0.1:%d" % self.hop.port)

    def delivered(self, user, mark):
        """The one mail with that mark, once it is there."""
        found = wait_until(lambda: [m for m in self.hop.mails(user) if mark in m], "Postfix delivers\n" + self.hop.log())
        self.assertEqual(len(found), 1)
        return found[0]

    def test_a_message_arrives_as_it_was_sent(self):
        body = b"mark-octets\r\n.\r\n..\r\n.dot\r\n\r\n" + "grüße\r\n".encode() + b"x" * 900 + b"\r\n"
        with self.d.client() as c:
            c.hello()
            c.say("MAIL FROM:<a@example.net> BODY=8BITMIME", 250)
            c.say("RCPT TO:<b@example.org>", 250)
            reply = c.message(b"Subject: x\r\n\r\n" + body.replace(b"\r\n.", b"\r\n.."))
        self.assertRegex(reply.text, r"^2\.0\.0 Ok: queued as \w+$")
        mail = self.delivered("b", b"mark-octets")
        self.assertTrue(mail.endswith(b"\n\n" + body.replace(b"\r\n", b"\n")), mail)
        self.assertIn(b"Return-Path: <a@example.net>\n", mail)
        hops = re.findall(rb"^Received: from (\S+) ", mail, re.M)
        self.assertEqual(hops, [b"edge.example.org", b"probe.example"])

    def test_T3_its_refusals_are_ours(self):
        with self.d.client() as c:
            c.hello()
            c.send(b"MAIL FROM:<a@example.net>\r\nRCPT TO:<nobody@example.org>\r\nRCPT TO:<b@example.org>\r\n"
                   b"RCPT TO:<c@example.org>\r\nDATA\r\n")
            c.expect(250)
            c.expect(550, "User unknown")
            for code in 250, 250, 354:
                c.expect(code)
            c.send(b"mark-two\r\n.\r\n")
            c.expect(250)
            c.say("MAIL FROM:<a@example.net> SIZE=30000000", 552)
            c.say("QUIT", 221)
        for user in "b", "c":
            self.delivered(user, b"mark-two")
        self.d.wait_for_log(r"NOQUEUE: reject: RCPT from unknown\[127\.0\.0\.1\]: 550 .*User unknown")

    def test_null_sender(self):
        with self.d.client() as c:
            c.hello()
            c.envelope("")
            c.message(b"mark-null\r\n")
        self.assertIn(b"Return-Path: <>\n", self.delivered("b", b"mark-null"))

    def test_smtputf8(self):
        with self.d.client() as c:
            c.hello()
            c.say("MAIL FROM:<ü@example.net> SMTPUTF8", 250)
            c.say("RCPT TO:<ñ@example.org>", 250)
            c.message("Subject: ü\r\n\r\nmark-utf8 ü\r\n".encode())
        self.assertIn("mark-utf8 ü\n".encode(), self.delivered("n", b"mark-utf8"))

    def test_big_message(self):
        line = b"0123456789" * 7 + b"\r\n"
        with self.d.client() as c:
            c.hello()
            c.envelope()
            c.message(b"mark-big\r\n" + line * 100_000)
        self.assertEqual(self.delivered("b", b"mark-big").count(line.replace(b"\r\n", b"\n")), 100_000)

    def test_smuggled_ends_do_not_reach_it(self):
        with self.d.client() as c:
            c.hello()
            c.envelope()
            c.message(b"mark-smuggled\n.\r\nMAIL FROM:<evil@example.net>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n", 550)
            c.envelope()
            c.message(b"mark-after\r\n")
        self.delivered("b", b"mark-after")
        self.assertEqual([m for m in self.hop.mails("b") if b"mark-smuggled" in m], [])

    def test_smtp_source(self):
        if shutil.which("smtp-source") is None:
            self.skipTest("smtp-source is not installed")
        before = len(self.hop.mails("c"))
        done = subprocess.run(["smtp-source", "-f", "a@example.net", "-t", "c@example.org", "-s", "10", "-m", "100", "-l",
                               "3000", "inet:127.0.0.1:%d" % self.d.port], capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr)
        wait_until(lambda: len(self.hop.mails("c")) - before == 100, "Postfix delivers all", 3 * PATIENCE)
        self.assert_quiet(self.d)


@unittest.skipIf(postfix.missing(), postfix.missing())
class PostfixDies(E2E):
    def test_T3_a_next_hop_that_was_ended_is_451(self):
        hop = postfix.Postfix()
        self.addCleanup(hop.stop)
        hop.start()
        d = self.daemon(gateway="127.0.0.1:%d" % hop.port)
        with d.client() as c:
            c.hello()
            c.envelope()
            c.message()
            hop.stop()
            c.say("MAIL FROM:<a@example.net>", 451)
        self.assert_quiet(d)


if __name__ == "__main__":
    unittest.main()
