"""Clients in a process of their own, so that what a test measures is the daemon. As a command:

    nuisance.py KIND PORT SECONDS [RATE]

It ends by itself and prints one JSON object. The kinds are

    churn     not a nuisance: 220, QUIT, 221, the end, RATE times a second whatever the server does;
              done, faults, and how long they took: p50_ms, p99_ms, most_ms
    resets    as many as it can: connect, perhaps say EHLO, RST
    loris     SLOW clients in each phase, who say an octet at times, or nothing, or read nothing
    endless   a line, a message and commands without end, as fast as they are taken
"""

import json
import selectors
import socket
import ssl
import struct
import sys
import threading
import time

RESET = struct.pack("ii", 1, 0)
SLOW = 40
TOO_LATE = 20  # seconds
BIND_ADDRESS_NO_PORT = 24

HELLO = b"EHLO probe.example\r\n"
ENVELOPE = HELLO + b"MAIL FROM:<a@example.net>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n"
FILLER = b"x" * 78 + b"\r\n"


def dial(port, source):
    s = socket.socket()
    s.setsockopt(socket.IPPROTO_IP, BIND_ADDRESS_NO_PORT, 1)
    s.bind((source, 0))
    s.setblocking(False)
    s.connect_ex(("127.0.0.1", port))
    return s


# --- churn


class Visitor:
    def __init__(self, port, number):
        self.sock = dial(port, "127.7.%d.%d" % (number // 250 % 250, number % 250 + 1))
        self.began = time.monotonic()
        self.heard = b""
        self.said = False

    def goes_on(self):
        """Something came. False: it was the end."""
        more = self.sock.recv(500)
        self.heard += more
        if not self.said and self.heard.endswith(b"\n"):
            self.said = True
            self.sock.send(b"QUIT\r\n")
        return more != b""

    def fault(self):
        lines = self.heard.split(b"\r\n")
        fine = len(lines) == 3 and lines[0].startswith(b"220 ") and lines[1].startswith(b"221 ")
        return None if fine else repr(self.heard[:80])


def churn(port, seconds, rate):
    poll, there = selectors.EpollSelector(), set()
    took, faults, started = [], [], 0
    began = time.monotonic()

    def over(v, fault):
        poll.unregister(v.sock)
        v.sock.close()
        there.discard(v)
        if fault:
            faults.append(fault)
        else:
            took.append((time.monotonic() - v.began) * 1000)

    while started < rate * seconds or there:
        now = time.monotonic()
        while started < min(rate * seconds, (now - began) * rate):
            v = Visitor(port, started)
            started += 1
            there.add(v)
            poll.register(v.sock, selectors.EVENT_READ, v)
        for key, _ in poll.select(0.002):
            try:
                if not key.data.goes_on():
                    over(key.data, key.data.fault())
            except OSError as e:
                over(key.data, repr(e))
        if now > began + seconds:
            for v in [v for v in there if now > v.began + TOO_LATE]:
                over(v, "nothing after %r" % v.heard)
    took.sort()
    return {"done": len(took), "faults": faults[:10], "per_s": round(len(took) / (time.monotonic() - began)),
            "p50_ms": round(took[len(took) // 2], 2) if took else 0,
            "p99_ms": round(took[len(took) * 99 // 100], 2) if took else 0,
            "most_ms": round(took[-1], 2) if took else 0}


# --- the others


def resets(port, seconds, rate):
    end, done = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        some = [dial(port, "127.8.%d.%d" % (done // 20 % 250, i + 1)) for i in range(20)]
        for i, s in enumerate(some):
            if i % 2:
                try:
                    s.send(HELLO)
                except OSError:
                    pass
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            s.close()
        done += len(some)
    return {"resets": done}


def client_hello():
    """The octets a client begins TLS with."""
    out = ssl.MemoryBIO()
    try:
        ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), out, server_hostname="mx.example.org").do_handshake()
    except ssl.SSLWantReadError:
        return out.read()


# What is said at once, what is said octet by octet, and whether anything is read. The address tells
# the phases apart: 127.9.NUMBER.x.
LORIS = (
    (b"", b"", True),  # before the banner, where Banner_Delay is long
    (b"", b"EHLO " + b"x" * 400, True),
    (ENVELOPE, FILLER * 20, True),
    (HELLO + b"STARTTLS\r\n", client_hello()[:150], True),
    (HELLO, b"NOOP\r\n" * 200, False),
)


def loris(port, seconds, rate):
    clients, end, turn = [], time.monotonic() + seconds, 0
    for number, (first, slowly, reads) in enumerate(LORIS):
        for i in range(SLOW):
            s = dial(port, "127.9.%d.%d" % (number, i + 1))
            if not reads:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            clients.append((s, first, slowly, reads))
    time.sleep(0.3)
    for s, first, _, _ in clients:
        if first.endswith(b"STARTTLS\r\n"):
            s.send(HELLO)
            s.recv(1 << 16)
            time.sleep(0.01)
            s.send(b"STARTTLS\r\n")
        elif first:
            s.send(first)
    time.sleep(0.2)
    while time.monotonic() < end:
        for s, _, slowly, reads in clients:
            octets = slowly[turn:turn + 1] if reads else b"HELP\r\n" * 40000
            try:
                s.send(octets)
                while reads and s.recv(1 << 16):
                    pass
            except OSError:
                pass  # it takes no more, or nothing is there
        turn += 1
        time.sleep(0.1)
    for s, _, _, _ in clients:
        s.close()
    return {"slow": len(clients)}


def endless(port, seconds, rate):
    sent, end = [0, 0, 0], time.monotonic() + seconds
    kinds = (b"", b"x" * (1 << 20)), (ENVELOPE, FILLER * 10000), (HELLO, b"NOOP\r\n" * 100000)

    def pump(number):
        first, more = kinds[number]
        while time.monotonic() < end:
            try:
                with socket.create_connection(("127.0.0.1", port), TOO_LATE, ("127.10.%d.1" % number, 0)) as s:
                    s.recv(500)
                    s.sendall(first)
                    s.settimeout(0.5)
                    while time.monotonic() < end:
                        sent[number] += s.send(more)
            except OSError:
                time.sleep(0.01)

    threads = [threading.Thread(target=pump, args=(i,)) for i in range(len(kinds))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return {"MiB": [n >> 20 for n in sent]}


KINDS = {"churn": churn, "resets": resets, "loris": loris, "endless": endless}


if __name__ == "__main__":
    print(json.dumps(KINDS[sys.argv[1]](int(sys.argv[2]), float(sys.argv[3]), int((sys.argv + ["0"])[4]))))
