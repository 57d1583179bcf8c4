# SPDX-License-Identifier: ISC
"""Speaks any protocol of lib/ipc to a running suite, as a program of it would.

Texts are str, numbers int, truths bool, bytes bytes, lists lists of dicts.
Descriptors can be sent: what has a fileno().
"""
import fcntl
import re
import socket
import struct
import termios

from posthaste import DEADLINE, SOURCE

TEXT, U64, BOOL, BYTES, FD, LIST = range(6)


def _field(name, value):
    if isinstance(value, bool):
        kind, data = BOOL, bytes([value])
    elif isinstance(value, int):
        kind, data = U64, struct.pack(">Q", value)
    elif isinstance(value, bytes):
        kind, data = BYTES, value
    elif hasattr(value, "fileno"):
        kind, data = FD, b""
    elif isinstance(value, list):
        items = [_fields(item) for item in value]
        kind, data = LIST, struct.pack(">I", len(items)) + b"".join(
            struct.pack(">I", len(i)) + i for i in items)
    else:
        kind, data = TEXT, value.encode()
    return (bytes([len(name)]) + name.encode() + bytes([kind])
            + struct.pack(">I", len(data)) + data)


def _fields(fields):
    return b"".join(_field(n, v) for n, v in fields.items())


def frame(message, fields):
    """As it goes over the wire."""
    data = bytes([len(message)]) + message.encode() + _fields(fields)
    return struct.pack(">I", len(data)) + data


def _parse(data):
    found = {}
    while data:
        n = data[0]
        name, kind = data[1:n + 1].decode(), data[n + 1]
        size = struct.unpack(">I", data[n + 2:n + 6])[0]
        value, data = data[n + 6:n + 6 + size], data[n + 6 + size:]
        if kind == U64:
            value = struct.unpack(">Q", value)[0]
        elif kind == BOOL:
            value = value != b"\0"
        elif kind == TEXT:
            value = value.decode()
        elif kind == LIST:
            items, value = value[4:], []
            while items:
                size = struct.unpack(">I", items[:4])[0]
                value.append(_parse(items[4:4 + size]))
                items = items[4 + size:]
        found[name] = value
    return found


def version_of(protocol):
    """As the protocol's table says."""
    for path in (SOURCE / "lib/ipc").glob("*.def"):
        found = re.search(rf"^PROTOCOL\({protocol}, (\d+),",
                          path.read_text(), re.M)
        if found:
            return int(found.group(1))
    raise LookupError(protocol)


class Declined(ConnectionError):
    """The question is for another process of the service (ipc_decline)."""


class Ipc:
    def __init__(self, instance, service, protocol, version=None):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(DEADLINE)
        self.socket.connect(str(instance.root / "spool/private" / service))
        self.greeted = False
        self.send("hello", protocol=protocol,
                  version=version or version_of(protocol))

    def send(self, message, **fields):
        data = frame(message, fields)
        fds = [v.fileno() for v in fields.values() if hasattr(v, "fileno")]
        if fds:
            sent = socket.send_fds(self.socket, [data], fds)
            data = data[sent:]
        self.socket.sendall(data)

    def _exactly(self, n):
        data = b""
        while len(data) < n:
            more = self.socket.recv(n - len(data))
            if not more:
                raise EOFError("the peer closed the connection")
            data += more
        return data

    def receive(self):
        """Name and fields of the next message."""
        while True:
            frame = self._exactly(struct.unpack(">I", self._exactly(4))[0])
            if not frame:
                raise Declined("it answers no more")
            name = frame[1:frame[0] + 1].decode()
            if name == "hello" and not self.greeted:
                self.greeted = True
                continue
            return name, _parse(frame[frame[0] + 1:])

    def answered(self):
        """Is there an answer, which nobody waits for here?"""
        # with a timeout recv() would wait, whatever its flags say
        self.socket.settimeout(0)
        try:
            data = self.socket.recv(1 << 16, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        finally:
            self.socket.settimeout(DEADLINE)
        if not self.greeted and len(data) >= 4:
            data = data[4 + struct.unpack(">I", data[:4])[0]:]
        return data != b""

    def unread(self):
        """Memory of what was sent and its reader has not taken."""
        (size,) = struct.unpack("i", fcntl.ioctl(
            self.socket, termios.TIOCOUTQ, bytes(4)))
        return size

    def ask(self, message, **fields):
        self.send(message, **fields)
        return self.receive()

    def close(self):
        self.socket.close()
