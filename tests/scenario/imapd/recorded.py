# SPDX-License-Identifier: ISC
"""Dialogues of real clients, of several connections, once more.

A file in recorded/ has rows of a number, which is the connection, and
    C: text     what the client sends
    S: text     what must come (imap_client.talk says what stands for what)
    S| text     the next line of that: a literal
    closes      the client goes away
    A: name     (connection 0, which is not the client's) mail comes to INBOX
Rows are done in their order, so that what one connection does is there
before the other looks.
"""
import pathlib

from imap_client import Imap
from test_compress import Deflated

HERE = pathlib.Path(__file__).resolve().parent / "recorded"
TEXT = (b"From: ann@example.test\r\nTo: bob@example.test\r\nSubject: %s\r\n"
        b"Date: Mon, 7 Feb 1994 21:52:25 -0800\r\nMessage-ID: <%s@x>\r\n"
        b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=UTF-8\r\n\r\n"
        b"Hello\r\n")


class Replay:
    def __init__(self, s, tls):
        self.s, self.tls = s, tls
        self.open = {}
        self.names = {}
        self.compressed = set()
        self.heard = 0

    def connection(self, number):
        """A new one begins with its greeting."""
        if number not in self.open:
            if number == 0:
                self.open[0] = self.s.imap(tls=self.tls)
            else:
                c = self.open[number] = self.s.imap(user=None, tls=self.tls)
                c.unread = c.greeting
        return self.open[number]

    def next_line(self, c):
        line, c.unread = getattr(c, "unread", None), None
        return line if line is not None else c.line()

    def expect(self, number, text):
        c = self.connection(number)
        line = self.next_line(c)
        assert Imap.matches(text, line, self.names), (
            f"connection {number}: expected {text!r}, got {line!r}")
        self.heard += 1
        if line.endswith(b"DEFLATE active"):
            c.socket = Deflated(c.socket)

    def act(self, number, what, text):
        c = self.connection(number)
        if what == "A:":
            c.append("INBOX", TEXT % (text.encode(), text.encode()))
        elif what == "closes":
            c.close()
        elif number == 0:
            c.ok(text)
        else:
            c.send(text + "\r\n")


def rows(name):
    """(connection, what, text), a server's line with its literals as one."""
    found = []
    for row in (HERE / name).read_text().split("\n"):
        if not row or row.startswith("#"):
            continue
        number, what, text = (row.split(" ", 2) + [""])[:3]
        if what == "S|":
            found[-1] = found[-1][:2] + (found[-1][2] + "\r\n" + text,)
        else:
            found.append((int(number), what, text))
    return found


def replay(s, name, tls=None):
    """How many of the server's lines there were."""
    r = Replay(s, tls)
    for number, what, text in rows(name):
        if what == "S:":
            r.expect(number, text)
        else:
            r.act(number, what, text)
    for c in r.open.values():
        c.close()
    return r.heard
