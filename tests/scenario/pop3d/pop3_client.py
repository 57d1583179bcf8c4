# SPDX-License-Identifier: ISC
"""POP3 by the line, and messages put into Maildirs by hand."""
import os
import select
import socket
import ssl

from posthaste import DEADLINE, careless_tls, wait_for

CONTEXT = careless_tls()


class Client:
    def __init__(self, s, port="pop3", tls=False, login=None,
                 source=""):
        self.socket = socket.create_connection(
            ("127.0.0.1", s.ports[port]), timeout=DEADLINE,
            source_address=(source, 0) if source else None)
        if port == "pop3s":
            self.socket = CONTEXT.wrap_socket(self.socket)
        self.file = self.socket.makefile("rb")
        self.greeting = self.line()
        if tls:
            assert self.say("STLS").startswith(b"+OK")
            self.wrap()
        if login:
            assert self.say(f"USER {login}").startswith(b"+OK")
            self.last = self.say("PASS posthaste")

    def wrap(self):
        self.file.close()
        self.socket = CONTEXT.wrap_socket(self.socket)
        self.file = self.socket.makefile("rb")

    def line(self):
        line = self.file.readline()
        if line == b"":
            raise EOFError
        assert line.endswith(b"\r\n"), line
        return line[:-2]

    def send(self, data):
        self.socket.sendall(data)

    def say(self, text):
        """One line out, one line in."""
        if isinstance(text, str):
            text = text.encode()
        self.send(text + b"\r\n")
        return self.line()

    def rest(self):
        """What follows up to the line with a dot, as it came."""
        lines = []
        while True:
            line = self.line()
            if line == b".":
                return lines
            lines.append(line)

    def many(self, text):
        """First line and the others of a multi-line answer."""
        first = self.say(text)
        return (first, self.rest()) if first.startswith(b"+OK") else (first,
                                                                      [])

    def ahead(self, data):
        """Lines of the answers to commands that are sent while they come.

        In one thread: two on one TLS object race, and one of them may take
        the other's "try again" for the end of the connection.
        """
        view, got = memoryview(data), bytearray()
        self.socket.setblocking(False)
        while True:
            *lines, rest = bytes(got).split(b"\n")
            got = bytearray(rest)
            yield from (x.rstrip(b"\r") for x in lines)
            blocked = []
            try:
                part = self.socket.recv(1 << 16)
                if part == b"":
                    raise EOFError
                got += part
            except (ssl.SSLWantReadError, BlockingIOError):
                blocked.append(self.socket)
            try:
                if view:
                    view = view[self.socket.send(view[:1 << 14]):]
                    blocked.clear()
            except (ssl.SSLWantWriteError, BlockingIOError):
                pass
            if blocked:
                assert any(select.select(
                    blocked, blocked if view else [], [], DEADLINE)), "no answer"

    def closed(self):
        try:
            return self.file.read() == b""
        except (ConnectionError, ssl.SSLError):
            return True

    def close(self):
        self.file.close()
        self.socket.close()


def served(s, *arguments, **options):
    """A client who has logged in. That a session has ended is in the log
    before it leaves the mailbox to others: it may still be in use."""
    def once():
        c = Client(s, *arguments, **options)
        if not c.last.startswith(b"-ERR [IN-USE]"):
            return c
        c.close()
        return None

    c = wait_for("the mailbox to be free", once)
    assert c.last == b"+OK Logged in", c.last
    return c


def put(s, user, name, content, folder="new"):
    """A file in a user's Maildir, as if delivered long ago."""
    top = s.maildir(user)
    for part in (top.parent, top, top / "new", top / "cur", top / "tmp"):
        if not part.exists():
            part.mkdir(parents=True)
            os.chown(part, s.uid, s.gid)
    path = top / folder / name
    path.write_bytes(content)
    os.chown(path, s.uid, s.gid)
    return path


def crlf(s, user, number, content):
    """The form of our own deliveries."""
    n = len(content)
    return put(s, user, f"{1700000000 + number}.M1P1_{number}.host,S={n},W={n}",
               content)
