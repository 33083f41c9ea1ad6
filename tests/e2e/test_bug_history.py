"""Bugs that others had, each under its number or its owner's name: the original's (#, BZ, MO) and those of its
peers. What a cluster got wrong has here what it means for a node alone.

Others are where their module is: #638 and OpenSMTPD's gauge that stays above 0 test_counting.py, BZ4061
tests/unit/series/test_series_threads.c, #2936 in every form tests/unit/policy/test_fn_series.c, anvil's mixed-up
labels test_series_console.py (D69), Exim's children forgotten at SIGHUP test_counting.py and test_upgrade.py,
Haraka's tarpit that only holds a transaction test_policy.py (D34)."""

import concurrent.futures
import itertools
import threading
import time
import unittest

from console import Console
from daemon import E2E, SANITIZED, wait_until
from test_client import TRUST

DAY = "86400,2"  # a monitor whose windows outlast a test


def lua(body):
    return "require('msys.core')\nrequire('msys.audit')\nrequire('msys.audit_series')\nlocal m = {}\n%s\n" \
        "msys.registerModule('m', m)\n" % body


def defining(*definitions, callouts=""):
    """A module that defines these, and whatever else it does."""
    return lua("function m:init()\n%s\n  return true\nend\n%s" % (
        "\n".join("  msys.audit_series.define(%s)" % d for d in definitions), callouts))


def callout(phase, args, *lines):
    return "function m:validate_%s(%s)\n  %s\n  return msys.core.VALIDATE_CONT\nend\n" % (phase, args, "\n  ".join(lines))


class History(E2E):
    def kept(self, d, series, monitor=DAY, block="0.0.0.0/0"):
        a = d.ctl("inbound_audit", "count_cidr", block, series, monitor, "0", "1")
        self.assertEqual(a.code, 0, a.err)
        return int(a.out)

    def come(self, d, source=None, host="127.0.0.1", times=1):
        for _ in range(times):
            with d.client(source, host) as c:
                c.hello()

    def meanwhile(self, work, count, deed):
        """`work` in so many threads; `deed`, until they are done, and a few times at least."""
        with concurrent.futures.ThreadPoolExecutor(count) as pool:
            jobs = [pool.submit(work, i) for i in range(count)]
            for n in itertools.count(1):
                deed(n)
                if n >= 6 and all(job.done() for job in jobs):
                    break
            for job in jobs:
                job.result()


class LiveCounts(History):
    def test_3202_3562_inbound_cidr_whichever_worker_accepts(self):
        asks = '($all) = audit_service "inbound_cidr" "/32"; ($here) = audit_service "SMTP" "/32"; ' \
            'ec_log "%s ${all} ${here}.";'
        d = self.daemon(workers=4, sieve={p + "_phase1": asks % p for p in ("accept", "connect", "ehlo")})
        clients = []
        for n in range(1, 13):
            clients.append(d.client("127.7.1.1"))
            clients[-1].hello()
            for phase in "accept", "connect", "ehlo":
                d.wait_for_log(r"%s %d %d\." % (phase, n, n))
        for c in clients:
            c.close()
        d.wait_for_count(0, service="inbound_cidr")
        self.meanwhile(lambda i: self.come(d, "127.7.1.%d" % i, times=25), 4,
                       lambda n: self.assertGreaterEqual(d.count(service="inbound_cidr"), 0))
        for service in "inbound_cidr", "SMTP":
            d.wait_for_count(0, service=service)


class Series(History):
    def test_6324_reloads_under_load_double_nothing(self):
        """Built-in series, those that Sieve made, and those of Lua, of each type and with each option."""
        d = self.daemon(workers=4, audit='monitors = ( "3600,3" "86400,1" )', sieve={
            "connect_phase1": 'audit_series_add "siv" "%s"; audit_series_add :ip "192.0.2.1" "far" "%s" "2";' % (DAY, DAY)},
            lua={"m": defining("'four', 'cidr', 86400, 2, { persist = true }",
                               "'six', 'cidr_ipv6', 86400, 2, { replicate = 'cluster' }",
                               "'login', 'string', 86400, 2, { serialize = true }",
                               callouts=callout("connect", "ac, vctx", "msys.audit_series.add('four')",
                                                "msys.audit_series.add('six')", "msys.audit_series.add('login', 'me')"))})
        audits = 'monitors = ( "86400,1" )', 'monitors = ( "86400,1" "60,1" "3600,3" )'

        def reload(n):
            d.configure(audit=audits[n % 2])
            self.assertTrue(d.reload())

        each = 20 if SANITIZED else 60
        self.meanwhile(lambda i: self.come(d, *(("127.7.1.%d" % i,) if i < 3 else (None, "::1")), times=each), 4, reload)
        for want, series, monitor, block in (
                (3 * each, "connections", "86400,1", "127.7.1.0/24"), (each, "connections", "86400,1", "::1"),
                (3 * each, "siv", DAY, "127.7.1.0/24"), (each, "siv", DAY, "127.7.1.2"), (each, "siv", DAY, "::/0"),
                (8 * each, "far", DAY, "192.0.2.1"), (3 * each, "four", DAY, "0.0.0.0/0"), (0, "four", DAY, "::/0"),
                (each, "six", DAY, "::/0"), (4 * each, "login", DAY, "me")):
            for _ in range(2):  # as it is, and after one more
                self.assertEqual(self.kept(d, series, monitor, block), want, (series, block))
                self.assertTrue(d.reload())

    def test_3146_a_named_series_and_an_explicit_address(self):
        d = self.daemon(sieve={"connect_phase1": '$h = hash_create; hash_set $h "series" "siv"; hash_set $h "monitor" "%s"; '
                               'hash_set $h "ip" "2001:db8::1"; hash_set $h "replicate" 1; audit_series_add $h; '
                               'audit_series_add :ip "192.0.2.1" "siv" "%s" 3; '
                               '$a = audit_series $h;' % (DAY, DAY) + 'ec_log "never";',
                               "ehlo_phase1": '$n = audit_series :ip "192.0.2.200" "siv" "%s" "24"; ec_log "read ${n}.";' % DAY},
                        lua={"m": defining("'four', 'cidr', 86400, 2, { replicate = 'cluster' }", callouts=callout(
                            "connect", "ac, vctx", "msys.audit_series.add('four', { key = '192.0.2.1', count = 2 })"))})
        with d.client(greet=False) as c:
            c.expect(421)  # audit_series has no option "replicate", and says so
        d.wait_for_log(r'audit_series has no option "replicate"')
        d.configure(sieve=dict(d.shape["sieve"], connect_phase1=d.shape["sieve"]["connect_phase1"].split("$a =")[0]))
        self.assertTrue(d.reload())
        self.come(d)
        d.wait_for_log(r"read 6\.")
        self.assertEqual([self.kept(d, "siv", block=b) for b in ("2001:db8::1", "192.0.2.1", "127.0.0.1", "::1")],
                         [2, 6, 0, 0])
        self.assertEqual([self.kept(d, "four", block=b) for b in ("192.0.2.1", "127.0.0.1")], [2, 0])

    def test_BZ3315_D61_what_is_to_be_replicated_counts_here(self):
        d = self.daemon(sieve={"connect_phase1": "\n".join(
            '$h = hash_create; hash_set $h "series" "siv%s"; hash_set $h "monitor" "%s"; hash_set $h "replicate" "%s"; '
            'audit_series_add $h;' % (r, DAY, r) for r in ("-1", "0", "1"))},
            lua={"m": defining(*("'%s', 'cidr', 86400, 2, { replicate = '%s' }" % (r, r) for r in ("none", "cluster", "manager")),
                               callouts=callout("connect", "ac, vctx", *("msys.audit_series.add('%s')" % r for r in
                                                                         ("none", "cluster", "manager"))))})
        for n in 1, 2, 3:
            self.come(d)
            self.assertEqual([self.kept(d, s) for s in ("siv-1", "siv0", "siv1", "none", "cluster", "manager")], [n] * 6)
        self.assertEqual(len([l for l in d.lines if "warning" in l and "it is in no cluster" in l]), 1)

    def test_2936_numbers_that_are_texts(self):
        d = self.daemon(audit='monitors = ( "3600,3" )', sieve={"connect_phase1": '''
            $h = hash_create; hash_set $h "series" "siv"; hash_set $h "monitor" "86400,2"; hash_set $h "count" " 7 ";
            hash_set $h "serialize" "0"; hash_set $h "replicate" "0"; audit_series_add $h; audit_series_add "siv" "86400,2" "4";
            $n = audit_series "siv" "86400,2" "32" "0" "1";
            $h = hash_create; hash_set $h "mask" "24"; hash_set $h "period_start" "0"; hash_set $h "period_end" "3";
            $m = ec_ip_connections $h; $s = ec_ip_connections "0" "32"; ec_log "read ${n} ${m} ${s}.";
            ec_tarpit "0.3"; $t = "0.2"; ec_tarpit $t;'''})
        began = time.monotonic()
        self.come(d)
        self.assertTrue(0.5 <= time.monotonic() - began < 10)
        d.wait_for_log(r"read 11 1 1\.")

    def test_counts_never_go_below_nothing(self):
        """haraka-plugin-limit: INCRBY -1 of what is not there."""
        d = self.daemon(sieve={"connect_phase1": 'audit_series_add "siv" "%s" "-5"; audit_series_add "siv" "%s" 2; '
                               'audit_series_add :ip "::1" "siv" "%s" -1;' % (DAY, DAY, DAY)},
                        lua={"m": defining("'four', 'cidr', 86400, 2", "'login', 'string', 86400, 2", callouts=callout(
                            "connect", "ac, vctx", "msys.audit_series.remove_item('four')",
                            "msys.audit_series.add('four', { count = -3 })", "msys.audit_series.add('login', { key = 'me', count = -3 })",
                            "msys.audit_series.add('four', { count = 1 })", "msys.audit_series.add('login', 'me')"))})
        self.come(d)
        for series, key, want in ("siv", "127.0.0.1", 2), ("siv", "::/0", 0), ("four", "127.0.0.1", 1), ("login", "me", 1):
            self.assertEqual(self.kept(d, series, block=key), want, series)
            for order in ("subtract", series, DAY, key, "9"), ("delete_ip", key, series, DAY):
                if "/" not in key:
                    self.assertEqual(d.ctl("inbound_audit", *order).out, "OK\n")
            self.assertEqual(self.kept(d, series, block=key), 0, series)


class Names(History):
    def test_misspelt_functions_are_told_at_load(self):
        """A published sample asks for msys.audit.connection, and nothing noticed."""
        good = dict(sieve={"ehlo_phase1": 'ec_log "old";'}, lua=None)
        d = self.daemon(audit='monitors = ( "60,1" )', **good)
        for shape, complaint in (
                (dict(sieve={"ehlo_phase1": '\n$n = ec_ip_conections "0";'}),
                 r'ehlo_phase1\.sieve:2:6: unknown function "ec_ip_conections", did you mean "ec_ip_connections"\?'),
                (dict(lua={"m": lua(callout("ehlo", "str, ac, vctx", "msys.audit.conections('60,1')"))}),
                 r'm\.lua:6: unknown name "msys\.audit\.conections", did you mean "connections"\?'),
                (dict(lua={"m": defining("'s', 'cidr', 60, 5", callouts=callout(
                    "ehlo", "str, ac, vctx", "msys.audit_series.incr('s')"))}),
                 r'm\.lua:10: unknown name "msys\.audit_series\.incr"')):
            before = len(d.lines)
            d.configure(**dict(good, **shape))
            self.assertFalse(d.reload())
            d.wait_for_log(complaint, before)
            self.come(d)
            d.wait_for_log("old", before)
        d.configure(lua={"m": lua(callout("ehlo", "str, ac, vctx", "print(msys.audit.connection('60,1') .. ' came')"))})
        self.assertTrue(d.reload())
        self.come(d)
        d.wait_for_log(r"\d came")  # D107


class BothFamilies(History):
    """haraka-plugin-limit's branch for IPv6 was never taken; the original's functions did nothing there before 3.4."""

    SIEVE = """
        ($a) = audit_connections_on_listener "/%(m)s"; ($b) = audit_connections_on_service "/%(m)s";
        ($c) = audit_service "SMTP" "/%(m)s"; ($d) = audit_service "inbound_cidr" "/%(m)s";
        ec_log "sieve %(m)s live ${a} ${b} ${c} ${d}.";
        $h = hash_create; hash_set $h "mask" "%(m)s";
        $a = ec_ip_connections "0" "%(m)s"; $b = ec_ip_receptions "0" "%(m)s"; $c = ec_ip_rejections "0" "%(m)s";
        ec_log "sieve %(m)s sliding ${a} ${b} ${c}.";
        $a = ec_ip_connections $h; $b = ec_ip_receptions $h; $c = ec_ip_rejections $h;
        ec_log "sieve %(m)s sums ${a} ${b} ${c}.";
        $a = ec_ip_connections_cluster $h; $b = ec_ip_receptions_cluster $h; $c = ec_ip_rejections_cluster $h;
        ec_log "sieve %(m)s cluster ${a} ${b} ${c}.";
        $a = audit_series "siv" "86400,2" "%(m)s"; ec_log "sieve %(m)s series ${a}.";"""
    LUA = """local a, s = msys.audit, msys.audit_series
        if tostring(str):find("add@") then
          s.add("four") s.add("six") s.add("login", expandMacro("%{spfv1:c}")) return 0
        end
        for m in ("32 64 24 0"):gmatch("%d+") do
          local function say(what, ...) print("lua " .. m .. " " .. what .. " " .. table.concat({ ... }, " ") .. ".") end
          local mask = "/" .. m
          say("live", (a.inbound_session_count(mask, "SMTP")), (ac:inbound_session_count(mask)),
              (ac:pbp_inbound_session_count_service("SMTP", mask)))
          say("sums", (a.connections("86400,1", mask)), (a.receptions("86400,1", mask)), (a.rejections("86400,1", mask)))
          say("series", (s.count("four", mask)), (s.count("six", mask)))
        end""".replace("expandMacro", "msys.expandMacro")
    #        live, on its endpoint, receptions and rejections and siv, four (D62), six
    SEEN = {"32": (1, 1, 1, 0, 1), "64": (2, 2, 2, 0, 2), "24": (2, 2, 2, 0, 2), "0": (4, 3, 3, 1, 2)}

    def test_every_function_knows_an_IPv6_peer(self):
        d = self.daemon(audit='monitors = ( "86400,1" )', esmtp=TRUST, sieve={"mailfrom_phase1": (
            'if envelope :localpart "from" "add" { audit_series_add "siv" "86400,2"; keep; }' +
            "".join(self.SIEVE % {"m": m} for m in self.SEEN))},
            lua={"m": defining("'four', 'cidr', 86400, 2", "'six', 'cidr_ipv6', 86400, 2", "'login', 'string', 86400, 2",
                               callouts=callout("mailfrom", "str, ac, vctx", self.LUA))})
        with d.client(host="::1") as plain, d.client(host="::1") as first, d.client(host="::1") as second, \
                d.client("127.7.1.1") as third:
            for c, peer in (first, "IPV6:2001:db8:0:1::7"), (third, "192.0.2.7"), (second, "IPV6:2001:db8:0:1::8"):
                c.hello()
                c.say("XCLIENT ADDR=" + peer, 220)
                c.hello()
                c.say("MAIL FROM:<add@example.net> X=y", 555)
                c.envelope("add@example.net")
                c.message()
            second.say("MAIL FROM:<ask@example.net>", 250)
            second.say("NOOP", 250)
            seen = len(d.lines)
            for m, (live, here, events, four, six) in self.SEEN.items():
                for said in ("sieve %s live %d %d %d %d." % (m, here, live, live, live), "lua %s live %d %d %d." % (m, live, live, live),
                             # connections are where they were made (D49)
                             *("%s %d %d %d." % (how, 4 * (m == "0"), events, events) for how in
                               ("sieve %s sliding" % m, "sieve %s sums" % m, "sieve %s cluster" % m, "lua %s sums" % m)),
                             "sieve %s series %d." % (m, events), "lua %s series %d %d." % (m, four, six)):
                    d.wait_for_log(said.replace(".", r"\.") + "$")
            plain.hello()
            plain.say("MAIL FROM:<ask@example.net>", 250)
            for how in "sieve 32 sliding", "sieve 32 sums", "sieve 32 cluster", "lua 32 sums":
                d.wait_for_log(how + r" 3 0 0\.$", seen)
        self.assertEqual(self.kept(d, "login", block="2001:db8:0:1::8"), 1)


class Deadlock(History):
    """MO-5361: a deadlock inside inbound_audit."""

    EACH = 15 if SANITIZED else 150
    ASKED = ("show all", "show ip 127.0.0.0/8", "help", "save", "save four", "load four", "add siv 86400,2 192.0.2.9 1",
             "subtract siv 86400,2 192.0.2.9 1", "delete_ip 192.0.2.9 siv 86400,2", "count_cidr 0.0.0.0/0 siv 86400,2 0 1")
    LUA = ("local a, s = msys.audit, msys.audit_series", "s.add('four') s.add('quick') s.add('moving') s.add('login', 'me')",
           "s.count('four', '/0') s.count('login', 'me') s.count('quick', { key = '/0', endv = 4 })",
           "s.add('six', { key = '2001:db8::1' }) s.remove_item('six', '2001:db8::1')",
           "a.connections('86400,1', '/0') a.receptions('86400,1') a.rejections('86400,1', { cluster = true })",
           "a.inbound_session_count('/0', 'SMTP') ac:inbound_session_count()")
    SIEVE = 'audit_series_add "siv" "86400,2"; $n = audit_series "siv" "86400,2" "0"; $n = ec_ip_connections "0" "0"; ' \
        '$n = ec_ip_receptions_cluster "0"; audit_series_add "gone" "1,2"; ($n) = audit_service "SMTP" "/0";'

    def shape(self, n):
        """D60: one definition is another at each reload."""
        return dict(audit='monitors = ( "86400,1" "%d,2" ) maintenance_interval = 1 persist = true' % (1 + n % 3),
                    sieve={p + "_phase1": self.SIEVE for p in ("accept", "ehlo")},
                    lua={"m": defining("'four', 'cidr', 86400, 2, { persist = true }", "'six', 'cidr_ipv6', 86400, 2",
                                       "'quick', 'cidr', 1, 5, { serialize = true, persist = true }",
                                       "'moving', '%s', %d, 3" % (("cidr", "cidr_ipv6")[n % 2], 60 + n % 4),
                                       "'login', 'string', 86400, 2, { persist = true }",
                                       callouts=callout("connect", "ac, vctx", *self.LUA) +
                                       callout("ehlo", "str, ac, vctx", *self.LUA))})

    def ask(self, d, words, over):
        with Console(d.control) as c:
            while not over.is_set():
                for line in words:
                    code, text, lines = c.ask(line)
                    self.assertIn(code, (0, 1), (line, text, lines))

    def test_MO_5361_all_of_inbound_audit_at_once(self):
        d = self.daemon(workers=4, **self.shape(0))
        over, threads, began = threading.Event(), 6, time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            asks = [pool.submit(self.ask, d, words, over) for words in (
                ["inbound_audit " + line for line in self.ASKED],
                ["series", "status", "stats", "top --series four", "top --series connections", "why 127.0.0.1"])]

            def reload(n):
                d.configure(**self.shape(n))
                self.assertTrue(d.reload())

            try:
                self.meanwhile(lambda i: self.come(d, "127.7.1.%d" % i, times=self.EACH), threads, reload)
            finally:
                over.set()
            for job in asks:
                job.result()
        self.assertLess(time.monotonic() - began, 120)
        wait_until(lambda: self.kept(d, "four") == 2 * threads * self.EACH, "four has them all")
        for series, key in ("siv", "127.0.0.0/8"), ("login", "me"):
            self.assertEqual(self.kept(d, series, block=key), 2 * threads * self.EACH, series)
        self.assertEqual(self.kept(d, "connections", "86400,1"), threads * self.EACH)
        self.assertEqual(self.kept(d, "six", block="::/0"), 0)
        self.assert_quiet(d)


if __name__ == "__main__":
    unittest.main()
