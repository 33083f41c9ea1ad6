"""The true client: PROXY headers in front of a session, XCLIENT and XREMOTEIP within one. Counts,
caps and settings are those of the address that they tell, from the moment they tell it (D49, D76)."""

import random
import shutil
import socket
import ssl
import subprocess
import threading
import time
import unittest

from daemon import E2E, wait_until
from oracle import Oracle
from tls import SecureClient, certificate, context

V2 = b"\r\n\r\n\0\r\nQUIT\n"
EVERYBODY = '( "0.0.0.0/0" "::/0" )'
TRUST = "XClient_Hosts = " + EVERYBODY
ALL_EXTENSIONS = 'SMTP_Extensions = ( "XCLIENT" "XREMOTEIP" "XSETCONTEXT" "XDUMPCONTEXT" )'
PROXIED = 'Proxy_Protocol = true Proxy_Hosts = ( "127.0.0.0/8" "::1" )'


def v1(client, server="198.51.100.9", port=12345):
    return b"PROXY TCP%d %s %s %d 25\r\n" % (6 if ":" in client else 4, client.encode(), server.encode(), port)


def v2(client, server=None, port=12345, tlvs=b"", checksum=None):
    six = ":" in client
    family = socket.AF_INET6 if six else socket.AF_INET
    server = server or ("2001:db8::9" if six else "198.51.100.9")
    block = socket.inet_pton(family, client) + socket.inet_pton(family, server)
    block += port.to_bytes(2, "big") + (25).to_bytes(2, "big") + tlvs
    if checksum is not None:
        block += b"\x03\0\4" + bytes(4)
    head = V2 + b"\x21" + (b"\x21" if six else b"\x11") + len(block).to_bytes(2, "big")
    if checksum is None:
        return head + block
    return head + block[:-4] + (crc32c(head + block) ^ (not checksum)).to_bytes(4, "big")


def crc32c(octets):
    crc = 0xffffffff
    for octet in octets:
        crc ^= octet
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


class Proxy(E2E):
    GOOD = (
        ("version 1", v1("192.0.2.7"), "192.0.2.7"),
        ("version 1, IPv6", v1("2001:db8::7", "2001:db8::9"), "2001:db8::7"),
        ("version 1, mapped (D105)", v1("::ffff:192.0.2.7", "::ffff:198.51.100.9"), "192.0.2.7"),
        ("version 1, unknown", b"PROXY UNKNOWN\r\n", "127.0.0.5"),
        ("version 2", v2("192.0.2.7"), "192.0.2.7"),
        ("version 2, IPv6", v2("2001:db8::7"), "2001:db8::7"),
        ("version 2, mapped (D105)", v2("::ffff:192.0.2.7"), "192.0.2.7"),
        ("version 2, TLVs", v2("192.0.2.7", tlvs=b"\x02\0\3mx." + b"\xea\0\0"), "192.0.2.7"),
        ("version 2, checksum", v2("192.0.2.7", checksum=True), "192.0.2.7"),
        ("version 2, long", v2("192.0.2.7", tlvs=b"\4\x0f\xe1" + bytes(0xfe1)), "192.0.2.7"),
        ("version 2, local", V2 + b"\x20\0\0\0", "127.0.0.5"),
        ("version 2, Unix", V2 + b"\x21\x31\0\xd8" + bytes(216), "127.0.0.5"),
    )

    def test_D76_counted_as_whom_the_header_tells(self):
        d = self.daemon(listen=PROXIED)
        for name, header, want in self.GOOD:
            with self.subTest(name), d.client("127.0.0.5", greet=False) as c:
                self.assertEqual(d.count(), 0)
                c.send(header)
                c.expect(220)
                bits = "/128" if ":" in want else "/32"
                self.assertEqual(d.count(want + bits), 1)
                self.assertEqual(d.count() + d.count("::/0"), 1)
                c.say("QUIT", 221)
                c.expect_closed()
                self.assertEqual(d.count() + d.count("::/0"), 0)
        d.wait_for_log(r"connect from unknown\[192\.0\.2\.7\] by way of 127\.0\.0\.5$")

    def test_octet_by_octet(self):
        d = self.daemon(listen=PROXIED)
        for header in v1("192.0.2.7"), v2("2001:db8::7"):
            with d.client(greet=False) as c:
                c.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for i in range(len(header) - 1):
                    c.send(header[i:i + 1])
                    time.sleep(0.002)
                c.expect_nothing(0.05)
                self.assertEqual(d.count(), 0)
                c.send(header[-1:])
                c.expect(220)

    def test_bad_headers_are_closed_without_a_banner(self):
        d = self.daemon(listen=PROXIED)
        bad = (
            ("no header", b"EHLO probe.example\r\n"),
            ("TLS", b"\x16\x03\x01\x02\x00"),
            ("version 1, too long", b"PROXY UNKNOWN " + b"x" * 93),
            ("version 1, wrong family", b"PROXY TCP4 2001:db8::7 2001:db8::9 1 25\r\n"),
            ("version 1, bare LF", b"PROXY TCP4 192.0.2.7 198.51.100.9 1 25\n"),
            ("version 1, port", b"PROXY TCP4 192.0.2.7 198.51.100.9 99999 25\r\n"),
            ("version 1, a name", b"PROXY TCP4 localhost 198.51.100.9 1 25\r\n"),
            ("version 2, too long", V2 + b"\x21\x11\xff\xff"),
            ("version 2, too short", V2 + b"\x21\x11\0\4" + bytes(4)),
            ("version 2, wrong family", V2 + b"\x21\x12\0\x0c" + bytes(12)),
            ("version 2, version 3", V2 + b"\x31\x11\0\x0c" + bytes(12)),
            ("version 2, TLV beyond the end", v2("192.0.2.7", tlvs=b"\4\0\x09x")),
            ("version 2, wrong checksum", v2("192.0.2.7", checksum=False)),
        )
        for name, header in bad:
            with self.subTest(name), d.client(greet=False) as c:
                before = len(d.lines)
                c.send(header)
                c.expect_closed()
                d.wait_for_log(r"no session for \[127\.0\.0\.1\] on 127\.0\.0\.1:%d: " % d.port, before)
        self.assertEqual(d.ask("stats")["unproxied"], len(bad))
        self.assertFalse([line for line in d.lines if "connect from" in line])
        self.assertEqual(d.count(), 0)

    def test_only_Proxy_Hosts_may_connect(self):
        d = self.daemon(listen='Proxy_Protocol = true Proxy_Hosts = ( "127.0.0.5" )')
        with d.client("127.0.0.6", greet=False) as c:
            c.expect_closed()
        d.wait_for_log(r"no session for \[127\.0\.0\.6\] .*: it is none of Proxy_Hosts")
        with d.client("127.0.0.5", greet=False) as c:
            c.send(v1("127.0.0.6"))
            c.expect(220)

    def test_the_header_has_its_time(self):
        d = self.daemon(listen=PROXIED + " Proxy_Protocol_Timeout = 0.5")
        began = time.monotonic()
        with d.client(greet=False) as idle, d.client(greet=False) as slow, d.client(greet=False) as good:
            good.send(v1("192.0.2.7"))
            good.expect(220)
            for octet in v1("192.0.2.8")[:8]:
                slow.send(bytes([octet]))
                time.sleep(0.03)
            idle.expect_closed()
            slow.expect_closed()
            self.assertLess(time.monotonic() - began, 5)
            self.assertGreaterEqual(time.monotonic() - began, 0.5)
            good.say("NOOP", 250)
        d.wait_for_log("its PROXY header did not come in time")

    def test_who_leaves_before_the_header(self):
        d = self.daemon(listen=PROXIED)
        for leave in "close", "reset":
            before = len(d.lines)
            c = d.client(greet=False)
            c.send(b"PROXY TCP4 192.0.2.7")
            getattr(c, leave)()
            d.wait_for_log("it left before its PROXY header", before)
        wait_until(lambda: d.ask("status")["sessions"] == 0, "nobody is there")

    def test_D76_slots_outside_Peers_are_taken_at_accept(self):
        d = self.daemon(listen=PROXIED + ' Listener_Sessions = 2 Peer "192.0.2.0/24" { Listener_Sessions = 1 }')
        with d.client(greet=False) as staller, d.client(greet=False) as one:
            one.send(v1("192.0.2.7"))
            one.expect(220)
            wait_until(lambda: d.ask("status")["sessions"] == 2, "both have their slot")
            with d.client(greet=False) as late:
                late.expect(421, "4.4.5")
                late.expect_closed()
            self.assertEqual(d.count(), 1)
            staller.send(v1("192.0.2.8"))
            staller.expect(421, "4.4.5")
            staller.expect_closed()
            with d.client(greet=False) as c:
                c.send(v1("198.51.100.7"))
                c.expect(220)
        wait_until(lambda: d.ask("status")["sessions"] == 0, "all have gone")
        with d.client(greet=False) as a, d.client(greet=False) as b:
            a.send(v1("192.0.2.7"))
            a.expect(220)
            b.send(v1("198.51.100.7"))
            b.expect(220)

    def test_T11_early_talk_is_judged_behind_the_header(self):
        d = self.daemon(listen=PROXIED)
        with d.client(greet=False) as c:
            c.send(v2("192.0.2.7") + b"EHLO probe.example\r\n")
            c.expect(220)
            c.expect(250)
            c.say("QUIT", 221)
        d.wait_for_log(r"disconnect from unknown\[192\.0\.2\.7\].* early_talker")
        with d.client(greet=False) as c:
            c.send(v2("192.0.2.8"))
            c.expect(220)
            c.hello()
            c.say("QUIT", 221)
        self.assertNotIn("early_talker", d.wait_for_log(r"disconnect from unknown\[192\.0\.2\.8\]"))

    def test_settings_and_policy_are_the_clients(self):
        d = self.daemon(
            listen=PROXIED + ' Peer "192.0.2.0/24" { Banner_Hostname = "special.example.org" }',
            sieve={"accept_phase1": '($n) = audit_connections_on_listener "/32";\n'
                                    'if ec_test "%{spfv1:i}" "198.51.100.66" { ec_action 550 "5.7.1 no ${n}"; }'})
        for client, code, text in (("192.0.2.7", 220, "special.example.org"), ("198.51.100.7", 220, "edge.example.org"),
                                   ("198.51.100.66", 550, "5.7.1 no 1")):
            with d.client(greet=False) as c:
                c.send(v1(client))
                c.expect(code, text)

    def test_a_whole_session_in_one_packet(self):
        d = self.daemon(listen=PROXIED)
        with d.client(greet=False) as c:
            c.send(v2("2001:db8::7") + b"EHLO probe.example\r\nMAIL FROM:<a@example.net>\r\nRCPT TO:<b@example.org>\r\n"
                   b"DATA\r\n")
            for code in 220, 250, 250, 250, 354:
                c.expect(code)
            c.send(b"Subject: x\r\n\r\nhello\r\n.\r\nQUIT\r\n")
            c.expect(250)
            c.expect(221)
        self.assertIn(b"(unknown [IPv6:2001:db8::7])", d.mails()[0])

    def test_waiting_for_the_header_ends_with_the_drain(self):
        d = self.daemon(listen=PROXIED, top="Drain_Timeout = 0.2")
        with d.client(greet=False) as c:
            wait_until(lambda: d.ask("status")["sessions"] == 1, "it is there")
            d.signal(15)
            c.expect(421, "4.3.2")
            self.assertEqual(d.wait(), 0)


class ProxyAndTLS(E2E):
    def client(self, d):
        c = SecureClient("127.0.0.1", d.port)
        self.addCleanup(c.close)
        return c

    def test_handshake_in_the_headers_packet(self):
        d = self.daemon(esmtp=certificate("mx") + "Use_SSL = true", listen=PROXIED)
        for header, want in (v1("192.0.2.7"), "192.0.2.7/32"), (v2("2001:db8::7", checksum=True), "2001:db8::7/128"):
            c = self.client(d)
            inside, outside = ssl.MemoryBIO(), ssl.MemoryBIO()
            tls = context().wrap_bio(inside, outside)
            with self.assertRaises(ssl.SSLWantReadError):
                tls.do_handshake()
            c.send(header + outside.read())
            while True:
                inside.write(c.sock.recv(65536))
                try:
                    tls.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    pass
            c.send(outside.read())
            self.assertEqual(d.count(want), 1)
            banner = None
            while banner is None:
                try:
                    banner = tls.read()
                except ssl.SSLWantReadError:
                    inside.write(c.sock.recv(65536))
            self.assertTrue(banner.startswith(b"220 "), banner)
            c.close()
            d.wait_for_count(0, "::/0")

    def test_a_wrapped_client_hears_nothing_in_the_clear(self):
        d = self.daemon(esmtp=certificate("mx") + "Use_SSL = true Listener_Sessions = 1", listen=PROXIED,
                        workers=1)  # who comes first is served first
        stalling, late = self.client(d), self.client(d)
        late.expect_closed()
        stalling.send(v1("192.0.2.7"))
        stalling.secure()
        stalling.expect(220)

    def test_starttls_behind_the_header(self):
        d = self.daemon(esmtp=certificate("mx") + TRUST, listen=PROXIED)
        c = self.client(d)
        c.send(v1("192.0.2.7"))
        c.expect(220)
        c.hello()
        c.starttls()
        c.hello()
        c.say("XCLIENT ADDR=192.0.2.8", 220)
        self.assertNotIn("STARTTLS", c.hello().text)
        self.assertEqual((d.count("192.0.2.7"), d.count("192.0.2.8")), (0, 1))
        c.envelope()
        c.message()
        self.assertIn(b"[192.0.2.8]", d.mails()[0])

    def test_a_move_to_where_TLS_comes_first(self):
        d = self.daemon(esmtp=certificate("mx") + TRUST + " " + ALL_EXTENSIONS +
                        ' Peer "192.0.2.0/24" { Use_SSL = true }')
        c = self.client(d)
        c.expect(220)
        c.say("XREMOTEIP 192.0.2.7", 250)
        c.say("XCLIENT ADDR=192.0.2.8", 220)
        c.say("QUIT", 221)


class XClient(E2E):
    def test_strangers(self):
        d = self.daemon(esmtp='XClient_Hosts = ( "127.0.0.5" ) ' + ALL_EXTENSIONS)
        with d.client("127.0.0.6") as c:
            self.assertNotIn("X", c.hello().text.replace("PIPELINING", "").replace("EXAMPLE", "").replace("SIZE", ""))
            for command in "XCLIENT ADDR=192.0.2.7", "XREMOTEIP 192.0.2.7", "XSETCONTEXT a=b", "XDUMPCONTEXT":
                self.assertTrue(c.say(command, 550).text.startswith("5.7.0 "), command)
            self.assertEqual(d.count("127.0.0.6/32"), 1)

    def test_offered_where_allowed(self):
        d = self.daemon(esmtp='XClient_Hosts = ( "127.0.0.5" "127.0.0.7" ) '
                              'Peer "127.0.0.7" { SMTP_Extensions = ( "XREMOTEIP" ) }')
        with d.client("127.0.0.5") as c:
            lines = c.hello().lines
            self.assertEqual(lines[-1], "250 XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT")
            c.say("XREMOTEIP 192.0.2.7", 550)
        with d.client("127.0.0.7") as c:
            self.assertEqual(c.hello().lines[-1], "250 XREMOTEIP")
            c.say("XCLIENT ADDR=192.0.2.7", 550)
            c.say("XREMOTEIP 192.0.2.7", 250)

    def test_D49_the_session_becomes_the_clients(self):
        d = self.daemon(esmtp='XClient_Hosts = ( "127.0.0.1" )')
        with d.client() as c:
            c.hello()
            reply = c.say("XCLIENT NAME=mx.example.net ADDR=192.0.2.7 PORT=4567 HELO=ignored PROTO=ESMTP", 220)
            self.assertEqual(reply.text, "edge.example.org ESMTP Tidewaiter")
            self.assertEqual((d.count("192.0.2.7"), d.count("127.0.0.1"), d.count()), (1, 0, 1))
            self.assertNotIn("XCLIENT", c.hello("mx.example.net").text)
            self.assertTrue(c.say("XCLIENT ADDR=127.0.0.1", 550).text.startswith("5.7.0"))
            c.envelope()
            c.say("XCLIENT ADDR=127.0.0.1", 503)
            c.message()
            c.say("QUIT", 221)
            c.expect_closed()
        self.assertIn(b"Received: from mx.example.net (mx.example.net [192.0.2.7])", d.mails()[0])
        d.wait_for_log(r"client \[127\.0\.0\.1\] is now mx\.example\.net\[192\.0\.2\.7\] by XCLIENT")
        d.wait_for_log(r"disconnect from mx\.example\.net\[192\.0\.2\.7\] ehlo=2 .* xclient=1/3 ")

    def test_the_session_begins_anew(self):
        d = self.daemon(esmtp=TRUST + " " + ALL_EXTENSIONS + " Require_EHLO = true")
        with d.client() as c:
            c.hello()
            c.say("XSETCONTEXT mark=1", 250)
            c.say("XCLIENT ADDR=192.0.2.7", 220)
            c.say("MAIL FROM:<a@example.net>", 503)
            dump = c.say("XDUMPCONTEXT", 250).text
            self.assertNotIn("mark", dump)
            self.assertNotIn("ehlo_domain", dump)
            c.say("XCLIENT HELO=mx.example.net LOGIN=me+40example.net PROTO=ESMTP DESTADDR=198.51.100.9", 220)
            self.assertEqual(d.count("192.0.2.7"), 1)
            dump = c.say("XDUMPCONTEXT", 250).text
            self.assertIn("[connection] ehlo_domain mx.example.net", dump)
            self.assertIn("[connection] ehlo_string EHLO mx.example.net", dump)
            self.assertIn("[connection] auth_user me@example.net", dump)

    def test_addresses(self):
        d = self.daemon(esmtp=TRUST)
        for said, want in (("IPV6:2001:db8::7", "2001:db8::7/128"), ("IPV6:::ffff:192.0.2.9", "192.0.2.9/32"),
                           ("1+392.0.2.8", "192.0.2.8/32"), ("[UNAVAILABLE]", "127.0.0.1/32")):
            with self.subTest(said), d.client() as c:
                c.say("XCLIENT NAME=[TEMPUNAVAIL] ADDR=" + said, 220)
                self.assertEqual(d.count(want), 1)
                self.assertEqual(d.count() + d.count("::/0"), 1)
                c.say("QUIT", 221)
                c.expect_closed()

    def test_bad_commands_change_nothing(self):
        d = self.daemon(esmtp=TRUST + " " + ALL_EXTENSIONS)
        with d.client() as c:
            c.hello()
            for command in ("XCLIENT", "XCLIENT ADDR", "XCLIENT ADDR=", "XCLIENT ADDR=192.0.2", "XCLIENT FOO=bar",
                            "XCLIENT ADDR=192.0.2.7 HELO=a+2", "XCLIENT ADDR=192.0.2.7 HELO=a+ZZ",
                            "XCLIENT ADDR=192.0.2.7 NAME=a+0D+0Ab", "XCLIENT ADDR=192.0.2.7 PORT=65536",
                            "XCLIENT ADDR=192.0.2.7 LOGIN=a=b", "XREMOTEIP", "XREMOTEIP x", "XREMOTEIP 192.0.2.0/24",
                            "XSETCONTEXT", "XSETCONTEXT a", "XSETCONTEXT #a=1", "XSETCONTEXT a=1 b=+", "XSETCONTEXT %s=1" % ("k" * 256)):
                self.assertIn(c.say(command, 501).text[:5], ("5.5.4", "5.5.2"), command)
            self.assertEqual((d.count("127.0.0.1"), d.count("192.0.2.0/24")), (1, 0))
            self.assertNotIn("[connection] a ", c.say("XDUMPCONTEXT", 250).text)

    def test_policy_and_relaying_are_the_new_clients(self):
        d = self.daemon(
            esmtp=TRUST + ' Relay_Hosts = ( "127.0.0.1" "192.0.2.7" )',
            sieve={"connect_phase1": '($n) = audit_connections_on_service "/32";\n'
                                     'if ec_test "%{spfv1:i}" "192.0.2.66" { ec_disconnect 421 "4.7.0 no ${n}"; }\n'
                                     'if ec_test "%{spfv1:i}" "192.0.2.55" { ec_action 554 "5.7.1 never"; }'})
        for client, code in ("192.0.2.7", 250), ("192.0.2.8", 554):
            with d.client() as c:
                c.hello()
                c.say("XCLIENT ADDR=" + client, 220)
                c.hello()
                c.say("MAIL FROM:<a@example.net>", 250)
                c.say("RCPT TO:<b@elsewhere.example>", code)
        with d.client() as c:
            c.hello()
            self.assertEqual(c.say("XCLIENT ADDR=192.0.2.66", 421).text, "4.7.0 no 1")
            c.expect_closed()
        with d.client() as c:
            c.say("XCLIENT ADDR=192.0.2.55", 554)
            c.say("EHLO probe.example", 503)
            c.say("QUIT", 221)

    def test_pipelined(self):
        """It is no early talk: who pipelines has been greeted."""
        d = self.daemon(esmtp=TRUST)
        with d.client() as c:
            c.send(b"EHLO a\r\nXCLIENT ADDR=192.0.2.7\r\nEHLO b\r\nMAIL FROM:<a@example.net>\r\nQUIT\r\n")
            for code in 250, 220, 250, 250, 221:
                c.expect(code)
        self.assertNotIn("early", d.wait_for_log(r"disconnect from unknown\[192\.0\.2\.7\]"))

    def test_D76_Peer_slots_follow(self):
        d = self.daemon(esmtp=TRUST + " " + ALL_EXTENSIONS + ' Listener_Sessions = 3 '
                        'Peer "192.0.2.0/24" { Listener_Sessions = 1 } Peer "127.0.0.0/8" { Service_Sessions = 3 }')
        with d.client() as a, d.client() as b:
            a.say("XREMOTEIP 192.0.2.7", 250)
            a.say("XREMOTEIP 192.0.2.8", 250)  # its own slot is no obstacle
            b.say("XCLIENT ADDR=192.0.2.9", 421)
            b.expect_closed()
            self.assertEqual((d.count("192.0.2.0/24"), d.count()), (1, 1))
            a.say("XREMOTEIP 198.51.100.7", 250)
            with d.client() as c, d.client() as e:
                c.say("XCLIENT ADDR=192.0.2.9", 220)
                e.say("XREMOTEIP 192.0.2.10", 421)
                e.expect_closed()
        d.wait_for_count(0)
        for _ in range(3):  # every slot came back
            with d.client() as a, d.client() as b, d.client() as c:
                a.say("XREMOTEIP 192.0.2.7", 250)
                with d.client(greet=False) as late:
                    late.expect(421, "4.4.5")
                b.say("NOOP", 250)
                c.say("NOOP", 250)
            d.wait_for_count(0)

    def test_xremoteip_any_time(self):
        d = self.daemon(esmtp=TRUST + " " + ALL_EXTENSIONS)
        with d.client() as c:
            c.say("XREMOTEIP 2001:db8::7", 250)
            c.hello()
            c.say("XSETCONTEXT mark=a+20b other=x", 250)
            c.envelope()
            c.say("XREMOTEIP 192.0.2.7", 250)
            self.assertIn("[connection] mark a b\n", c.say("XDUMPCONTEXT", 250).text)
            self.assertEqual((d.count("192.0.2.7"), d.count("::/0")), (1, 0))
            c.message()
        self.assertIn(b"[192.0.2.7]", d.mails()[0])

    def test_a_dump_is_one_reply_whatever_is_in_it(self):
        d = self.daemon(esmtp=TRUST + " " + ALL_EXTENSIONS + " Context = [ preset = yes other = hidden ]")
        with d.client() as c:
            c.hello()
            c.say("XSETCONTEXT evil=a+0D+0A250+20faked other=mine", 250)
            lines = c.say("XDUMPCONTEXT", 250).lines
            self.assertEqual(lines[-1], "250 XDUMPCONTEXT complete")
            self.assertIn("250-[connection] evil a  250 faked", lines)
            self.assertIn("250-[connection] preset yes", lines)
            self.assertIn("250-[connection] other mine", lines)
            self.assertNotIn("250-[connection] other hidden", lines)
            for i in range(20):
                c.say("XSETCONTEXT " + " ".join("k%d_%d=%s" % (i, k, "v" * 80) for k in range(20)), 250)
            self.assertLess(len(c.say("XDUMPCONTEXT", 250).lines), 129)

    @unittest.skipUnless(shutil.which("swaks"), "swaks is not installed")
    def test_swaks(self):
        d = self.daemon(esmtp=TRUST)
        done = subprocess.run(
            ["swaks", "--server", "127.0.0.1", "--port", str(d.port), "--to", "b@example.org", "--from", "a@example.net",
             "--xclient-name", "mx.example.net", "--xclient-addr", "192.0.2.7", "--xclient-port", "4567",
             "--xclient-helo", "mx.example.net", "--xclient-proto", "ESMTP", "--xclient-login", "me+you"],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn(b"(mx.example.net [192.0.2.7])", d.mails()[0])


class Moves(E2E):
    ADDRESSES = ["10.%d.%d.%d" % (a, b, c) for a in (1, 2) for b in (0, 77) for c in range(1, 9)] + \
        ["2001:db8:%x::%x" % (a, b) for a in (1, 2) for b in range(1, 5)]

    def move(self, chance, clients, oracle):
        """All at once, each some times; the answers are read afterwards."""
        for c in clients:
            way = [(chance.choice(("XREMOTEIP ", "XCLIENT ADDR=")), chance.choice(self.ADDRESSES))
                   for _ in range(chance.randrange(1, 5))]
            c.send(b"".join(b"%s%s\r\n" % (verb.encode(), a.encode()) for verb, a in way))
            c.way = way
        for c in clients:
            for verb, _ in c.way:
                c.expect(250 if verb == "XREMOTEIP " else 220)
            oracle.leave("here", c.address)
            c.address = c.way[-1][1]
            oracle.enter("here", c.address)

    def compare(self, chance, d, oracle):
        for prefix in ["10.0.0.0/8", "2001:db8::/32"] + ["%s/%d" % (a, chance.randrange(9, 33) if "." in a else
                                                                     chance.randrange(33, 129))
                                                         for a in chance.sample(self.ADDRESSES, 6)]:
            self.assertEqual(d.count(prefix), oracle.inside(prefix)[0], prefix)

    def test_T8_counts_follow_as_the_oracle_says(self):
        """Two workers, others coming and going meanwhile, and whoever looks never sees one twice."""
        d = self.daemon(esmtp=TRUST + " " + ALL_EXTENSIONS + " Max_Unproductive_Commands = 0")
        chance, oracle = random.Random(7), Oracle()
        clients, stop, seen = [], threading.Event(), []

        def churn():
            while not stop.is_set():
                with d.client("127.9.%d.%d" % (chance.randrange(4), chance.randrange(1, 200))) as c:
                    c.say("XREMOTEIP 127.8.0.1", 250)

        def look():
            while not stop.is_set():
                seen.append(d.count("10.0.0.0/8"))

        for _ in range(40):
            c = d.client()
            self.addCleanup(c.close)
            c.address = chance.choice(self.ADDRESSES[:32])
            c.say("XREMOTEIP " + c.address, 250)
            oracle.enter("here", c.address)
            clients.append(c)
        threads = [threading.Thread(target=what) for what in (churn, churn, look)]
        try:
            for t in threads:
                t.start()
            for _ in range(12):
                self.move(chance, clients, oracle)
                self.compare(chance, d, oracle)
        finally:
            stop.set()
            for t in threads:
                t.join()
        self.assertLessEqual(max(seen), len(clients))
        for c in clients:
            chance.choice((c.close, c.reset))()
        self.assert_quiet(d)

    def test_T8_never_twice_in_a_network(self):
        """While they move about in one /24 it never holds more than there are."""
        d = self.daemon(esmtp=TRUST + " " + ALL_EXTENSIONS + " Max_Unproductive_Commands = 0")
        clients = [d.client() for _ in range(8)]
        for i, c in enumerate(clients):
            self.addCleanup(c.close)
            c.say("XREMOTEIP 10.3.3.%d" % (i + 1), 250)
        for n in range(20):
            for i, c in enumerate(clients):
                c.send(b"".join(b"XREMOTEIP 10.3.3.%d\r\n" % ((i * 31 + n + k) % 250 + 1) for k in range(20)))
            self.assertLessEqual(d.count("10.3.3.0/24"), len(clients))
            for c in clients:
                for _ in range(20):
                    c.expect(250)
            self.assertEqual(d.count("10.3.3.0/24"), len(clients))
            self.assertEqual(d.count("10.3.3.0/24"), d.count())


if __name__ == "__main__":
    unittest.main()
