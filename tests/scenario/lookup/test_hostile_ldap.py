# SPDX-License-Identifier: ISC
"""A directory that says what no directory should: mail waits, who asks it goes
on, and takes in no more of it than an answer may have."""
import shutil
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import databases
from lookup_client import AGAIN, BROKEN, FOUND, NONE, Lookup
from peers import Server
from posthaste import wait_for

pytestmark = pytest.mark.skipif(
    shutil.which("slapd", path="/usr/sbin:/usr/bin:/sbin") is None,
    reason="no slapd: the module may not be built either")

MEGABYTE = 1 << 20
INTEGER, OCTETS, ENUMERATED, SEQUENCE, SET = 2, 4, 10, 0x30, 0x31
BIND, BOUND, SEARCH, ENTRY, DONE, ABANDON, ELSEWHERE, EXTEND, EXTENDED = (
    0x60, 0x61, 0x63, 0x64, 0x65, 0x50, 0x73, 0x77, 0x78)
REFERRAL = 0xa3  # of a result
BASE = b"dc=example"
LEADS_ON = "it leads to itself"
TOO_LONG = "more than an answer"
WHY = "the answer is longer than 4194304 bytes: narrow query_filter"


def ber(tag, *parts):
    """RFC 4511 section 5.1: definite lengths only."""
    body = b"".join(parts)
    n = len(body)
    return bytes([tag]) + (bytes([n]) if n < 128 else
                           b"\x84" + n.to_bytes(4, "big")) + body


def octets(text):
    return ber(OCTETS, text)


def number(n, tag=INTEGER):
    return ber(tag, n.to_bytes(n.bit_length() // 8 + 1, "big"))


def say(n, *operation):
    """A message that answers the n-th."""
    return ber(SEQUENCE, number(n), *operation)


def done(n, code=0, text=b"", more=b"", tag=DONE):
    return say(n, ber(tag, number(code, ENUMERATED), octets(b""),
                      octets(text), more))


def entry(n, values, name=b"maildrop"):
    return say(n, ber(ENTRY, octets(b"cn=x," + BASE), ber(SEQUENCE, ber(
        SEQUENCE, octets(name), ber(SET, *map(octets, values))))))


def good(n):
    return entry(n, [b"bob@example.test"]) + done(n)


WAITS, NEITHER = {AGAIN}, {NONE, AGAIN}
# what is said to a search; whether it closes then; what that may come to
SEARCHES = {
    "death": (lambda n: b"", True, WAITS),
    "silence": (lambda n: b"", False, WAITS),
    "no LDAP": (lambda n: b"HTTP/1.0 400 Bad Request\r\n\r\n", True, WAITS),
    "length of 4 GB": (lambda n: b"\x30\x84\xff\xff\xff\xff\x02\x01\x01",
                       False, WAITS),
    "length of nine bytes": (lambda n: b"\x30\x89" + b"\xff" * 9, False, WAITS),
    "length without an end": (
        lambda n: b"\x30\x80" + number(n) + ber(DONE) + b"\0\0", True, WAITS),
    "half an entry": (lambda n: good(n)[:25], True, WAITS),
    "half of the answer": (lambda n: entry(n, [b"bob@example.test"]), True,
                           WAITS),
    "another's answer": (lambda n: good(n + 1), False, WAITS),
    "a goodbye": (lambda n: say(0, ber(
        EXTENDED, number(52, ENUMERATED), octets(b""), octets(b"bye"),
        ber(0x8a, b"1.3.6.1.4.1.1466.20036"))), True, WAITS),
    "an error behind an entry": (lambda n: entry(
        n, [b"bob@example.test"]) + done(n, 51, b"busy"), False, WAITS),
    "errors in a row": (lambda n: done(n, 80, b"why") * 5, False, WAITS),
    "an error and an end": (lambda n: done(n, 52, b"\xff\0\n"), True, WAITS),
    "an end without a code": (lambda n: say(n, ber(DONE)), False, WAITS),
    "a code that is none": (lambda n: say(n, ber(
        DONE, octets(b"\0" * 40), octets(b""), octets(b""))), False,
        WAITS | {BROKEN}),
    "an unknown code": (lambda n: done(n, 123456, b"?"), False,
                        WAITS | {BROKEN}),
    "a referral": (lambda n: done(n, 10, b"", ber(REFERRAL, octets(
        b"ldap://127.0.0.1:1/dc=x"))), False, WAITS),
    "a referral to nowhere": (lambda n: done(n, 10, b"", ber(
        REFERRAL, octets(b"\xff" * 300), octets(b""))), False, WAITS),
    "places elsewhere": (lambda n: say(n, ber(ELSEWHERE, octets(
        b"ldap://127.0.0.1:1/"))) * 500 + done(n), False, NEITHER),
    "an entry that is empty": (lambda n: say(n, ber(ENTRY)) + done(n), False,
                               NEITHER),
    "no values": (lambda n: say(n, ber(
        ENTRY, octets(b"cn=x"), ber(SEQUENCE, ber(
            SEQUENCE, octets(b"maildrop"))))) + done(n), False, NEITHER),
    "a value beyond the entry": (lambda n: entry(n, [b"bob"]).replace(
        b"\x03bob", b"\x7fbob") + done(n), False, NEITHER),
    "nothing that leads on": (lambda n: entry(
        n, [b"", b"ldap://", b"ldap:///%zz??sub?((", b"\0", b",,=", b"x" * 9999],
        b"member") + done(n), False, NEITHER | {BROKEN}),
    LEADS_ON: (lambda n: entry(n, [b"cn=x," + BASE], b"member") +
                           done(n), False, {BROKEN}),
    "a value of megabytes": (lambda n: entry(n, [b"x" * 3 * MEGABYTE]) +
                             done(n), False, {BROKEN}),
    TOO_LONG: (lambda n: entry(n, [b"x" * 9 * MEGABYTE]) +
                            done(n), False, {BROKEN}),
}
# what is said to the first who introduces itself
BINDS = {
    "death": (lambda n: b"", True, WAITS),
    "refused": (lambda n: done(n, 49, b"no", tag=BOUND), False, {BROKEN}),
    "busy": (lambda n: done(n, 51, tag=BOUND), False, WAITS),
    "go on": (lambda n: done(n, 14, tag=BOUND), False, {BROKEN}),
    "empty": (lambda n: say(n, ber(BOUND)), False, WAITS),
    "another's": (lambda n: done(n + 7, tag=BOUND), True, WAITS),
    "half": (lambda n: done(n, tag=BOUND)[:6], True, WAITS),
    "a search's": (lambda n: entry(n, [b"x"]), True, WAITS),
}


class Directory:
    """Says what it is told to when it is asked for bad@example.test, or when
    somebody introduces itself the next time; else what is right."""

    def __init__(self, search=None, loops=False):
        self.search, self.bind, self.loops = search, None, loops
        self.told = 0  # what it is told to say to a search
        self.server = Server(self.serve)

    def serve(self, connection):
        with connection.makefile("rb") as said:
            while self.answer(connection, *self.hear(said)):
                pass

    @staticmethod
    def hear(said):
        """(number, operation, all of it)"""
        tag, n = said.read(1), said.read(1)
        if not n:
            raise EOFError
        assert tag[0] == SEQUENCE
        n = n[0]
        if n >= 128:
            n = int.from_bytes(said.read(n - 128), "big")
        body = said.read(n)
        assert body[0] == INTEGER
        end = 2 + body[1]
        return int.from_bytes(body[2:end], "big"), body[end], body

    def is_meant(self, body):
        return b"bad@example.test" in body or (
            self.loops and b"objectclass" in body.lower())

    def answer(self, connection, n, operation, body):
        """False: it closes."""
        what = None
        if operation == BIND:
            usual = done(n, tag=BOUND)
            what, self.bind = self.bind, None
        elif operation == SEARCH:
            usual = good(n) if b"good@" in body else done(n)
            what = self.search if self.is_meant(body) else None
            self.told += self.is_meant(body)
        else:
            return operation == ABANDON
        connection.sendall(what[0](n) if what else usual)
        return not (what and what[1])

    def close(self):
        self.server.close()


class Endless(Directory):
    """Goes on with what it says to a search."""

    def __init__(self, begin, more):
        super().__init__()
        self.begin, self.more, self.sent = begin, more, 0

    def goes_on(self, operation, body):
        return operation == SEARCH and self.is_meant(body)

    def answer(self, connection, n, operation, body):
        if not self.goes_on(operation, body):
            return super().answer(connection, n, operation, body)
        connection.sendall(self.begin(n))
        more = self.more(n) * 20000
        while self.sent < 400 * MEGABYTE:
            self.sent += connection.send(more)
        return False


class Unproven(Endless):
    """The first who wants TLS is sent away, and asks once more, without a
    proof: that one hears no end."""
    wanted = 0

    def goes_on(self, operation, body):
        self.wanted += operation == EXTEND
        return operation == EXTEND and self.wanted % 2 == 0


@pytest.fixture
def directory():
    """directory(kind, ...): one that is closed when the test ends"""
    made = []

    def make(kind, *arguments, **options):
        made.append(kind(*arguments, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


def table(s, name, *directories, **more):
    path = s.write(name, databases.settings({
        "server_host": " ".join(f"ldap://127.0.0.1:{d.server.port}"
                                for d in directories),
        "search_base": BASE.decode(), "query_filter": "(mail=%s)",
        "result_attribute": "maildrop", "special_result_attribute": "member",
        "recursion_limit": 20, "bind_dn": "cn=x", "bind_pw": "x",
        "version": 3, "retry_interval": 1}, more))
    path.chmod(0o600)
    return f"ldap:{path}"


class Tried:
    """A table of a directory that says one thing that it should not."""

    def __init__(self, s, i, make, name, search=None, bind=None):
        self.s, self.name, self.bind = s, name, bind
        self.key = "bad@example.test" if search else "good@example.test"
        self.wanted = (search or bind)[2]
        self.directory = make(Directory, search, loops=name == LEADS_ON)
        # some only end when the time is over, which must not come first where
        # there is a limit; without an idle_interval each question is asked on
        # a new connection
        quick = self.wanted == WAITS and name != TOO_LONG
        self.spec = table(s, f"table{i}.cf", self.directory,
                          timeout=2 if quick else 20,
                          idle_interval=0 if bind else 60)

    def run(self):
        """Twice, on the same connection where there still is one. Who failed
        slowly is left alone for a multiple of that, and not waited for."""
        lookup = Lookup(self.s)
        try:
            for _ in range(2):
                self.directory.bind = self.bind
                start = time.monotonic()
                got = lookup.query(self.spec, self.key)
                assert got[0] in self.wanted, (self.name, got)
                assert self.name != TOO_LONG or WHY in got[2], got
                if time.monotonic() - start > 0.5:
                    break
                wait_for(f"{self.name}: what is right", lambda: lookup.query(
                    self.spec, "good@example.test")[0] == FOUND)
        finally:
            lookup.close()


def test_nothing_it_says_is_more_than_an_error(suite, directory):
    s = suite(start=False)
    kinds = [dict(name=n, search=row) for n, row in SEARCHES.items()]
    kinds += [dict(name=f"bind: {n}", bind=row) for n, row in BINDS.items()]
    tried = [Tried(s, i, directory, **kind) for i, kind in enumerate(kinds)]
    s.set(virtual_alias_maps=" ".join(t.spec for t in tried))
    s.start()
    with ThreadPoolExecutor(len(tried)) as pool:
        for one in [pool.submit(t.run) for t in tried]:
            one.result()


ENDLESS = {
    "entries": (lambda n: b"", lambda n: entry(n, [b"x"])),
    "places elsewhere": (lambda n: b"", lambda n: say(n, ber(
        ELSEWHERE, octets(b"ldap://127.0.0.1:1/")))),
    "others' answers": (lambda n: b"", lambda n: done(n + 1)),
    "one value": (lambda n: b"\x30\x84\x7f\xff\xff\xff" + number(n) +
                  b"\x64\x84\x7f\xff\xff\xf0\x04\x84\x7f\xff\xff\xe0",
                  lambda n: b"x" * 50),
}


def test_what_is_too_long_is_asked_for_once(suite, directory):
    """The others have the same, and none of them is down: what else is asked
    for is there."""
    s = suite(start=False)
    servers = [directory(Directory, SEARCHES[TOO_LONG]) for _ in range(3)]
    spec = table(s, "table.cf", *servers)
    s.set(virtual_alias_maps=spec)
    s.start()
    lookup = Lookup(s)
    for i in range(3):
        assert lookup.query(spec, "good@example.test")[0] == FOUND
        got = lookup.query(spec, "bad@example.test")
        assert got[0] == BROKEN and WHY in got[2], got
        assert sum(one.told for one in servers) == i + 1
    lookup.close()


def given_up(suite, endless, why, usual, results, **more):
    """Each of {name: directory} is, for that reason, before it took much; with
    the usual result, or one of {name: result}."""
    s = suite(start=False)
    specs = {name: table(s, f"table{i}.cf", one, timeout=20, **more)
             for i, (name, one) in enumerate(endless.items())}
    s.set(virtual_alias_maps=" ".join(specs.values()))
    s.start()
    lookup = Lookup(s)
    for name, one in endless.items():
        got = lookup.query(specs[name], "bad@example.test")
        assert got[0] == results.get(name, usual), (name, got)
        assert why in got[2], (name, got)
        assert one.sent < 60 * MEGABYTE, name
        assert databases.peak(s) < 400_000, name
    lookup.close()


@pytest.mark.unsanitized
def test_answers_without_end(suite, directory):
    given_up(suite, {name: directory(Endless, *row)
                     for name, row in ENDLESS.items()}, WHY, BROKEN,
             # what claims 2 GB may be mad, and another one not
             {"one value": AGAIN})


@pytest.mark.unsanitized
def test_answers_without_end_where_no_proof_is_wanted(suite, directory):
    """Whether its certificate proves nothing is asked by a connection of its
    own."""
    endless = {name: directory(Unproven, *row)
               for name, row in ENDLESS.items()}
    given_up(suite, endless, "STARTTLS", AGAIN, {}, start_tls="yes",
             tls_require_cert="yes")
    for name, one in endless.items():
        assert one.wanted > 0 and one.wanted % 2 == 0, name
