"""Real mail servers behind the daemon, each of which logs the client's own address."""

import re
import unittest

import peers
import postfix
import tls
from daemon import E2E, wait_until

CLIENT = "127.0.0.77"


class Told(E2E):
    def logged(self, hop, pattern):
        return wait_until(lambda: re.search(pattern, hop.log()), "%s in its log\n%s" % (pattern, hop.log()))

    def send(self, d, source=CLIENT, sender="a@example.net", mark=b"mark"):
        with d.client(source=source) as c:
            c.hello("client.example.net")
            c.envelope(sender)
            c.message(b"Subject: x\r\n\r\n" + mark + b"\r\n")
            c.say("QUIT", 221)


@unittest.skipIf(postfix.missing(), postfix.missing())
class ByXCLIENT(Told):
    def setUp(self):
        self.hop = postfix.Postfix(more="smtpd_authorized_xclient_hosts = 127.0.0.0/8\n")
        self.addCleanup(self.hop.stop)
        self.hop.start()

    def test_postfix_logs_each_client(self):
        d = self.daemon(gateway="127.0.0.1:%d" % self.hop.port, workers=1)
        for i in range(5):
            self.send(d, "127.0.0.%d" % (50 + i))
        for i in range(5):
            self.logged(self.hop, r"client=unknown\[127\.0\.0\.%d\]" % (50 + i))
        mail = wait_until(lambda: self.hop.mails("b"), "Postfix delivers")[0]
        self.assertRegex(mail.decode(), r"Received: from client\.example\.net \(unknown \[127\.0\.0\.5\d\]\)\n\tby hop\.")
        # One connection for all of them.
        self.assertEqual(len(re.findall(r"[^s]connect from \S*\[127\.0\.0\.1\]", self.hop.log())), 1, self.hop.log())

    def test_postfix_refuses_a_client(self):
        d = self.daemon(gateway="127.0.0.1:%d" % self.hop.port, workers=1)
        self.hop.set("smtpd_client_restrictions", "check_client_access inline:{ { 127.0.0.66 = 554 5.7.1 not you } }")
        self.hop.set("smtpd_delay_reject", "no")
        with d.client(source="127.0.0.66") as c:
            c.hello()
            c.say("MAIL FROM:<a@example.net>", 554)
        self.send(d)
        self.logged(self.hop, r"client=unknown\[127\.0\.0\.77\]")


@unittest.skipIf(postfix.missing(), postfix.missing())
class BySTARTTLS(Told):
    def setUp(self):
        certs = tls.certificates()
        self.hop = postfix.Postfix(more="smtpd_tls_security_level = may\nsmtpd_tls_loglevel = 1\n"
                                        "smtpd_tls_chain_files = %s/mx.key, %s/mx.pem\n" % (certs, certs))
        self.addCleanup(self.hop.stop)
        self.hop.start()
        self.ca = 'Gateway_TLS_CA = "%s/mx.pem"\n' % certs

    def test_opportunistic(self):
        self.send(self.daemon(gateway="127.0.0.1:%d" % self.hop.port))
        self.logged(self.hop, r"Anonymous TLS connection established from .*TLSv1\.3")

    def test_off(self):
        self.send(self.daemon(gateway="127.0.0.1:%d" % self.hop.port, top="Gateway_TLS = off"))
        self.logged(self.hop, r"disconnect from")
        self.assertNotIn("TLS connection", self.hop.log())

    def test_another_name_gets_no_mail(self):
        d = self.daemon(gateway="localhost:%d" % self.hop.port, top="Gateway_TLS = verify\n" + self.ca)
        with d.client() as c:
            c.hello()
            c.say("MAIL FROM:<a@example.net>", 451)
        d.wait_for_log(r"next hop localhost\[127\.0\.0\.1\]:\d+: TLS handshake: ")


@unittest.skipIf(peers.missing("usr/sbin/exim4"), peers.missing("usr/sbin/exim4"))
class ByProxyExim(Told):
    def test_exim_logs_each_client(self):
        hop = peers.Exim()
        self.addCleanup(hop.stop)
        hop.start()
        d = self.daemon(gateway="127.0.0.1:%d" % hop.port, workers=1, top="Gateway_Proxy_Protocol = on")
        for i in range(3):
            self.send(d, "127.0.0.%d" % (50 + i))
        for i in range(3):
            self.logged(hop, r"<= a@example\.net H=\S+ (\(\S+\) )?\[127\.0\.0\.%d\]" % (50 + i))


@unittest.skipIf(peers.missing("usr/sbin/smtpd"), peers.missing("usr/sbin/smtpd"))
class ByProxyOpenSMTPD(Told):
    def test_opensmtpd_logs_each_client(self):
        hop = peers.OpenSMTPD()
        self.addCleanup(hop.stop)
        hop.start()
        d = self.daemon(gateway="127.0.0.1:%d" % hop.port, workers=1, top="Gateway_Proxy_Protocol = on")
        for i in range(3):
            self.send(d, "127.0.0.%d" % (50 + i))
        for i in range(3):
            self.logged(hop, r"smtp (connected|event=proxy) address=127\.0\.0\.%d" % (50 + i))


if __name__ == "__main__":
    unittest.main()
