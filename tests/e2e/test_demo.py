"""`make run`: the demo configuration, and what scripts/run tells its reader to try."""

import os
import shutil
import signal
import subprocess
import unittest

from daemon import BUILD, Daemon, E2E, PATIENCE, ROOT, wait_until


class Demo(E2E):
    def setUp(self):
        """The demo as it stands, in another directory and on another port."""
        self.d = d = Daemon(start=False)
        self.addCleanup(self._end, d)
        shutil.copytree(os.path.join(ROOT, "etc/demo"), os.path.join(d.dir, "etc/demo"))
        d.conf = os.path.join(d.dir, "etc/demo/tidewaiter.conf")
        d.control = os.path.join(d.dir, "var/demo/control.sock")
        d.maildir = os.path.join(d.dir, "var/demo/mail")
        with open(d.conf) as f:
            d.write("etc/demo/tidewaiter.conf", f.read().replace("2525", str(d.port)))
        with open(os.path.join(ROOT, "scripts/run")) as f:
            self.script = f.read()
        hints = self.script.split("<<'TRY'\n")[1].split("\nTRY\n")[0]
        self.hints = [line.strip() for line in hints.splitlines() if line.startswith("  ") and "#" not in line]
        d.start()

    def test_each_hint_works(self):
        done, crowd = [], None
        for hint in self.hints:
            command = hint.replace("build/plain/", BUILD + "/").replace("2525", str(self.d.port))
            if "crowd" in command:
                crowd = subprocess.Popen("exec " + command, shell=True, cwd=self.d.dir, stdout=subprocess.DEVNULL)
                self.addCleanup(crowd.wait)
                self.addCleanup(crowd.kill)
                self.d.wait_for_count(40, "127.0.66.0/24")
                wait_until(lambda: self.d.ask("status")["held"] >= 20, "those beyond twenty are held")
                continue
            if "nc -N" in command and shutil.which("nc") is None:
                continue
            answer = subprocess.run(command, shell=True, cwd=self.d.dir, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                    timeout=PATIENCE)
            self.assertEqual((answer.returncode, answer.stderr), (0, ""), command)
            done.append(answer.stdout)
        self.assertIsNotNone(crowd)
        for answer, part in zip(done[-3:], ("40        40  127.0.66.0/24", "40\n", "slow:network")):
            self.assertIn(part, answer)
        if shutil.which("nc"):
            wait_until(lambda: len(self.d.mails()) == 1, "the mail is delivered")
            self.assertTrue(self.d.mails()[0].endswith(b"Subject: hello\n\nhello\n"))

    def test_it_says_where_it_listens(self):
        first = self.script.split("<<'TRY'\n")[1].splitlines()[0]
        for part in "127.0.0.1:2525", "[::1]:2525", "var/demo/mail":
            self.assertIn(part, first)
        for host in "127.0.0.1", "[::1]":
            self.d.wait_for_log(r"listening on %s:%d for SMTP" % (host.replace("[", r"\["), self.d.port))
        self.assertTrue(os.access(os.path.join(ROOT, "scripts/run"), os.X_OK))

    def test_too_many_are_sent_away(self):
        clients = [self.d.client("127.0.67.%d" % (1 + i), greet=False) for i in range(60)]
        self.d.wait_for_count(60, "127.0.67.0/24")
        with self.d.client("127.0.67.61", greet=False) as c:
            c.expect(421, "61 sessions from your network")
            c.expect_closed()
        for c in clients:
            c.expect(220)
            c.close()
        self.d.wait_for_count(0)

    def test_T7_ctrl_c_is_exit_0(self):
        self.d.signal(signal.SIGINT)
        self.assertEqual(self.d.wait(), 0)


if __name__ == "__main__":
    unittest.main()
