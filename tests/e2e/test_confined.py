"""What the daemon gives up at its start, and what a reload can do afterwards."""

import os
import pwd
import re
import signal
import socket
import stat
import subprocess
import tempfile
import time
import unittest

from daemon import E2E, TIDEWAITER, wait_until

IS_ROOT = os.geteuid() == 0
with open(TIDEWAITER, "rb") as program:
    SANITIZED = re.search(rb"__[at]san_init", program.read()) is not None
NOBODY = pwd.getpwnam("nobody")
LOW_PORT_BIT = 1 << 10


class Confined(E2E):
    def status(self, d):
        """/proc/PID/status as a dictionary."""
        with open("/proc/%d/status" % d.pid) as f:
            return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)

    def given_to_nobody(self, **shape):
        d = self.daemon(start=False, **dict(dict(top='User = "nobody"'), **shape))
        os.chmod(d.dir, 0o755)
        os.chown(d.dir, NOBODY.pw_uid, NOBODY.pw_gid)
        return d


class Users(Confined):
    @unittest.skipUnless(IS_ROOT, "needs root")
    def test_T2_it_becomes_its_user_and_keeps_the_right_to_low_ports(self):
        d = self.given_to_nobody()
        d.start()
        status = self.status(d)
        self.assertEqual(set(status["Uid"].split()), {str(NOBODY.pw_uid)})
        self.assertEqual(set(status["Gid"].split()), {str(NOBODY.pw_gid)})
        self.assertEqual(status["NoNewPrivs"], "1")
        for caps in "CapPrm", "CapEff", "CapAmb", "CapBnd":
            self.assertEqual(int(status[caps], 16), LOW_PORT_BIT, caps)
        for task in os.listdir("/proc/%d/task" % d.pid):
            with open("/proc/%d/task/%s/status" % (d.pid, task)) as f:
                text = f.read()
            self.assertRegex(text, r"(?m)^Uid:\t%d\t" % NOBODY.pw_uid)
            self.assertRegex(text, r"(?m)^CapPrm:\t0*400$")
        self.assertEqual(d.ask("status")["user"], "nobody")

    @unittest.skipUnless(IS_ROOT, "needs root")
    def test_T2_what_it_makes_is_the_users(self):
        d = self.given_to_nobody(gateway="maildir:state/deep/mail")
        d.start()
        with d.client() as c:
            c.hello()
            c.envelope()
            c.message()
        self.assertEqual(len(d.mails(os.path.join(d.dir, "state/deep/mail"))), 1)
        for name in "state", "state/deep", "state/deep/mail", "state/deep/mail/new", "control.sock":
            self.assertEqual(os.stat(os.path.join(d.dir, name)).st_uid, NOBODY.pw_uid, name)
        self.assertTrue(stat.S_ISSOCK(os.stat(d.control).st_mode))

    @unittest.skipUnless(IS_ROOT, "needs root")
    def test_T2_low_ports_are_opened_at_the_start_and_at_a_reload(self):
        low = []
        for port in range(700, 1000):
            with socket.socket() as probe:
                try:
                    probe.bind(("127.0.0.1", port))
                    low.append(port)
                except OSError:
                    continue
            if len(low) == 2:
                break
        listen = 'Listen "127.0.0.1:%d" {}\n'
        d = self.given_to_nobody(esmtp=listen % low[0])
        d.start()
        d.client(port=low[0]).close()
        d.configure(esmtp=listen % low[0] + listen % low[1])
        self.assertTrue(d.reload())
        d.client(port=low[1]).close()

    @unittest.skipUnless(IS_ROOT, "needs root")
    def test_T2_a_state_dir_of_somebody_else_is_an_error(self):
        d = self.given_to_nobody()
        os.mkdir(os.path.join(d.dir, "state"), 0o700)
        with self.assertRaises(AssertionError):
            d.start()
        self.assertEqual(d.wait(), 1)
        self.assertIn("State_Dir %s/state: Permission denied" % d.dir, "\n".join(d.lines))
        d.process.stderr.close()
        d.process = None

    @unittest.skipUnless(IS_ROOT, "needs root")
    def test_what_a_reload_could_not_read_is_told_at_the_start(self):
        d = self.given_to_nobody(sieve={"connect_phase1": 'ec_log "x";'})
        os.chmod(os.path.join(d.dir, "connect_phase1.sieve"), 0o600)
        d.start()
        d.wait_for_log(r"warning: \S+:\d+:\d+: this user cannot read \S+/connect_phase1\.sieve: Permission denied")

    def test_T1_an_unknown_user_is_an_error_with_its_place(self):
        for text, want in ('User = "no-such"', r':3:8: there is no user "no-such"'), \
                ('User = "nobody" Group = "no-such"', r':3:25: there is no group "no-such"'), \
                ('Group = "nogroup"', r':3:1: Group without User'):
            with self.subTest(text):
                d = self.daemon(start=False, top="")
                d.write("tidewaiter.conf", 'Hostname = "a.example"\nState_Dir = "state"\n%s\n'
                        'ESMTP_Listener { Gateway = "maildir:mail" Open_Relay = on Listen "127.0.0.1:%d" {} }\n'
                        'Control_Listener { Listen "./control.sock" {} }\n' % (text, d.port))
                with self.assertRaises(AssertionError):
                    d.start()
                self.assertEqual(d.wait(), 78)
                self.assertRegex("\n".join(d.lines), want)
                d.process.stderr.close()
                d.process = None

    def test_a_reload_does_not_change_the_user(self):
        d = self.daemon()
        d.configure(top='User = "nobody"')
        self.assertTrue(d.reload())
        d.wait_for_log("warning: .*: User stays who started the daemon, expected a restart")


class Fences(Confined):
    def elsewhere(self):
        away = tempfile.TemporaryDirectory(prefix="tidewaiter-e2e-away-")
        self.addCleanup(away.cleanup)
        return away.name

    def test_both_are_on_where_they_can_be(self):
        d = self.daemon()
        status, seen = self.status(d), d.ask("status")
        self.assertEqual(status["NoNewPrivs"], "1")
        self.assertEqual(seen["landlock"], "on")
        self.assertEqual(seen["seccomp"], "off: built with a sanitizer" if SANITIZED else "on")
        self.assertEqual(status["Seccomp"], "0" if SANITIZED else "2")

    def test_each_can_be_turned_off(self):
        d = self.daemon(top="Landlock = off\nSeccomp = off")
        seen = d.ask("status")
        self.assertEqual((seen["landlock"], seen["seccomp"]), ("off: by option",) * 2)
        self.assertEqual(self.status(d)["Seccomp"], "0")
        d.configure(gateway="maildir:" + os.path.join(self.elsewhere(), "mail"))
        self.assertTrue(d.reload())
        with d.client() as c:
            c.hello()
            c.envelope()
            c.message()

    def test_a_reload_that_leads_outside_changes_nothing(self):
        away = self.elsewhere()
        for name, text in ("outside.sieve", 'ec_log "outside";'), ("outside.conf", "# nothing\n"), \
                ("outside.lua", "return 1"):
            with open(os.path.join(away, name), "w") as f:
                f.write(text)
        d = self.daemon(esmtp="Max_Errors = 3", files={"inside.sieve": 'ec_log "inside";'})
        state = dict(d.shape)
        bad = {
            "a Maildir": (dict(gateway="maildir:%s/mail" % away), "%s/mail" % away),
            "a script": (dict(top='sieve "s" { script "connect_phase1" { source = "%s/outside.sieve" } }' % away),
                         "%s/outside.sieve" % away),
            "a Lua script": (dict(top='scriptlet "s" { script "outside" { source = "%s/outside" } }' % away),
                             "%s/outside" % away),
            "an include": (dict(top='include "%s/outside.conf"' % away), "%s/outside.conf" % away),
            "a directory to include": (dict(top='include "%s"' % away), away),
            "a log": (dict(top='Log_File = "%s/log"' % away), "%s/log" % away),
            "a socket": (dict(esmtp='Listen "%s/smtp.sock" {}' % away), "%s/smtp.sock" % away),
        }
        for name, (change, path) in bad.items():
            with self.subTest(name):
                seen = len(d.lines)
                d.configure(**dict(state, **change))
                answer = d.ctl("reload")
                self.assertEqual(answer.code, 1)
                self.assertRegex(answer.err, r"tidewaiter\.conf:\d+:\d+: needs a restart: %s\b" % re.escape(path))
                d.wait_for_log("reload failed", seen)
                self.assertEqual(os.listdir(away).count("mail"), 0)
                with d.client() as c:
                    for code in 500, 500, 421:
                        c.say("XYZZY", code)
        d.configure(**dict(state, top='sieve "s" { script "connect_phase1" { source = "inside.sieve" } }'))
        self.assertTrue(d.reload())
        d.client().close()
        d.wait_for_log("inside$")

    def test_a_mail_through_everything(self):
        """Messages on the disk, in the Maildir, from a script that includes, by Lua: nothing is missing."""
        d = self.daemon(esmtp="Message_Memory = 4096", audit="",
                        files={"more.sieve": 'ec_log "included";', "lib.lua": "return { n = 1 }"},
                        sieve={"data_phase1": 'ec_include "more.sieve";'},
                        lua={"x": 'local lib = require("lib")\nlocal m = {}\nfunction m:validate_connect() '
                             'return msys.core.VALIDATE_CONT end\nmsys.registerModule("x", m)'})
        with d.client() as c:
            c.hello()
            c.envelope()
            c.say("DATA", 354)
            c.send(b"0123456789\r\n" * 100000 + b".\r\n")
            c.expect(250)
        self.assertEqual(len(d.mails()), 1)
        d.wait_for_log("included$")
        self.assert_quiet(d)


class LogFiles(Confined):
    def lines(self, path):
        with open(path) as f:
            return f.read().splitlines()

    def test_it_is_written_and_opened_anew(self):
        d = self.daemon(start=False)
        logs = [os.path.join(d.dir, "logs", name) for name in ("tidewaiter.log", "tidewaiter.log.1", "other.log")]
        d.configure(top='Log_File = "logs/tidewaiter.log"')
        os.mkdir(os.path.join(d.dir, "logs"))
        # Its readiness is in the file.
        d.process = subprocess.Popen([TIDEWAITER, "-f", "-c", d.conf], stdin=subprocess.DEVNULL,
                                     stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=d.env, cwd=d.dir)
        d.pid = d.process.pid
        self.addCleanup(d.process.wait)
        try:
            wait_until(lambda: os.path.exists(logs[0]) and any("is ready" in l for l in self.lines(logs[0])), "ready")
            self.assertEqual(os.stat(logs[0]).st_mode & 0o777, 0o640)
            os.rename(logs[0], logs[1])
            d.client(source="127.1.1.1").close()
            wait_until(lambda: any("disconnect from unknown[127.1.1.1]" in l for l in self.lines(logs[1])), "old file")
            d.signal(signal.SIGUSR1)
            wait_until(lambda: os.path.exists(logs[0]), "a new file")
            d.client(source="127.1.1.2").close()
            wait_until(lambda: any("disconnect from unknown[127.1.1.2]" in l for l in self.lines(logs[0])), "new file")
            self.assertFalse([l for l in self.lines(logs[1]) if "127.1.1.2" in l])
            d.configure(top='Log_File = "logs/other.log"')
            d.signal(signal.SIGHUP)
            wait_until(lambda: os.path.exists(logs[2]) and any("reloaded" in l for l in self.lines(logs[2])), "moved")
        finally:
            d.signal(signal.SIGTERM)
            self.assertEqual(d.process.wait(20), 0)
            self.assertEqual(d.process.stderr.read(), b"")
            d.process.stderr.close()
            d.process = None

    def test_USR1_without_a_file_is_harmless(self):
        d = self.daemon()
        d.signal(signal.SIGUSR1)
        time.sleep(0.1)
        self.assert_quiet(d)


if __name__ == "__main__":
    unittest.main()
