"""What a service manager sees: readiness, reloads, signs of life, the end; and its files."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

from daemon import E2E, ROOT, TIDEWAITER, wait_until


class Manager:
    """A NOTIFY_SOCKET, and what came to it."""

    def __init__(self, name):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(name.replace("@", "\0", 1))
        self.sock.settimeout(20)

    def close(self):
        self.sock.close()

    def next(self):
        return dict(line.split("=", 1) for line in self.sock.recv(4096).decode().splitlines())

    def wait_for(self, key):
        while True:
            news = self.next()
            if key in news:
                return news

    def pause(self, seconds):
        """How many signs of life came meanwhile."""
        self.sock.settimeout(0.05)
        end, count = time.monotonic() + seconds, 0
        while time.monotonic() < end:
            try:
                count += "WATCHDOG" in self.next()
            except TimeoutError:
                pass
        self.sock.settimeout(20)
        return count


class Notify(E2E):
    def managed(self, name=None, watchdog_us=None, **shape):
        home = tempfile.mkdtemp(prefix="tidewaiter-e2e-notify-")
        self.addCleanup(shutil.rmtree, home)
        name = name or os.path.join(home, "notify")
        manager = Manager(name)
        self.addCleanup(manager.close)
        env = {"NOTIFY_SOCKET": name}
        if watchdog_us is not None:
            env["WATCHDOG_USEC"] = str(watchdog_us)
        return manager, self.daemon(env=env, **shape)

    def test_its_life(self):
        manager, d = self.managed()
        self.assertEqual(manager.next()["READY"], "1")
        d.client().close()
        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self.assertTrue(d.reload())
        news = manager.next()
        self.assertEqual(news["RELOADING"], "1")
        self.assertGreaterEqual(int(news["MONOTONIC_USEC"]), before)
        self.assertEqual(manager.next()["READY"], "1")
        d.configure(esmtp="Max_Error = 1")
        self.assertFalse(d.reload())
        self.assertEqual(manager.next()["RELOADING"], "1")
        self.assertEqual(manager.next()["READY"], "1", "the old configuration is in use")
        d.signal(signal.SIGTERM)
        news = manager.next()
        self.assertEqual(news["STOPPING"], "1")
        self.assertGreater(int(news["EXTEND_TIMEOUT_USEC"]), 30e6, "Drain_Timeout")
        self.assertEqual(d.wait(), 0)

    def test_drain_is_stopping(self):
        manager, d = self.managed()
        manager.wait_for("READY")
        d.ctl("drain")
        news = manager.wait_for("STOPPING")
        self.assertGreater(int(news["EXTEND_TIMEOUT_USEC"]), 1e12, "no time is set to it")
        self.assertEqual(d.wait(), 0)

    def test_who_handed_over_is_stopping_in_its_own_time(self):
        manager, d = self.managed(top="Drain_Timeout = 20")
        manager.wait_for("READY")
        with d.client() as c:
            heir = d.heir()
            self.addCleanup(self._end, heir)
            heir.start()
            news = manager.wait_for("STOPPING")
            self.assertGreater(int(news["EXTEND_TIMEOUT_USEC"]), 40e6, "twice Drain_Timeout")
            c.say("QUIT", 221)
        self.assertEqual(d.wait(), 0)

    def test_not_ready_before_its_doors_are_open(self):
        manager, d = self.managed(start=False)
        d.write("tidewaiter.conf", "nonsense")
        with self.assertRaises(AssertionError):
            d.start()
        self.assertEqual(d.wait(), 78)
        self.assertEqual(manager.pause(0.1), 0)
        d.process.stderr.close()
        d.process = None

    def test_an_abstract_name(self):
        manager, d = self.managed("@tidewaiter-e2e-%d" % os.getpid())
        manager.wait_for("READY")

    def test_signs_of_life(self):
        manager, d = self.managed(watchdog_us=400000)
        manager.wait_for("WATCHDOG")
        self.assertGreaterEqual(manager.pause(2), 5)

    def test_no_signs_without_being_asked(self):
        manager, d = self.managed()
        manager.wait_for("READY")
        self.assertEqual(manager.pause(0.5), 0)

    def test_a_worker_that_is_stuck_is_noticed(self):
        """One thread of the daemon is stopped by a debugger's hand; the others turn."""
        manager, d = self.managed(watchdog_us=400000, before=())
        manager.wait_for("WATCHDOG")
        tasks = sorted(int(t) for t in os.listdir("/proc/%d/task" % d.pid))
        with Stuck(d.pid, self.worker(tasks, d)) as stuck:
            if not stuck.held:
                self.skipTest("no ptrace here")
            manager.pause(0.4)
            self.assertEqual(manager.pause(1), 0)
        self.assertGreater(manager.pause(1), 1)

    def worker(self, tasks, d):
        for task in tasks:
            with open("/proc/%d/task/%d/comm" % (d.pid, task)) as f:
                if f.read().startswith("worker"):
                    return task
        raise AssertionError("no worker thread")


class Stuck:
    """Holds one thread of a process with ptrace, as a process of its own."""

    HOLD = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long] * 4
task = int(sys.argv[1])
if libc.ptrace(0x4206, task, 0, 0) or libc.ptrace(0x4207, task, 0, 0):  # SEIZE, INTERRUPT
    print("no", flush=True)
    sys.exit(0)
os.waitpid(task, 0x40000000)
print("held", flush=True)
sys.stdin.read()
"""

    def __init__(self, pid, task):
        self.process = subprocess.Popen(["python3", "-c", self.HOLD, str(task)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.held = self.process.stdout.readline() == "held\n"

    def __enter__(self):
        return self

    def __exit__(self, *ignored):
        self.process.stdin.close()
        self.process.wait(20)
        self.process.stdout.close()


class Files(unittest.TestCase):
    def test_the_unit(self):
        if shutil.which("systemd-analyze") is None:
            self.skipTest("no systemd-analyze")
        with tempfile.TemporaryDirectory() as home, open(os.path.join(ROOT, "etc/tidewaiter.service")) as f:
            text = f.read().replace("/usr/sbin/tidewaiter", TIDEWAITER)
            units = [os.path.join(home, name) for name in ("tidewaiter.service", "tidewaiter@next.service")]
            for unit in units:
                with open(unit, "w") as out:
                    out.write(text)
            done = subprocess.run(["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True,
                                  timeout=60)
            ours = [line for line in done.stderr.splitlines() if "tidewaiter" in line]
            self.assertEqual((done.returncode, ours), (0, []), done.stderr)

    def test_logrotate(self):
        if shutil.which("logrotate") is None:
            self.skipTest("no logrotate")
        with tempfile.TemporaryDirectory() as home:
            path = os.path.join(home, "tidewaiter")
            with open(os.path.join(ROOT, "etc/tidewaiter.logrotate")) as f, open(path, "w") as out:
                out.write(f.read().replace("tidewaiter tidewaiter", "root root"))
            os.chmod(path, 0o644)
            done = subprocess.run(["logrotate", "-d", "-s", os.path.join(home, "state"), path], capture_output=True,
                                  text=True, timeout=60)
            self.assertNotIn("error", done.stderr)


if __name__ == "__main__":
    unittest.main()
