"""tidectl sieve eval: a script without a daemon (T17). What scripts themselves should give stands in
tests/sieve; here is what the command does around them."""

import json
import os
import subprocess
import tempfile
import unittest

from daemon import PATIENCE, ROOT, TIDECTL

READ = """($l) = audit_connections_on_listener "%(cidr)s";
($s) = audit_connections_on_service "%(cidr)s";
($i) = audit_service "inbound_cidr" "%(cidr)s";
($c) = audit_service "Control" "%(cidr)s";
ec_inc_counter "${l} ${s} ${i} ${c}";
"""

# --count options; the client; the CIDR that is asked; LISTENER, SMTP, inbound_cidr and Control of it
COUNTS = (
    ("unset is 0", [], "192.0.2.7", "/32", "0 0 0 0"),
    ("each its own", ["LISTENER=192.0.2.7=1", "SMTP=192.0.2.7=2", "inbound_cidr=192.0.2.7=3", "Control=192.0.2.7=4"],
     "192.0.2.7", "/32", "1 2 3 4"),
    ("D50 an unset inbound_cidr reads SMTP", ["SMTP=192.0.2.0/24=5"], "192.0.2.7", "/24", "0 5 5 0"),
    ("nothing is derived from hosts", ["SMTP=192.0.2.7=5"], "192.0.2.7", "/24", "0 0 0 0"),
    ("nor from nets", ["SMTP=192.0.2.0/24=5"], "192.0.2.7", "/32", "0 0 0 0"),
    ("host bits are cut", ["SMTP=192.0.2.99/24=5"], "192.0.2.7", "192.0.2.1/24", "0 5 5 0"),
    ("the last one holds", ["SMTP=192.0.2.7=5", "SMTP=192.0.2.7=6"], "192.0.2.7", "/32", "0 6 6 0"),
    ("D45 /32 is the exact address", ["SMTP=2001:db8::7=5"], "2001:db8::7", "/32", "0 5 5 0"),
    ("D45 another length is literal", ["SMTP=2001:d00::/24=5"], "2001:db8::7", "/24", "0 5 5 0"),
    ("D45 with an address it is literal", ["SMTP=2001:db8::/32=5"], "192.0.2.7", "2001:db8::7/32", "0 5 5 0"),
    ("D45 above 32 on IPv4", ["SMTP=192.0.2.7=5"], "192.0.2.7", "/64", "0 5 5 0"),
    ("D48 /0 is both families", ["SMTP=0.0.0.0/0=5", "SMTP=::/0=7"], "192.0.2.7", "/0", "0 12 12 0"),
    ("D47 brackets", ["SMTP=[2001:db8::7]=5"], "[2001:db8::7]", "[2001:DB8:0::7]", "0 5 5 0"),
    ("D105 mapped", ["SMTP=::ffff:192.0.2.7=5"], "::ffff:192.0.2.7", "/32", "0 5 5 0"),
    ("localhost", ["SMTP=127.0.0.1=5"], "192.0.2.7", "localhost/32", "0 5 5 0"),
    ("a large one", ["SMTP=192.0.2.7=9223372036854775807"], "192.0.2.7", "/32",
     "0 9223372036854775807 9223372036854775807 0"),
)

# Options beyond the script's; the script; exit code, actions, implicit_keep
RUNS = (
    ("nothing", [], "", 0, [], True),
    ("keep", [], "keep;", 0, [{"action": "keep"}], False),
    ("stop", [], "stop;", 0, [{"action": "stop"}], True),
    ("fractions", [], 'ec_tarpit "0.25" "slow";', 0, [{"action": "ec_tarpit", "seconds": 0.25, "counter": "slow"}], True),
    ("several", [], 'ec_tarpit 1; ec_tarpit 2; ec_action 550 "5.7.1 no" "x"; keep;', 0,
     [{"action": "ec_tarpit", "seconds": 1, "counter": None}, {"action": "ec_tarpit", "seconds": 2, "counter": None},
      {"action": "ec_action", "code": 550, "reason": "5.7.1 no", "counter": "x"}], False),
    ("lines", ["--phase", "connect"], 'ec_disconnect 421 "4.7.0 a\nb";', 0,
     [{"action": "ec_disconnect", "code": 421, "reason": "4.7.0 a\nb", "counter": None}], False),
    ("quotes and UTF-8", [], 'ec_inc_counter "\\"\u00e9\\\\";', 0, [{"action": "ec_inc_counter", "counter": '"\u00e9\\'}], True),
    ("envelope", ["--envelope-from", "<a+x@example.net>", "--envelope-to", "b@example.org"],
     '$f = envelope "from"; $t = envelope :domain "to"; ec_inc_counter "${f} ${t}";', 0,
     [{"action": "ec_inc_counter", "counter": "a+x@example.net example.org"}], True),
    ("user", ["--auth-user", "ann"], 'if vctx_conn "auth_user" "ann" { keep; }', 0, [{"action": "keep"}], False),
    ("phase of the envelope", ["--phase", "mailfrom", "--envelope-from", "a@b.example", "--envelope-to", "c@d.example"],
     '$t = envelope "to"; ec_inc_counter "[${t}]";', 0, [{"action": "ec_inc_counter", "counter": "[]"}], True),
    ("run-time error", [], 'ec_inc_counter "x"; $n = vctx_conn_get "n"; ec_tarpit $n; keep;', 2,
     [{"action": "ec_inc_counter", "counter": "x"}], True),
    ("D30 a file that is not there", [], 'ec_include "nowhere.sieve";', 2, [], True),
    ("going on", [], 'ec_error_mode "continue"; $n = vctx_conn_get "n"; ec_tarpit $n; keep;', 0, [{"action": "keep"}], False),
)

BROKEN = (  # a script, and where its faults are
    ("ec_tarpit", ["1:10"]), ("\n  nonsense 1;\nkeep\n", ["2:3", "4:1"]), ('ec_action 550;', ["1:1"]),
    ('if ec_test :regex "a" "(" { keep; }', ["1:23"]), ("text:\nx\n", ["1:1"]), ('"', ["1:1"]),
    ("ec_throttle_create \"x\" \"1/60\";", ["1:1"]), ("ec_header_add \"a\" \"b\";", ["1:1"]),
)


class Eval(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.TemporaryDirectory(prefix="tidewaiter-e2e-")
        self.addCleanup(self.dir.cleanup)

    def write(self, name, content):
        path = os.path.join(self.dir.name, name)
        with open(path, "wb") as f:
            f.write(content if isinstance(content, bytes) else content.encode())
        return path

    def run_it(self, script, *options):
        done = subprocess.run([TIDECTL, "sieve", "eval", *options, self.write("s.sieve", script)], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=PATIENCE)
        return done.returncode, done.stdout, done.stderr

    def test_T17_counts(self):
        for name, given, client, cidr, want in COUNTS:
            with self.subTest(name):
                options = [word for g in given for word in ("--count", g)]
                code, out, err = self.run_it(READ % {"cidr": cidr}, "--client-addr", client, *options)
                self.assertEqual((code, err), (0, ""))
                self.assertEqual(json.loads(out)["actions"], [{"action": "ec_inc_counter", "counter": want}])

    def test_what_it_answers(self):
        for name, options, script, want, actions, keep in RUNS:
            with self.subTest(name):
                code, out, err = self.run_it(script, "--client-addr", "192.0.2.7", *options)
                self.assertEqual(code, want, err)
                self.assertEqual(out.count("\n"), 1)
                got = json.loads(out)
                self.assertEqual(list(got), ["actions", "implicit_keep", "error"])
                self.assertEqual((got["actions"], got["implicit_keep"]), (actions, keep))
                if want == 2:
                    self.assertRegex(got["error"], r"^\S+s\.sieve:1: .+")
                else:
                    self.assertIsNone(got["error"])

    def test_1_9_what_does_not_compile_is_1_and_a_line_each(self):
        for script, places in BROKEN:
            with self.subTest(script):
                code, out, err = self.run_it(script)
                self.assertEqual((code, out), (1, ""))
                path = os.path.join(self.dir.name, "s.sieve")
                self.assertEqual(["%s:%s: " % (path, p) for p in places],
                                 [line[:len(path) + len(p) + 3] for line, p in zip(err.splitlines(), places)])
                self.assertEqual(len(err.splitlines()), len(places), err)

    def test_a_script_that_is_not_there(self):
        done = subprocess.run([TIDECTL, "sieve", "eval", "/nowhere/x.sieve"], capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("/nowhere/x.sieve: ", done.stderr)

    def test_wrong_usage_is_64(self):
        for words in [], ["nonsense", "a.sieve"], ["eval"], ["eval", "a.sieve", "b.sieve"], ["eval", "--phase"], ["eval", "--count", "SMTP"]:
            done = subprocess.run([TIDECTL, "sieve", *words], capture_output=True, text=True, timeout=PATIENCE)
            self.assertEqual((done.returncode, done.stdout), (64, ""), words)
            self.assertTrue(done.stderr)

    def test_the_message_passes_through(self):
        whole = b"Subject: x\r\n\r\n.\r\n\x00\xff half a line"
        message, output = self.write("message", whole), os.path.join(self.dir.name, "out")
        code, out, err = self.run_it("keep;", "--message", message, "--output-message", output)
        self.assertEqual((code, err), (0, ""))
        with open(output, "rb") as f:
            self.assertEqual(f.read(), whole)
        self.assertEqual(self.run_it("nonsense;", "--message", message, "--output-message", output + ".2")[0], 1)
        self.assertFalse(os.path.exists(output + ".2"))

    def test_the_published_examples_as_the_issue_calls_them(self):
        """Everything on one command line."""
        message = self.write("message", "Subject: x\r\n\r\nhello\r\n")
        for name, service in ("on_listener", "LISTENER"), ("on_service", "SMTP"), ("audit_service", "inbound_cidr"):
            for client, exact, net in (("192.0.2.7", "192.0.2.7/32", "192.0.2.0/24"),
                                       ("2001:db8::7", "2001:db8::7/128", "2001:d00::/24")):
                for host, of_net, want in (1000, 10000, []), (1001, 10000, [32]), (1000, 10001, [24]), (1001, 10001, [32, 24]):
                    done = subprocess.run(
                        [TIDECTL, "sieve", "eval", "--phase", "connect", "--count", "%s=%s=%d" % (service, exact, host),
                         "--count", "%s=%s=%d" % (service, net, of_net), "--message", message, "--envelope-from", "a@example.net",
                         "--envelope-to", "b@example.org", "--client-addr", client, "--auth-user", "ann",
                         os.path.join(ROOT, "tests/sieve/published", name + ".sieve")],
                        capture_output=True, text=True, timeout=PATIENCE)
                    self.assertEqual(done.returncode, 0, done.stderr)
                    self.assertEqual(json.loads(done.stdout), {
                        "actions": [{"action": "ec_tarpit", "seconds": 10, "counter": "too many connections /%d" % length}
                                    for length in want], "implicit_keep": True, "error": None})


if __name__ == "__main__":
    unittest.main()
