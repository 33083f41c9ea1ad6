"""Conversations as text, one rule or bug a file, told on top.

    # What it is about.
    ! Max_Errors = 3          a line for the ESMTP_Listener of the daemon it is held with
    > EHLO probe.example      sent, with CRLF; a backslash at the very end: without it
    < 250                     a whole reply with that code ...
    < 250 PIPELINING          ... and that text in it
    < closed                  the server closes, and says nothing before

Escapes in what is sent: \\r \\n \\\\ \\xHH, and \\{COUNT*TEXT} for many. The banner is read before
the first line, unless the first line is `< ...` itself.
"""

import re

ESCAPE = re.compile(rb"\\(?:([rn\\])|x([0-9a-fA-F]{2})|\{(\d+)\*([^}]*)\})")


def unescape(text):
    def one(m):
        simple, octet, count, many = m.groups()
        if simple:
            return {b"r": b"\r", b"n": b"\n", b"\\": b"\\"}[simple]
        if octet:
            return bytes([int(octet, 16)])
        return int(count) * ESCAPE.sub(one, many)

    return ESCAPE.sub(one, text)


class Talk:
    def __init__(self, path):
        self.options, self.lines = [], []
        with open(path, "rb") as f:
            text = f.read()
        for number, line in enumerate(text.split(b"\n"), 1):
            mark, rest = line[:1], line[2:]
            if mark in (b"", b"#"):
                continue
            if mark not in b"!><" or line[1:2] not in b" ":
                raise ValueError("%s:%d: expected a line that begins with '# ', '! ', '> ' or '< '" % (path, number))
            if mark == b"!":
                self.options.append(rest.decode())
            else:
                self.lines.append((number, mark, rest))
        self.path = path

    def config(self):
        return "\n".join(self.options)

    def hold(self, client):
        """With a client that has not read the banner."""
        if self.lines[0][1] != b"<":
            client.expect(220)
        for number, mark, rest in self.lines:
            try:
                if mark == b">":
                    whole = rest[-1:] != b"\\" or rest[-2:] == b"\\\\"
                    client.send(unescape(rest if whole else rest[:-1]) + (b"\r\n" if whole else b""))
                elif rest == b"closed":
                    client.expect_closed()
                else:
                    client.expect(int(rest[:3]), rest[4:].decode())
            except (AssertionError, OSError) as e:
                raise AssertionError("%s:%d: %s" % (self.path, number, e)) from None
