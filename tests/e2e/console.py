"""The console without tidectl: lines to the control socket, answers back (docs/console.md)."""

import socket

from client import DEADLINE


class Console:
    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(DEADLINE)
        try:
            self.sock.connect(path)
        except OSError:
            self.sock.close()
            raise
        self.stream = self.sock.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *ignored):
        self.close()

    def send(self, octets):
        self.sock.sendall(octets)

    def answer(self):
        """(exit code, its text, lines); complaints are among the lines."""
        lines = []
        while True:
            line = self.stream.readline().decode("utf-8", "backslashreplace")
            if not line.endswith("\n"):
                raise AssertionError("the answer broke off: %r" % (lines + [line]))
            if line.startswith(". "):
                code, _, text = line[2:-1].partition(" ")
                return int(code), text, lines
            lines.append(line[:-1])

    def ask(self, line):
        self.send(line.encode() + b"\n")
        return self.answer()

    def number(self, line):
        code, text, lines = self.ask(line)
        if code != 0 or len(lines) != 1:
            raise AssertionError("%s: %d %s %s" % (line, code, text, lines))
        return int(lines[0])

    def expect_closed(self):
        if self.stream.read(1) != b"":
            raise AssertionError("expected an end")

    def close(self):
        self.stream.close()
        self.sock.close()
