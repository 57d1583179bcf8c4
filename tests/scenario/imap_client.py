# SPDX-License-Identifier: ISC
"""IMAP by the line: dialogues as RFCs print them, and single commands.

    c = s.imap()                        # logged in as bob
    c.talk(r'''
        C: a1 SELECT INBOX
        S: * 3 EXISTS
        S: * OK [UIDVALIDITY <n>] ...
        S: a1 OK ...
    ''')
    lines = c.ok("UID SEARCH ALL")      # untagged lines; fails unless OK
    code, text, lines = c.command("NOOP")

In expected lines "..." stands for anything, "<n>" for a number, and "<name>"
for a word, which is the same wherever that name comes again in one talk().
"""
import re
import socket
import ssl

from imap_grammar import parse
from posthaste import DEADLINE, careless_tls

CONTEXT = careless_tls()


class Imap:
    def __init__(self, host, port, tls=None, timeout=DEADLINE, source=""):
        self.socket = socket.create_connection(
            (host, port), timeout=timeout,
            source_address=(source, 0) if source else None)
        self.number = 0
        self.buffer = b""
        self.strict = True  # every response must be in the grammar
        self.utf8 = False
        if tls == "implicit":
            self.socket = CONTEXT.wrap_socket(self.socket)
        self.greeting = self.line()
        if tls == "starttls":
            self.starttls()

    def starttls(self):
        self.ok("STARTTLS")
        assert self.buffer == b"", self.buffer
        self.socket = CONTEXT.wrap_socket(self.socket)

    def login(self, user, password="posthaste"):
        self.ok(f"LOGIN {user} {password}")
        return self

    # bytes

    def send(self, data):
        if isinstance(data, str):
            data = data.encode()
        self.socket.sendall(data)

    def more(self):
        part = self.socket.recv(65536)
        if part == b"":
            raise EOFError(f"connection closed behind {self.buffer!r}")
        self.buffer += part

    def raw_line(self):
        while b"\n" not in self.buffer:
            self.more()
        line, self.buffer = self.buffer.split(b"\n", 1)
        assert line.endswith(b"\r"), line
        return line[:-1]

    def read(self, n):
        """n bytes."""
        parts, have = [], len(self.buffer)
        while have < n:
            parts.append(self.buffer)
            self.buffer = b""
            self.more()
            have += len(self.buffer)
        parts.append(self.buffer)
        data = b"".join(parts)
        data, self.buffer = data[:n], data[n:]
        return data

    def line(self):
        """A line of the server's with its literals: "{3}\r\nabc" and on."""
        parts = [self.raw_line()]
        while m := re.search(rb"\{(\d+)\}$", parts[-1][-22:]):
            parts += [b"\r\n", self.read(int(m[1])), self.raw_line()]
        line = b"".join(parts)
        if self.strict:
            kind, data = parse(line, self.utf8)
            if kind == "ENABLED" and {"UTF8=ACCEPT", "IMAP4rev2"} & set(data):
                self.utf8 = True
        return line

    def waiting(self, seconds=0.2):
        """Does a line come within this time? For "nothing is said"."""
        if b"\n" in self.buffer:
            return True
        before = self.socket.gettimeout()
        self.socket.settimeout(seconds)
        try:
            self.more()
            return True
        except (TimeoutError, ssl.SSLWantReadError):
            return False
        finally:
            self.socket.settimeout(before)

    def closed(self):
        """Reads to the end of the connection; what came."""
        try:
            while True:
                self.more()
        except (EOFError, ConnectionError, ssl.SSLError):
            rest, self.buffer = self.buffer, b""
            return rest.split(b"\r\n")[:-1]

    def close(self):
        self.socket.close()

    # commands

    def tag(self):
        self.number += 1
        return b"x%d" % self.number

    def finish(self, tag):
        """("OK", rest of the tagged line, untagged lines)"""
        lines = []
        while True:
            line = self.line()
            if line.startswith(tag + b" "):
                word, _, text = line[len(tag) + 1:].partition(b" ")
                return word.decode(), text, lines
            lines.append(line)

    def start(self, text):
        """Sends a command; its tag. Literals go without being asked for."""
        if isinstance(text, str):
            text = text.encode()
        tag = self.tag()
        self.send(tag + b" " + text + b"\r\n")
        return tag

    def command(self, text, *literals):
        """One command. Each "{}" in the text stands for one of the literals.

        They are sent as the server says "+".
        """
        if isinstance(text, str):
            text = text.encode()
        parts = text.split(b"{}")
        assert len(parts) == len(literals) + 1
        tag = self.tag()
        out, lines = tag + b" " + parts[0], []
        for data, part in zip(literals, parts[1:]):
            self.send(out + b"{%d}\r\n" % len(data))
            while not (line := self.line()).startswith(b"+"):
                if line.startswith(tag + b" "):
                    word, _, rest = line[len(tag) + 1:].partition(b" ")
                    return word.decode(), rest, lines
                lines.append(line)
            out = data + part
        self.send(out + b"\r\n")
        word, rest, more = self.finish(tag)
        return word, rest, lines + more

    def ok(self, text, *literals):
        word, rest, lines = self.command(text, *literals)
        assert word == "OK", (text, word, rest, lines)
        self.text = rest
        return lines

    def no(self, text, *literals):
        """The text behind NO."""
        word, rest, lines = self.command(text, *literals)
        assert word == "NO", (text, word, rest, lines)
        return rest

    def bad(self, text, *literals):
        word, rest, lines = self.command(text, *literals)
        assert word == "BAD", (text, word, rest, lines)
        return rest

    def capabilities(self):
        (line,) = [x for x in self.ok("CAPABILITY")
                   if x.startswith(b"* CAPABILITY ")]
        return line.decode().split()[2:]

    def append(self, mailbox, message, flags="", date=""):
        """The UID of a new message."""
        args = " ".join(x for x in (mailbox, flags, date) if x)
        self.ok(f"APPEND {args} {{}}", message)
        m = re.match(rb"\[APPENDUID \d+ (\d+)\]", self.text)
        return int(m[1]) if m else None

    def idle(self):
        tag = self.start("IDLE")
        while not self.line().startswith(b"+"):
            pass
        return tag

    def done(self, tag):
        self.send(b"DONE\r\n")
        word, rest, lines = self.finish(tag)
        assert word == "OK", (word, rest)
        return lines

    def logout(self):
        lines = self.ok("LOGOUT")
        assert any(x.startswith(b"* BYE") for x in lines), lines
        assert self.closed() == []

    # dialogues

    def talk(self, script):
        """Lines "C: " are sent, lines "S: " must come, in this order.

        "S* " lines may come in any order among themselves.
        """
        names, group = {}, []

        def flush():
            got = [self.line() for _ in group]
            for want in group:
                for i, line in enumerate(got):
                    if self.matches(want, line, names):
                        del got[i]
                        break
                else:
                    raise AssertionError(f"no {want!r} among {got!r}")
            group.clear()

        for row in script.strip("\n").split("\n"):
            row = row.strip()
            if not row or row.startswith("#"):
                continue
            who, text = row[:2], row[3:]
            if who != "S*" and group:
                flush()
            if who == "C:":
                self.send(self.fill(text, names) + "\r\n")
            elif who == "S:":
                line = self.line()
                assert self.matches(text, line, names), (
                    f"expected {text!r}, got {line!r}")
            elif who == "S*":
                group.append(text)
            else:
                raise ValueError(row)
        if group:
            flush()
        return names

    @staticmethod
    def fill(text, names):
        for name, value in names.items():
            text = text.replace(f"<{name}>", value)
        return text

    @staticmethod
    def matches(want, line, names):
        parts = re.split(r"(\.\.\.|<[a-z]\w*>)", want)
        pattern, seen = "", {}
        for part in parts:
            name = part[1:-1] if re.fullmatch(r"<[a-z]\w*>", part) else None
            if part == "...":
                pattern += ".*"
            elif name == "n":
                pattern += r"\d+"
            elif name in names:
                pattern += re.escape(names[name])
            elif name in seen:
                pattern += f"(?P={name})"
            elif name:
                seen[name] = True
                pattern += rf"(?P<{name}>[^ ()\[\]]+)"
            else:
                pattern += re.escape(part)
        m = re.fullmatch(pattern, line.decode("utf-8", "surrogateescape"),
                         re.S)
        if m:
            names.update(m.groupdict())
        return m is not None
