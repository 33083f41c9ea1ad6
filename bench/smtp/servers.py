"""The servers that are measured, each private: its files in one temporary directory, its ports on
127.0.0.1, all its processes on CPU 0 (the next hop on CPU 1), ended by their ids."""

import os
import pwd
import signal
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
SERVER_CPU, LOAD_CPU = 0, 1
TICK = os.sysconf("SC_CLK_TCK")
MASTER = "/usr/lib/postfix/sbin/master"


def free_ports(count):
    """Free at this moment; below those that the kernel gives to clients."""
    found, port = [], 19000 + os.getpid() % 500
    while len(found) < count:
        port += 1
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
                found.append(port)
            except OSError:
                pass
    return found


def tree(pid):
    """The process and all that descend from it."""
    found, todo = [], [pid]
    while todo:
        pid = todo.pop()
        found.append(pid)
        try:
            for task in os.listdir("/proc/%d/task" % pid):
                with open("/proc/%d/task/%s/children" % (pid, task)) as f:
                    todo += map(int, f.read().split())
        except OSError:
            pass
    return found


class Server:
    """port: where it listens. command is started, and has the port open when start is back."""

    def __init__(self, name, command, port, cpu=SERVER_CPU, env=None):
        self.name, self.command, self.port, self.cpu = name, command, port, cpu
        self.env = dict(os.environ, **env) if env else None
        self.process = None

    def start(self):
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            env=self.env, start_new_session=True, preexec_fn=lambda: os.sched_setaffinity(0, {self.cpu}))
        os.set_blocking(self.process.stderr.fileno(), False)
        wanted = ":%04X 00000000:0000 0A" % self.port
        for _ in range(100):
            with open("/proc/net/tcp") as f:
                if wanted in f.read():
                    return self
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        sys.exit("%s did not start: %s" % (self.name, (self.process.stderr.read() or b"").decode()))

    def stop(self):
        if self.process is None:
            return
        pids = tree(self.process.pid)
        if self.process.poll() is not None:
            print("%s has ended: %s" % (self.name, (self.process.stderr.read() or b"").decode()), file=sys.stderr)
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for pid in pids[1:]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.stderr.close()
        self.process = None

    def cpu_seconds(self):
        """User and system time of the whole tree: to the nanosecond, but of children that have ended
        in ticks."""
        ns = ticks = 0
        for pid in tree(self.process.pid):
            try:
                for task in os.listdir("/proc/%d/task" % pid):
                    with open("/proc/%d/task/%s/schedstat" % (pid, task)) as f:
                        ns += int(f.read().split()[0])
                with open("/proc/%d/stat" % pid) as f:
                    ticks += sum(map(int, f.read().rsplit(")", 1)[1].split()[13:15]))
            except OSError:
                pass
        return ns / 1e9 + ticks / TICK

    def memory(self):
        """Octets: proportional set size of the whole tree."""
        octets = 0
        for pid in tree(self.process.pid):
            try:
                with open("/proc/%d/smaps_rollup" % pid) as f:
                    octets += sum(int(line.split()[1]) << 10 for line in f if line.startswith("Pss:"))
            except OSError:
                pass
        return octets

    def descriptors(self):
        return len(os.listdir("/proc/%d/fd" % self.process.pid))


def write(directory, name, text):
    path = os.path.join(directory, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write(text)
    return path


# --- ours

TIDEWAITER = """\
Hostname = "edge.bench.example"
State_Dir = "{dir}/state"
Workers = 1
Log_File = "{dir}/log"
Log_Level = {level}
ESMTP_Listener {{
  Listen_Backlog = 4096
  Gateway = "127.0.0.1:{hop}"
  Relay_Domains = ( "bench.example" )
  {esmtp}
  Listen "127.0.0.1:{port}" {{}}
}}
Control_Listener {{ Listen "{dir}/control.sock" {{}} }}
inbound_audit {{ {audit} }}
{policy}
"""

# The published ones, together: four prefixes are asked for.
PUBLISHED = "\n".join('sieve "%s" { script "connect_phase1" { source = "%s/tests/sieve/published/%s.sieve" } }'
                      % (name, ROOT, name) for name in ("on_listener", "on_service"))

# Who comes from 127.16.0.0/12 is held, when policy has looked at four counts.
HELD = 'Peer "127.16.0.0/12" { Context = [ held = "yes" ] }'
HOLD = """\
($l32) = audit_connections_on_listener "/32";
($l24) = audit_connections_on_listener "/24";
($s32) = audit_connections_on_service "/32";
($s24) = audit_connections_on_service "/24";
$held = vctx_conn_get "held";
if ec_test :value "eq" "${held}" "yes" { ec_tarpit %d "held"; }
"""


def tidewaiter(build, directory, name, port, hop, level="error", policy=PUBLISHED, esmtp="", audit=""):
    here = os.path.join(directory, name.replace(" ", "-"))
    path = write(here, "conf", TIDEWAITER.format(dir=here, level=level, port=port, hop=hop, policy=policy, esmtp=esmtp,
                                                 audit=audit))
    return Server(name, [os.path.join(build, "tidewaiter"), "-f", "-c", path], port)


def tarpit(build, directory, port, hop, seconds, more=""):
    path = write(directory, "hold.sieve", HOLD % seconds)
    policy = 'sieve "hold" { script "connect_phase1" { source = "%s" } }' % path
    return tidewaiter(build, directory, "tarpit", port, hop, policy=policy, esmtp=HELD + more)


# --- the peers

HAPROXY = """\
global
    nbthread 1
    maxconn 9950
defaults
    mode tcp
    timeout connect 5s
    timeout client 600s
    timeout server 600s
    option tcp-smart-accept
backend hosts
    stick-table type ip size 1m expire 10m store conn_cur,conn_rate(60s)
backend networks
    stick-table type ip size 1m expire 10m store conn_cur,conn_rate(60s)
frontend pipe
    bind 127.0.0.1:{port} backlog 4096
    tcp-request connection track-sc0 src table hosts
    tcp-request connection track-sc1 src,ipmask(24) table networks
    tcp-request connection reject if {{ sc0_conn_cur(hosts) gt 20000 }} or {{ sc1_conn_cur(networks) gt 20000 }}
    {hold}
    default_backend hop
backend hop
    server hop 127.0.0.1:{hop}
"""


def haproxy(directory, port, hop, hold=False):
    hold = "tcp-request inspect-delay 600s\n    tcp-request content accept if WAIT_END" if hold else ""
    path = write(directory, "haproxy-%d.cfg" % port, HAPROXY.format(port=port, hop=hop, hold=hold))
    return Server("HAProxy", ["haproxy", "-db", "-f", path], port)


POSTFIX = """\
compatibility_level = 3.6
queue_directory = {dir}/queue
data_directory = {dir}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = edge.bench.example
mydestination =
mynetworks = 192.0.2.1/32
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
local_recipient_maps =
alias_maps =
relay_domains = bench.example
relay_recipient_maps =
smtpd_relay_restrictions = reject_unauth_destination
smtpd_peername_lookup = no
smtp_dns_support_level = disabled
default_process_limit = 250
smtpd_client_connection_count_limit = 250
maillog_file =
"""

# smtpd alone, and smtpd as a before-queue proxy.
POSTFIX_MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
127.0.0.1:{proxy} inet n - n - - smtpd
  -o smtpd_proxy_filter=127.0.0.1:{hop}
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
smtp unix - - n - - smtp
relay unix - - n - - smtp
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""


def postfix(directory, port, proxy, hop):
    """Its before-queue proxy listens on the second port."""
    here = os.path.join(directory, "postfix")
    write(here, "etc/main.cf", POSTFIX.format(dir=here))
    write(here, "etc/master.cf", POSTFIX_MASTER.format(port=port, proxy=proxy, hop=hop))
    for name in "queue", "data":
        os.makedirs(os.path.join(here, name), exist_ok=True)
    os.chown(os.path.join(here, "data"), pwd.getpwnam("postfix").pw_uid, -1)
    etc = os.path.join(here, "etc")
    subprocess.run(["postfix", "-c", etc, "check"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return Server("Postfix", [MASTER, "-c", etc, "-d"], port, env={"MAIL_CONFIG": etc})


def sink(port, cpu=LOAD_CPU):
    return Server("smtp-sink", ["smtp-sink", "-u", "nobody", "-m", "20000", "-h", "hop.bench.example",
                                "127.0.0.1:%d" % port, "4096"], port, cpu)


def certificate(directory):
    key, pem = (os.path.join(directory, name) for name in ("key.pem", "cert.pem"))
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                    "30", "-subj", "/CN=edge.bench.example", "-keyout", key, "-out", pem], check=True, capture_output=True)
    return key, pem


def s_server(port, key, pem):
    return Server("s_server", ["openssl", "s_server", "-accept", "127.0.0.1:%d" % port, "-cert", pem, "-key", key,
                               "-quiet", "-www"], port)
