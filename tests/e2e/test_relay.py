"""Mail passed on to a next hop, command by command (T3): the client hears what the next hop says,
and never a 250 that it did not give."""

import time
import unittest

from daemon import E2E, wait_until
from sink import Sink

MESSAGE = b"Subject: x\r\n\r\nhello\r\n.dot\r\n"
GOOD = ("dot", 250)
ALONE = "\nGateway_Idle_Time = 0\nGateway_Retry_Time = 0"  # each transaction dials, whatever was before



class Relay(E2E):
    def hop(self, deeds=None, **more):
        s = Sink(deeds, **more)
        self.addCleanup(s.close)
        return s

    def daemon(self, top="", **shape):
        return super().daemon(top=top + ALONE, **shape)

    def through(self, sink, **shape):
        return self.daemon(gateway="127.0.0.1:%d" % sink.port, **shape)

    def converse(self, c, recipients=("b@example.org",)):
        """A transaction up to the first refusal: where it came, and its code and text."""
        c.line("MAIL FROM:<a@example.net>")
        reply = c.reply()
        if reply.code >= 400:
            return "MAIL", reply.code, reply.text
        for r in recipients:
            c.line("RCPT TO:<%s>" % r)
            reply = c.reply()
        if reply.code >= 400:
            return "RCPT", reply.code, reply.text
        c.say("DATA", 354)
        c.send(MESSAGE.replace(b"\r\n.", b"\r\n..") + b".\r\n")
        reply = c.reply()
        return "dot", reply.code, reply.text


class Misbehaviour(Relay):
    """name, what the next hop does, where the client hears of it, and what."""

    CASES = (
        ("polite", {}, "dot", 250, "kept as 1"),
        ("greeting closes", {"greeting": "close"}, "MAIL", 451, "4.4."),
        ("greeting resets", {"greeting": "reset"}, "MAIL", 451, "4.4."),
        ("greeting 554", {"greeting": "554 5.3.2 no"}, "MAIL", 451, "4."),
        ("greeting 421", {"greeting": "421 4.3.2 no"}, "MAIL", 451, "4."),
        ("greeting garbage", {"greeting": "garbage"}, "MAIL", 451, "4."),
        ("greeting long", {"greeting": "long"}, "MAIL", 451, "4."),
        ("greeting of several lines", {"greeting": "220 one|two|three"}, "dot", 250, ""),
        ("EHLO closes", {"EHLO": "close"}, "MAIL", 451, "4.4."),
        ("EHLO unknown", {"EHLO": "502 5.5.1 what"}, "dot", 250, ""),
        ("EHLO and HELO unknown", {"EHLO": "502 5.5.1 what", "HELO": "502 5.5.1 what"}, "MAIL", 451, "4."),
        ("MAIL closes", {"MAIL": "close"}, "MAIL", 451, "4.4."),
        ("MAIL resets", {"MAIL": "reset"}, "MAIL", 451, "4.4."),
        ("MAIL 451", {"MAIL": "451 4.7.1 later"}, "MAIL", 451, "4.7.1 later"),
        ("MAIL 550", {"MAIL": "550 5.7.1 not you"}, "MAIL", 550, "5.7.1 not you"),
        ("MAIL garbage", {"MAIL": "garbage"}, "MAIL", 451, "4."),
        ("MAIL more than asked", {"MAIL": r"raw 250 ok\r\n250 and more\r\n"}, "RCPT", 451, "4."),
        ("MAIL 354", {"MAIL": "354 what"}, "MAIL", 451, "4."),
        ("RCPT closes", {"RCPT": "close"}, "RCPT", 451, "4.4."),
        ("RCPT 450", {"RCPT": "450 4.2.0 greylisted"}, "RCPT", 450, "4.2.0 greylisted"),
        ("RCPT 550 of several lines", {"RCPT": "550 5.1.1 one|5.1.1 two"}, "RCPT", 550, "5.1.1 two"),
        ("RCPT bare LF", {"RCPT": r"raw 250 ok\n250 ok\r\n"}, "RCPT", 451, "4."),
        ("DATA closes", {"DATA": "close"}, "dot", 451, "4.4."),
        ("DATA 451", {"DATA": "451 4.3.0 no"}, "dot", 451, "4.3.0 no"),
        ("DATA 554", {"DATA": "554 5.7.1 no"}, "dot", 554, "5.7.1 no"),
        ("DATA 250", {"DATA": "250 kept already"}, "dot", 451, "4."),
        ("content closes", {"content": "close"}, "dot", 451, "4.4."),
        ("content resets", {"content": "reset"}, "dot", 451, "4.4."),
        ("dot closes", {"dot": "close"}, "dot", 451, "4.4."),
        ("dot resets", {"dot": "reset"}, "dot", 451, "4.4."),
        ("dot 451", {"dot": "451 4.3.1 full"}, "dot", 451, "4.3.1 full"),
        ("dot 550", {"dot": "550 5.7.1 spam"}, "dot", 550, "5.7.1 spam"),
        ("dot garbage", {"dot": "garbage"}, "dot", 451, "4."),
        ("dot 354", {"dot": "354 go on"}, "dot", 451, "4."),
        ("dot half a reply", {"dot": "raw 250-2.0.0 Ok\\r\\n; close"}, "dot", 451, "4.4."),
        ("dot half a line", {"dot": "raw 250 2.0.0 Ok; close"}, "dot", 451, "4.4."),
        ("dot, then dies", {"dot": "250 2.0.0 Kept; reset"}, "dot", 250, "Kept"),
        ("dot, then more", {"dot": "raw 250 2.0.0 Kept\\r\\n550 no\\r\\n"}, "dot", 250, "Kept"),
        ("QUIT closes", {"QUIT": "close"}, "dot", 250, ""),
    )

    def test_T3_each_phase(self):
        sink = self.hop()
        d = self.through(sink)
        for name, deeds, want_where, want_code, want_text in self.CASES:
            with self.subTest(name):
                sink.deeds = deeds
                sink.transactions.clear()
                with d.client() as c:
                    c.hello()
                    where, code, text = self.converse(c)
                    self.assertEqual((where, code), (want_where, want_code), text)
                    self.assertIn(want_text, text)
                    # The session is none the worse for it.
                    sink.deeds = {}
                    c.say("RSET", 250)
                    self.assertEqual(self.converse(c)[:2], GOOD)
                    c.say("QUIT", 221)
        self.assert_quiet(d)

    def test_T3_refused_connection_is_451_at_MAIL(self):
        d = self.through(self.hop(refuse=True))
        with d.client() as c:
            c.hello()
            where, code, text = self.converse(c)
            self.assertEqual((where, code), ("MAIL", 451))
            self.assertIn("4.4.1", text)
            c.say("RCPT TO:<b@example.org>", 503)
        self.assert_quiet(d)

    def test_a_line_without_end_is_not_listened_to(self):
        for phase in "greeting", "MAIL", "dot":
            with self.subTest(phase), Sink({phase: "torrent"}) as sink:
                d = self.daemon(gateway="127.0.0.1:%d" % sink.port)
                with d.client() as c:
                    c.hello()
                    reply = c.say("MAIL FROM:<a@example.net>")
                    if phase == "dot":
                        c.say("RCPT TO:<b@example.org>", 250)
                        reply = c.message(code=451)
                    self.assertEqual(reply.code, 451)

    def test_421_of_the_next_hop_is_not_ours(self):
        """It closes its connection, we need not close ours."""
        sink = self.hop()
        d = self.through(sink)
        for phase in "MAIL", "RCPT", "DATA", "dot":
            with self.subTest(phase), d.client() as c:
                sink.deeds = {phase: "421 4.3.2 shutting down"}
                c.hello()
                where, code, text = self.converse(c)
                self.assertGreaterEqual(code, 400)
                self.assertLess(code, 500)
        self.assert_quiet(d)


class OneByOne(Relay):
    def test_T3_recipients_are_answered_as_the_next_hop_does(self):
        sink = self.hop({"RCPT:no@example.org": "550 5.1.1 nobody", "RCPT:later@example.org": "451 4.2.1 later"})
        d = self.through(sink)
        with d.client() as c:
            c.hello()
            c.send(b"MAIL FROM:<a@example.net>\r\nRCPT TO:<one@example.org>\r\nRCPT TO:<no@example.org>\r\n"
                   b"RCPT TO:<x@example.net>\r\nRCPT TO:<later@example.org>\r\nRCPT TO:<two@example.org>\r\nDATA\r\n")
            for code in 250, 250, 550, 554, 451, 250, 354:
                c.expect(code)
            c.send(b"x\r\n.\r\n")
            c.expect(250)
        (t,) = sink.wait()
        self.assertEqual((t.sender, t.recipients), ("a@example.net", ["one@example.org", "two@example.org"]))

    def test_T3_nothing_is_answered_before_the_next_hop_has(self):
        sink = self.hop()
        d = self.through(sink)
        for phase in "MAIL", "RCPT", "dot":
            with self.subTest(phase), d.client() as c:
                c.hello()
                sink.deeds = {phase: "sleep 0.7; polite"}
                lines = {"MAIL": b"MAIL FROM:<a@example.net>\r\n", "RCPT": b"RCPT TO:<b@example.org>\r\n"}
                for verb, line in lines.items():
                    c.send(line)
                    if verb == phase:
                        c.expect_nothing(0.4)
                    c.expect(250)
                c.say("DATA", 354)
                c.send(b".\r\n")
                if phase == "dot":
                    c.expect_nothing(0.4)
                c.expect(250)

    def test_content_is_the_same_octet_for_octet(self):
        sink = self.hop()
        d = self.through(sink)
        octets = (bytes(b for b in range(1, 256) if b not in b"\r\n") + b"\r\n") * 20 + b".\r\n..\r\n.x\r\n\r\n"
        with d.client() as c:
            c.hello()
            c.say("MAIL FROM:<a@example.net> BODY=8BITMIME SIZE=%d" % len(octets), 250)
            c.say("RCPT TO:<b@example.org>", 250)
            c.message(octets.replace(b"\r\n.", b"\r\n.."))
        (t,) = sink.wait()
        self.assertRegex(t.content[: -len(octets)], rb"^Received: from probe.example \(unknown \[127.0.0.1\]\)\r\n\tby ")
        self.assertEqual(t.content[-len(octets):], octets)
        self.assertTrue(t.raw.endswith(b"\r\n.\r\n"))
        self.assertIn("BODY=8BITMIME", t.mail)

    def test_a_message_without_last_line_end_of_its_own(self):
        sink = self.hop()
        d = self.through(sink)
        with d.client() as c:
            c.hello()
            c.envelope()
            c.message(b"")
        (t,) = sink.wait()
        self.assertRegex(t.content, rb"^Received: [^\0]*\r\n$")

    def test_big_message_to_a_slow_next_hop(self):
        sink = self.hop(slow=8_000_000)
        d = self.through(sink, top="Message_Memory = 64K")
        octets = (b"0123456789" * 7 + b"\r\n.\r\n") * 50_000
        with d.client() as c:
            c.hello()
            c.envelope()
            c.message(octets.replace(b"\r\n.", b"\r\n.."))
        (t,) = sink.wait()
        self.assertTrue(t.content.endswith(octets))

    def test_second_message_of_a_session(self):
        sink = self.hop()
        d = self.through(sink)
        with d.client() as c:
            c.hello()
            for _ in range(3):
                self.assertEqual(self.converse(c)[:2], GOOD)
            c.say("MAIL FROM:<a@example.net>", 250)
            c.say("RSET", 250)
            self.assertEqual(self.converse(c)[:2], GOOD)
        self.assertEqual(len(sink.wait(4)), 4)
        self.assert_quiet(d)

    def test_T12_what_the_next_hop_lacks_is_refused(self):
        d = self.through(self.hop(lacks=("SMTPUTF8", "8BITMIME")))
        with d.client() as c:
            c.hello()
            c.say("MAIL FROM:<ü@example.net> SMTPUTF8", 553)
            c.say("MAIL FROM:<a@example.net> BODY=8BITMIME", 555)
            self.assertEqual(self.converse(c)[:2], GOOD)

    def test_policy_refuses_before_the_next_hop_is_asked(self):
        sink = self.hop()
        d = self.through(sink, sieve={"mailfrom_phase1": 'ec_action 550 "5.7.1 no";'})
        with d.client() as c:
            c.hello()
            c.say("MAIL FROM:<a@example.net>", 550)
        self.assertEqual(sink.connections, 0)

    def test_policy_refuses_the_message_before_it_is_passed_on(self):
        sink = self.hop()
        d = self.through(sink, sieve={"data_phase1": 'ec_action 550 "5.7.1 no";'})
        with d.client() as c:
            c.hello()
            self.assertEqual(self.converse(c)[:2], ("dot", 550))
        self.assertEqual(sink.transactions, [])


class Leaving(Relay):
    """The client goes while the next hop is silent: nothing of the session is left."""

    def test_T10_in_each_phase(self):
        sink = self.hop()
        d = self.through(sink)
        for phase, sent in (("greeting", b"MAIL FROM:<a@example.net>\r\n"), ("MAIL", b"MAIL FROM:<a@example.net>\r\n"),
                            ("RCPT", b"MAIL FROM:<a@example.net>\r\nRCPT TO:<b@example.org>\r\n"),
                            ("dot", b"MAIL FROM:<a@example.net>\r\nRCPT TO:<b@example.org>\r\nDATA\r\nx\r\n.\r\n")):
            for leave in "finish_sending", "reset":
                with self.subTest(phase=phase, leave=leave), d.client() as c:
                    sink.deeds = {phase: "silent"}
                    before = sink.connections
                    c.hello()
                    c.send(sent)
                    wait_until(lambda: sink.connections > before and '"wait":"relay"' in d.ctl("who", "--json").out,
                               "the session waits for its next hop")
                    getattr(c, leave)()
                    d.wait_for_count(0)
                    wait_until(lambda: not sink.open, "the next hop is let go")
        sink.deeds = {}
        self.assert_quiet(d)

    def test_kicked_while_it_waits(self):
        """Even with answers under way that the client does not read."""
        sink = self.hop({"MAIL": "silent"})
        d = self.through(sink, esmtp="Max_Unproductive_Commands = 0")
        with d.client(receive_buffer=4096) as c:
            c.hello()
            c.line("MAIL FROM:<a@example.net>")
            wait_until(lambda: '"wait":"relay"' in d.ctl("who", "--json").out, "the session waits for its next hop")
            self.assertEqual(d.ctl("kick", "127.0.0.1").code, 0)
            c.expect(421, "4.7.0")
            c.expect_closed()
        wait_until(lambda: not sink.open, "the next hop is let go")
        self.assert_quiet(d)

    def test_resets_while_relaying(self):
        sink = self.hop({"MAIL": "sleep 0.02; polite", "dot": "sleep 0.02; polite"})
        d = self.through(sink)
        session = (b"EHLO probe.example\r\nMAIL FROM:<a@example.net>\r\nRCPT TO:<b@example.org>\r\nDATA\r\nx\r\n.\r\n")
        clients = []
        for i in range(100):
            c = d.client(greet=False)
            c.send(session[: 20 + i])
            clients.append(c)
            if len(clients) > 10:
                clients.pop(0).reset()
        for c in clients:
            c.reset()
        self.assert_quiet(d)


class Ways(Relay):
    def test_T3_domain_scopes(self):
        one, two = self.hop(), self.hop()
        d = self.daemon(gateway=None, domains='( "one.example" "two.example" "sub.two.example" "other.example" )',
                        top='Domain "one.example" { Gateway = "127.0.0.1:%d" }\n'
                            'Domain "*.two.example" { Gateway = "127.0.0.1:%d" }\n'
                            'Gateway = "maildir:mail"' % (one.port, two.port))
        with d.client() as c:
            c.hello()
            c.say("MAIL FROM:<a@example.net>", 250)
            self.assertEqual(one.connections + two.connections, 0)
            c.say("RCPT TO:<b@one.example>", 250)
            c.say("RCPT TO:<b@sub.two.example>", 452)
            c.say("RCPT TO:<b@other.example>", 452)
            c.say("RCPT TO:<c@ONE.example>", 250)
            c.message()
            c.envelope("a@example.net", "b@sub.two.example")
            c.message()
            c.envelope("a@example.net", "b@two.example", "b@other.example")  # no sub-domain: the Gateway
            c.message()
        self.assertEqual(one.wait()[0].recipients, ["b@one.example", "c@ONE.example"])
        self.assertEqual(two.wait()[0].recipients, ["b@sub.two.example"])
        self.assertEqual(len(d.mails()), 1)

    def test_T3_a_refused_recipient_binds_no_next_hop(self):
        one, two = self.hop({"RCPT": "550 5.1.1 nobody"}), self.hop()
        d = self.daemon(gateway="127.0.0.1:%d" % one.port, domains='( "example.org" "two.example" )',
                        top='Domain "two.example" { Gateway = "127.0.0.1:%d" }' % two.port)
        with d.client() as c:
            c.hello()
            c.say("MAIL FROM:<a@example.net>", 250)
            c.say("RCPT TO:<b@example.org>", 550)
            c.say("RCPT TO:<b@two.example>", 250)
            c.message()
        self.assertEqual(two.wait()[0].recipients, ["b@two.example"])

    def test_T3_a_dead_domain_is_451_at_RCPT(self):
        dead = self.hop(refuse=True)
        d = self.daemon(domains='( "example.org" "dead.example" )',
                        top='Domain "dead.example" { Gateway = "127.0.0.1:%d" }' % dead.port)
        with d.client() as c:
            c.hello()
            c.say("MAIL FROM:<a@example.net>", 250)
            c.expect_nothing(0.05)
            c.say("RCPT TO:<b@dead.example>", 451)
            c.say("RCPT TO:<b@example.org>", 250)
            c.message()
        self.assertEqual(len(d.mails()), 1)

    def test_routes_by_preference(self):
        first, second, dead = self.hop(), self.hop(), self.hop(refuse=True)
        d = self.daemon(gateway=None, esmtp='Routes = ( "smtp://127.0.0.1?pref=20&port=%d" "smtp://127.0.0.1?pref=10&port=%d"'
                                            ' "smtp://127.0.0.1?pref=5&port=%d" )' % (second.port, first.port, dead.port))
        with d.client() as c:
            c.hello()
            self.assertEqual(self.converse(c)[:2], GOOD)
        self.assertEqual((first.connections, second.connections), (1, 0))

    def test_prohibited_hosts_are_not_dialled(self):
        sink = self.hop()
        d = self.through(sink, top='Prohibited_Hosts = ( "127.0.0.0/8" )')
        with d.client() as c:
            c.hello()
            self.assertEqual(self.converse(c)[:2], ("MAIL", 451))
        self.assertEqual(sink.connections, 0)

    def test_next_hop_by_name(self):
        sink = self.hop()
        d = self.daemon(gateway="localhost:%d" % sink.port)
        with d.client() as c:
            c.hello()
            self.assertEqual(self.converse(c)[:2], GOOD)

    def test_a_name_that_is_not_there(self):
        nobody = self.hop(refuse=True)
        d = self.daemon(gateway="does-not-exist.invalid:25", env={"TIDEWAITER_DNS": "127.0.0.1:%d" % nobody.port})
        with d.client() as c:
            c.hello()
            self.assertEqual(self.converse(c)[:2], ("MAIL", 451))


if __name__ == "__main__":
    unittest.main()
