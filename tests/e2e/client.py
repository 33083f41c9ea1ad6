"""A raw SMTP client: sends octets, expects replies, gives up at a deadline. It does nothing by
itself, so that a test can do everything wrong on purpose."""

import collections
import socket
import struct
import time

DEADLINE = 20

Reply = collections.namedtuple("Reply", "code text lines")


class Client:
    """source: the address to come from, any 127.x.y.z. A small receive buffer makes a slow reader.
    A host with a / is a Unix socket."""

    def __init__(self, host, port, source=None, receive_buffer=None, timeout=DEADLINE):
        family = socket.AF_UNIX if "/" in host else socket.AF_INET6 if ":" in host else socket.AF_INET
        self.timeout = timeout
        self.unread = b""
        self.sock = socket.socket(family, socket.SOCK_STREAM)
        self.sock.settimeout(timeout)
        try:
            if receive_buffer is not None:
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            if source is not None:
                self.sock.bind((source, 0))
            self.sock.connect(host if "/" in host else (host, port))
        except OSError:
            self.sock.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *ignored):
        self.close()

    # --- sending

    def send(self, octets):
        self.sock.sendall(octets)

    def line(self, text):
        self.send((text if isinstance(text, bytes) else text.encode()) + b"\r\n")

    def say(self, text, code=None):
        """A command and its reply, which must have the code."""
        self.line(text)
        return self.expect(code)

    def hello(self, name="probe.example"):
        return self.say("EHLO " + name, 250)

    def envelope(self, sender="a@example.net", *recipients):
        self.say("MAIL FROM:<%s>" % sender, 250)
        for r in recipients or ("b@example.org",):
            self.say("RCPT TO:<%s>" % r, 250)

    def message(self, octets=b"Subject: x\r\n\r\nhello\r\n", code=250):
        """From DATA to the reply to the dot; octets go as they are."""
        self.say("DATA", 354)
        self.send(octets + b".\r\n")
        return self.expect(code)

    def finish_sending(self):
        """FIN; replies can still be read."""
        self.sock.shutdown(socket.SHUT_WR)

    # --- receiving

    def _more(self, end):
        left = end - time.monotonic()
        if left <= 0:
            raise AssertionError("nothing came within %g s; unread: %r" % (self.timeout, self.unread[:200]))
        self.sock.settimeout(left)
        try:
            got = self.sock.recv(65536)
        except TimeoutError:
            raise AssertionError("nothing came within %g s; unread: %r" % (self.timeout, self.unread[:200])) from None
        finally:
            self.sock.settimeout(self.timeout)
        self.unread += got
        return got

    def read_line(self):
        end = time.monotonic() + self.timeout
        while b"\r\n" not in self.unread:
            if not self._more(end):
                raise AssertionError("closed instead of a line; unread: %r" % self.unread[:200])
        line, self.unread = self.unread.split(b"\r\n", 1)
        return line.decode("utf-8", "backslashreplace")

    def reply(self):
        """One whole reply. Its lines must look as RFC 5321 4.2.1 wants them."""
        lines = []
        while True:
            line = self.read_line()
            code, mark = line[:3], line[3:4]
            if not code.isdigit() or mark not in ("", " ", "-") or (lines and code != lines[0][:3]) \
                    or "\r" in line or "\n" in line:
                raise AssertionError("not a reply line: %r after %r" % (line, lines))
            lines.append(line)
            if mark != "-":
                return Reply(int(code), "\n".join(l[4:] for l in lines), lines)

    def expect(self, code=None, text=""):
        reply = self.reply()
        if (code is not None and reply.code != code) or text not in reply.text:
            raise AssertionError("expected %s %s, got %s" % (code, text, reply.lines))
        return reply

    def expect_nothing(self, seconds):
        """Silence, for a while: for what must not be answered yet."""
        self.sock.settimeout(seconds)
        try:
            got = self.unread or self.sock.recv(4096)
            raise AssertionError("expected silence, got %r" % got)
        except TimeoutError:
            return
        finally:
            self.sock.settimeout(self.timeout)

    def expect_closed(self):
        """The server closes, in order, and says nothing before."""
        end = time.monotonic() + self.timeout
        try:
            while self._more(end):
                pass
        except ConnectionResetError:
            raise AssertionError("reset instead of closed; unread: %r" % self.unread) from None
        if self.unread:
            raise AssertionError("expected an end, got %r" % self.unread)

    def expect_gone(self):
        """Closed or reset, whatever was said before."""
        end = time.monotonic() + self.timeout
        try:
            while self._more(end):
                self.unread = b""
        except (ConnectionResetError, BrokenPipeError):
            return

    # --- leaving

    def close(self):
        self.sock.close()

    def reset(self):
        """RST instead of FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()
