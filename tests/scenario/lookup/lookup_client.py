# SPDX-License-Identifier: ISC
"""Speaks the lookup protocol (lib/ipc/lookup.def) to a running suite."""
import socket
import struct

TEXT, U64, BOOL, BYTES, FD, LIST = range(6)
FOUND, NONE, AGAIN, BROKEN = range(4)
OK, LATER, NEVER = range(3)
DEFAULT, LOCAL, ALIAS, VIRTUAL, RELAY = range(5)


def _field(name, value):
    if isinstance(value, bool):
        kind, data = BOOL, bytes([value])
    elif isinstance(value, int):
        kind, data = U64, struct.pack(">Q", value)
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


def _parse_fields(data):
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
                value.append(_parse_fields(items[4:4 + size]))
                items = items[4 + size:]
        found[name] = value
    return found


class Lookup:
    """One connection to an instance's lookup, or to lookup-smtp."""

    def __init__(self, instance, service="lookup"):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(20)
        self.socket.connect(str(instance.root / "spool/private" / service))
        self.send("hello", protocol="lookup", version=1)
        self.greeted = False

    def close(self):
        self.socket.close()

    def send(self, message, **fields):
        frame = bytes([len(message)]) + message.encode() + _fields(fields)
        self.socket.sendall(struct.pack(">I", len(frame)) + frame)

    def _exactly(self, n):
        data = b""
        while len(data) < n:
            more = self.socket.recv(n - len(data))
            if not more:
                raise EOFError("lookup closed the connection")
            data += more
        return data

    def receive(self):
        frame = self._exactly(struct.unpack(">I", self._exactly(4))[0])
        name = frame[1:frame[0] + 1].decode()
        fields = _parse_fields(frame[frame[0] + 1:])
        if name == "hello" and not self.greeted:
            self.greeted = True
            return self.receive()
        return name, fields

    def resolve(self, *recipients, sender=""):
        """A list of answers, or the one answer."""
        self.send("resolve", sender=sender,
                  recipients=[{"address": r} for r in recipients])
        name, fields = self.receive()
        assert name == "resolve_reply"
        results = fields["results"]
        assert len(results) == len(recipients)
        return results if len(results) > 1 else results[0]

    def expand(self, *recipients, sender=""):
        self.send("expand", sender=sender,
                  recipients=[{"address": r} for r in recipients])
        name, fields = self.receive()
        assert name == "expand_reply"
        return fields

    def rewrite(self, kind, *addresses):
        self.send("rewrite", kind=kind,
                  addresses=[{"address": a} for a in addresses])
        name, fields = self.receive()
        assert name == "rewrite_reply"
        return fields

    def query(self, table, *keys):
        """(result, index, value)"""
        self.send("query", table=table,
                  keys=[{"address": k} for k in keys])
        name, fields = self.receive()
        assert name == "query_reply"
        return fields["result"], fields["index"], fields["value"]
