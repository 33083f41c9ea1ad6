"""The policy that is shipped, etc/policy/limits.lua, with the limits as they are: it ships to be
observed, then logs and does nothing, and without `observe` refuses as it says."""

import os
import shutil
import unittest

from daemon import Daemon, E2E, ROOT

SOURCE = os.path.join(ROOT, "etc", "policy", "limits")
AUDIT = 'monitors = ( "900,4" ) ipv6_mask_map = ( "24=64" )'
PEERS = 'Peer "127.5.0.0/16" { Context = [ trusted = "yes" ] }'


class Limits(E2E):
    def limited(self, observe=False):
        script = 'script "limits" { source = "%s" observe = %s }' % (SOURCE, str(observe).lower())
        return self.daemon(audit=AUDIT, listen=PEERS, top='scriptlet "scriptlet" { %s }' % script)

    def came(self, d, source, kind, times):
        """As if so many events had come from there."""
        self.assertEqual(d.ctl("inbound_audit", "add", kind, "900,4", source, str(times)).out, "OK\n")

    def greeting(self, d, source, host="127.0.0.1"):
        with d.client(source, host=host, greet=False) as c:
            return c.reply().lines[0]

    def test_sessions_at_once(self):
        d = self.limited()
        for _ in range(10):
            self.addCleanup(d.client("127.6.0.1").close)
        d.wait_for_count(10, "127.6.0.1")
        self.assertIn("421 4.7.0 connection limit exceeded", self.greeting(d, "127.6.0.1"))
        self.assertTrue(self.greeting(d, "127.6.0.2").startswith("220 "))

    def test_D101_rate_of_connections_refused_ones_too(self):
        d = self.limited()
        self.came(d, "127.6.0.1", "connections", 99)
        self.assertTrue(self.greeting(d, "127.6.0.1").startswith("220 "))
        for _ in range(3):
            self.assertIn("421 4.7.0 connection rate limit exceeded", self.greeting(d, "127.6.0.1"))
        self.assertEqual(d.ctl("inbound_audit", "count_cidr", "127.6.0.1", "connections", "900,4", "0", "4").out, "103\n")
        self.came(d, "127.7.0.1", "connections", 1000)
        self.assertIn("421 4.7.0 connection rate", self.greeting(d, "127.7.0.99"))
        self.assertTrue(self.greeting(d, "127.7.1.1").startswith("220 "))

    def test_an_IPv6_network_is_its_slash_64(self):
        d = self.limited()
        self.came(d, "::2", "connections", 1000)
        self.assertIn("421 4.7.0 connection rate", self.greeting(d, None, host="::1"))

    def test_messages_and_rejections(self):
        d = self.limited()
        with d.client("127.6.0.1") as c:
            c.hello()
            c.envelope()
            c.message()
            self.came(d, "127.6.0.1", "receptions", 200)
            c.say("MAIL FROM:<a@example.net>", 421)
        with d.client("127.8.0.1") as c:
            c.hello()
            self.came(d, "127.8.0.1", "rejections", 51)
            c.say("MAIL FROM:<a@example.net>", 250)
            c.say("RCPT TO:<b@example.org>", 451)

    def test_who_is_trusted(self):
        d = self.limited()
        self.came(d, "127.5.0.1", "connections", 5000)
        self.assertTrue(self.greeting(d, "127.5.0.1").startswith("220 "))

    def test_observed_it_only_says_so(self):
        d = self.limited(observe=True)
        self.came(d, "127.6.0.1", "connections", 5000)
        self.assertTrue(self.greeting(d, "127.6.0.1").startswith("220 "))
        d.wait_for_log(r"observe: .*421 4\.7\.0 connection rate limit exceeded")

    def test_a_new_installation_observes(self):
        """The sample file as it is, but for where it listens and writes."""
        d = Daemon(start=False)
        self.addCleanup(d.stop)
        with open(os.path.join(ROOT, "etc", "tidewaiter.conf")) as f:
            sample = f.read()
        for there, here in (("*:25", "127.0.0.1:%d" % d.port), ("[*]:25", "[::1]:%d" % d.port),
                            ("/run/tidewaiter", d.dir), ("maildir:/var/lib/tidewaiter", "maildir:" + d.dir)):
            sample = sample.replace('"' + there, '"' + here)
        d.write("tidewaiter.conf", 'State_Dir = "%s"\n%s' % (d.dir, sample))
        shutil.copytree(os.path.join(ROOT, "etc", "policy"), os.path.join(d.dir, "policy"))
        d.start()
        self.came(d, "127.6.0.1", "connections", 5000)
        self.assertTrue(self.greeting(d, "127.6.0.1").startswith("220 "))
        d.wait_for_log(r"observe: .*421 4\.7\.0 connection rate limit exceeded")


if __name__ == "__main__":
    unittest.main()
