"""Certificates made by the openssl command, and a client that can put TLS on its connection."""

import atexit
import functools
import os
import shutil
import ssl
import subprocess
import tempfile

from client import Client

SCRIPT = r"""
set -e
self() { openssl req -x509 -newkey $1 -nodes -keyout $2.key -out $2.pem -subj "/CN=$3" -days 30 -addext "subjectAltName=DNS:$3"; }
EC='ec -pkeyopt ec_paramgen_curve:prime256v1'
self "$EC" mx mx.example.org
self "$EC" new mx.example.org
self "$EC" other other.example.org
self rsa:2048 rsa rsa.example.org
openssl req -x509 -newkey $EC -nodes -keyout ca.key -out ca.pem -subj '/CN=Test CA' -days 30
openssl req -newkey $EC -nodes -keyout client.key -out client.csr -subj '/O=Probe/CN=probe.example'
openssl x509 -req -in client.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -out client.pem
openssl x509 -req -in client.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days -1 -out old.pem
"""


@functools.cache
def certificates():
    """A directory with mx, new, other, rsa, ca, client (.pem and .key), and old.pem, which expired."""
    path = tempfile.mkdtemp(prefix="tidewaiter-tls-")
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    subprocess.run(["sh", "-c", SCRIPT], cwd=path, check=True, stdin=subprocess.DEVNULL, capture_output=True)
    return path


def certificate(name, key=None):
    """The options for a scope."""
    return 'TLS_Certificate = "%s/%s.pem"\nTLS_Key = "%s/%s.key"\n' % (
        certificates(), name, certificates(), key or name)


def common_name(sock):
    der = sock.getpeercert(binary_form=True)
    done = subprocess.run(["openssl", "x509", "-inform", "DER", "-noout", "-subject", "-nameopt", "RFC2253"],
                          input=der, capture_output=True, check=True)
    return done.stdout.decode().strip().removeprefix("subject=CN=")


def serial(sock):
    der = sock.getpeercert(binary_form=True)
    return subprocess.run(["openssl", "x509", "-inform", "DER", "-noout", "-serial"], input=der,
                          capture_output=True, check=True).stdout


def context(show=None, most=None, trust=None):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.check_hostname = trust is not None
    c.verify_mode = ssl.CERT_REQUIRED if trust else ssl.CERT_NONE
    if trust:
        c.load_verify_locations(os.path.join(certificates(), trust + ".pem"))
    if show:
        c.load_cert_chain(*(os.path.join(certificates(), show + end) for end in (".pem", ".key")))
    if most:
        c.maximum_version = most
    return c


class SecureClient(Client):
    def secure(self, name=None, how=None):
        """The handshake, now."""
        self.sock = (how or context()).wrap_socket(self.sock, server_hostname=name, suppress_ragged_eofs=False)

    def starttls(self, **more):
        self.say("STARTTLS", 220)
        self.secure(**more)
