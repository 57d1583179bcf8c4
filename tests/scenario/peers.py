# SPDX-License-Identifier: ISC
"""Scripted peers: a raw dialogue client, a fake mail server, a fake DNS."""
import contextlib
import re
import socket
import struct
import threading
from concurrent.futures import ThreadPoolExecutor

from posthaste import DEADLINE, careless_tls, free_port, wait_for

SO_RCVBUFFORCE = 33  # socket(7)

# for Dialogue.script: a message for bob, up to its content
TO_DATA = """
C: MAIL FROM:<a@b.test>
S: 250
C: RCPT TO:<bob@example.test>
S: 250
C: DATA
S: 354
"""


class Dialogue:
    """A client that speaks a script of C: and S: lines.

    "S: 250" demands a line (all lines of a multi-line SMTP reply) that
    begins so; "S: /regex/" one that matches; "C: text" sends text and CRLF.
    """

    def __init__(self, port, host="127.0.0.1", timeout=DEADLINE):
        self.socket = socket.create_connection((host, port), timeout)
        self.buffer = b""

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode())

    def line(self):
        """One line without CRLF; b"" at the end."""
        while b"\n" not in self.buffer:
            more = self.socket.recv(65536)
            if not more:
                rest, self.buffer = self.buffer, b""
                return rest
            self.buffer += more
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line.rstrip(b"\r")

    def reply(self):
        """All lines of one SMTP reply, joined by newlines."""
        lines = []
        while True:
            line = self.line().decode("utf-8", "replace")
            lines.append(line)
            if not re.match(r"\d\d\d-", line):
                return "\n".join(lines)

    def ask(self, text):
        self.send(text + "\r\n")
        return self.reply()

    def begin_tls(self, context=None, **options):
        """The handshake; any certificate will do, unless the context says."""
        self.socket = (context or careless_tls()).wrap_socket(
            self.socket, **options)
        return self

    def script(self, text):
        for row in text.strip().splitlines():
            row = row.strip()
            if row.startswith("C:"):
                self.send(row[3:] + "\r\n")
            elif row.startswith("S:"):
                want, got = row[3:], self.reply()
                if want.startswith("/"):
                    ok = re.search(want.strip("/"), got)
                else:
                    ok = got.startswith(want)
                assert ok, f"wanted {want!r}, got {got!r}"
        return self

    def at_end(self):
        """Has the server closed, with nothing more said?"""
        try:
            return self.line() == b""
        except ConnectionResetError:
            return True  # with something unread that was sent behind

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def broken_off(port, pieces, n, end):
    """What a server says to the first n bytes of these pieces.

    Each goes when the one before it has been answered. "end": then we close
    our side and hear the server out ("half"), or are gone ("reset").
    """
    with socket.create_connection(("127.0.0.1", port), DEADLINE) as c:
        heard = c.recv(65536)
        for piece in pieces:
            c.sendall(piece[:n])
            if n < len(piece):
                break
            n -= len(piece)
            heard += c.recv(65536)
        if end == "reset":
            c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                         struct.pack("ii", 1, 0))
            return heard
        c.shutdown(socket.SHUT_WR)
        while more := c.recv(65536):
            heard += more
        return heard


def broken_off_anywhere(port, pieces):
    """At each byte, in both ways, in pieces and in one; some at a time."""
    cuts = [(how, n, end) for how in (pieces, [b"".join(pieces)])
            for n in range(sum(map(len, pieces))) for end in ("half", "reset")]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda cut: broken_off(port, *cut), cuts))


class Server:
    """A listener on loopback, or at this path; handle(connection) runs in a
    thread each."""

    def __init__(self, handle, port=None, host="127.0.0.1", path=None):
        self.port = None if path else port or free_port()
        self.handle = handle
        self.connections = 0
        self.errors = []
        self.place = str(path) if path else (host, self.port)
        self.family = socket.AF_UNIX if path else socket.AF_INET
        self.listen()

    def listen(self):
        """Again, after stop()."""
        self.listener = socket.create_server(
            self.place, backlog=200, family=self.family)
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            connection.settimeout(DEADLINE)
            threading.Thread(target=self.run, args=(connection,),
                             daemon=True).start()

    def run(self, connection):
        try:
            self.handle(connection)
        except (OSError, EOFError, ConnectionError):
            pass
        except AssertionError as e:
            self.errors.append(e)
        finally:
            connection.close()

    def stop(self):
        """Closed under a thread that waits in accept(2), the descriptor's
        number would be the next server's, and so would be its clients."""
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.listener.close()

    def close(self):
        self.stop()
        assert not self.errors, self.errors

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class FakeServer(Server):
    """A mail server that keeps what it gets and answers as it is told.

    replies: verb (EHLO MAIL RCPT DATA . RSET QUIT connect) to a reply text,
    a list used up in turn, or a function of the command line. Each message is
    (sender line, recipient lines, content bytes still dot-stuffed).
    """

    def __init__(self, extensions=("PIPELINING", "8BITMIME", "SIZE 0"),
                 replies=None, lmtp=False, tls=None, port=None,
                 host="127.0.0.1"):
        self.extensions = extensions
        self.replies = replies or {}
        self.lmtp = lmtp
        self.tls = tls
        self.messages = []
        self.commands = []
        self.sessions = []
        super().__init__(self.session, port, host)

    def answer(self, verb, line, default):
        reply = self.replies.get(verb, default)
        if callable(reply):
            reply = reply(line)
        if isinstance(reply, list):
            reply = reply.pop(0) if reply else default
        return reply

    def session(self, connection):
        spoken = []
        self.sessions.append(spoken)
        f = connection.makefile("rb")

        def say(text):
            if text is None:
                raise EOFError
            data = text if isinstance(text, bytes) else \
                (text + "\r\n").encode()
            connection.sendall(data)

        sender, recipients = None, []
        say(self.answer("connect", "", "220 fake.test ESMTP"))
        while True:
            raw = f.readline()
            if not raw:
                return
            line = raw.rstrip(b"\r\n").decode("utf-8", "surrogateescape")
            verb = line.split(" ")[0].upper()
            spoken.append(line)
            self.commands.append(line)
            if verb in ("EHLO", "LHLO"):
                lines = ["fake.test", *self.extensions]
                default = "\r\n".join(
                    f"250{'-' if i < len(lines) - 1 else ' '}{l}"
                    for i, l in enumerate(lines))
                say(self.answer("EHLO", line, default))
            elif verb == "MAIL":
                reply = self.answer(verb, line, "250 2.1.0 Ok")
                sender, recipients = line if reply and \
                    reply[:1] == "2" else None, []
                say(reply)
            elif verb == "RCPT":
                reply = self.answer(verb, line, "250 2.1.5 Ok") if sender \
                    else "503 5.5.1 need MAIL command"
                if reply and reply[:1] == "2":
                    recipients.append(line)
                say(reply)
            elif verb == "DATA":
                reply = self.answer(verb, line, "354 go on" if recipients
                                    else "554 5.5.1 no valid recipients")
                say(reply)
                if reply[:3] == "354":
                    content = self.content(f)
                    for _ in recipients if self.lmtp else (1,):
                        final = self.answer(".", line, "250 2.0.0 Ok")
                        if final and final[:1] == "2" and \
                                content is not None:
                            self.messages.append(
                                (sender, list(recipients), content))
                            content = None
                        say(final)
            elif verb == "STARTTLS" and self.tls:
                say(self.answer(verb, line, "220 2.0.0 Ready"))
                connection = self.tls.wrap_socket(connection,
                                                  server_side=True)
                f = connection.makefile("rb")
            elif verb == "QUIT":
                say(self.answer(verb, line, "221 2.0.0 Bye"))
                return
            elif verb in ("HELO", "RSET", "NOOP"):
                say(self.answer(verb, line, "250 2.0.0 Ok"))
            else:
                say(self.answer(verb, line, "502 5.5.2 unknown"))

    @staticmethod
    def content(f):
        lines = []
        while True:
            line = f.readline()
            if not line:
                raise EOFError
            if line == b".\r\n":
                return b"".join(lines)
            lines.append(line)

    def wait(self, count=1, deadline=DEADLINE):
        wait_for(f"{count} messages at the fake server",
                 lambda: len(self.messages) >= count, deadline)
        return self.messages


TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15,
         "TXT": 16, "AAAA": 28}


RCODES = {"FORMERR": 1, "SERVFAIL": 2, "NXDOMAIN": 3, "REFUSED": 5}
DATAGRAM = 1232  # what is longer is asked for again, by TCP


class FakeDNS:
    """A name server on loopback, UDP and TCP.

    records: (name, type) to a list of values: "127.0.0.1", (10, "mx.test"),
    "name.test", text; or one of the strings in RCODES, or "DROP".
    A name with some record has no others; unknown names do not exist.
    """

    def __init__(self, records=None, host="127.0.0.1", port=None):
        self.records = {(n.lower().rstrip("."), t): v
                        for (n, t), v in (records or {}).items()}
        self.queries = []
        self.askers = []  # the source ports of datagrams
        self.host = host
        while True:
            self.port = port or free_port()
            try:
                self.open()
                break
            except OSError:
                if port:
                    raise

    def open(self):
        """Again, after close()."""
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with contextlib.suppress(OSError):  # root's: none is lost
            self.udp.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 24)
        try:
            self.udp.bind((self.host, self.port))
            self.tcp = Server(self.stream, self.port, self.host)
        except OSError:
            self.udp.close()
            raise
        self.hearing = threading.Thread(target=self.datagrams, daemon=True)
        self.hearing.start()

    def datagrams(self):
        while True:
            try:
                question, peer = self.udp.recvfrom(4096)
            except OSError:
                return
            if not peer:  # it is closed
                return
            self.askers.append(peer[1])
            answer = self.datagram(question)
            try:
                if answer:
                    self.udp.sendto(answer, peer)
            except OSError:
                return

    def datagram(self, question):
        """The answer over UDP, if it fits: else that there is more."""
        answer = self.respond(question)
        if answer and len(answer) > DATAGRAM:
            end = question.index(b"\0", 12) + 5
            answer = (answer[:2] + struct.pack("!HHHHH", 0x8380, 1, 0, 0, 0) +
                      question[12:end])
        return answer

    def stream(self, connection):
        f = connection.makefile("rb")
        while True:
            head = f.read(2)
            if len(head) < 2:
                return
            answer = self.respond(f.read(struct.unpack("!H", head)[0]))
            if answer:
                connection.sendall(struct.pack("!H", len(answer)) + answer)

    @staticmethod
    def encode(name):
        out = b""
        for label in name.rstrip(".").split("."):
            if label:
                out += bytes([len(label)]) + label.encode()
        return out + b"\0"

    def data(self, kind, value):
        if kind == "A":
            return socket.inet_pton(socket.AF_INET, value)
        if kind == "AAAA":
            return socket.inet_pton(socket.AF_INET6, value)
        if kind == "MX":
            return struct.pack("!H", value[0]) + self.encode(value[1])
        if kind == "TXT":
            parts = [value[i:i + 255] for i in range(0, len(value), 255)]
            return b"".join(bytes([len(p)]) + p.encode() for p in parts)
        return self.encode(value)

    def respond(self, question):
        if len(question) < 17:
            return None
        ident = question[:2]
        at, labels = 12, []
        while question[at]:
            n = question[at]
            labels.append(question[at + 1:at + 1 + n].decode())
            at += n + 1
        number = struct.unpack("!H", question[at + 1:at + 3])[0]
        tail = question[12:at + 5]
        kind = {v: k for k, v in TYPES.items()}.get(number, str(number))
        name = ".".join(labels).lower()
        self.queries.append((name, kind))
        values = self.records.get((name, kind))
        rcode, answers = 0, b""
        count = 0
        if values is None:
            known = any(n == name for n, _ in self.records)
            cname = self.records.get((name, "CNAME"))
            if cname:
                values, kind = cname, "CNAME"
            rcode = 0 if known else 3
        if values == "DROP":
            return None
        if isinstance(values, str):
            rcode = RCODES[values]
        elif values:
            for value in values:
                data = self.data(kind, value)
                answers += b"\xc0\x0c" + struct.pack(
                    "!HHIH", TYPES[kind], 1, 5, len(data)) + data
                count += 1
        return ident + struct.pack("!HHHHH", 0x8180 | rcode, 1, count, 0, 0) \
            + tail + answers

    def close(self):
        try:
            self.udp.shutdown(socket.SHUT_RDWR)  # wakes who waits for it
        except OSError:
            pass  # "not connected": it did so all the same
        self.udp.close()
        self.hearing.join(10)  # until then the port is not free
        self.tcp.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
