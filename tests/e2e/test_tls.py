"""TLS from outside: STARTTLS, wrapped, injection, names, certificates, reload, and who stalls."""

import os
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
import unittest

from daemon import E2E, TIDEWAITER, Daemon
from tls import SecureClient, certificate, certificates, common_name, context, serial

HELLO = bytes.fromhex("160301020001 0001fc0303")  # the beginning of a ClientHello


class TLS(E2E):
    def tls_daemon(self, esmtp="", name="mx", **shape):
        return self.daemon(esmtp=certificate(name) + esmtp, **shape)

    def client(self, d, greet=True, **more):
        c = SecureClient("127.0.0.1", d.port, **more)
        self.addCleanup(c.close)
        if greet:
            c.expect(220)
        return c


class StartTLS(TLS):
    def test_a_message_goes_through(self):
        d = self.tls_daemon()
        c = self.client(d)
        self.assertIn("STARTTLS", c.hello().text)
        c.starttls()
        self.assertNotIn("STARTTLS", c.hello().text)
        c.envelope()
        c.message()
        c.say("QUIT", 221)
        c.expect_closed()  # with a close_notify: ragged ends are errors
        mail, = d.mails()
        self.assertRegex(mail, rb"with ESMTPS id")
        self.assertRegex(mail, rb"\(using TLSv1\.3 with cipher TLS_AES_256_GCM_SHA384 \(256/256 bits\)\)\r?\n")
        d.wait_for_log(r"Anonymous TLS connection established from unknown\[127.0.0.1\]: TLSv1.3 with cipher")
        d.wait_for_log(r"disconnect from .* ehlo=2 starttls=1 ")
        self.assert_quiet(d)

    def test_utf8_and_helo(self):
        d = self.tls_daemon()
        c = self.client(d)
        c.say("HELO x", 250)
        c.starttls()
        c.say("HELO x", 250)
        c.envelope()
        c.message()
        c.hello()
        c.say("MAIL FROM:<a@example.net> SMTPUTF8", 250)
        c.say("RCPT TO:<b@example.org>", 250)
        c.message()
        self.assertEqual(sorted(re.search(rb"with (\w+) id", mail)[1] for mail in d.mails()), [b"SMTP", b"UTF8SMTPS"])

    def test_not_offered_without_a_certificate(self):
        d = self.daemon()
        c = self.client(d)
        self.assertNotIn("STARTTLS", c.hello().text)
        c.say("STARTTLS", 502)

    def test_when(self):
        d = self.tls_daemon()
        c = self.client(d)
        c.hello()
        c.say("STARTTLS now", 501)
        c.say("MAIL FROM:<a@example.net>", 250)
        c.say("STARTTLS", 503)
        c.say("RSET", 250)
        c.starttls()
        c.say("STARTTLS", 503)
        c.say("NOOP", 250)

    def test_forgets_what_was_said_before(self):
        d = self.tls_daemon(esmtp="Require_EHLO = true\n",
                            sieve={"mailfrom_phase1": 'ec_action 550 "%{vctx_conn:ehlo_domain}";'})
        c = self.client(d)
        c.hello("clear.example")
        c.starttls()
        c.say("MAIL FROM:<a@example.net>", 503)
        c.hello("secret.example")
        c.say("MAIL FROM:<a@example.net>", 550)

    def test_an_old_client(self):
        d = self.tls_daemon(name="rsa")
        c = self.client(d)
        c.hello()
        c.starttls(how=context(most=ssl.TLSVersion.TLSv1_2))
        self.assertEqual(c.sock.version(), "TLSv1.2")
        c.hello()

    def test_protocols_and_ciphers(self):
        d = self.tls_daemon(esmtp='TLS_Protocols = "+ALL:-TLSv1.3"\n'
                                  'TLS_Ciphers = "ECDHE-ECDSA-CHACHA20-POLY1305"\n')
        c = self.client(d)
        c.hello()
        c.starttls()
        self.assertEqual((c.sock.version(), c.sock.cipher()[0]), ("TLSv1.2", "ECDHE-ECDSA-CHACHA20-POLY1305"))

    def test_sessions_are_resumed(self):
        d = self.tls_daemon(workers=2)
        how, session = context(), None
        for i in range(4):
            c = self.client(d)
            c.hello()
            c.say("STARTTLS", 220)
            c.sock = how.wrap_socket(c.sock, session=session)
            c.hello()
            self.assertEqual(c.sock.session_reused, i > 0)
            session = c.sock.session
            c.say("QUIT", 221)

    def test_much(self):
        d = self.tls_daemon()
        c = self.client(d)
        c.hello()
        c.starttls()
        c.hello()
        c.envelope()
        c.message((b"y" * 76 + b"\r\n") * 50000)
        self.assertGreater(len(d.mails()[0]), 50000 * 77)

    def test_a_slow_reader_gets_every_answer(self):
        d = self.tls_daemon(esmtp="Max_Unproductive_Commands = 0\n")
        c = self.client(d, receive_buffer=4096)
        c.hello()
        c.starttls()
        c.sock.settimeout(60)
        sender = threading.Thread(target=c.send, args=(b"HELP\r\n" * 20000,))
        sender.start()
        time.sleep(0.5)
        for _ in range(20000):
            c.expect(214)
        sender.join()
        c.say("QUIT", 221)
        self.assert_quiet(d)


class Keys(TLS):
    KEYS = ("tls", "tls_cipher", "tls_cipher_algbits", "tls_cipher_usebits", "tls_client_cert_subject",
            "tls_client_cert_subject_cn", "tls_client_cert_issuer", "tls_client_cert_issuer_cn",
            "tls_client_verified")
    SCRIPT = {"ehlo_phase1": 'ec_action 550 "%s";' % "|".join("%%{vctx_conn:%s}" % k for k in KEYS)}

    def values(self, d, how):
        c = self.client(d)
        c.say("HELO x", 550)
        c.starttls(how=how)
        return c.say("EHLO x", 550).text.split("|")

    def test_2_5_context_keys(self):
        d = self.tls_daemon(esmtp='TLS_Client_CA = "%s/ca.pem"\n' % certificates(), sieve=self.SCRIPT)
        c = self.client(d)
        self.assertEqual(c.say("EHLO x", 550).text.split(" ")[-1], "||||||||")
        anonymous = self.values(d, context())
        self.assertTrue(anonymous[0].endswith("on"), anonymous)
        self.assertEqual(anonymous[1:], ["TLS_AES_256_GCM_SHA384", "256", "256", "", "", "", "", ""])
        known = self.values(d, context(show="client"))
        self.assertEqual(known[4:], ["CN=probe.example,O=Probe", "probe.example", "CN=Test CA", "Test CA", "yes"])
        d.wait_for_log(r"Trusted TLS connection established .* subject=CN=probe.example,O=Probe")
        stranger = self.values(d, context(show="other"))
        self.assertEqual(stranger[5:], ["other.example.org", "CN=other.example.org", "other.example.org", ""])
        d.wait_for_log(r"Untrusted TLS connection established")

    def test_verify_mode_none_asks_for_nothing(self):
        d = self.tls_daemon(esmtp='TLS_Client_CA = "%s/ca.pem"\nTLS_Verify_Mode = none\n' % certificates(),
                            sieve=self.SCRIPT)
        self.assertEqual(self.values(d, context(show="client"))[4:], [""] * 5)

    def test_verify_mode_require_refuses_mail(self):
        d = self.tls_daemon(esmtp='TLS_Client_CA = "%s/ca.pem"\nTLS_Verify_Mode = require\n'
                                  'TLS_Verified_Peer_Can_Relay = true\n' % certificates())
        for how, code in (None, 530), (context(), 530), (context(show="other"), 530), (context(show="client"), 250):
            c = self.client(d)
            c.hello()
            if how is not None:
                c.starttls(how=how)
                c.hello()
            c.say("MAIL FROM:<a@example.net>", code)
            if code == 250:
                c.say("RCPT TO:<b@elsewhere.example>", 250)
            c.say("RSET", 250)


class Injection(TLS):
    def test_reject(self):
        d = self.tls_daemon()
        for what in b"NOOP\r\n", b"x", b"MAIL FROM:<a@example.net>\r\nRCPT TO:<b@example.org>\r\n", HELLO:
            c = self.client(d)
            c.hello()
            c.send(b"STARTTLS\r\n" + what)
            c.expect(503)
            c.expect_closed()
        d.wait_for_log(r"reject: STARTTLS from unknown\[127.0.0.1\]: 503 5.5.1 .*proto=ESMTP")
        self.assertEqual(d.ask("stats")["tls_injections"], 4)
        self.assert_quiet(d)

    def forgiven(self, policy):
        d = self.tls_daemon(esmtp="StartTLS_Injection_Policy = %s\n" % policy)
        c = self.client(d)
        c.hello()
        c.send(b"STARTTLS\r\nNOOP\r\nMAIL FROM:<a@example.net>\r\nhalf a line")
        c.expect(220)
        c.secure()
        c.hello()
        c.say("RCPT TO:<b@example.org>", 503)
        c.envelope()
        c.message()
        self.assertEqual(len(d.mails()), 1)
        d.wait_for_log("TLS connection established")

    def test_ignore(self):
        self.forgiven("ignore")

    def test_allow(self):
        self.forgiven("allow")

    def test_between_the_answer_and_the_handshake(self):
        d = self.tls_daemon(esmtp="StartTLS_Injection_Policy = allow\n")
        c = self.client(d)
        c.hello()
        c.say("STARTTLS", 220)
        c.send(b"MAIL FROM:<a@example.net>\r\n")
        c.expect_gone()
        d.wait_for_log(r"TLS handshake failed from unknown\[127.0.0.1\]")
        self.assert_quiet(d)

    def test_after_the_handshake(self):
        d = self.tls_daemon()
        c = self.client(d)
        c.hello()
        c.starttls()
        c.hello()
        raw = socket.socket(fileno=os.dup(c.sock.fileno()))
        raw.send(b"MAIL FROM:<a@example.net>\r\n")
        raw.close()
        d.wait_for_count(0)


class Wrapped(TLS):
    def test_a_message_goes_through(self):
        d = self.tls_daemon(esmtp="Use_SSL = true\n")
        c = self.client(d, greet=False)
        c.secure()
        c.expect(220)
        self.assertNotIn("STARTTLS", c.hello().text)
        c.envelope()
        c.message()
        c.say("QUIT", 221)
        c.expect_closed()
        self.assertIn(b"with ESMTPS id", d.mails()[0])

    def test_D51_counted_before_the_handshake(self):
        d = self.tls_daemon(esmtp="Use_SSL = true\nBanner_Delay = 1\n")
        c = self.client(d, greet=False)
        d.wait_for_count(1)
        self.assertEqual(d.ask("who", "127.0.0.1")[0]["wait"], "tls")
        c.expect_nothing(0.3)
        c.secure()
        c.expect(220)
        c.close()
        d.wait_for_count(0)

    def test_a_clear_client_hears_nothing(self):
        d = self.tls_daemon(esmtp="Use_SSL = true\n")
        c = self.client(d, greet=False)
        c.send(b"EHLO x\r\n")
        c.expect_gone()
        d.wait_for_log("TLS handshake failed")
        d.wait_for_count(0)

    def test_D76_over_a_cap_there_is_no_handshake(self):
        d = self.tls_daemon(esmtp="Use_SSL = true\nListener_Sessions = 1\n")
        self.client(d, greet=False)
        d.wait_for_count(1)  # it stalls, and holds the slot
        with self.assertRaises((ssl.SSLError, OSError)):
            self.client(d, greet=False).secure()
        d.wait_for_log("421 4.4.5")

    def test_policy_at_connect_is_said_in_tls(self):
        d = self.tls_daemon(esmtp="Use_SSL = true\n", sieve={"connect_phase1": 'ec_action 421 "4.7.0 no";'})
        c = self.client(d, greet=False)
        c.secure()
        c.expect(421)
        c.expect_closed()

    def test_behind_a_balancer_the_header_comes_first(self):
        d = self.tls_daemon(esmtp='Use_SSL = true\nProxy_Protocol = true\nProxy_Hosts = ( "127.0.0.1" )\n')
        c = self.client(d, greet=False)
        c.send(b"PROXY TCP4 192.0.2.1 192.0.2.2 1000 465\r\n")
        c.secure()
        c.expect(220)
        self.assertEqual(d.count("192.0.2.1/32"), 1)
        c.hello()
        c.say("QUIT", 221)
        c.expect_closed()
        d.wait_for_log(r"TLS connection established from unknown\[192.0.2.1\]")

    def test_T7_a_drain_ends_a_handshake(self):
        d = self.tls_daemon(top="Drain_Timeout = 1", esmtp="Use_SSL = true\n")
        c = self.client(d, greet=False)
        d.wait_for_count(1)
        d.signal(15)
        self.assertEqual(d.wait(), 0)
        c.expect_gone()


class Stalled(TLS):
    def test_D51_a_stalled_handshake_is_counted_and_bounded(self):
        d = self.tls_daemon(esmtp="Command_Timeout = 1\n")
        for begin in b"", HELLO[:3], HELLO:
            c = self.client(d)
            c.hello()
            c.say("STARTTLS", 220)
            c.send(begin)
            self.assertEqual(d.count(), 1)
            began = time.monotonic()
            c.expect_gone()
            self.assertLess(time.monotonic() - began, 5)
            d.wait_for_log("TLS handshake failed from .*: it took too long")
            d.wait_for_count(0)

    def test_an_octet_at_a_time_does_not_help(self):
        d = self.tls_daemon(esmtp="Command_Timeout = 1\nUse_SSL = true\n")
        c = self.client(d, greet=False)
        began = time.monotonic()
        try:
            for i in range(100):
                c.send(HELLO[i:i + 1] or b"\0")
                time.sleep(0.1)
            self.fail("it may go on for ever")
        except OSError:
            self.assertLess(time.monotonic() - began, 5)
        d.wait_for_count(0)

    def test_others_are_served_meanwhile(self):
        d = self.tls_daemon(workers=1)
        stalled = []
        for _ in range(200):
            c = self.client(d)
            c.say("STARTTLS", 220)
            c.send(HELLO)
            stalled.append(c)
        self.assertEqual(d.count(), 200)
        c = self.client(d)
        c.starttls()
        c.hello()
        c.say("QUIT", 221)
        for c in stalled[::2]:
            c.reset()
        for c in stalled[1::2]:
            c.close()
        self.assert_quiet(d)

    def test_T10_leaving_in_a_tarpit_is_noticed(self):
        d = self.tls_daemon(sieve={"mailfrom_phase1": 'ec_tarpit "60" "slow";'})
        for leave in "notify", "fin", "reset":
            c = self.client(d)
            c.starttls()
            c.hello()
            before = len(d.lines)
            c.line("MAIL FROM:<a@example.net>")
            d.wait_for_log("tarpit", before)
            d.wait_for_count(1)
            if leave == "notify":
                c.sock.setblocking(False)
                try:
                    c.sock.unwrap()
                except ssl.SSLWantReadError:
                    pass
            elif leave == "fin":
                c.close()
            else:
                c.reset()
            d.wait_for_count(0)

    def test_storm(self):
        """Handshakes that end anywhere."""
        d = self.tls_daemon()
        recorded = self.client_octets(d)
        for i in range(300):
            c = self.client(d)
            c.send(b"STARTTLS\r\n")
            c.expect(220)
            c.send(recorded[: i * len(recorded) // 300])
            c.reset() if i % 3 else c.close()
        self.assert_quiet(d)

    def client_octets(self, d):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        with self.assertRaises(ssl.SSLWantReadError):
            context().wrap_bio(incoming, outgoing).do_handshake()
        return outgoing.read()


class Names(TLS):
    def test_sni(self):
        hosts = "".join('TLS_Host "%s" { %s }\n' % (name, certificate(cert)) for name, cert in
                        (("other.example.org", "other"), ("*.wild.example.org", "rsa")))
        d = self.tls_daemon(esmtp=hosts)
        for name, want in ((None, "mx.example.org"), ("other.example.org", "other.example.org"),
                           ("OTHER.example.org", "other.example.org"), ("a.wild.example.org", "rsa.example.org"),
                           ("unknown.example", "mx.example.org")):
            c = self.client(d)
            c.hello()
            c.starttls(name=name)
            self.assertEqual(common_name(c.sock), want, name)
            c.hello()

    def test_peers_may_have_their_own(self):
        d = self.tls_daemon(esmtp='Peer "127.0.0.9" { %s }\n' % certificate("other"))
        for source, want in ("127.0.0.8", "mx.example.org"), ("127.0.0.9", "other.example.org"):
            c = self.client(d, source=source)
            c.starttls()
            self.assertEqual(common_name(c.sock), want)

    def test_a_client_can_verify_us(self):
        d = self.tls_daemon()
        c = self.client(d)
        c.hello()
        c.starttls(name="mx.example.org", how=context(trust="mx"))
        c.hello()


class Reload(TLS):
    def put(self, d, name):
        for end in "pem", "key":
            shutil.copy("%s/%s.%s" % (certificates(), name, end), os.path.join(d.dir, "own." + end))

    def serial_now(self, d):
        with self.client(d) as c:
            c.starttls()
            return serial(c.sock)

    def test_a_new_certificate_under_live_sessions(self):
        d = Daemon(esmtp='TLS_Certificate = "own.pem"\nTLS_Key = "own.key"\n', start=False)
        self.addCleanup(d.stop)
        self.put(d, "mx")
        d.start()
        live = [self.client(d) for _ in range(20)]
        for i, c in enumerate(live):
            c.hello()
            if i % 2:
                c.starttls()
        before = self.serial_now(d)
        self.put(d, "new")
        self.assertEqual(self.serial_now(d), before)
        self.assertTrue(d.reload())
        self.assertNotEqual(self.serial_now(d), before)
        for i, c in enumerate(live):
            if i % 2 == 0:
                c.starttls()  # on the configuration that it began with (T6)
                self.assertEqual(serial(c.sock), before)
            c.hello()
            c.say("QUIT", 221)
        self.assert_quiet(d)

        shutil.copy("%s/other.key" % certificates(), os.path.join(d.dir, "own.key"))
        after = self.serial_now(d)
        lines = len(d.lines)
        self.assertFalse(d.reload())
        d.wait_for_log(r'tidewaiter.conf:7:11: TLS_Key is "own.key", which is not the key of the certificate', lines)
        self.assertEqual(self.serial_now(d), after)


class Tools(TLS):
    def swaks(self, d, *words):
        return subprocess.run(["swaks", "--server", "127.0.0.1", "--port", str(d.port), "--from", "a@example.net",
                               "--to", "b@example.org", "--helo", "probe.example", "--timeout", "20", *words],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)

    def test_swaks(self):
        d = self.tls_daemon()
        done = self.swaks(d, "--tls")
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn(b"with ESMTPS id", d.mails()[0])

    def test_swaks_wrapped(self):
        d = self.tls_daemon(esmtp="Use_SSL = true\n")
        done = self.swaks(d, "--tls-on-connect")
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertEqual(len(d.mails()), 1)

    def s_client(self, d, *words, say=b""):
        return subprocess.run(["openssl", "s_client", "-connect", "127.0.0.1:%d" % d.port, "-starttls", "smtp",
                               "-crlf", *words], input=say, capture_output=True, timeout=60).stdout.decode()

    def test_openssl_s_client(self):
        d = self.tls_daemon()
        out = self.s_client(d, "-servername", "mx.example.org", "-CAfile", certificates() + "/mx.pem",
                            "-verify_return_error", "-quiet", say=b"EHLO x\nQUIT\n")
        self.assertRegex(out, r"250.SMTPUTF8\r?\n221 2.0.0 Bye")
        self.assert_quiet(d)

    def test_no_renegotiation(self):
        d = self.tls_daemon()
        process = subprocess.Popen(["openssl", "s_client", "-connect", "127.0.0.1:%d" % d.port, "-starttls", "smtp",
                                    "-tls1_2"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT)
        d.wait_for_log("TLS connection established")
        out, _ = process.communicate(b"R\n", timeout=20)
        self.assertRegex(out.decode(errors="replace"), "no renegotiation")
        self.assert_quiet(d)

    def test_many_key_updates(self):
        """Records without data for us: others have their turn, and it costs no memory."""
        d = self.tls_daemon(workers=1)
        process = subprocess.Popen(["openssl", "s_client", "-connect", "127.0.0.1:%d" % d.port, "-starttls", "smtp",
                                    "-tls1_3"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT)
        d.wait_for_log("TLS connection established")
        for _ in range(50):
            process.stdin.write(b"K\n")
            process.stdin.flush()
            time.sleep(0.002)
        c = self.client(d)
        c.starttls()
        c.hello()
        process.communicate(b"Q\n", timeout=20)
        c.say("QUIT", 221)
        self.assert_quiet(d)


class Wrong(TLS):
    """What cannot be used is said with its place, and nothing starts."""

    def complaints(self, esmtp):
        d = Daemon(esmtp=esmtp, start=False)
        self.addCleanup(d.stop)
        done = subprocess.run([TIDEWAITER, "-t", "-c", d.conf], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 78, done.stderr)
        return done.stderr.replace(d.dir + "/", "").replace(certificates() + "/", "")

    def test_complaints(self):
        d = certificates()
        ca = 'TLS_Client_CA = "%s/ca.pem"\n' % d
        for esmtp, want in (
                (certificate("mx", "other"), ':7:11: TLS_Key is "other.key", which is not the key of the certificate'),
                (certificate("none"), ':6:19: TLS_Certificate is "none.pem", which cannot be read: No such file'),
                ('TLS_Certificate = "%s/old.pem"' % d, ':6:19: TLS_Certificate is "old.pem", which expired at '),
                ('TLS_Certificate = "%s/mx.pem"' % d,
                 ':6:19: TLS_Certificate is "mx.pem", which holds no key, expected a TLS_Key'),
                (certificate("mx") + 'TLS_Ciphers = "NONE"', ':8:15: TLS_Ciphers is "NONE", expected an OpenSSL cipher'),
                ('TLS_Protocols = "+TLSv9"', ':6:17: TLS_Protocols is "+TLSv9", expected as in +ALL'),
                ("Use_SSL = true", ":6:1: Use_SSL without a TLS_Certificate, expected one"),
                (certificate("mx") + "TLS_Verify_Mode = require",
                 ":8:1: TLS_Verify_Mode require without a TLS_Client_CA, expected one"),
                (certificate("mx") + 'TLS_Host "a.example" { }',
                 ':8:1: TLS_Host "a.example" without a TLS_Certificate, expected one'),
                ('TLS_Host "a.example" { %s }' % certificate("mx"),
                 ':6:1: TLS_Host "a.example" without a TLS_Certificate around it, expected one'),
                (ca.replace("ca.pem", "ca.key"), ':6:17: TLS_Client_CA is "ca.key", expected CA certificates in PEM'),
                (certificate("mx") + 'Peer "10.0.0.0/8" { TLS_Ciphers = "NONE" Peer_ = 1 }',
                 ':8:35: TLS_Ciphers is "NONE"')):
            said = self.complaints(esmtp)
            self.assertIn("tidewaiter.conf" + want, said)
            self.assertEqual(said.count(want), 1, said)


if __name__ == "__main__":
    unittest.main()
