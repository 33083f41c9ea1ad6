"""Mail servers that can't be installed beside each other: unpacked below build/peers by
`scripts/need peers`, and each run in a root of its own (chroot), with no more in it than it needs.

    with Exim() as hop: ... a gateway of "127.0.0.1:%d" % hop.port ... hop.log()
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile

from daemon import FreePort, ROOT, wait_until

UNPACKED = os.path.join(ROOT, "build/peers/root")
LIBRARIES = [os.path.join(UNPACKED, d) for d in ("usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu", "usr/lib", "lib")]

PASSWD = """\
root:x:0:0::/:/bin/false
mail:x:8:8::/:/bin/false
Debian-exim:x:991:991::/:/bin/false
opensmtpd:x:992:992::/var/empty:/bin/false
opensmtpq:x:993:993::/var/empty:/bin/false
vmail:x:994:994::/mail:/bin/false
"""


def missing(program):
    """Why it can't be tested here; None: it can."""
    if os.getuid() != 0:
        return "chroot wants root"
    if not os.path.exists(os.path.join(UNPACKED, program)):
        return "%s is not there: scripts/need peers" % program
    return None


class Peer:
    """programs: what is copied, the first is run. Subclasses write the configuration."""

    programs = ()
    arguments = ()
    # (path, owner, mode)
    directories = ()

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="tidewaiter-peer-")
        os.chmod(self.dir, 0o755)
        self.free_port = FreePort()
        self.port = self.free_port.port
        self.process = None
        self.output = open(os.path.join(self.dir, "output"), "wb")
        for directory, owner, mode in (("etc", 0, 0o755), ("dev", 0, 0o755), ("tmp", 0, 0o1777), ("run", 0, 0o755),
                                       ("var/empty", 0, 0o755)) + tuple(self.directories):
            path = os.path.join(self.dir, directory)
            os.makedirs(path, exist_ok=True)
            os.chown(path, owner, owner)
            os.chmod(path, mode)
        os.symlink("/run", os.path.join(self.dir, "var/run"))
        for name, minor in ("null", 3), ("urandom", 9), ("random", 8):
            os.mknod(os.path.join(self.dir, "dev", name), 0o20666, os.makedev(1, minor))
            os.chmod(os.path.join(self.dir, "dev", name), 0o666)
        self.write("etc/passwd", PASSWD)
        self.write("etc/group", re.sub(r"^(.*?):x:\d+:(\d+):.*$", r"\1:x:\2:", PASSWD, flags=re.M))
        self.write("etc/hosts", "127.0.0.1 localhost hop.example.org\n")
        self.write("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n")
        self.write("etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
        for program in self.programs:
            self.copy(program)
        self.configure()

    def write(self, name, text, mode=0o644):
        path = os.path.join(self.dir, name)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, mode)

    def copy(self, program):
        """With the libraries that it is linked with, and those that the C library loads."""
        source = os.path.join(UNPACKED, program)
        target = os.path.join(self.dir, program)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copy2(source, target)
        env = dict(os.environ, LD_LIBRARY_PATH=":".join(LIBRARIES))
        linked = subprocess.run(["ldd", source], env=env, capture_output=True, text=True, check=True).stdout
        paths = re.findall(r"(/\S+) \(0x", linked) + ["/lib/x86_64-linux-gnu/libnss_files.so.2"]
        for path in paths:
            inside = path[len(UNPACKED):] if path.startswith(UNPACKED) else path
            to = self.dir + inside
            if os.path.exists(path) and not os.path.exists(to):
                os.makedirs(os.path.dirname(to), exist_ok=True)
                shutil.copy2(path, to)

    def start(self):
        self.process = subprocess.Popen(["chroot", self.dir, "/" + self.programs[0], *self.arguments], cwd="/",
                                        stdin=subprocess.DEVNULL, stdout=self.output, stderr=subprocess.STDOUT,
                                        start_new_session=True, env={"PATH": os.environ["PATH"]})
        wait_until(lambda: self.process.poll() is not None or self.answers(), "%s starts" % self.programs[0])
        if self.process.poll() is not None:
            raise AssertionError("%s did not start\n%s" % (self.programs[0], self.log()))
        return self

    def answers(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def log(self):
        text = ""
        for name in ("output",) + tuple(getattr(self, "logs", ())):
            try:
                with open(os.path.join(self.dir, name), errors="replace") as f:
                    text += f.read()
            except FileNotFoundError:
                pass
        return text

    def stop(self):
        if self.process is not None:
            try:
                os.killpg(self.process.pid, signal.SIGTERM)
            except ProcessLookupError:
                pass
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        self.output.close()
        self.free_port.give()
        shutil.rmtree(self.dir, ignore_errors=True)


class Exim(Peer):
    """Takes mail for example.org into its queue, from who comes with a PROXY header."""

    programs = ("usr/sbin/exim4",)
    arguments = ("-bdf", "-C", "/etc/exim4.conf")
    directories = (("var/spool/exim4", 991, 0o750), ("var/log/exim4", 991, 0o750))
    logs = ("var/log/exim4/mainlog", "var/log/exim4/rejectlog", "var/log/exim4/paniclog")

    def configure(self):
        self.write("etc/exim4.conf", """\
primary_hostname = hop.example.org
exim_user = Debian-exim
exim_group = Debian-exim
spool_directory = /var/spool/exim4
log_file_path = /var/log/exim4/%%slog
pid_file_path = /run/exim.pid
daemon_smtp_ports = %d
local_interfaces = 127.0.0.1
hosts_proxy = 127.0.0.1
queue_only = true
tls_advertise_hosts =
host_lookup =
rfc1413_query_timeout = 0s
log_selector = +incoming_port +incoming_interface +smtp_connection +proxy
acl_smtp_rcpt = check
acl_smtp_data = check
begin acl
check:
  accept
begin routers
all:
  driver = redirect
  data = :blackhole:
""" % self.port)


class OpenSMTPD(Peer):
    """Takes mail for example.org into a Maildir, from who comes with a PROXY header."""

    programs = ("usr/sbin/smtpd", "usr/sbin/smtpctl", "usr/libexec/opensmtpd/mail.maildir")
    arguments = ("-dv", "-T", "smtp")
    directories = (("var/spool/smtpd", 0, 0o711), ("mail", 994, 0o755), ("var/lib/opensmtpd/empty", 0, 0o755))

    def configure(self):
        self.write("etc/mailname", "hop.example.org\n")
        self.write("etc/smtpd.conf", """\
table users { "@example.org" = vmail }
listen on 127.0.0.1 port %d proxy-v2
action keep maildir "/mail/kept" virtual <users>
match from any for domain "example.org" action keep
""" % self.port)
