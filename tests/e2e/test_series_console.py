"""inbound_audit, series, top --series, next hops: what the console says of them (3.10, D69, D70)."""

import json
import os
import socket
import subprocess
import threading
import time
import unittest

from console import Console
from daemon import E2E, SANITIZED, TIDECTL, wait_until

YEAR = 31622400  # a window that does not end while a test runs
MONITORS = 'monitors = ( "%d,2" "86400,1" )' % YEAR
MANY = 20000 if SANITIZED else 200000


class Inbound(E2E):
    def setUp(self):
        self.d = self.daemon(audit=MONITORS)

    def tell(self, want, *words):
        answer = self.d.ctl("inbound_audit", *words)
        self.assertEqual((answer.out, answer.code), (want, 0), words)

    def test_D69_show_ip(self):
        self.tell("OK\n", "add", "connections", "%d,2" % YEAR, "192.0.2.1", "3")
        self.tell("OK\n", "add", "rejections", "86400,1", "192.0.2.2", "12")
        lines = ["%s %d/%d: %d" % (kind, seconds, offset, {("Connections", YEAR, 0): 3, ("Rejections", 86400, 0): 12}
                                   .get((kind, seconds, offset), 0))
                 for kind in ("Connections", "Receptions", "Rejections")
                 for seconds, windows in ((YEAR, 2), (86400, 1)) for offset in range(windows + 1)]
        self.tell("\n".join(lines) + "\n", "show", "ip", "192.0.2.0/24")
        rows = self.d.ask("inbound_audit", "show", "ip", "192.0.2.1")
        self.assertEqual(rows[0], {"type": "Connections", "interval": YEAR, "offset": 0, "count": 3, "count_high": 3})
        self.assertEqual(len(rows), len(lines))
        self.assertEqual(sum(row["count"] for row in rows), 3)
        self.assertEqual(self.d.ctl("inbound_audit:any", "show", "ip", "::/0").out.count(": 0\n"), len(lines))

    def test_what_clients_did_is_shown(self):
        with self.d.client("127.5.0.1") as c:
            c.hello()
            c.say("MAIL FROM:<a@example.net>", 250)
            c.say("RCPT TO:<b@elsewhere.example>", 554)
        wait_until(lambda: self.d.ask("inbound_audit", "show", "ip", "127.5.0.1")[0]["count"] == 1, "it is counted")
        out = self.d.ctl("inbound_audit", "show", "ip", "127.5.0.0/16").out
        self.assertIn("Connections %d/0: 1\n" % YEAR, out)
        self.assertIn("Receptions %d/0: 0\n" % YEAR, out)
        self.assertIn("Rejections %d/0: 1\n" % YEAR, out)
        why = self.d.ask("why", "127.5.0.1")["series"]
        self.assertEqual([(r["connections"], r["receptions"], r["rejections"]) for r in why if r["monitor"] == "%d,2" % YEAR],
                         [(1, 0, 1)] * 4)
        self.assertIn("CONNECTIONS RECEPTIONS REJECTIONS", self.d.ctl("why", "127.5.0.1").out)

    def test_D70_changes(self):
        self.tell("OK\n", "add", "bad", "600,6", "192.0.2.1", "5")
        self.tell("OK\n", "add", "bad", "600, 6", "[2001:db8::1]", "7")
        self.tell("5\n", "count_cidr", "192.0.2.0/24", "bad", "600,6", "0", "5")
        self.tell("7\n", "count_cidr", "::/0", "bad", "600,6", "0", "0")
        self.tell("OK\n", "subtract", "bad", "600,6", "192.0.2.1", "2")
        self.tell("3\n", "count_cidr", "192.0.2.1", "bad", "600,6", "0", "1")
        self.tell("OK\n", "subtract", "bad", "600,6", "192.0.2.1", "200")
        self.tell("0\n", "count_cidr", "192.0.2.1", "bad", "600,6", "0", "1")
        self.tell("OK\n", "delete_ip", "2001:db8::1", "bad", "600,6")
        self.tell("0\n", "count_cidr", "::/0", "bad", "600,6", "0", "5")
        self.assertEqual(self.d.ask("inbound_audit", "add", "bad", "600,6", "192.0.2.1", "1"),
                         {"result": "OK", "count": 1, "count_high": 1})
        self.assertEqual(self.d.ask("inbound_audit", "count_cidr", "192.0.2.1", "bad", "600,6", "0", "0"),
                         {"count": 1, "count_high": 1})

    def test_wrong_ones_say_what(self):
        self.tell("OK\n", "add", "bad", "600,6", "192.0.2.1", "5")
        for words, code, what in (
                ("add bad 600,6 192.0.2.1", 64, "usage: inbound_audit add SERIES MONITOR IP INCREMENT"),
                ("add bad 600,6 192.0.2.1 -1", 64, "usage: "), ("add bad 600,6 192.0.2.1 1e3", 64, "at most 18 digits"),
                ("add bad 600 192.0.2.1 1", 64, "SECONDS,WINDOWS"), ("add bad 600,2001 192.0.2.1 1", 64, "WINDOWS are 1 to 2000"),
                ("add bad 600,6 192.0.2.300 1", 64, "not an IPv4 or IPv6 address"),
                ("add bad 600,6 192.0.2.0/24 1", 64, "not an IPv4 or IPv6 address"),
                ("add %s 600,6 192.0.2.1 1" % ("x" * 201), 1 << 7, "at most 200 octets"),
                ("subtract nobody 600,6 192.0.2.1 1", 64, 'no series "nobody" has the monitor 600,6'),
                ("delete_ip 192.0.2.1 bad 600,7", 64, 'no series "bad" has the monitor 600,7'),
                ("count_cidr 192.0.2.1 bad 600,6 0", 64, "usage: "), ("count_cidr 192.0.2.1 bad 600,6 0 6", 64, "window 6 is not one of 0 to 5"),
                ("count_cidr 192.0.2.1 bad 600,6 3 2", 64, "the end is before the start"),
                ("count_cidr 192.0.2.1 bad 600,6 0 x", 64, "START and END"), ("show ip", 64, "usage: "), ("show ip x", 64, "not an IPv4"),
                ("show ip 1.2.3.4/33", 64, "0 to 32"), ("show all of it", 64, "usage: "), ("load", 64, "usage: "),
                ("load nobody", 1, ""), ("load bad ../../etc/passwd", 1, ""), ("nonsense", 64, "lists its commands")):
            with self.subTest(words):
                for json_too in (), ("--json",):
                    answer = self.d.ctl(*json_too, "inbound_audit", *words.split())
                    self.assertIn(answer.code, (code, 64, 1) if code == 1 << 7 else (code,))
                    self.assertIn(what, answer.err)
                    self.assertRegex(answer.out, "^(ERROR: .+\n)?$" if not json_too else "^$")
        self.tell("5\n", "count_cidr", "0.0.0.0/0", "bad", "600,6", "0", "5")
        self.assertEqual([s["name"] for s in self.d.ask("series")].count("bad"), 1)

    def test_D110_no_monitors(self):
        d = self.daemon(audit="")
        answer = d.ctl("inbound_audit", "show", "ip", "192.0.2.1")
        self.assertEqual((answer.code, answer.out), (1, ""))
        self.assertIn("no monitors", answer.err)
        self.assertEqual(d.ctl("inbound_audit", "show", "all").out, "type,interval,offset,address,count\n")
        self.assertEqual(d.ask("series"), [])

    def test_help(self):
        out = self.d.ctl("inbound_audit", "help").out
        for line in ("show ip IP[/MASK]", "show all", "count_cidr IP[/MASK] SERIES MONITOR START END",
                     "add SERIES MONITOR IP INCREMENT", "subtract SERIES MONITOR IP DECREMENT", "delete_ip IP SERIES MONITOR",
                     "load SERIES [FILE]", "save [SERIES]"):
            self.assertIn("inbound_audit %s\n" % line, out)

    def test_orders_are_logged_whole(self):
        self.tell("OK\n", "add", "bad", "600,6", "192.0.2.1", "5")
        self.d.wait_for_log(r"console: inbound_audit add bad 600,6 192\.0\.2\.1 5, by uid \d+")

    def test_save_and_load(self):
        self.tell("OK\n", "add", "connections", "%d,2" % YEAR, "192.0.2.1", "3")
        self.tell("OK\n", "save", "connections")
        self.tell("OK\n", "save")
        self.assertTrue(os.listdir(os.path.join(self.d.dir, "state", "series")))
        count = ("count_cidr", "192.0.2.1", "connections", "%d,2" % YEAR, "0", "0")
        self.tell("OK\n", "load", "connections")
        self.tell("3\n", *count)  # not twice
        self.tell("OK\n", "delete_ip", "192.0.2.1", "connections", "%d,2" % YEAR)
        self.tell("0\n", *count)
        self.tell("OK\n", "load", "connections")
        self.tell("3\n", *count)
        self.d.kill()
        self.d.start()
        self.tell("3\n", *count)
        answer = self.d.ctl("inbound_audit", "save", "nobody")
        self.assertEqual(answer.code, 1)
        self.assertRegex(answer.out, "^ERROR: .*nobody")


class Texts(E2E):
    def test_a_text_is_the_key(self):
        d = self.daemon(lua={"logins": 'require("msys.audit_series")\nlocal m = {}\nfunction m:init()\n'
                             '  msys.audit_series.define("login", "string", 3600, 24)\n  return true\nend\n'
                             'msys.registerModule("logins", m)\n'})
        for key, n in ("anna", 7), ("b c", 5), ('q"q', 1):
            self.assertEqual(d.ask("inbound_audit", "add", "login", "3600,24", key, str(n))["count"], n)
        self.assertEqual(d.ctl("inbound_audit", "count_cidr", "b c", "login", "3600,24", "0", "0").out, "5\n")
        top = d.ask("top", "--series", "login", "--limit", "2")
        self.assertEqual(top["total"], 13)
        self.assertEqual([(row["key"], row["amount"]) for row in top["top"]], [("anna", 7), ("b c", 5)])
        self.assertEqual(d.ask("series", "login")[0]["type"], "string")
        self.assertEqual(d.ctl("inbound_audit", "delete_ip", "anna", "login", "3600,24").out, "OK\n")
        self.assertEqual(d.ask("top", "--series", "login")["total"], 6)


class Top(E2E):
    def test_what_stands_out(self):
        d = self.daemon(audit=MONITORS)
        with Console(d.control) as c:
            for address, n in (("192.0.2.7", 500), ("198.51.100.0", 100), ("198.51.100.1", 100), ("198.51.100.2", 100),
                               ("2001:db8::1", 150), ("10.0.0.1", 20), ("80.0.0.1", 20), ("130.0.0.1", 10)):
                self.assertEqual(c.ask("inbound_audit add connections %d,2 %s %d" % (YEAR, address, n))[2], ["OK"])
        self.assertEqual(d.ctl("top", "--series", "connections", "--limit", "5").out.splitlines(),
                         ["connections@%d,2, windows 0 to 0: 1000 in all" % YEAR,
                          "    AMOUNT   RESIDUAL   SHARE  PREFIX",
                          "       500        500   50.0%  192.0.2.7/32",
                          "       200        200   20.0%  198.51.100.0/31",
                          "any other block has less than 200 outside of these"])
        got = d.ask("top", "--series", "connections", "--limit", "10", "--window", "0-2")
        self.assertEqual({k: got[k] for k in ("series", "monitor", "first", "last", "total", "below", "windows_folded")},
                         {"series": "connections", "monitor": "%d,2" % YEAR, "first": 0, "last": 2, "total": 1000, "below": 100,
                          "windows_folded": 0})
        self.assertEqual([(row["prefix"], row["amount"]) for row in got["top"]],
                         [("192.0.2.7/32", 500), ("2001:db8::1/128", 150), ("198.51.100.0/32", 100), ("198.51.100.1/32", 100),
                          ("198.51.100.2/32", 100)])
        self.assertEqual([(row["prefix"], row["amount"]) for row in
                          d.ask("top", "--series", "connections", "--by", "24", "-4", "--limit", "2")["top"]],
                         [("192.0.2.0/24", 500), ("198.51.100.0/24", 300)])
        self.assertEqual([row["prefix"] for row in d.ask("top", "--series", "connections@%d,2" % YEAR, "--by", "64")["top"]],
                         ["2001:db8::/64"])
        self.assertEqual(d.ask("top", "--series", "connections", "--window", "1")["total"], 0)
        self.assertEqual(d.ask("top", "--series", "receptions@86400,1")["top"], [])
        for words in (["--series", "nobody"], ["--series", "connections", "--window", "3"], ["--series", "connections", "--by", "x"],
                      ["--series"], ["--by", "auto"], ["SMTP", "--series", "connections"]):
            answer = d.ctl("top", *words)
            self.assertEqual((answer.code, answer.out), (64, ""), words)

    def test_series_status_stats(self):
        d = self.daemon(audit=MONITORS + ' max_bytes = "1M"')
        d.ask("inbound_audit", "add", "bad", "600,6", "192.0.2.1", "5")
        rows = {(row["name"], row["monitor"]): row for row in d.ask("series")}
        self.assertEqual(len(rows), 7)
        self.assertEqual(rows["connections", "86400,1"]["made_by"], "monitor")
        self.assertEqual(rows["connections", "86400,1"]["max_bytes"], 1 << 20)
        self.assertEqual(rows["bad", "600,6"]["windows_used"], 1)
        self.assertEqual(rows["bad", "600,6"]["events"], 1)
        self.assertGreater(rows["bad", "600,6"]["bytes"], 0)
        self.assertEqual([row["monitor"] for row in d.ask("series", "receptions")], ["%d,2" % YEAR, "86400,1"])
        self.assertEqual(d.ctl("series", "nobody").code, 64)
        status, stats = d.ask("status"), d.ask("stats")
        self.assertEqual(status["series"], 7)
        self.assertEqual(status["series_bytes"], sum(row["bytes"] for row in rows.values()))
        self.assertEqual((stats["series_events"], stats["series_folds"], stats["series_keys_dropped"]), (1, 0, 0))


class NextHops(E2E):
    def test_one_that_is_not_there(self):
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            where = "127.0.0.1:%d" % closed.getsockname()[1]
        d = self.daemon(gateway=where)
        self.assertEqual(d.ask("status")["next_hops"], [])
        with d.client() as c:
            c.hello()
            c.say("MAIL FROM:<a@example.net>", 451)
        hop, = d.ask("status")["next_hops"]
        self.assertEqual((hop["next_hop"], hop["used"], hop["kept"], hop["waiting"]), (where, 0, 0, 0))
        self.assertIn("refused", hop["failure"])
        self.assertTrue(hop["failed"].endswith("Z"))
        self.assertTrue(0 < hop["alone_ms"] <= 1000)
        self.assertRegex(d.ctl("status").out, r"next_hop +%s: 0 used, 0 kept, 0 waiting, left alone for 1 s, failed \S+Z: .*refused"
                         % where.replace(".", r"\."))


class Large(E2E):
    """Many addresses: listed piece by piece, while others are served, in bounded memory."""

    def fill(self, d, count):
        def send(sock):
            for i in range(0, count, 1000):
                sock.sendall(b"".join(b"inbound_audit add connections %d,2 10.%d.%d.%d %d\n"
                                      % (YEAR, n >> 16, n >> 8 & 255, n & 255, 1 + n % 3) for n in range(i, i + 1000)))
        with Console(d.control) as c:
            sender = threading.Thread(target=send, args=(c.sock,))
            sender.start()
            for _ in range(count):
                code, text, lines = c.answer()
                if (code, lines) != (0, ["OK"]):
                    raise AssertionError((code, text, lines))
            sender.join()

    def test_show_all_streams(self):
        d = self.daemon(audit='monitors = ( "%d,2" )' % YEAR)
        self.fill(d, MANY)
        before = d.resident()
        with Console(d.control) as slow:  # it asks and does not read
            slow.send(b"inbound_audit show all\n")
            began = time.monotonic()
            process = subprocess.Popen([TIDECTL, "-s", d.control, "inbound_audit", "show", "all"], stdout=subprocess.PIPE, text=True)
            self.addCleanup(process.stdout.close)
            waits = []
            first = [process.stdout.readline() for _ in range(2)]
            for _ in range(20):
                at = time.monotonic()
                with d.client() as c:
                    c.say("NOOP", 250)
                waits.append(time.monotonic() - at)
            lines = first + process.stdout.readlines()
            self.assertEqual(process.wait(), 0)
            took = time.monotonic() - began
            self.assertEqual(lines[0], "type,interval,offset,address,count\n")
            rows = [line for line in lines[1:] if ",10." in line]
            self.assertEqual(len(rows), MANY)
            self.assertEqual(rows[0], "Connections,%d,0,10.0.0.0,1\n" % YEAR)
            self.assertEqual(sum(int(line.rsplit(",", 1)[1]) for line in rows), sum(1 + n % 3 for n in range(MANY)))
            self.assertLess(max(waits), 2)
            self.assertLess(d.resident() - before, 16 << 20)
            top = d.ask("top", "--series", "connections", "--by", "24", "--limit", "3", "-4")
            sums = {}
            for n in range(MANY):
                block = "10.%d.%d.0/24" % (n >> 16, n >> 8 & 255)
                sums[block] = sums.get(block, 0) + 1 + n % 3
            self.assertEqual([row["amount"] for row in top["top"]], sorted(sums.values(), reverse=True)[:3])
            self.assertEqual([sums[row["prefix"]] for row in top["top"]], [row["amount"] for row in top["top"]])
        self.assertLess(took, 60)
        with Console(d.control) as c:
            code, _, answer = c.ask("inbound_audit show all --json")
        self.assertEqual(code, 0)
        self.assertGreaterEqual(len(json.loads("\n".join(answer))), MANY)


if __name__ == "__main__":
    unittest.main()
