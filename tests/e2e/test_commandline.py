"""The daemon's command line, and what it says when it can't start."""

import os
import re
import socket
import subprocess
import unittest

from daemon import Daemon, E2E, PATIENCE, TIDEWAITER

BAD = """\
Hostname = "edge.example.org"
State_Dir = "state"
Workers = 08
ESMTP_Listener {
  Gateway = "maildir:mail"
  Max_Error = 3
  Max_Errors = many
  Pathway = "x"
  Listen "2001:db8::1:25" {}
  Listen "127.0.0.1:0" {}
}
ESMTP_Listener {}
"""


class CommandLine(E2E):
    def run_it(self, *args, want):
        done = subprocess.run([TIDEWAITER, *args], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(done.returncode, want, done.stdout + done.stderr)
        return done

    def shape(self, **shape):
        d = Daemon(start=False, **shape)
        self.addCleanup(d.stop)
        return d

    def test_version_and_help(self):
        self.assertRegex(self.run_it("--version", want=0).stdout, r"^tidewaiter \d+\.\d+\.\d+\n$")
        self.assertTrue(self.run_it("--help", want=0).stdout.startswith("usage: tidewaiter"))

    def test_wrong_usage_is_64(self):
        for args in ["-x"], ["--nonsense"], ["-c"], ["surplus"], ["-t", "surplus"], ["--options", "nonsense"]:
            with self.subTest(args):
                self.assertIn("usage: tidewaiter", self.run_it(*args, want=64).stderr)

    def test_check_of_a_good_file(self):
        d = self.shape(sieve={"connect_phase1": 'ec_log "x";'}, lua={"x": "local a = 1"})
        self.assertIn("is fine", self.run_it("-t", "-c", d.conf, want=0).stdout)
        self.assertEqual(os.path.exists(os.path.join(d.dir, "state")), False)  # it changes nothing
        self.assertEqual(os.path.exists(d.control), False)

    def test_T1_everything_wrong_in_one_run(self):
        d = self.shape()
        conf = d.write("bad.conf", BAD)
        for args in ["-t", "-c", conf], ["-c", conf], ["-f", "-c", conf]:
            with self.subTest(args):
                said = self.run_it(*args, want=78).stderr
                for line, what in (3, "08"), (6, "Max_Errors"), (7, "many"), (8, "Pathway"), (9, r"\["), (12, "ESMTP_Listener"):
                    self.assertRegex(said, r"(?m)%s:%d:\d+: .*%s" % (re.escape(conf), line, what))

    def test_T1_an_unclosed_scope(self):
        d = self.shape()
        conf = d.write("bad.conf", "ESMTP_Listener {\n  Listen \"127.0.0.1:2525\" {\n}\n")
        self.assertRegex(self.run_it("-t", "-c", conf, want=78).stderr, r"bad\.conf:1:1: .* not closed")

    def test_scripts_are_checked_too(self):
        d = self.shape(sieve={"connect_phase1": "ec_tarpit\n"}, lua={"x": "function end"})
        said = self.run_it("-t", "-c", d.conf, want=78).stderr
        self.assertRegex(said, r"connect_phase1\.sieve:\d+:\d+: ")
        self.assertRegex(said, r"x\.lua:1")

    def test_a_missing_file_is_78(self):
        self.assertIn("/nowhere/x.conf", self.run_it("-t", "-c", "/nowhere/x.conf", want=78).stderr)
        self.run_it("-c", "/nowhere/x.conf", want=78)

    def test_a_door_that_is_in_use_is_1(self):
        d = self.shape()
        with socket.socket() as s:
            s.bind(("127.0.0.1", d.port))
            s.listen()
            self.assertIn("cannot listen on 127.0.0.1:%d: Address already in use" % d.port,
                          self.run_it("-c", d.conf, want=1).stderr)
        self.assertFalse(os.path.exists(d.control))


if __name__ == "__main__":
    unittest.main()
