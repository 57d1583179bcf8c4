# SPDX-License-Identifier: ISC
"""A Redis server that answers without end, or claims to: mail waits, and
lookup-server takes in no more of it than an answer may have."""
import shutil

import pytest

import databases
from lookup_client import AGAIN, BROKEN, Lookup
from peers import Server

pytestmark = pytest.mark.skipif(
    shutil.which("redis-server") is None,
    reason="no redis-server: the module may not be built either")

MEGABYTE = 1 << 20
ANSWERS = {
    "endless string": (b"$2147483000\r\n", b"x" * MEGABYTE),
    "endless line": (b"+", b"x" * MEGABYTE),
    "endless array": (b"*250000\r\n", b"$20\r\n%20d\r\n" % 1 * 40000),
    "huge array": (b"*2147483000\r\n", b":1\r\n" * 1000),
    "huge arrays in each other": (b"*200000\r\n" * 6 + b"*2147483000\r\n", b""),
    "arrays in each other": (b"*1\r\n" * MEGABYTE, b""),
    "endless errors": (b"-", b"ERR " * MEGABYTE),
}


class Hostile:
    """Answers each connection's first command, for as long as it may."""

    def __init__(self, begin, more):
        self.begin, self.more, self.sent = begin, more, 0
        self.asked = 0
        self.server = Server(self.answer)

    def answer(self, connection):
        self.asked += 1
        connection.recv(4096)
        connection.sendall(self.begin)
        while self.more and self.sent < 400 * MEGABYTE:
            self.sent += connection.send(self.more)
        connection.recv(1)


def table(s, *servers):
    hosts = " ".join(f"127.0.0.1:{one.server.port}" for one in servers)
    path = s.write("table.cf", f"hosts = {hosts}\n"
                   "query = GET %s\ntimeout = 20\n")
    s.set(virtual_alias_maps=f"redis:{path}")
    return f"redis:{path}"


@pytest.mark.unsanitized
@pytest.mark.parametrize("kind", ANSWERS)
def test_answer_without_end(suite, kind):
    hostile = Hostile(*ANSWERS[kind])
    s = suite(start=False)
    spec = table(s, hostile)
    s.start()
    lookup = Lookup(s)
    try:
        assert lookup.query(spec, "a@example.test")[0] in (AGAIN, BROKEN)
        assert hostile.sent < 60 * MEGABYTE
        assert databases.peak(s) < 400_000
    finally:
        lookup.close()
        hostile.server.close()


def test_what_is_too_long_is_asked_for_once(suite):
    servers = [Hostile(*ANSWERS["endless string"]) for _ in range(3)]
    s = suite(start=False)
    spec = table(s, *servers)
    s.start()
    lookup = Lookup(s)
    before = sum(one.asked for one in servers)  # by the check of the tables
    got = lookup.query(spec, "a@example.test")
    assert got[0] == BROKEN and "longer than 4194304 bytes" in got[2]
    assert sum(one.asked for one in servers) == before + 1
    lookup.close()
    for one in servers:
        one.server.close()
