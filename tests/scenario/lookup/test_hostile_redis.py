# SPDX-License-Identifier: ISC
"""A Redis server that answers without end, or claims to: mail waits, and
lookup-server takes in no more of it than an answer may have."""
import shutil

import pytest

import databases
from lookup_client import BROKEN, NONE, Lookup
from peers import Server

pytestmark = pytest.mark.skipif(
    shutil.which("redis-server") is None,
    reason="no redis-server: the module may not be built either")

MEGABYTE = 1 << 20
LONG = "the answer is longer than 4194304 bytes"
MANY = "the answer has more than 262144 elements"
DEEP = "the answer has arrays in each other deeper than 7"
# how it begins, how it goes on, which bound it hits
ANSWERS = {
    "endless string": (b"$2147483000\r\n", b"x" * MEGABYTE, LONG),
    "endless line": (b"+", b"x" * MEGABYTE, LONG),
    "endless array": (b"*250000\r\n", b"$20\r\n%20d\r\n" % 1 * 40000, LONG),
    "huge array": (b"*2147483000\r\n", b":1\r\n" * 1000, MANY),
    "huge arrays in each other": (
        b"*200000\r\n" * 6 + b"*2147483000\r\n", b"", MANY),
    "arrays in each other": (b"*1\r\n" * MEGABYTE, b"", DEEP),
    "endless errors": (b"-", b"ERR " * MEGABYTE, LONG),
}
BAD = b"bad@example.test"


class Hostile:
    """Answers the bad key for as long as it may, and knows no other."""

    def __init__(self, begin, more, _):
        self.begin, self.more, self.sent = begin, more, 0
        self.asked = 0
        self.server = Server(self.answer)

    def answer(self, connection):
        while BAD not in (command := connection.recv(1 << 16)):
            if not command:
                return
            connection.sendall(b"$-1\r\n")
        self.asked += 1
        connection.sendall(self.begin)
        while self.more and self.sent < 400 * MEGABYTE:
            self.sent += connection.send(self.more)
        connection.recv(1)


def table(s, *servers, query="GET %s"):
    hosts = " ".join(f"127.0.0.1:{one.server.port}" for one in servers)
    path = s.write("table.cf", f"hosts = {hosts}\n"
                   f"query = {query}\ntimeout = 20\n")
    s.set(virtual_alias_maps=f"redis:{path}")
    return f"redis:{path}"


@pytest.mark.unsanitized
@pytest.mark.parametrize("kind", ANSWERS)
def test_answer_without_end(suite, kind):
    """It is asked for once; the others have the same, and none of them is
    down: what else is asked for is told."""
    servers = [Hostile(*ANSWERS[kind]) for _ in range(2)]
    s = suite(start=False)
    spec = table(s, *servers)
    s.start()
    lookup = Lookup(s)
    try:
        for i in range(2):
            got = lookup.query(spec, BAD.decode())
            assert got[0] == BROKEN and ANSWERS[kind][2] in got[2], got
            assert sum(one.asked for one in servers) == i + 1
            assert lookup.query(spec, "good@example.test")[0] == NONE
        assert all(one.sent < 60 * MEGABYTE for one in servers)
        assert databases.peak(s) < 400_000
    finally:
        lookup.close()
        for one in servers:
            one.server.close()


def test_a_question_that_is_too_long_costs_no_connection(suite):
    server = Hostile(*ANSWERS["endless line"])
    s = suite(start=False)
    spec = table(s, server, query="GET " + "%s" * 1000)
    s.start()
    lookup = Lookup(s)
    try:
        assert lookup.query(spec, "a@b.test")[0] == NONE
        before = server.server.connections
        for _ in range(2):
            got = lookup.query(spec, "x" * 300 + "@example.test")
            assert got[0] == BROKEN and "the question is too long" in got[2]
            assert lookup.query(spec, "a@b.test")[0] == NONE
        assert server.server.connections == before
    finally:
        lookup.close()
        server.server.close()
