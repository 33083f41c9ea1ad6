"""Mail into the Maildir: what arrives is what was sent, with our lines on top, and it is durable
before we say so (T4)."""

import email.message
import email.utils
import os
import random
import re
import shutil
import smtplib
import socket
import subprocess
import unittest

from daemon import E2E, PATIENCE, wait_until
from sink import Sink

TOP = re.compile(
    rb"Return-Path: <(?P<sender>[^\n]*)>\n"
    rb"(?P<delivered>(?:Delivered-To: [^\n]*\n)+)"
    rb"Received: from (?P<helo>\S+) \(unknown \[(?P<peer>[^\]]+)\]\)\n"
    rb"\tby (?P<by>\S+) \(Tidewaiter\) with (?P<protocol>\S+) id [0-9a-f]{16}\.\d+"
    rb"(?P<for>\n\tfor <[^\n]*>)?; (?P<date>[^\n]+)\n")


class Delivery(E2E):
    def setUp(self):
        self.d = self.daemon()

    def only_mail(self):
        """The one mail there is: its top, and what was sent."""
        mails = self.d.mails()
        self.assertEqual(len(mails), 1, mails)
        top = TOP.match(mails[0])
        self.assertIsNotNone(top, mails[0][:500])
        return top, mails[0][top.end():]

    def send(self, octets, sender="a@example.net", recipients=("b@example.org",), ehlo="probe.example"):
        """octets: the message, with CRLFs, unstuffed."""
        with self.d.client() as c:
            c.hello(ehlo)
            c.envelope(sender, *recipients)
            reply = c.message(octets.replace(b"\r\n.", b"\r\n..") if octets[:1] != b"."
                              else b"." + octets.replace(b"\r\n.", b"\r\n.."))
            c.say("QUIT", 221)
        return reply

    def test_T4_headers_on_top(self):
        self.send(b"Subject: x\r\n\r\nhello\r\n", "a@example.net", ("b@example.org", "c@example.org"))
        top, sent = self.only_mail()
        self.assertEqual(top["sender"], b"a@example.net")
        self.assertEqual(top["delivered"], b"Delivered-To: b@example.org\nDelivered-To: c@example.org\n")
        self.assertEqual((top["helo"], top["peer"], top["by"], top["protocol"]),
                         (b"probe.example", b"127.0.0.1", b"edge.example.org", b"ESMTP"))
        self.assertIsNone(top["for"])  # one of two would tell the other
        self.assertIsNotNone(email.utils.parsedate_to_datetime(top["date"].decode()))
        self.assertEqual(sent, b"Subject: x\n\nhello\n")

    def test_received_for_one_recipient(self):
        self.send(b"x\r\n")
        self.assertEqual(self.only_mail()[0]["for"], b"\n\tfor <b@example.org>")

    def test_received_of_helo_and_ipv6(self):
        with self.d.client(host="::1") as c:
            c.say("HELO probe.example", 250)
            c.envelope()
            c.message()
        top, _ = self.only_mail()
        self.assertEqual((top["peer"], top["protocol"]), (b"IPv6:::1", b"SMTP"))

    def test_null_sender(self):
        self.send(b"x\r\n", sender="")
        self.assertEqual(self.only_mail()[0]["sender"], b"")

    def test_empty_message(self):
        self.send(b"")
        self.assertEqual(self.only_mail()[1], b"")

    def test_dots(self):
        octets = b".\r\n..\r\n...\r\n.x\r\nx.\r\n\r\n.\r\n"
        self.send(octets)
        self.assertEqual(self.only_mail()[1], octets.replace(b"\r\n", b"\n"))

    def test_every_octet_but_the_forbidden(self):
        octets = bytes(b for b in range(1, 256) if b not in b"\r\n") * 7 + b"\r\n"
        self.send(octets)
        self.assertEqual(self.only_mail()[1], octets.replace(b"\r\n", b"\n"))

    def test_smtputf8(self):
        with self.d.client() as c:
            c.hello()
            c.say("MAIL FROM:<ü@exämple.net> SMTPUTF8 BODY=8BITMIME", 250)
            c.say("RCPT TO:<ñ@example.org>", 250)
            c.message("Subject: grüße\r\n\r\nñ\r\n".encode())
        top, sent = self.only_mail()
        self.assertEqual(top["sender"].decode(), "ü@exämple.net")
        self.assertEqual(top["delivered"].decode(), "Delivered-To: ñ@example.org\n")
        self.assertEqual(top["protocol"], b"UTF8SMTP")
        self.assertEqual(sent.decode(), "Subject: grüße\n\nñ\n")

    def test_one_octet_at_a_time(self):
        with self.d.client() as c:
            c.hello()
            c.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for octet in b"MAIL FROM:<a@example.net>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n":
                c.send(bytes([octet]))
            for code in 250, 250, 354:
                c.expect(code)
            for octet in b"one\r\n..two\r\n.\r\n":
                c.send(bytes([octet]))
            c.expect(250)
        self.assertEqual(self.only_mail()[1], b"one\n.two\n")

    def test_names_are_unique_and_sized(self):
        for i in range(5):
            self.send(b"%d\r\n" % i)
        new = os.path.join(self.d.maildir, "new")
        names = os.listdir(new)
        self.assertEqual(len(names), 5)
        for name in names:
            self.assertEqual(int(re.search(r",S=(\d+)$", name)[1]), os.stat(os.path.join(new, name)).st_size)
        self.assertEqual(os.listdir(os.path.join(self.d.maildir, "tmp")), [])
        self.assertTrue(os.path.isdir(os.path.join(self.d.maildir, "cur")))

    def test_smtplib(self):
        m = email.message.EmailMessage()
        m["Subject"], m["From"], m["To"] = "x", "a@example.net", "b@example.org"
        m.set_content("hello\n.\n.dot\n")
        with smtplib.SMTP("127.0.0.1", self.d.port, timeout=PATIENCE) as s:
            s.send_message(m)
            self.assertEqual(s.esmtp_features.keys(), {"pipelining", "size", "8bitmime", "enhancedstatuscodes", "smtputf8"})
        self.assertTrue(self.only_mail()[1].endswith(b"\n\nhello\n.\n.dot\n"))

    def swaks(self, *more):
        if shutil.which("swaks") is None:
            self.skipTest("swaks is not installed")
        done = subprocess.run(["swaks", "--server", "127.0.0.1", "--port", str(self.d.port), "--helo", "probe.example",
                               "--from", "a@example.net", "--body", "hello", "--timeout", str(PATIENCE), *more],
                              capture_output=True, text=True, timeout=2 * PATIENCE)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_swaks(self):
        self.swaks("--to", "b@example.org")
        self.assertIn(b"\nhello\n", self.only_mail()[1])

    def test_swaks_pipelined(self):
        self.swaks("--to", "b@example.org,c@example.org", "--pipeline")
        self.assertIn(b"Delivered-To: c@example.org", self.only_mail()[0]["delivered"])

    def smtp_source(self, *more):
        if shutil.which("smtp-source") is None:
            self.skipTest("smtp-source is not installed")
        done = subprocess.run(["smtp-source", "-f", "a@example.net", "-t", "b@example.org", *more,
                               "inet:127.0.0.1:%d" % self.d.port], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_smtp_source(self):
        self.smtp_source("-s", "10", "-m", "200", "-l", "5000")
        self.assertEqual(len(self.d.mails()), 200)
        self.assert_quiet(self.d)

    def test_smtp_source_keeping_sessions(self):
        self.smtp_source("-d", "-s", "5", "-m", "50", "-r", "3")
        self.assertEqual(len(self.d.mails()), 50)

    def test_a_maildir_that_cannot_be_written_is_451(self):
        os.rmdir(self.d.maildir)
        with open(self.d.maildir, "w"):
            pass  # a file where the directory should be
        with self.d.client() as c:
            c.hello()
            c.envelope()
            c.message(code=451)
            c.say("NOOP", 250)
        os.unlink(self.d.maildir)
        self.send(b"x\r\n")
        self.assertEqual(self.only_mail()[1], b"x\n")


class Big(E2E):
    """Messages over Message_Memory go through an unlinked file."""

    def setUp(self):
        self.d = self.daemon(top='Message_Memory = "64K"')

    def test_big_message_is_whole(self):
        line = b"0123456789abcdef" * 4 + b"\r\n"
        self.deliver(line * 100000)

    def test_big_message_of_dots_is_whole(self):
        self.deliver(b".\r\n" * 700000)

    def test_big_messages_at_once(self):
        clients = [self.d.client() for _ in range(4)]
        for i, c in enumerate(clients):
            c.hello()
            c.envelope()
            c.say("DATA", 354)
        for piece in range(20):
            for i, c in enumerate(clients):
                c.send((b"%d %d " % (i, piece) + b"x" * 60 + b"\r\n") * 1000)
        for c in clients:
            c.send(b".\r\n")
        for c in clients:
            c.expect(250)
            c.close()
        bodies = sorted(TOP.sub(b"", m) for m in self.d.mails())
        self.assertEqual(bodies, [b"".join((b"%d %d " % (i, piece) + b"x" * 60 + b"\n") * 1000 for piece in range(20))
                                  for i in range(4)])

    def deliver(self, octets):
        with self.d.client() as c:
            c.hello()
            c.envelope()
            c.say("DATA", 354)
            c.send(octets.replace(b"\r\n.", b"\r\n..") if octets[:1] != b"." else
                   b"." + octets.replace(b"\r\n.", b"\r\n.."))
            c.send(b".\r\n")
            c.expect(250)
        mails = self.d.mails()
        self.assertEqual(len(mails), 1)
        self.assertTrue(mails[0].endswith(b"\n" + octets.replace(b"\r\n", b"\n")))
        self.assertEqual([n for n in os.listdir(os.path.join(self.d.dir, "state")) if "message" in n], [])

    def test_leaving_in_the_middle_leaves_nothing(self):
        with self.d.client() as c:
            c.hello()
            c.envelope()
            c.say("DATA", 354)
            c.send(b"x" * 70 + b"\r\n")
            c.send((b"y" * 70 + b"\r\n") * 10000)
            c.reset()
        self.assert_quiet(self.d)
        self.assertEqual(self.d.mails(), [])
        wait_until(lambda: not self.open_files(), "no temporary file is open")

    def open_files(self):
        fds = "/proc/%d/fd" % self.d.pid
        found = []
        for fd in os.listdir(fds):
            try:
                found.append(os.readlink(os.path.join(fds, fd)))
            except FileNotFoundError:
                pass
        return [path for path in found if path.startswith(self.d.dir) and "deleted" in path]


class ManyAtOnce(E2E):
    """Clients that pipeline whole transactions, in pieces of any size, on one worker: they share its
    read buffer, and none may see an octet of another's."""

    CLIENTS, MESSAGES = 8, 25

    def body(self, client, message):
        mark = b"client %d message %d " % (client, message)
        return b"".join(mark + b"x" * (i * 37 % 200) + b"\r\n" for i in range(message * 3)) + b"..dot " + mark + b"\r\n"

    def session(self, client):
        return b"EHLO probe.example\r\n" + b"".join(
            b"MAIL FROM:<%d.%d@example.net>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n" % (client, m)
            + self.body(client, m) + b".\r\n" for m in range(self.MESSAGES)) + b"QUIT\r\n"

    def talk(self, d):
        chance = random.Random(5)
        clients = [d.client() for _ in range(self.CLIENTS)]
        unsent = [self.session(i) for i in range(self.CLIENTS)]
        while any(unsent):
            i = chance.choice([i for i in range(self.CLIENTS) if unsent[i]])
            size = chance.choice((1, 2, 50, 4096, 9000, 70000))
            clients[i].send(unsent[i][:size])
            unsent[i] = unsent[i][size:]
        for c in clients:
            for code in [250] + [250, 250, 354, 250] * self.MESSAGES + [221]:
                c.expect(code)
            c.expect_closed()
            c.close()
        self.assert_quiet(d)
        return {(i, m): self.body(i, m).replace(b"\r\n..", b"\r\n.") if m else self.body(i, m)[1:]
                for i in range(self.CLIENTS) for m in range(self.MESSAGES)}

    def check(self, want, found):
        """found: (sender, content with CRLFs)"""
        self.assertEqual(len(found), len(want))
        for sender, content in found:
            i, m = sender.split("@")[0].split(".")
            self.assertEqual(content.split(b"\r\n", 3)[3] if b"\tfor" in content else content, want[int(i), int(m)])

    def test_into_the_maildir(self):
        d = self.daemon(workers=1, esmtp="Max_Unproductive_Commands = 0", top="Message_Memory = 4096")
        want = self.talk(d)
        found = []
        for mail in d.mails():
            top = TOP.match(mail)
            found.append((top["sender"].decode(), mail[top.end():].replace(b"\n", b"\r\n")))
        self.check(want, found)

    def test_through_a_next_hop(self):
        with Sink() as sink:
            d = self.daemon(workers=1, gateway="127.0.0.1:%d" % sink.port, top="Message_Memory = 4096")
            want = self.talk(d)
            self.check(want, [(t.sender, t.content) for t in sink.wait(len(want))])


class Durable(E2E):
    def test_T4_synced_renamed_synced_then_250(self):
        if shutil.which("strace") is None:
            self.skipTest("strace is not installed")
        d = self.daemon(before=["strace", "-f", "-qq", "-e", "trace=fsync,fdatasync,rename,renameat2,sendto",
                                "-y", "-s", "40", "-o", os.path.join("trace")])
        with d.client() as c:
            c.hello()
            c.envelope()
            c.message()
            c.say("QUIT", 221)
        d.wait_for_count(0)
        with open(os.path.join(d.dir, "trace")) as f:
            trace = f.read()
        steps = [r"f(data)?sync\(\d+<[^>]*/mail/tmp/[^>]*>", r"rename(at2)?\(.*/mail/tmp/.*/mail/new/",
                 r"fsync\(\d+<[^>]*/mail/new>", r"sendto\(.*\"250 2\.0\.0 Ok: delivered"]
        at = 0
        for step in steps:
            found = re.compile(step).search(trace, at)
            self.assertIsNotNone(found, "%s is not behind the step before it in\n%s" % (step, trace))
            at = found.start()


if __name__ == "__main__":
    unittest.main()
