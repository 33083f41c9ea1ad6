"""A real daemon for a test: started on free ports with a configuration of its own in a temporary
directory, watched through its log, stopped by its pid, and checked when it ends.

    class Something(E2E):
        def test_x(self):
            d = self.daemon(esmtp="Max_Errors = 3", sieve={"connect_phase1": "..."})
            with d.client() as c:
                c.say("NOOP", 250)

Every wait has a limit. A daemon that ends with another code than 0, that a sanitizer complains
about, or that does not stop in time fails the test.
"""

import collections
import copy
import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from client import Client

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.join(ROOT, os.environ.get("E2E_BUILD", "build/asan"))
TIDEWAITER = os.path.join(BUILD, "tidewaiter")
TIDECTL = os.path.join(BUILD, "tidectl")

with open(TIDEWAITER, "rb") as program:
    SANITIZED = b"san_init" in program.read()

PATIENCE = 20  # seconds, for what takes a moment on a machine that is busy with other things
BAD_WORDS = re.compile(r"AddressSanitizer|LeakSanitizer|ThreadSanitizer|runtime error:|CHECK ")
PORTS = range(20000, 30000)  # below the kernel's own choice

class FreePort:
    """A port for one daemon, on 127.0.0.1 and on ::1. The daemon's listeners share ports
    (SO_REUSEPORT), so that two daemons of two test processes would not notice each other: a name
    that only one process can have stands for the port."""

    tried = 0

    def __init__(self):
        for _ in PORTS:
            FreePort.tried += 1
            self.port = PORTS[(os.getpid() * 37 + FreePort.tried) % len(PORTS)]
            if self._take():
                return
        raise AssertionError("no free port")

    def _take(self):
        self.name = socket.socket(socket.AF_UNIX)
        try:
            self.name.bind("\0tidewaiter-e2e-port-%d" % self.port)
            for family, host in (socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"):
                with socket.socket(family) as probe:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    probe.bind((host, self.port))
        except OSError:
            self.give()
            return False
        return True

    def give(self):
        self.name.close()


def wait_until(true, what, timeout=PATIENCE):
    """For what can only be looked at, not awaited. Gives back what was true."""
    end = time.monotonic() + timeout
    while True:
        value = true()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("not within %g s: %s" % (timeout, what))
        time.sleep(0.01)


Answer = collections.namedtuple("Answer", "code out err")


class Daemon:
    """top, esmtp, listen, control: text for the scopes. sieve: {PHASE: script}; lua: {NAME: script};
    files: {name: text} beside the configuration. gateway None: esmtp says it. before: put before
    the command (strace). The ports are the same on both families."""

    def __init__(self, top="", esmtp="", listen="", gateway="maildir:mail", domains='( "example.org" )',
                 sieve=None, lua=None, audit="", files=None, descriptors=None, before=(), env=None,
                 workers=2, start=True):
        self.dir = tempfile.mkdtemp(prefix="tidewaiter-e2e-")
        self.free_ports = [FreePort()]
        self.port = self.free_ports[0].port
        self.conf = os.path.join(self.dir, "tidewaiter.conf")
        self.control = os.path.join(self.dir, "control.sock")
        self.maildir = os.path.join(self.dir, "mail")
        self.descriptors = descriptors
        self.before = list(before)
        self.env = dict(os.environ, ASAN_OPTIONS="detect_leaks=%d:abort_on_error=0:exitcode=99"
                        % (not before), UBSAN_OPTIONS="print_stacktrace=1:exitcode=99", **(env or {}))
        self.lines = []
        self.news = threading.Condition()
        self.ended = False
        self.process = None
        self.shape = dict(top=top, esmtp=esmtp, listen=listen, gateway=gateway, domains=domains,
                          sieve=sieve, lua=lua, audit=audit, workers=workers)
        for name, text in (files or {}).items():
            self.write(name, text)
        self.configure()
        if start:
            self.start()

    arguments = ()

    def heir(self):
        """A second daemon of the same configuration, not started, that is to take over (-u)."""
        heir = copy.copy(self)
        heir.lines, heir.news, heir.ended, heir.process = [], threading.Condition(), False, None
        heir.shape, heir.arguments = dict(self.shape), ("-u",)
        return heir

    # --- the configuration

    def write(self, name, text):
        path = os.path.join(self.dir, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write(text)
        return path

    def configure(self, **changes):
        """Write the configuration anew; self.reload() makes the daemon read it."""
        self.shape.update(changes)
        s = self.shape
        esmtp = [s["esmtp"]]
        if s["gateway"] is not None:
            esmtp.append('Gateway = "%s"' % s["gateway"])
        if s["domains"] is not None:
            esmtp.append("Relay_Domains = " + s["domains"])
        for host in "127.0.0.1", "[::1]":
            esmtp.append('Listen "%s:%d" {\n%s\n}' % (host, self.port, s["listen"]))
        text = ['Hostname = "edge.example.org"', 'State_Dir = "state"', "Workers = %d" % s["workers"], s["top"],
                "ESMTP_Listener {\n%s\n}" % "\n".join(esmtp),
                'Control_Listener { Listen "./control.sock" {} }', "inbound_audit { %s }" % s["audit"]]
        for kind, suffix, scripts in ("sieve", ".sieve", s["sieve"]), ("scriptlet", ".lua", s["lua"]):
            if not scripts:
                continue
            for name, script in scripts.items():
                self.write(name + suffix, script)
            text.append('%s "%s" {\n%s\n}' % (kind, kind, "\n".join(
                'script "%s" { source = "%s" }' % (name, name if kind == "scriptlet" else name + suffix)
                for name in scripts)))
        self.write("tidewaiter.conf", "\n".join(text) + "\n")

    # --- its life

    def start(self):
        self.process = subprocess.Popen(
            self.before + [TIDEWAITER, "-f", *self.arguments, "-c", self.conf], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=self.env, cwd=self.dir,
            preexec_fn=self._limit if self.descriptors else None)
        self.reader = threading.Thread(target=self._read_log, daemon=True)
        self.reader.start()
        self.wait_for_log(r"is ready")
        self.pid = self._daemon_pid()

    def _limit(self):
        resource.setrlimit(resource.RLIMIT_NOFILE, (self.descriptors, self.descriptors))

    def _daemon_pid(self):
        if not self.before:
            return self.process.pid
        path = "/proc/%d/task/%d/children" % (self.process.pid, self.process.pid)
        with open(path) as f:
            return int(f.read().split()[0])

    def _read_log(self):
        for line in self.process.stderr:
            with self.news:
                self.lines.append(line.decode("utf-8", "backslashreplace").rstrip("\n"))
                self.news.notify_all()
        with self.news:
            self.ended = True
            self.news.notify_all()

    def signal(self, number):
        os.kill(self.pid, number)

    def other_port(self):
        """A second one, for a further Listen."""
        if len(self.free_ports) < 2:
            self.free_ports.append(FreePort())
        return self.free_ports[1].port

    def wait(self, timeout=PATIENCE):
        """Until it has ended by itself. Its exit code."""
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            if self.before:
                os.kill(self.pid, signal.SIGKILL)
            self.process.wait()
            raise AssertionError("the daemon did not end within %g s\n%s" % (timeout, self.log_tail()))
        self.reader.join(PATIENCE)
        return code

    def kill(self):
        """kill -9. start() begins anew, on the same ports and files; its log, too, is a new one."""
        self.process.kill()
        self.wait()
        self.process.stderr.close()
        self.process, self.lines, self.ended = None, [], False

    def stop(self):
        """End it if it still runs, look at how it ended, and clean up."""
        try:
            if self.process is None:
                return
            if self.process.poll() is None:
                # Once drains, a second time ends what a failed test left open.
                self.signal(signal.SIGTERM)
                self.wait_for_log(r"stopping|draining")
                self.signal(signal.SIGTERM)
            code = self.wait()
            faults = [line for line in self.lines if BAD_WORDS.search(line)]
            if code != 0 or faults:
                raise AssertionError("the daemon ended with %d\n%s" % (code, self.log_tail(120)))
        finally:
            if self.process is not None:
                if self.process.poll() is None:  # the test failed, and it does not listen
                    self.process.kill()
                    self.process.wait()
                self.process.stderr.close()
                self.process = None
            for port in self.free_ports:
                port.give()
            shutil.rmtree(self.dir, ignore_errors=True)

    def reload(self):
        """SIGHUP. True: the new configuration is in use."""
        before = len(self.lines)
        self.signal(signal.SIGHUP)
        return "reloaded" in self.wait_for_log(r"configuration reloaded|reload failed", before)

    # --- its log

    def log_tail(self, count=40):
        with self.news:
            return "\n".join("    | " + line for line in self.lines[-count:])

    def wait_for_log(self, pattern, after=0, timeout=PATIENCE):
        """The first line, from number `after` on, in which the pattern is found."""
        end = time.monotonic() + timeout
        wanted = re.compile(pattern)
        with self.news:
            while True:
                for line in self.lines[after:]:
                    if wanted.search(line):
                        return line
                after = max(after, len(self.lines))
                if self.ended or not self.news.wait(end - time.monotonic()):
                    break
        raise AssertionError("no log line like %r%s\n%s" % (
            pattern, " before the daemon ended" if self.ended else "", self.log_tail()))

    # --- talking to it

    def client(self, source=None, host="127.0.0.1", greet=True, port=None, **more):
        """A connected Client, the banner read, unless greet is False."""
        c = Client(host, port or self.port, source, **more)
        try:
            if greet:
                c.expect(220)
            return c
        except BaseException:
            c.close()
            raise

    def ctl(self, *words):
        done = subprocess.run([TIDECTL, "-s", self.control, *words], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=PATIENCE)
        return Answer(done.returncode, done.stdout, done.stderr)

    def ask(self, *words):
        """What a command answers, from its JSON."""
        a = self.ctl("--json", *words)
        if a.code != 0:
            raise AssertionError("tidectl %s: %s" % (" ".join(words), a.err))
        return json.loads(a.out)

    def session(self, client):
        """The client's row of `who`."""
        address, port = client.sock.getsockname()[:2]
        return wait_until(lambda: [row for row in self.ask("who", address) if row["port"] == port],
                          "a session of [%s]:%d" % (address, port))[0]

    def count(self, prefix="0.0.0.0/0", service="SMTP"):
        a = self.ctl("count", service, prefix)
        if a.code != 0:
            raise AssertionError("tidectl count %s %s: %s" % (service, prefix, a.err))
        return int(a.out)

    def wait_for_count(self, want, prefix="0.0.0.0/0", service="SMTP"):
        wait_until(lambda: self.count(prefix, service) == want,
                   "count %s %s = %d" % (service, prefix, want))

    def resident(self):
        """Octets of memory in use."""
        with open("/proc/%d/statm" % self.pid) as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def cpu_seconds(self):
        with open("/proc/%d/stat" % self.pid) as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    # --- what it delivered

    def mails(self, maildir=None):
        """The content of every delivered message, oldest first."""
        new = os.path.join(maildir or self.maildir, "new")
        if not os.path.isdir(new):
            return []
        paths = [os.path.join(new, name) for name in os.listdir(new)]
        found = []
        for path in sorted(paths, key=lambda p: os.stat(p).st_mtime_ns):
            with open(path, "rb") as f:
                found.append(f.read())
        return found


class E2E(unittest.TestCase):
    """Daemons that end with the test. When it fails, the end of their logs is shown."""

    def daemon(self, start=True, **shape):
        d = Daemon(start=False, **shape)
        self.addCleanup(self._end, d)
        if start:
            d.start()
        return d

    def _end(self, d):
        outcome = self._outcome
        if outcome is not None and not outcome.success and d.process is not None:
            print("\n%s: the log ends with\n%s" % (self.id(), d.log_tail()), file=sys.stderr)
        d.stop()

    def assert_quiet(self, d):
        """Nobody is counted any more, in either family, and the daemon serves on."""
        d.wait_for_count(0)
        d.wait_for_count(0, "::/0")
        with d.client() as c:
            c.say("NOOP", 250)
            c.say("QUIT", 221)
            c.expect_closed()
