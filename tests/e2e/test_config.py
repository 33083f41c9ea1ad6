"""What is wrong with a configuration is told by FILE:LINE:COL, all of it in one run, with exit 78 (T1).

The rules about options are taken from the reference that the daemon prints, so that an option that
comes is tested with it."""

import os
import re
import subprocess
import tempfile
import unittest

from daemon import PATIENCE, TIDEWAITER

ESMTP = 'ESMTP_Listener { Gateway = "maildir:mail" Relay_Domains = ( "a.org" )\n%s\nListen "127.0.0.1:2525" {} }'

# Where the options of a scope are written.
SCOPES = {
    "top level": ESMTP % "" + "\n%s",
    "ESMTP_Listener": ESMTP % "%s",
    "Listen": ESMTP % 'Listen "127.0.0.1:2526" {\n%s\n}',
    "Peer": ESMTP % 'Peer "10.0.0.0/8" {\n%s\n}',
    "Domain": ESMTP % 'Domain "x.org" { Gateway = "maildir:mail"\n%s\n}',
    "Control_Listener": ESMTP % "" + '\nControl_Listener {\n%s\nListen "./c.sock" {} }',
    "inbound_audit": ESMTP % "" + "\ninbound_audit {\n%s\n}",
    "sieve": ESMTP % "" + '\nsieve "s" {\n%s\n}',
    "scriptlet": ESMTP % "" + '\nscriptlet "s" {\n%s\n}',
}

# Values that no option of such a type takes; the type as the reference words it, from its beginning.
BAD_VALUES = {
    "boolean": ("maybe", "2", '""', "( on )"),
    "whole number": ("08", "-1", "1.5", "many", '""', "99999999999999999999", "( 1 )"),
    "octal number": ("9", "rw", "10000"),
    "time": ("-1", "1x", '"1 s"', "s", "01", "99999999999", "( 1 )"),
    "size": ("1T", "-1", "1.5", "K", "010", "99999999999999999999"),
    "word": ("nonsense", '""', "( text )"),
    "host name": ('"a b"', '""', "( a.org )"),
    "path": ('""', '( "x" )'),
    "next hop": ('""', '"a:0"', '"a:99999"', '"2001:db8::1"', '"[2001:db8::1"', '"http://x"', '"maildir:"', '( "a" )'),
    "list of next hops": ('( "a:0" )', '( "2001:db8::1" )'),
    "list of addresses": ('( "1.2.3" )', '( "1.2.3.4/33" )', '( "::/129" )', '( "host.name" )', "[ a = b ]"),
    "list of domains": ('( "a..b" )', '( "*.*.org" )', '( "a b" )', "[ a = b ]"),
    "dictionary": ("x", "( x )"),
    "list of SECONDS": ('( "60" )', '( "60," )', '( "0,1" )', '( "60,0" )', '( "06,1" )', '( "a,b" )'),
    "list of FROM": ('( "24" )', '( "24=129" )', '( "x=1" )'),
}

# One fault each; @ stands before what is named. What must be said.
FAULTS = (
    ("T1 unknown option, with the nearest", ESMTP % "  @Max_Error = 3", "Max_Errors"),
    ("T1 unknown scope, with the nearest", ESMTP % "" + '\n@seive "x" {}', "sieve"),
    ("T1 duplicate option", ESMTP % "Idle_Time = 1\n @idle_time = 2", "Idle_Time"),
    ("T1 duplicate scope", ESMTP % "" + "\n@inbound_audit {}" * 2, "inbound_audit"),
    ("T1 duplicate Listen", ESMTP % 'Listen "127.0.0.1:1" {}\n@Listen "127.0.0.1:1" {}', "127.0.0.1:1"),
    ("T1 duplicate Peer, however written", ESMTP % 'Peer "10.0.0.0/8" {}\n@Peer "10.1.2.3/8" {}', "Peer"),
    ("T1 unclosed scope", "@ESMTP_Listener {\n Listen \"127.0.0.1:1\" {}\n", "not closed"),
    ("T1 unclosed string", ESMTP % "" + '\nHostname = @"x', "string"),
    ("T1 unclosed list", ESMTP % "" + '\nRelay_Hosts = ( "1.2.3.4"\nWorkers @= 2', "')' to close what opens at line 4 column 15"),
    ("T1 unclosed comment", ESMTP % "" + "\n@/* x", "comment"),
    ("T1 a brace too many", ESMTP % "" + "\n@}", "closes nothing"),
    ("T1 leading zero", ESMTP % "" + "\nWorkers = @08", "0"),
    ("D53 a monitor twice", ESMTP % "" + '\ninbound_audit { monitors = ( "300,6" @"300, 6" ) }', '"300,6" at '),
    ("3.1 a monitor that is none", ESMTP % "" + '\ninbound_audit { monitors = ( "300,6" @"300" ) }', "SECONDS,WINDOWS"),
    ("3.1 too many monitors", ESMTP % "" + '\ninbound_audit { monitors = ( %s @"17,6" ) }'
     % " ".join('"%d,6"' % n for n in range(1, 17)), "at most 16"),
    ("D39 reception_unit", ESMTP % "" + "\ninbound_audit { reception_unit = @mail }", "message or recipient"),
    ("T14 max_bytes", ESMTP % "" + "\ninbound_audit { max_bytes = @1K }", "65536"),
    ("T14 max_items is none any more", ESMTP % "" + "\ninbound_audit { @max_items = 5 }", "max_bytes"),
    ("T2 an option elsewhere", ESMTP % "@Workers = 2", "Workers"),
    ("T2 a scope elsewhere", ESMTP % "@inbound_audit {}", "inbound_audit"),
    ("T2 no Pathway option", ESMTP % '@Pathway = "x"', "not available"),
    ("T2 no Pathway scope", ESMTP % "" + '\n@Pathway "x" {}', "not available"),
    ("T3 a Domain without a next hop", ESMTP % '@Domain "x.org" {}', "Gateway"),
    ("T3 Gateway and Routes", ESMTP % '@Routes = ( "a" )', "Gateway"),
    ("4.3 brackets in Listen", ESMTP % 'Listen @"2001:db8::1:25" {}', "[ADDRESS]:PORT"),
    ("4.3 brackets in Gateway", ESMTP % 'Domain "x.org" { Gateway = @"2001:db8::1" }', "["),
    ("4.3 brackets in Routes", ESMTP % 'Domain "x.org" { Routes = ( "a" @"2001:db8::1" ) }', "["),
    ("a Listen without a port", ESMTP % 'Listen @"127.0.0.1" {}', "Listen"),
    ("a Listen on port 0", ESMTP % 'Listen @"127.0.0.1:0" {}', "Listen"),
    ("a Peer that is none", ESMTP % 'Peer @"10.0.0.0/33" {}', "Peer"),
    ("a Domain that is none", ESMTP % 'Domain @"a..b" { Gateway = "maildir:m" }', "Domain"),
    ("no listener", "Workers = 1\n", "ESMTP_Listener"),
    ("a console on TCP", ESMTP % "" + '\nControl_Listener { Listen @"127.0.0.1:2025" {} }', "Unix socket"),
    ("include of nothing", ESMTP % "" + '\ninclude @"nowhere.conf"', "nowhere.conf"),
    ("include of itself", ESMTP % "" + '\ninclude @"bad.conf"', "bad.conf"),
    ("a script for no phase", ESMTP % "" + '\nsieve "s" { script "nowhere_phase1" { source = @"x.sieve" } }', "nowhere_phase1"),
    ("a script without source", ESMTP % "" + '\nsieve "s" { @script "ehlo_phase1" {} }', "source"),
    ("a source that is not there", ESMTP % "" + '\nsieve "s" { script "ehlo_phase1" { source = @"no.sieve" } }', "no.sieve"),
    ("T18 a Lua source with its suffix", ESMTP % "" + '\nscriptlet "s" { script "m" { source = @"m.lua" } }', "without .lua"),
    ("2.3 two scriptlets", ESMTP % "" + '\nscriptlet "s" {}\n@scriptlet "s" {}', "scriptlet"),
)

GOOD = (
    ("names in any case", ESMTP.replace("ESMTP_Listener", "esmtp_LISTENER") % "mAx_eRRors = 3"),
    ("D72 a stray =", ESMTP % 'Peer = "10.0.0.0/8" {}'),
    ("D40 a named inbound_audit", ESMTP % "" + '\ninbound_audit "x" { monitors = ( "300,6" "1800,4" ) }'),
    ("D36 alerting", ESMTP % "" + "\nalerting {}"),
    ("D74 brackets where none are needed", ESMTP % 'Relay_Hosts = ( "[::1]" "[2001:db8::]/32" )\nPeer "[2001:db8::]/32" {}'),
    ("addresses without them", ESMTP % 'Relay_Hosts = ( "::1" "2001:db8::/32" "10.0.0.1" )\nPeer "2001:db8::/32" {}'),
    ("T9 stars", ESMTP % 'Listen "*:2526" {}\nListen "[*]:2526" {}\nListen ":2527" {}'),
    ("comments", "# x\n/* { */" + ESMTP % "# }"),
)


class Base(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.TemporaryDirectory(prefix="tidewaiter-e2e-")
        cls.addClassCleanup(cls.dir.cleanup)
        cls.conf = os.path.join(cls.dir.name, "bad.conf")
        with open(os.path.join(cls.dir.name, "x.sieve"), "w") as f:
            f.write("keep;")

    def said(self, text, *options):
        with open(self.conf, "w") as f:
            f.write(text)
        done = subprocess.run([TIDEWAITER, *(options or ["-t"]), "-c", self.conf], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=PATIENCE)
        return done.returncode, done.stderr, done.stdout

    def complaints(self, text):
        """{(line, column): what}, warnings left out."""
        code, err, out = self.said(text)
        found = {}
        for line in err.splitlines():
            m = re.fullmatch(r"(\S+?):(?:(\d+):(\d+): )?(.*)", line)
            self.assertIsNotNone(m, line)
            if not m[4].startswith("warning: "):
                found[int(m[2] or 0), int(m[3] or 0)] = m[4]
        self.assertEqual((code, out), (78, ""), err) if found else self.assertEqual(code, 0, err)
        return found


class Config(Base):
    def test_T1_each_fault_at_its_place(self):
        for name, marked, what in FAULTS:
            with self.subTest(name):
                before = marked.rpartition("@")[0]
                found = self.complaints(marked.replace("@", ""))
                self.assertTrue(found)
                if "@" in marked:
                    before = before.replace("@", "")
                    place = before.count("\n") + 1, len(before) - before.rfind("\n")
                    self.assertIn(place, found)
                    self.assertIn(what, found[place])
                else:
                    self.assertIn(what, list(found.values())[0])

    def test_4_2_what_is_fine(self):
        for name, text in GOOD:
            with self.subTest(name):
                self.assertEqual(self.complaints(text), {})

    def test_started_with_a_bad_file_it_says_the_same_and_opens_nothing(self):
        text = ESMTP % "Idle_Time = x\nNonsense = 1" + '\nControl_Listener { Listen "./never.sock" {} }\nState_Dir = "never"'
        checked = self.said(text)[1].splitlines()
        for options in ["-f"], []:
            code, err, out = self.said(text, *(options or ["-c", "/nowhere"]))
            self.assertEqual((code, out), (78, ""))
            for line in checked:
                self.assertIn(line, err)
        self.assertEqual(sorted(os.listdir(self.dir.name)), ["bad.conf", "x.sieve"])


class Reference(Base):
    """From the tables of `tidewaiter --options md`."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        text = subprocess.run([TIDEWAITER, "--options", "md"], capture_output=True, text=True, check=True, timeout=PATIENCE).stdout
        cls.options = [(m[1], m[2], m[3].split(", "))
                       for m in re.finditer(r"^\| `(\w+)` \| ([^|]+) \| [^|]* \| ([^|]+) \| [^|]* \|$", text, re.M)]
        assert len(cls.options) > 60

    def bad_values(self, kind, turn):
        values = [v for start in BAD_VALUES if kind.startswith(start) for v in BAD_VALUES[start]]
        return values[turn:turn + 1]

    def test_T1_all_faults_of_a_file_in_one_run(self):
        """Every option with every value that its type does not take: one of each in a file."""
        tested = set()
        for scope, text in SCOPES.items():
            first = text.partition("%s")[0].count("\n") + 1
            for turn in range(max(map(len, BAD_VALUES.values()))):
                wrong = [(name, value) for name, kind, scopes in self.options if scope in scopes
                         for value in self.bad_values(kind, turn)]
                if not wrong:
                    continue
                found = self.complaints(text % "\n".join("  %s = %s" % one for one in wrong))
                for i, (name, value) in enumerate(wrong):
                    with self.subTest("%s = %s in %s" % (name, value, scope)):
                        self.assertTrue(any(name in what for (line, _), what in found.items() if line == first + i), found)
                tested |= {name for name, _ in wrong}
        self.assertGreater(len(tested), 50, tested)

    def test_T2_options_are_refused_where_they_do_not_belong(self):
        for scope, text in SCOPES.items():
            wrong = [name for name, _, scopes in self.options if scope not in scopes]
            first = text.partition("%s")[0].count("\n") + 1
            with self.subTest(scope):
                found = self.complaints(text % "\n".join("  %s = 1" % name for name in wrong))
                for i, name in enumerate(wrong):
                    self.assertIn((first + i, 3), found)
                    self.assertIn(name, found[first + i, 3])


if __name__ == "__main__":
    unittest.main()
