"""tidectl and the console: every command, right and wrong (docs/console.md)."""

import os
import re
import shutil
import socket
import stat
import subprocess
import time
import unittest

from console import Console
from crowd import Crowd
from daemon import E2E, PATIENCE, TIDECTL, wait_until

BLOCK = {"prefix", "count", "distinct"}
SESSION = {"session", "client", "port", "service", "listener", "fd", "state", "wait", "phase", "age_ms", "idle_ms",
           "left_ms", "commands", "messages", "recipients", "helo", "from", "relay"}
COUNTED = {"connections", "capped", "commands", "errors", "rejections", "recipients", "receptions", "octets", "tarpits",
           "tarpit_ms", "hangups", "timeouts", "early_talkers", "accept_pauses", "uncounted"}

# What is answered with --json: a list of rows, or one object; members that must stay (more may come).
SHAPES = (
    ("count SMTP 127.0.0.0/8", dict, {"service", "prefix", "count"}),
    ("distinct SMTP 127.0.0.0/8", dict, {"service", "prefix", "distinct"}),
    ("count SMTP 8-32", list, BLOCK), ("top", list, BLOCK), ("top Control", list, BLOCK), ("top --by 32 --limit 1", list, BLOCK),
    ("who", list, SESSION), ("who 127.0.0.0/8", list, SESSION), ("show inbound", list, SESSION),
    ("status", dict, {"version", "pid", "state", "file", "started", "uptime_s", "workers", "sessions", "held",
                      "audit_bytes", "log_dropped", "endpoints"}),
    ("stats", dict, {"since", "counters"} | COUNTED),
    ("why 127.0.0.1", dict, {"actions", "blocks"}),
    ("help", list, {"command", "usage", "help"}),
    ("reload", dict, {"file"}), ("kick 192.0.2.0/24", dict, {"kicked"}), ("stats reset", dict, set()),
)
INNER = {"endpoints": {"service", "listener", "count"}, "counters": {"phase", "counter", "class", "count"}, "blocks": BLOCK,
         "actions": {"ts", "session", "client", "phase", "action", "ms", "code", "text", "counter", "file", "line", "service",
                     "prefix", "value", "observe"}}

WRONG = (  # exit 64
    "", "nonsense", "cuont SMTP ::/0", "show", "show outbound", "count", "count SMTP", "count SMTP ::/0 more",
    "count nonsense ::/0", "count SMTP nonsense", "count SMTP 1.2.3.4/33", "count SMTP ::/129", "count SMTP 1.2.3",
    "count SMTP 16-", "count SMTP -32", "count SMTP 24-16", "count SMTP 0-129", "count SMTP a-b", "count SMTP 1-2-3",
    "count SMTP ::/0 -4", "count SMTP ::/0 --by 3", "count SMTP@nowhere:1 ::/0", "count SMTP 300000000000-4",
    "distinct", "distinct SMTP", "distinct SMTP 16-32", "distinct SMTP ::/0 -6", "who nonsense", "who 1.2.3.4 5.6.7.8",
    "who --limit 3", "show inbound 1.2.3.4", "top nonsense", "top --by", "top --by x", "top --by 129", "top --limit 0",
    "top --limit 1001", "top --limit -1", "top SMTP Control", "status now", "stats now", "stats reset now", "why",
    "why nonsense", "why 1.2.3.4 5.6.7.8", "why 1.2.3.4 --limit", "kick", "kick nonsense", "kick 12345", "kick 1.2.3.4 now",
    "reload now", "drain now", "stop now", "help nonsense", "help show outbound", "top --every", "top --every 0", "top --every x",
)


class Commands(E2E):
    @classmethod
    def setUpClass(cls):
        cls.d = None

    def setUp(self):
        self.d = self.daemon(sieve={"ehlo_phase1": 'ec_inc_counter "seen";'})
        self.c = self.d.client()
        self.addCleanup(self.c.close)
        self.c.hello()
        self.c.say("MAIL FROM:<a@example.net>", 250)

    def test_json_of_each_command(self):
        for command, kind, keys in SHAPES:
            with self.subTest(command):
                got = self.d.ask(*command.split())
                self.assertIs(type(got), kind)
                for row in got if kind is list else [got]:
                    self.assertLessEqual(keys, set(row))
                    for name in INNER.keys() & row.keys():
                        self.assertTrue(row[name] or command == "stats reset")
                        for inner in row[name]:
                            self.assertLessEqual(INNER[name], set(inner))
                if kind is list:
                    self.assertTrue(got)

    def test_text_of_each_command(self):
        for command, _, _ in SHAPES:
            answer = self.d.ctl(*command.split())
            self.assertEqual((answer.code, answer.err), (0, ""), command)
            self.assertEqual(bool(answer.out), command != "stats reset", command)

    def test_wrong_commands_are_64_and_change_nothing(self):
        for command in WRONG:
            for words in (command.split(), ["--json"] + command.split()):
                answer = self.d.ctl(*words)
                self.assertEqual((answer.code, answer.out), (64, ""), command)
                self.assertRegex(answer.err, "^tidectl: .+\n$", command)
        self.c.say("RCPT TO:<b@example.org>", 250)
        self.assertEqual(self.d.ask("status")["state"], "running")

    def test_a_near_word_is_offered(self):
        for command, meant in ("cuont", "count"), ("stauts", "status"), ("kik", "kick"), ("realod", "reload"):
            self.assertIn('did you mean "%s"?' % meant, self.d.ctl(command, "x").err)
            with Console(self.d.control) as console:  # without tidectl's own check
                self.assertIn('did you mean "%s"?' % meant, console.ask(command)[1])

    def test_count_is_one_integer_and_nothing_else(self):
        for service, prefix, want in (("SMTP", "127.0.0.1", 1), ("SMTP", "127.0.0.1/32", 1), ("SMTP", "127.1.2.3/8", 1),
                                      ("SMTP", "0.0.0.0/0", 1), ("SMTP", "::/0", 0), ("SMTP", "[::1]", 0),
                                      ("SMTP@127.0.0.1:%d" % self.d.port, "127.0.0.1", 1),
                                      ("SMTP@[::1]:%d" % self.d.port, "127.0.0.1", 0), ("inbound_cidr", "127.0.0.1", 1),
                                      ("Control", "127.0.0.1", 1), ("ECStream", "0.0.0.0/0", 0)):
            answer = self.d.ctl("count", service, prefix)
            self.assertEqual(tuple(answer), (0, "%d\n" % want, ""), (service, prefix))

    def test_T15_levels(self):
        with self.d.client("127.0.0.2"), self.d.client("127.0.1.1"), self.d.client(host="::1"):
            self.assertEqual(self.d.ctl("count", "SMTP", "22-24").out,
                             "3 127.0.0.0/22\n 3 127.0.0.0/23\n  2 127.0.0.0/24\n  1 127.0.1.0/24\n"
                             "1 ::/22\n 1 ::/23\n  1 ::/24\n")
            self.assertEqual(self.d.ctl("count", "SMTP", "23-24", "-4").out,
                             "3 127.0.0.0/23\n 2 127.0.0.0/24\n 1 127.0.1.0/24\n")
            self.assertEqual(self.d.ctl("count", "SMTP", "24-24", "-6").out, "1 ::/24\n")
            self.assertEqual(self.d.ctl("count", "SMTP", "127-128").out, "1 ::/127\n 1 ::1/128\n")
            self.assertEqual(self.d.ctl("count", "SMTP", "31-33", "-4").out, "1 127.0.0.0/31\n 1 127.0.0.1/32\n"
                             "1 127.0.0.2/31\n 1 127.0.0.2/32\n1 127.0.1.0/31\n 1 127.0.1.1/32\n")

    def test_who_and_show_inbound(self):
        row = self.d.session(self.c)
        name, port = self.c.sock.getsockname()
        self.assertEqual({k: row[k] for k in ("client", "port", "service", "listener", "state", "wait", "phase", "helo", "from",
                                              "commands", "messages", "recipients", "left_ms")},
                         {"client": name, "port": port, "service": "SMTP", "listener": "127.0.0.1:%d" % self.d.port,
                          "state": "mail", "wait": "none", "phase": "mailfrom", "helo": "probe.example", "from": "a@example.net",
                          "commands": 2, "messages": 0, "recipients": 0, "left_ms": 0})
        self.assertRegex(row["session"], "^[0-9a-f]{16}$")
        lines = self.d.ctl("who").out.splitlines()
        self.assertEqual(len(lines), 2)
        for part in row["session"], "127.0.0.1:%d" % port, "probe.example", "a@example.net":
            self.assertIn(part, lines[1])
        with self.d.client(host="::1") as other:
            lines = self.d.ctl("show", "inbound").out.splitlines()
            self.assertEqual(len(lines), 2)
            want = {r"\d+: \[inbound/SMTP\] IPv4 127\.0\.0\.1:%d mail \(for \d+s\) \[mailfrom\]" % port,
                    r"\d+: \[inbound/SMTP\] IPv6 \[::1\]:%d helo \(for \d+s\) \[\w+\]" % other.sock.getsockname()[1]}
            for pattern in want:
                self.assertTrue(any(re.fullmatch(pattern, line) for line in lines), (pattern, lines))
            self.assertEqual([r["client"] for r in self.d.ask("who", "::/0")], ["::1"])
            self.assertEqual(self.d.ask("who", "192.0.2.0/24"), [])

    def test_top(self):
        with self.d.client("127.0.0.1"), self.d.client("127.9.0.1"), self.d.client(host="::1"):
            rows = [{"prefix": "127.0.0.0/24", "count": 2, "distinct": 1}, {"prefix": "127.9.0.0/24", "count": 1, "distinct": 1},
                    {"prefix": "::/64", "count": 1, "distinct": 1}]
            self.assertEqual(self.d.ask("top"), rows)
            self.assertEqual(self.d.ask("top", "--limit", "1"), rows[:1])
            self.assertEqual(self.d.ask("top", "-6"), rows[2:])
            self.assertEqual(self.d.ask("top", "SMTP@127.0.0.1:%d" % self.d.port), rows[:2])
            self.assertEqual([r["prefix"] for r in self.d.ask("top", "--by", "8")], ["127.0.0.0/8", "::/8"])
        process = subprocess.Popen([TIDECTL, "-s", self.d.control, "top", "--every", "1"], stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        headings = 0
        while headings < 2:
            line = process.stdout.readline()
            self.assertTrue(line)
            headings += "PREFIX" in line

    def test_stats_reset(self):
        self.assertEqual([c["counter"] for c in self.d.ask("stats")["counters"]], ["seen"])
        self.assertEqual(self.d.ctl("stats", "reset").code, 0)
        self.assertEqual(self.d.ask("stats")["counters"], [])
        self.assertRegex(self.d.ctl("stats").out, r"^sieve statistics since: \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\n")

    def test_help(self):
        listed = [row["command"] for row in self.d.ask("help")]
        for verb in ("count", "distinct", "who", "show inbound", "top", "status", "stats", "why", "kick", "reload", "drain",
                     "stop", "help"):
            self.assertIn(verb, listed)
            self.assertTrue(self.d.ctl("help", *verb.split()).out.startswith(verb))
            self.assertIn("\n  %s " % verb, self.d.ctl("--help").out)


class Thousands(E2E):
    def test_they_are_listed_and_kicked(self):
        d = self.daemon(esmtp="Listen_Backlog = 4096")
        crowd = Crowd(d, 2500, "127.60.0.0/16")
        self.addCleanup(crowd.kill)
        with d.client():
            self.assertEqual(len({r["session"] for r in d.ask("who", "127.60.0.0/16")}), 2500)
            self.assertEqual(len(d.ctl("show", "inbound").out.splitlines()), 2501)
            self.assertEqual(d.ask("kick", "127.60.0.0/16"), {"kicked": 2500})
            d.wait_for_count(1)


class Kick(E2E):
    def test_one_session(self):
        d = self.daemon()
        with d.client("127.61.0.1") as c, d.client("127.61.0.1") as other:
            session = d.session(c)["session"]
            self.assertEqual(tuple(d.ctl("kick", session)), (0, "kicked 1\n", ""))
            c.expect(421, "4.7.0")
            c.expect_closed()
            other.say("NOOP", 250)
            self.assertEqual(d.count("127.61.0.1"), 1)
            answer = d.ctl("kick", session)
            self.assertEqual((answer.code, answer.out), (1, ""))
            self.assertIn(session, answer.err)
            d.wait_for_log(session + ": disconnect .* end=kick")
            d.wait_for_log("console: kick %s, by uid %d" % (session, os.getuid()))

    def test_a_block_wherever_its_sessions_are(self):
        d = self.daemon(esmtp="Banner_Delay = 0", sieve={
            "connect_phase1": 'if ec_test "%{spfv1:i}" "127.61.0.9" { ec_tarpit 60; }',
            "data_phase1": "ec_tarpit 60;"})
        kicked = [d.client("127.61.0.%d" % (1 + i)) for i in range(4)]
        kicked[1].hello()
        kicked[2].hello()
        kicked[2].envelope()
        kicked[2].say("DATA", 354)
        kicked[3].hello()
        kicked[3].envelope()
        kicked[3].say("DATA", 354)
        kicked[3].send(b"x\r\n.\r\n")
        kicked.append(d.client("127.61.0.9", greet=False))
        wait_until(lambda: d.ask("status")["held"] == 2, "two are held")
        with d.client("127.62.0.1") as other:
            self.assertEqual(d.ask("kick", "127.61.0.0/16"), {"kicked": 5})
            for c in kicked:
                c.expect(421)
                c.expect_closed()
                c.close()
            self.assertEqual((d.count(), d.ask("status")["held"]), (1, 0))
            other.say("NOOP", 250)
        self.assertEqual(d.mails(), [])
        self.assertEqual(d.ask("kick", "::/0"), {"kicked": 0})


class Reload(E2E):
    def test_good_and_bad(self):
        d = self.daemon(sieve={"ehlo_phase1": 'ec_action 450 "4.7.1 old";'})

        def hears(text):
            with d.client() as c:
                return text in c.say("EHLO x").text

        d.configure(sieve={"ehlo_phase1": 'ec_action 450 "4.7.1 new";'})
        self.assertTrue(hears("old"))
        self.assertEqual(tuple(d.ctl("reload")), (0, "loaded %s\n" % d.conf, ""))
        self.assertTrue(hears("new"))

        d.configure(esmtp="Max_Errors = many\nNo_Such = 1", sieve={"ehlo_phase1": "ec_tarpit"})
        for words in ["reload"], ["--json", "reload"]:
            answer = d.ctl(*words)
            self.assertEqual((answer.code, answer.out), (1, ""))
            for pattern in (r"(?m)^%s:\d+:\d+: .*many" % d.conf, r"(?m)^%s:\d+:\d+: .*No_Such" % d.conf,
                            r"(?m)^%s/ehlo_phase1\.sieve:\d+:\d+: " % d.dir, r"(?m)^tidectl: nothing was changed$"):
                self.assertRegex(answer.err, pattern)
        self.assertTrue(hears("new"))
        d.wait_for_log("reload failed")

        os.rename(d.conf, d.conf + ".away")
        answer = d.ctl("reload")
        self.assertEqual((answer.code, answer.out), (1, ""))
        self.assertIn(d.conf, answer.err)
        self.assertTrue(hears("new"))

    def test_warnings_are_shown(self):
        d = self.daemon()
        d.configure(esmtp='Reconfig_Message = "4.3.2 x"')
        answer = d.ctl("reload")
        self.assertEqual((answer.code, answer.out), (0, "loaded %s\n" % d.conf))
        self.assertRegex(answer.err, r"^%s:\d+:\d+: warning: .*Reconfig_Message" % d.conf)


class Ends(E2E):
    def test_drain_waits_for_the_last(self):
        d = self.daemon(top="Drain_Timeout = 1")
        with d.client() as c:
            c.hello()
            c.envelope()
            answer = d.ctl("drain")
            self.assertEqual((answer.code, answer.out, answer.err), (0, "draining, 1 sessions\n", ""))
            time.sleep(1.2)  # no deadline, whatever Drain_Timeout is
            self.assertEqual(d.ask("status")["state"], "draining")
            c.message()
            c.expect(421)
            c.expect_closed()
        self.assertEqual(d.wait(), 0)
        self.assertFalse(os.path.exists(d.control))
        answer = d.ctl("status")
        self.assertEqual((answer.code, answer.out), (1, ""))
        self.assertIn(d.control, answer.err)

    def test_stop_twice_is_at_once(self):
        d = self.daemon()
        with d.client() as c:
            c.hello()
            c.envelope()
            self.assertEqual(d.ask("stop"), {"state": "stopping", "sessions": 1})
            self.assertEqual(d.ctl("stop").code, 0)
            c.expect(421)
        self.assertEqual(d.wait(), 0)


class Door(E2E):
    def test_mode_is_0660_or_as_configured(self):
        d = self.daemon()
        self.assertEqual(stat.S_IMODE(os.stat(d.control).st_mode), 0o660)
        self.assertTrue(stat.S_ISSOCK(os.stat(d.control).st_mode))

    @unittest.skipUnless(os.getuid() == 0, "only root can be somebody else")
    def test_who_may_come_in(self):
        d = self.daemon()
        tidectl = os.path.join(d.dir, "tidectl")
        shutil.copy(TIDECTL, tidectl)
        os.chmod(d.dir, 0o755)

        def as_nobody(*words, group=65534, groups=()):
            done = subprocess.run([tidectl, "-s", d.control, *words], user=65534, group=group, extra_groups=groups, cwd="/",
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE)
            return done.returncode, done.stdout, done.stderr

        code, out, err = as_nobody("count", "SMTP", "::/0")
        self.assertEqual((code, out), (1, ""))
        self.assertIn("Permission denied", err)  # the kernel's word: 0660

        os.chmod(d.control, 0o666)  # now it is ours to refuse
        for words in ["count", "SMTP", "::/0"], ["kick", "0.0.0.0/0"], ["stop"], ["nonsense-but-sent"]:
            code, out, err = as_nobody(*words)
            if words[0] == "nonsense-but-sent":
                self.assertEqual(code, 64)
                continue
            self.assertEqual((code, out, err), (
                1, "", "tidectl: this user may not: it is not in the group of the socket\n"), words)

        os.chown(d.control, 0, 4242)
        self.assertEqual(as_nobody("count", "SMTP", "::/0")[0], 1)
        self.assertEqual(as_nobody("count", "SMTP", "::/0", groups=[4242]), (0, "0\n", ""))
        self.assertEqual(as_nobody("count", "SMTP", "::/0", group=4242), (0, "0\n", ""))
        self.assertEqual(d.ask("status")["state"], "running")

    def test_lines_as_they_come(self):
        d = self.daemon()
        with Console(d.control) as c:
            c.send(b"count SMTP ::/0\r\n\tcount\t \"SMTP\"  0.0.0.0/0 \n\nsta")
            self.assertEqual(c.answer(), (0, "", ["0"]))
            self.assertEqual(c.answer(), (0, "", ["0"]))
            self.assertEqual(c.answer()[0], 64)  # an empty line
            c.send(b"tus --json\n" + b"count SMTP ::/0\n" * 500)
            self.assertEqual(c.answer()[0], 0)
            for _ in range(500):
                self.assertEqual(c.answer(), (0, "", ["0"]))
            for bad in b"count \x01 ::/0\n", b'count "SMTP ::/0\n', b"a " * 100 + b"\n", b"\xff\xfe\n":
                c.send(bad)
                self.assertEqual(c.answer()[0], 64, bad)
            c.send(b"x" * 5000)
            self.assertEqual(c.answer()[0], 64)
            c.expect_closed()
        with Console(d.control) as c:  # the last line needs no end
            c.send(b"count SMTP ::/0")
            c.sock.shutdown(socket.SHUT_WR)
            self.assertEqual(c.answer(), (0, "", ["0"]))
            c.expect_closed()

    def test_32_consoles_and_no_more(self):
        d = self.daemon()
        held = [Console(d.control) for _ in range(32)]
        d_full = d.ctl("count", "Control", "::/0")
        self.assertEqual((d_full.code, d_full.out), (1, ""))
        self.assertIn("too many consoles", d_full.err)
        for c in held:
            self.assertEqual(c.number("count SMTP ::/0"), 0)
            c.close()
        d.wait_for_count(1, service="Control")

    def test_an_idle_console_is_closed(self):
        d = self.daemon()
        with open(d.conf) as f:
            text = f.read().replace('Listen "./control.sock" {}', 'Timeout = 1 Listen "./other.sock" {}')
        conf = d.write("other.conf", text.replace(str(d.port), str(d.other_port())))
        other = subprocess.Popen([os.path.join(os.path.dirname(TIDECTL), "tidewaiter"), "-c", conf], stderr=subprocess.DEVNULL)
        self.addCleanup(other.wait)
        self.addCleanup(other.terminate)
        path = os.path.join(d.dir, "other.sock")
        wait_until(lambda: os.path.exists(path), "its console is open")
        with Console(path) as c:
            self.assertEqual(c.number("count Control 127.0.0.1"), 1)
            began = time.monotonic()
            c.expect_closed()
            self.assertTrue(0.9 < time.monotonic() - began < 5)


class Tidectl(E2E):
    def run_it(self, *args, env=None):
        done = subprocess.run([TIDECTL, *args], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE,
                              env=dict(os.environ, **(env or {})))
        return done.returncode, done.stdout, done.stderr

    def test_options(self):
        d = self.daemon()
        self.assertEqual(self.run_it("--version")[0], 0)
        self.assertRegex(self.run_it("--version")[1], r"^tidectl \d+\.\d+\.\d+\n$")
        code, out, err = self.run_it("--help")
        self.assertEqual((code, err), (0, ""))
        self.assertTrue(out.startswith("usage: tidectl "))
        self.assertEqual(self.run_it("count", "SMTP", "::/0", env={"TIDEWAITER_SOCKET": d.control}), (0, "0\n", ""))
        self.assertEqual(self.run_it("-s", d.control, "count", "SMTP", "::/0", env={"TIDEWAITER_SOCKET": "/x"}), (0, "0\n", ""))
        for args in [], ["-s"], ["-s", d.control], ["--nonsense"], ["-x", "status"], ["--json"]:
            code, out, err = self.run_it(*args)
            self.assertEqual((code, out), (64, ""), args)
            self.assertTrue(err.startswith("tidectl: "), args)

    def test_a_socket_that_is_not_there(self):
        for path in "/nowhere/control.sock", "/", "/etc/passwd", "/" + "x" * 200:
            code, out, err = self.run_it("-s", path, "status")
            self.assertEqual((code, out), (1, ""), path)
            self.assertTrue(err.startswith("tidectl: %s: " % path), err)

    def test_arguments_that_cannot_be_sent(self):
        d = self.daemon()
        for words in ["count", "SMTP", "::/0\nstop"], ["count", "SMTP", "x" * 5000], ["kick", "\r"]:
            answer = d.ctl(*words)
            self.assertEqual((answer.code, answer.out), (64, ""))
        for word in 'a b', 'a"b', "a\\b", "", "\x01", "--by":
            answer = d.ctl("count", "SMTP", word)
            self.assertEqual((answer.code, answer.out), (64, ""), word)
        self.assertEqual(d.ask("status")["state"], "running")

    def test_what_a_client_said_stays_in_its_place(self):
        d = self.daemon(sieve={"mailfrom_phase1": 'ec_action 550 "5.7.1 %{mailfrom_string}" "%{ehlo_domain}";'})
        with d.client() as c:
            c.hello("[127.0.0.1]")
            c.say('MAIL FROM:<"a\\"b]}, {"@example.net> SMTPUTF8', 550)
            c.say('MAIL FROM:<"\u00e9\u4e2d"@example.net> SMTPUTF8', 550)
            self.assertEqual(d.ask("who")[0]["helo"], "[127.0.0.1]")
            texts = [a["text"] for a in d.ask("why", "127.0.0.1")["actions"]]
            self.assertEqual(len(texts), 2)
            self.assertIn("\u00e9\u4e2d", texts[0])
            self.assertEqual(len(d.ctl("why", "127.0.0.1").out.splitlines()), 2 + 1 + 4)


if __name__ == "__main__":
    unittest.main()
