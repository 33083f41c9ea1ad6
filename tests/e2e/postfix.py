"""A private Postfix as a next hop: its own configuration, queue and data in a temporary directory,
on a free port of 127.0.0.1, with one domain delivered into a Maildir."""

import grp
import os
import pwd
import shutil
import signal
import subprocess
import tempfile

from daemon import FreePort, wait_until

MASTER = "/usr/lib/postfix/sbin/master"

MAIN = """\
compatibility_level = 3.6
config_directory = {dir}/etc
queue_directory = {dir}/queue
data_directory = {dir}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
meta_directory = /etc/postfix
mail_owner = postfix
setgid_group = postdrop
maillog_file = {dir}/log
maillog_file_prefixes = {dir}
myhostname = hop.example.org
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
alias_database =
virtual_mailbox_domains = example.org
virtual_mailbox_base = {dir}/mail
virtual_mailbox_maps = inline:{{ {{ b@example.org = b/ }}, {{ c@example.org = c/ }}, {{ ñ@example.org = n/ }} }}
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
smtputf8_enable = yes
message_size_limit = 20000000
virtual_mailbox_limit = 0
"""

MASTER_CF = """\
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
virtual unix - n n - - virtual
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
tlsmgr unix - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
"""

QUEUE = {"active": 0o700, "bounce": 0o700, "corrupt": 0o700, "defer": 0o700, "deferred": 0o700, "flush": 0o700,
         "hold": 0o700, "incoming": 0o700, "private": 0o700, "saved": 0o700, "trace": 0o700}


def missing():
    """Why it can't be tested here; None: it can."""
    if os.getuid() != 0:
        return "Postfix wants to be started by root"
    if not os.path.exists(MASTER) or shutil.which("postconf") is None:
        return "Postfix is not installed"
    return None


class Postfix:
    def __init__(self, more=""):
        self.dir = tempfile.mkdtemp(prefix="tidewaiter-postfix-")
        self.free_port = FreePort()
        self.port = self.free_port.port
        self.process = None
        owner = pwd.getpwnam("postfix")
        os.chmod(self.dir, 0o755)
        for name in "etc", "data", "mail", "queue":
            os.mkdir(os.path.join(self.dir, name))
        for name in "data", "mail":
            os.chown(os.path.join(self.dir, name), owner.pw_uid, owner.pw_gid)
        for name, mode in QUEUE.items():
            path = os.path.join(self.dir, "queue", name)
            os.mkdir(path, mode)
            os.chown(path, owner.pw_uid, -1)
        for name, group, mode in ("pid", "root", 0o755), ("public", "postdrop", 0o2710), ("maildrop", "postdrop", 0o1730):
            path = os.path.join(self.dir, "queue", name)
            os.mkdir(path)
            os.chown(path, 0 if name == "pid" else owner.pw_uid, grp.getgrnam(group).gr_gid)
            os.chmod(path, mode)
        self._write("etc/main.cf", MAIN.format(dir=self.dir, uid=owner.pw_uid, gid=owner.pw_gid) + more)
        self._write("etc/master.cf", MASTER_CF.format(port=self.port))

    def _write(self, name, text):
        with open(os.path.join(self.dir, name), "w") as f:
            f.write(text)

    def start(self):
        # -d: in the foreground, so that it is ours to end.
        self.process = subprocess.Popen([MASTER, "-c", os.path.join(self.dir, "etc"), "-d"], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
                                        env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8"})
        wait_until(lambda: "daemon started" in self.log() or self.process.poll() is not None, "Postfix starts")
        if self.process.poll() is not None:
            raise AssertionError("Postfix did not start\n" + self.log())

    def set(self, name, value):
        """For connections that come from now on."""
        etc = os.path.join(self.dir, "etc")
        subprocess.run(["postconf", "-c", etc, "-e", "%s = %s" % (name, value)], check=True)
        self.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "reload -- version" in self.log(), "Postfix reads it")

    def log(self):
        try:
            with open(os.path.join(self.dir, "log"), errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def mails(self, user):
        """What it delivered to the user so far."""
        new = os.path.join(self.dir, "mail", user, "new")
        found = []
        for name in sorted(os.listdir(new)) if os.path.isdir(new) else ():
            with open(os.path.join(new, name), "rb") as f:
                found.append(f.read())
        return found

    def stop(self):
        """master takes its children along; they are all in its session."""
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        self.free_port.give()
        shutil.rmtree(self.dir, ignore_errors=True)
