"""What can be wrong with series, from Sieve++, Lua and the console: each is told with what it is about, the client
comes back later (D25), and nothing that was counted is lost. Configurations: test_config.py."""

import re
import unittest

from daemon import E2E

LONG = "k" * 65536
HASH = '$h = hash_create; hash_set $h "series" "siv"; hash_set $h "monitor" "600,5"; hash_set $h '
NUMBER = "argument 3 of audit_series_add: the text is not a number"

# $t is the text; what is said of it
SIEVE = (
    ('audit_series_add "siv" "600,5" $t;', "-99999999999999999999", NUMBER),
    ('audit_series_add "siv" "600,5" $t;', "nan", NUMBER),
    ('audit_series_add "siv" "600,5" $t;', "1e5", NUMBER),
    ('audit_series_add "siv" "600,5" $t;', "9223372036854775807",
     "audit_series_add: series siv: the sum of the window would pass 9223372036854775807"),
    (HASH + '"count" $t; audit_series_add $h;', "many", 'count of audit_series_add: "many" is not a whole number'),
    (HASH + '"windows" $t; audit_series_add $h;', "2", 'audit_series_add has no option "windows"'),
    (HASH + '"period_end" $t; $n = audit_series $h;', "5", "period_end of audit_series is 5, expected 0 to 4"),
    ('$n = audit_series "siv" "600,5" 32 $t;', "5", "period_start of audit_series is 5, expected 0 to 4"),
    ('$n = audit_series "siv" "600,5" 32 $t;', "-1", "period_start of audit_series is -1, expected 0 to 4"),
    ('$n = audit_series "siv" "600,5" 32 $t 1;', "3", "period_end of audit_series is 1, expected no less than period_start"),
    ('$n = audit_series "siv" $t;', "0,5", '"0,5": a monitor\'s SECONDS are 1 to 31622400'),
    ('audit_series_add "siv" $t;', "600,99999999999", '"600,99999999999": a monitor\'s WINDOWS are 1 to 2000'),
    ('$n = ec_ip_connections $t;', "7", "there is no monitor 7, inbound_audit has 1"),
    ('$n = ec_ip_connections $t;', "600,5", '"600,5" is not the index of a monitor'),
    ('$h = hash_create; hash_set $h "monitor" $t; $n = ec_ip_rejections $h;', "1,1", 'inbound_audit has no monitor "1,1"'),
    ('audit_series_add $t "600,5";', "", "audit_series_add: a series has a name"),
    ('audit_series_add $t "3600,3";', "connections", "audit_series_add: series connections with this monitor is built in"),
    ('audit_series_add $t "600,5";', "login", 'the series "login" is of texts, and Lua\'s alone'),
    ('$n = audit_series $t "600,5";', "login", 'the series "login" is of texts, and Lua\'s alone'),
    ('audit_series_add $t "600,5";', LONG, "audit_series_add: a series' name has at most 200 octets, not 65536"),
    ('audit_series_add "siv" "600,5" :ip $t;', LONG, '"kkkk'),
    ('audit_series_add "siv" $t;', LONG, '"kkkk'),
)

LUA = (
    ("add('four', { count = 0/0 })", 'nan" is not a whole number'),
    ("add('four', { count = -1/0 })", 'count of msys.audit_series.add: "-inf" is not a whole number'),
    ("add('four', { count = 2^63 })", 'count of msys.audit_series.add: "9.2233720368548e+18" is not a whole number'),
    ("add('four', { count = '9223372036854775807' })",
     "msys.audit_series.add: series four: the sum of the window would pass 9223372036854775807"),
    ("add('none')", 'no series is defined as "none"'),
    ("count('none')", 'no series is defined as "none"'),
    ("remove_item('none')", 'no series is defined as "none"'),
    ("count('four', { endv = 5 })", "msys.audit_series.count: window 5 is not one of 0 to 4"),
    ("count('four', { startv = 3, endv = 1 })", "endv of msys.audit_series.count is 1, expected no less than startv"),
    ("count('four', { startv = -1 })", "startv of msys.audit_series.count is -1, expected 0 to "),
    ("count('four', { startv = 0/0 })", 'nan" is not a whole number'),
    ("add('login', ('k'):rep(65536))", "msys.audit_series.add: series login: a key has 65536 octets, more than 1024"),
    ("count('login', ('k'):rep(65536))", "msys.audit_series.count: series login: a key has 65536 octets, more than 1024"),
    ("remove_item('login', ('k'):rep(65536))",
     "msys.audit_series.remove_item: series login: a key has 65536 octets, more than 1024"),
    ("add('login')", 'the series "login" is of texts, and needs a key'),
    ("add('four', ('k'):rep(65536))", '"kkkk'),
    ("add(('k'):rep(65536))", 'no series is defined as "kkkk'),
    ("add('six', { key = '::1', prefix_len = 129 })", "prefix_len of msys.audit_series.add is 129, expected 0 to 128"),
    ("add('four', { keys = '::1' })", 'msys.audit_series.add has no option "keys"'),
    ("define('new', 'cidr', 60, 5)", "series are defined when the script is loaded, not later"),
)

# Words, the exit code, what is said
CONSOLE = (
    ("add siv 600,5 192.0.2.1 9223372036854775807", 64, "the amount is a number of at most 18 digits"),
    ("add siv 600,5 192.0.2.1 nan", 64, "the amount is a number of at most 18 digits"),
    ("add siv 600,5 192.0.2.1 1.5", 64, "the amount is a number of at most 18 digits"),
    ("add login 600,5 %s 1" % LONG, 64, "the command is too long"),
    ("add login 600,5 %s 1" % LONG[:1025], 1, "series login: a key has 1025 octets, more than 1024"),
    ("count_cidr %s login 600,5 0 0" % LONG[:1025], 64, "series login: a key has 1025 octets, more than 1024"),
    ("count_cidr 192.0.2.1 siv 600,5 0 99999999999", 64, "START and END are numbers of windows, 0 the current one"),
    ("count_cidr 192.0.2.1 four 600,5 0 5", 64, "window 5 is not one of 0 to 4"),
    ("count_cidr 192.0.2.1 connections 3600,3 0 4", 64, "window 4 is not one of 0 to 3"),
    ("count_cidr 192.0.2.1 none 600,5 0 0", 64, 'no series "none" has the monitor 600,5'),
    ("count_cidr 192.0.2.1 four 600,6 0 0", 64, 'no series "four" has the monitor 600,6'),
    ("load four /etc/passwd", 1, "/etc/passwd: is no file of a series"),
    ("load none", 1, "there is no series none"),
    ("save none", 1, "there is no series none"),
)


class Wrong(E2E):
    def scripts(self):
        sieve = "".join('if envelope :localpart "from" "s%d" { $t = "%s"; %s }\n' % (i, text, statement)
                        for i, (statement, text, _) in enumerate(SIEVE))
        lua = "require('msys.audit_series')\nlocal m, s = {}, msys.audit_series\nfunction m:init()\n" \
            "  s.define('four', 'cidr', 600, 5)\n  s.define('six', 'cidr_ipv6', 600, 5)\n" \
            "  s.define('login', 'string', 600, 5)\n  return true\nend\nlocal wrong = {\n%s}\n" \
            "function m:validate_mailfrom(str, ac, vctx)\n  local i = tostring(str):match('<l(%%d+)@')\n" \
            "  if i then wrong[i + 1]() end\n  return 0\nend\nmsys.registerModule('m', m)\n" % "".join(
                "  function() s.%s end,\n" % call for call, _ in LUA)
        return dict(sieve={"mailfrom_phase1": sieve}, lua={"m": lua})

    def fill(self, d):
        for word in "siv", "four":
            self.assertEqual(d.ctl("inbound_audit", "add", word, "600,5", "192.0.2.1", "7").out, "OK\n")
        self.assertEqual(d.ctl("inbound_audit", "add", "login", "600,5", "me", "7").out, "OK\n")

    def assert_nothing_is_lost(self, d):
        for word, key in ("siv", "0.0.0.0/0"), ("four", "0.0.0.0/0"), ("login", "me"):
            self.assertEqual(d.ctl("inbound_audit", "count_cidr", key, word, "600,5", "0", "4").out, "7\n", word)
        self.assertEqual(sorted(s["name"] for s in d.ask("series") if s["made_by"] != "monitor"),
                         ["four", "login", "siv", "six"])
        self.assert_quiet(d)

    def expect_error(self, d, sender, text):
        before = len(d.lines)
        with d.client() as c:
            c.hello()
            c.say("MAIL FROM:<%s@example.net>" % sender, 421)
            c.expect_closed()
        line = d.wait_for_log(r"error 421 .*" + re.escape(text), before)
        self.assertLess(len(line), 2048)

    def test_from_scripts(self):
        d = self.daemon(audit='monitors = ( "3600,3" )', **self.scripts())
        self.fill(d)
        for kind, cases in ("s", SIEVE), ("l", LUA):
            for i, case in enumerate(cases):
                with self.subTest(str(case)[:100]):
                    self.expect_error(d, "%s%d" % (kind, i), case[-1])
        self.assert_nothing_is_lost(d)

    def test_from_the_console(self):
        d = self.daemon(audit='monitors = ( "3600,3" )', **self.scripts())
        self.fill(d)
        for words, code, text in CONSOLE:
            with self.subTest(words[:60]):
                a = d.ctl("inbound_audit", *words.split())
                self.assertEqual((a.code, a.err), (code, "tidectl: %s\n" % text))
        # an address of the other family is nobody's fault (D62)
        for words, out in ("add four 600,5 2001:db8::1 3", "OK\n"), ("count_cidr ::/0 four 600,5 0 4", "0\n"), \
                ("add six 600,5 192.0.2.1 3", "OK\n"), ("count_cidr 0.0.0.0/0 six 600,5 0 4", "0\n"), \
                ("subtract siv 600,5 192.0.2.2 999999999999999999", "OK\n"):
            self.assertEqual(d.ctl("inbound_audit", *words.split()).out, out, words)
        self.assert_nothing_is_lost(d)


if __name__ == "__main__":
    unittest.main()
