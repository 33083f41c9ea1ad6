"""A next hop that keeps what it gets, and misbehaves where it is told to.

As a class:

    with Sink({"RCPT:bad@example.org": "550 5.1.1 Nobody", "dot": "250 Kept; reset"}) as sink:
        ... a gateway of "127.0.0.1:%d" % sink.port ...
    sink.transactions[0].content

As a command: it prints "listening on 127.0.0.1:PORT" and runs until it is ended.

    sink.py [--port N] [--dir DIR] [--lacks 8BITMIME,SMTPUTF8] [--slow OCTETS_A_SECOND] [--refuse]
            ["PHASE=DEED" ...]

Phases: connect greeting EHLO HELO XCLIENT MAIL RCPT DATA content dot RSET NOOP QUIT;
"RCPT:ADDRESS" is for one recipient, "MAIL:ADDRESS" for one sender, "EHLO:NAME" for one name;
"content" is when the first line of a message is there.

A deed is what is done instead of the polite reply, one thing after another, divided by ";":

    250 2.0.0 Text      that reply; several lines are divided by "|"
    raw TEXT            these octets; \\r \\n \\x00 as in Python, no line end is added
    long                one line of 64 KiB
    garbage             octets that are no SMTP
    flood, torrent      reply lines without end; octets without a line end, without end
    sleep SECONDS
    silent              no answer, ever; the connection stays open until the peer closes it
    close, reset        FIN, RST
    polite              what it would have done
"""

import argparse
import codecs
import json
import os
import socket
import struct
import sys
import threading
import time

GARBAGE = bytes(range(128, 256)) + b"\x00\x01\x02 not SMTP\r\n"
WITHOUT_END = {"flood": b"250-more\r\n" * 1000, "torrent": b"x" * 65536}
FEATURES = ("PIPELINING", "SIZE 104857600", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES")


class Over(Exception):
    """This connection is over."""


class Transaction:
    """What came between MAIL and the reply to the dot. raw is as received, stuffed, with the dot."""

    def __init__(self, sender, mail):
        self.sender = sender
        self.mail = mail  # the whole MAIL command
        self.recipients = []
        self.raw = b""
        self.ended = False  # the dot came
        self.code = None  # of our reply to the dot; 0: none came

    @property
    def content(self):
        """Unstuffed, without the dot."""
        lines = self.raw.split(b"\r\n")
        if self.ended:
            lines = lines[:-2] + [b""]
        return b"\r\n".join(line[1:] if line.startswith(b".") else line for line in lines)


class Sink:
    """transactions: all that reached DATA; commands: every line, in order, of all connections."""

    def __init__(self, deeds=None, lacks=(), slow=None, directory=None, port=0, refuse=False):
        self.deeds = dict(deeds or {})  # may be changed at any time
        self.features = [f for f in FEATURES if f.split()[0] not in lacks]
        self.slow = slow  # octets a second that are read of a message
        self.directory = directory
        self.transactions = []
        self.commands = []
        self.connections = 0
        self.lock = threading.Condition()
        self.threads = []
        self.open = set()
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if slow:
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.listener.bind(("127.0.0.1", port))
        self.port = self.listener.getsockname()[1]
        self.ending = False
        if refuse:
            return  # bound, not listening: nobody else gets the port, and nobody gets in
        self.listener.listen(1000)
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *ignored):
        self.close()

    def close(self):
        self.ending = True
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        with self.lock:
            for s in self.open:
                try:
                    s.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
            threads = list(self.threads)
        for t in threads:
            t.join(10)

    def wait(self, count=1, timeout=20):
        """Until so many messages ended with a dot; they are returned."""
        with self.lock:
            done = lambda: [t for t in self.transactions if t.code is not None]
            if not self.lock.wait_for(lambda: len(done()) >= count, timeout):
                raise AssertionError("%d messages came, not %d" % (len(done()), count))
            return done()

    def _accept(self):
        while not self.ending:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                self.connections += 1
                self.open.add(sock)
                self.threads = [t for t in self.threads if t.is_alive()]
                self.threads.append(threading.Thread(target=self._serve, args=(sock,), daemon=True))
                self.threads[-1].start()

    def _serve(self, sock):
        try:
            Conversation(self, sock).run()
        except (Over, OSError):
            pass
        finally:
            with self.lock:
                self.open.discard(sock)
            sock.close()

    def keep(self, transaction):
        with self.lock:
            self.transactions.append(transaction)
            number = len(self.transactions)
        return number

    def write(self, transaction, number):
        """Before it is answered: who kills the process finds what was confirmed."""
        if self.directory is not None:
            base = os.path.join(self.directory, "%06d" % number)
            with open(base + ".raw", "wb") as out:
                out.write(transaction.raw)
            with open(base + ".eml", "wb") as out:
                out.write(transaction.content)

    def ended(self, transaction, number, code):
        if self.directory is not None:
            with open(os.path.join(self.directory, "%06d.json" % number), "w") as out:
                json.dump({"sender": transaction.sender, "recipients": transaction.recipients,
                           "mail": transaction.mail, "code": code}, out)
        with self.lock:
            transaction.code = code
            self.lock.notify_all()


class Conversation:
    def __init__(self, sink, sock):
        self.sink = sink
        self.sock = sock
        self.unread = b""
        self.transaction = None
        self.code = None  # of the last reply to the command at hand
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    # --- octets

    def line(self):
        """One line without its CRLF; LF alone ends none."""
        while b"\r\n" not in self.unread:
            self.more(65536)
        line, _, self.unread = self.unread.partition(b"\r\n")
        return line

    def more(self, size):
        got = self.sock.recv(size)
        if not got:
            raise Over
        self.unread += got

    def reply(self, text):
        lines = text.split("|")
        code = lines[0][:3]
        texts = [lines[0][4:]] + lines[1:]
        out = ["%s%s%s" % (code, "-" if i < len(texts) - 1 else " ", t) for i, t in enumerate(texts)]
        self.sock.sendall("".join(o + "\r\n" for o in out).encode("utf-8", "surrogateescape"))
        self.code = int(code)

    # --- deeds

    def close(self):
        self.sock.shutdown(socket.SHUT_WR)
        raise Over

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise Over

    def silent(self):
        while self.sock.recv(65536):
            pass
        raise Over

    def do(self, polite, *phases):
        """The first of the phases that has a deed decides. Returns the code that was sent, or None."""
        self.code = None
        deed = next((self.sink.deeds[p] for p in phases if p in self.sink.deeds), "polite")
        for one in (d.strip() for d in deed.split(";")):
            word, _, rest = one.partition(" ")
            if one == "polite" and polite is not None:
                self.reply(polite)
            elif one in ("close", "reset", "silent"):
                getattr(self, one)()
            elif one == "garbage":
                self.sock.sendall(GARBAGE)
            elif one in WITHOUT_END:
                while True:
                    self.sock.sendall(WITHOUT_END[one])
            elif one == "long":
                self.sock.sendall(b"250 " + b"x" * 65536 + b"\r\n")
            elif word == "raw":
                self.sock.sendall(codecs.escape_decode(rest.encode())[0])
            elif word == "sleep":
                time.sleep(float(rest))
            elif one not in ("", "polite"):
                self.reply(one)
        return self.code

    # --- SMTP

    def run(self):
        self.do(None, "connect")
        self.do("220 sink.example ESMTP", "greeting")
        while True:
            line = self.line().decode("utf-8", "surrogateescape")
            with self.sink.lock:
                self.sink.commands.append(line)
            verb, _, args = line.partition(" ")
            getattr(self, "do_" + verb.upper(), self.do_unknown)(line, args)

    def do_unknown(self, line, args):
        self.reply("500 5.5.1 Unknown command")

    def do_EHLO(self, line, args):
        self.do("|".join(["250 sink.example"] + self.sink.features), "EHLO:" + args, "EHLO")

    def do_HELO(self, line, args):
        self.do("250 sink.example", "HELO")

    def do_XCLIENT(self, line, args):
        self.do("220 sink.example ESMTP", "XCLIENT")

    @staticmethod
    def address(args):
        return args.partition("<")[2].rpartition(">")[0]

    def do_MAIL(self, line, args):
        sender = self.address(args)
        code = self.do("250 2.1.0 Ok", "MAIL:" + sender, "MAIL")
        self.transaction = Transaction(sender, line) if code and code < 300 else None

    def do_RCPT(self, line, args):
        recipient = self.address(args)
        polite = "250 2.1.5 Ok" if self.transaction else "503 5.5.1 MAIL first"
        code = self.do(polite, "RCPT:" + recipient, "RCPT")
        if code and code < 300 and self.transaction:
            self.transaction.recipients.append(recipient)

    def do_DATA(self, line, args):
        t = self.transaction
        if t is None or not t.recipients:
            self.reply("554 5.5.1 No valid recipients")
            return
        if self.do("354 End with a dot", "DATA") != 354:
            return
        number = self.sink.keep(t)
        self.content(t)
        self.sink.write(t, number)
        self.transaction = None
        try:
            self.do("250 2.0.0 Ok: kept as %d" % number, "dot")
        finally:
            self.sink.ended(t, number, self.code or 0)

    def content(self, t):
        """Up to the dot; what follows is the next command."""
        raw, looked, begun = bytearray(b"\r\n" + self.unread), 0, False
        while (end := raw.find(b"\r\n.\r\n", looked)) < 0:
            if not begun and raw.find(b"\r\n", 2) > 0:
                begun = True
                self.do(None, "content")
            looked = max(0, len(raw) - 4)
            got = self.sock.recv(min(self.sink.slow, 4096) if self.sink.slow else 1 << 20)
            if not got:
                t.raw = bytes(raw[2:])
                raise Over
            raw += got
            if self.sink.slow:
                time.sleep(len(got) / self.sink.slow)
        t.raw, self.unread, t.ended = bytes(raw[2:end + 5]), bytes(raw[end + 5:]), True
        if not begun:
            self.do(None, "content")

    def do_RSET(self, line, args):
        self.transaction = None
        self.do("250 2.0.0 Ok", "RSET")

    def do_NOOP(self, line, args):
        self.do("250 2.0.0 Ok", "NOOP")

    def do_QUIT(self, line, args):
        self.do("221 2.0.0 Bye", "QUIT")
        raise Over


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--port", type=int, default=0)
    p.add_argument("--dir", help="where transactions are written: N.eml, N.raw, N.json")
    p.add_argument("--lacks", default="", help="features that are not offered")
    p.add_argument("--slow", type=int, help="octets a second that are read of a message")
    p.add_argument("--refuse", action="store_true", help="refuse connections")
    p.add_argument("deeds", nargs="*", metavar="PHASE=DEED")
    a = p.parse_args()
    deeds = dict(d.split("=", 1) for d in a.deeds)
    sink = Sink(deeds, a.lacks.split(","), a.slow, a.dir, a.port, a.refuse)
    print("listening on 127.0.0.1:%d" % sink.port, flush=True)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        sink.close()


if __name__ == "__main__":
    sys.exit(main())
