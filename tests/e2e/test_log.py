"""What the log says, as text and as JSON, and that nobody can write into it."""

import json
import re
import unittest

from daemon import E2E, wait_until

EVIL = b"x\x1b[31m\xff\xfe"  # what a terminal, or a JSON reader, would trip over


class Text(E2E):
    def setUp(self):
        self.d = self.daemon()

    def session_lines(self, pattern):
        """The lines of the one session in which a line like that is."""
        line = self.d.wait_for_log(pattern)
        name = re.search(r"\]: ([0-9a-f]{16}): ", line)[1]
        return [l.split(name + ": ", 1)[1] for l in self.d.lines if name in l]

    def test_a_session(self):
        with self.d.client(source="127.4.5.6") as c:
            c.hello()
            c.envelope("a@example.net", "b@example.org", "c@example.org")
            c.say("RCPT TO:<x@example.net>", 554)
            c.message(b"hello\r\n")
            c.say("XYZZY", 500)
            c.say("QUIT", 221)
        lines = self.session_lines(r"disconnect from unknown\[127\.4\.5\.6\]")
        self.assertEqual(lines[0], "connect from unknown[127.4.5.6]")
        self.assertEqual(lines[1], "NOQUEUE: reject: RCPT from unknown[127.4.5.6]: 554 5.7.1 <x@example.net>: Relay access "
                         "denied; from=<a@example.net> to=<x@example.net> proto=ESMTP helo=<probe.example>")
        self.assertRegex(lines[2], r"^from=<a@example\.net>, to=<b@example\.org>, nrcpt=2, size=7, "
                         r"client=unknown\[127\.4\.5\.6\], relay=maildir:\S+, delay=[0-9.]+, status=sent \(250 2\.0\.0 Ok")
        self.assertRegex(lines[3], r"^disconnect from unknown\[127\.4\.5\.6\] ehlo=1 mail=1 rcpt=2/3 data=1 quit=1 "
                         r"unknown=0/1 commands=6/8 messages=1 tarpit=0\.0 time=[0-9.]+ end=quit$")
        self.assertEqual(len(lines), 4)

    def test_lost_connection(self):
        c = self.d.client()
        c.hello()
        c.reset()
        lines = self.session_lines("disconnect from")
        self.assertEqual(lines[1], "lost connection after EHLO from unknown[127.0.0.1]")
        self.assertIn(" ehlo=1 commands=1 ", lines[2])

    def test_ipv6(self):
        with self.d.client(host="::1") as c:
            c.say("QUIT", 221)
        self.session_lines(r"disconnect from unknown\[::1\] quit=1 commands=1 ")

    def test_every_line_is_one_line(self):
        """Whatever is in HELO, MAIL and RCPT stays inside the line it belongs to."""
        with self.d.client() as c:
            c.send(b"EHLO a\nconnect from unknown[6.6.6.6]\r\n")
            c.expect(500)
            c.send(b"EHLO a\rconnect from unknown[6.6.6.6]\r\n")
            c.expect(500)
            for command in (b"EHLO " + EVIL, b"MAIL FROM:<" + EVIL + b"@example.net>", b"EHLO \xc2\x85\xe2\x80\xa8x"):
                c.line(command)
                c.reply()
            c.line('EHLO x" forged="yes')
            c.reply()
            c.line('MAIL FROM:<"a>, to=<evil>"@example.net>')
            c.reply()
            c.line("RCPT TO:<\"x]: 250\"@example.net>")
            c.reply()
        self.d.wait_for_log("disconnect from")
        for line in self.d.lines:
            self.assertRegex(line, r"^\d{4}-\d\d-\d\dT[0-9:.]+Z tidewaiter\[\d+\]: ")
            self.assertNotRegex(line, r"[\x00-\x1f\x7f]")


class Json(E2E):
    def test_a_session(self):
        d = self.daemon(top="Log_Format = json", sieve={"ehlo_phase1": 'ec_tarpit "0.1" "slow";'})
        with d.client(source="127.4.5.6") as c:
            c.hello()
            c.envelope()
            c.say("RCPT TO:<x@example.net>", 554)
            c.message(b"hello\r\n")
            c.say("QUIT", 221)
        d.wait_for_log('"event":"disconnect"')
        started = [i for i, line in enumerate(d.lines) if line.startswith("{")][0]
        objects = [json.loads(line) for line in d.lines[started:]]
        mine = [o for o in objects if o.get("client") == "127.4.5.6"]
        self.assertEqual([o["event"] for o in mine], ["connect", "action", "reject", "delivery", "disconnect"])
        self.assertEqual(len({o["session"] for o in mine}), 1)
        connect, action, reject, delivery, disconnect = mine
        self.assertEqual((connect["listener"], connect["service"]), ("127.0.0.1:%d" % d.port, "SMTP"))
        self.assertEqual((action["phase"], action["function"], action["counter"], action["delay_ms"], action["observe"]),
                         ("ehlo", "ec_tarpit", "slow", 100, 0))
        self.assertEqual((reject["phase"], reject["code"], reject["enhanced"], reject["to"]),
                         ("rcptto", 554, "5.7.1", "x@example.net"))
        self.assertEqual((delivery["recipients"], delivery["size"], delivery["code"]), (1, 7, 250))
        self.assertEqual((disconnect["end"], disconnect["messages"], disconnect["tarpit_ms"]), ("quit", 1, 100))

    def test_injection(self):
        d = self.daemon(top="Log_Format = json", esmtp="Max_Errors = 0\nMax_Unproductive_Commands = 0")
        chars = [bytes([i]) for i in range(1, 256) if i not in b"\r\n"]
        with d.client() as c:
            for octet in chars:
                c.send(b'EHLO "a' + octet + b'","x":"y\r\nMAIL FROM:<"' + octet + b'\\\\"@example.net>\r\n'
                       b'RCPT TO:<"' + octet.replace(b"\\", b"\\\\").replace(b'"', b'\\"') +
                       b'\\",\\"x\\":\\"y"@example.net>\r\nRSET\r\n')
                for _ in range(4):
                    c.reply()
        wait_until(lambda: d.count() == 0, "all have left")
        lines = [line for line in d.lines if line.startswith("{")]
        self.assertGreater(len(lines), 90)
        for line in lines:
            self.assertNotIn("x", json.loads(line))

    def test_long_fields(self):
        d = self.daemon(top="Log_Format = json", esmtp="Max_Errors = 0")
        with d.client() as c:
            c.line("EHLO " + "\\" * 250)
            c.reply()
            for sender in '"' + '\\"' * 100 + '"', "ü" * 100:
                c.say("MAIL FROM:<%s@example.net> SMTPUTF8" % sender, 250)
                c.say("RCPT TO:<%s@example.net>" % sender, 554)
                c.say("RSET", 250)
        d.wait_for_log('"event":"disconnect"')
        for line in d.lines:
            if line.startswith("{"):
                json.loads(line)

    def test_T6_format_changes_with_a_reload(self):
        d = self.daemon()
        d.configure(top="Log_Format = json")
        self.assertTrue(d.reload())
        d.client().close()
        self.assertTrue(d.wait_for_log("disconnect").startswith("{"))


class Level(E2E):
    def test_only_what_is_wanted(self):
        """From info to warning, by a reload."""
        d = self.daemon(top="Log_Level = info")
        with d.client(source="127.4.5.7") as c:
            c.say("QUIT", 221)
        d.wait_for_log(r"disconnect from unknown\[127\.4\.5\.7\]")
        d.configure(top="Log_Level = warning")
        d.ctl("reload")
        with d.client(source="127.4.5.8") as c:
            c.say("QUIT", 221)
        d.configure(top="Log_Level = debug")
        d.ctl("reload")
        with d.client(source="127.4.5.9") as c:
            c.say("QUIT", 221)
        d.wait_for_log(r"disconnect from unknown\[127\.4\.5\.9\]")
        self.assertFalse([line for line in d.lines if "127.4.5.8" in line])


if __name__ == "__main__":
    unittest.main()
