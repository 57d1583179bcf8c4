# SPDX-License-Identifier: ISC
"""What has gone wrong with logins elsewhere, tried on IMAP."""
import base64
import hashlib
import hmac
import itertools
import random
import re
import socket
import threading
import time

import pytest
from posthaste import (PASSWORD, SOURCE, does_not_leak,
                       is_not_felt, resident, wait_for)
from scram import Scram

OPEN = "disable_plaintext_auth = no\nauth_failure_delay_max = 0\n"
ALL = OPEN + ("auth_mechanisms = plain login cram-md5 scram-sha-256\n"
              "imap_login_limit = 100\nimap_error_limit = 100\n")


def b64(data):
    return base64.b64encode(data)


def plain(user, password=PASSWORD, identity=""):
    return b64(f"{identity}\0{user}\0{password}".encode())


def login_lines(s):
    return [line.split("user=<")[1].split("@")[0]
            for line in s.log().splitlines() if ": login user=<" in line]


# One attempt of each kind, and whether it may succeed.
ATTEMPTS = {
    "wrong": (b"AUTHENTICATE PLAIN " + plain("alice", "x"), []),
    "cancelled": (b"AUTHENTICATE LOGIN", [b64(b"alice"), b"*"]),
    "half a LOGIN": (b"AUTHENTICATE LOGIN", [b64(b"alice"), b64(b"guess")]),
    "broken base64": (b"AUTHENTICATE PLAIN", [b"!!!"]),
    "CRAM": (b"AUTHENTICATE CRAM-MD5", [b64(b"alice 0123456789")]),
    "SCRAM": (b"AUTHENTICATE SCRAM-SHA-256", [b64(b"n,,n=alice,r=abc"),
                                              b"*"]),
    "for another": (b"AUTHENTICATE PLAIN " + plain("bob", identity="alice"),
                    []),
    "LOGIN": (b"LOGIN alice guess", []),
}


def attempt(c, words, answers):
    c.send(b"x " + words + b"\r\n")
    line = c.line()
    for answer in answers:
        assert line.startswith(b"+ "), line
        c.send(answer + b"\r\n")
        line = c.line()
    assert line.startswith((b"x NO ", b"x BAD ")), line


def test_mechanisms_one_after_the_other(suite):
    """CVE-2011-1720, CVE-2019-18928: what failed leaves nothing behind."""
    s = suite(main=ALL)
    for first, second in itertools.permutations(ATTEMPTS, 2):
        c = s.imap(user=None)
        attempt(c, *ATTEMPTS[first])
        attempt(c, *ATTEMPTS[second])
        c.ok("LOGIN carol " + PASSWORD)
        c.logout()
    pairs = len(ATTEMPTS) * (len(ATTEMPTS) - 1)
    wait_for("all logins", lambda: len(login_lines(s)) >= pairs)
    assert login_lines(s) == ["carol"] * pairs


def test_the_first_of_two_pipelined_logins_counts(suite):
    s = suite(main=OPEN)
    for first, second in (("bob", "alice"), ("alice", "bob")):
        c = s.imap(user=None)
        c.send(f"a LOGIN {first} {PASSWORD}\r\nb LOGIN {second} {PASSWORD}\r\n"
               "c SELECT INBOX\r\nd LOGOUT\r\n".encode())
        lines = c.closed()
        assert any(x.startswith(b"a OK") for x in lines)
        assert any(x.startswith(b"b BAD") for x in lines), lines
    c = s.imap(user=None)
    c.send(f"a LOGIN alice guess\r\nb LOGIN bob {PASSWORD}\r\n"
           "c LOGOUT\r\n".encode())
    lines = c.closed()
    assert lines[0].startswith(b"a NO") and any(
        x.startswith(b"b OK") for x in lines)
    wait_for("all logins", lambda: len(login_lines(s)) >= 3)
    assert login_lines(s) == ["bob", "alice", "bob"]


def test_garbage_of_one_is_not_felt_by_another(suite):
    """CVE-2025-59028"""
    s = suite(main=ALL)
    s.imap().logout()
    words = itertools.cycle(ATTEMPTS.values())
    turn = threading.Lock()

    def garbage():
        c = s.imap(user=None)
        for _ in range(8):
            with turn:
                word = next(words)
            attempt(c, *word)
        c.socket.close()

    def login():
        c = s.imap(user=None)
        c.ok("AUTHENTICATE PLAIN " + plain("bob").decode())
        c.logout()
    is_not_felt(login, garbage, threads=2)


@pytest.mark.parametrize("byte", [b"\t", b"\n", b"\r", b"\0", b"\x01", b":",
                                  b"\x7f"])
def test_bytes_that_end_fields_elsewhere(suite, byte):
    """CVE-2008-1218: they are a part of the password, or refused."""
    s = suite(main=OPEN)
    for user, password in ((b"bob", PASSWORD.encode() + byte + b"x"),
                           (b"bob", b"x" + byte + b"pass=" +
                            PASSWORD.encode()),
                           (b"bob" + byte + b"x", PASSWORD.encode()),
                           (b"alice" + byte + b"user=bob",
                            PASSWORD.encode())):
        c = s.imap(user=None)
        attempt(c, b"AUTHENTICATE PLAIN " +
                b64(b"\0" + user + b"\0" + password), [])
        c.socket.close()
    s.imap().logout()  # its line comes behind any of those
    wait_for("a login", lambda: login_lines(s))
    assert login_lines(s) == ["bob"]


def flipped(data, step=1):
    """It with one bit changed, each in turn; and its beginnings."""
    for bit in range(0, len(data) * 8, step):
        yield bytes(byte ^ (1 << bit % 8 if at == bit // 8 else 0)
                    for at, byte in enumerate(data))
    for n in range(len(data)):
        yield data[:n]


def wrong_passwords():
    noise = random.Random(50)
    own = PASSWORD.encode()
    yield from (x for x in flipped(own) if b"\0" not in x)
    yield from (own + b"x", own.upper(), own + b" ", b" " + own, own * 2,
                b"{PLAIN}" + own, b"x" * 511, b"x" * 3000)
    for n in range(400):
        yield bytes(noise.randrange(1, 256)
                    for _ in range(len(own) if n % 2 else n % 64 + 1))


class Guesses:
    """Connections on which logins fail, until one does not."""

    def __init__(self, s):
        self.s, self.c, self.tried = s, None, 0

    def begin(self, command):
        """The server's first line."""
        if self.tried % 90 == 0:  # imap_login_limit
            self.close()
            self.c = self.s.imap(user=None)
        self.tried += 1
        self.c.send(b"x AUTHENTICATE " + command + b"\r\n")
        return self.c.line()

    def say(self, answer):
        self.c.send(b64(answer) + b"\r\n")
        return self.c.line()

    def challenge(self, line):
        assert line.startswith(b"+ "), line
        return base64.b64decode(line[2:])

    def close(self):
        if self.c:
            self.c.close()


def by_plain(g):
    for password in itertools.chain(wrong_passwords(), [PASSWORD.encode()]):
        yield g.begin(b"PLAIN " + b64(b"\0bob\0" + password))


def by_login(g):
    for password in itertools.chain(wrong_passwords(), [PASSWORD.encode()]):
        g.challenge(g.begin(b"LOGIN"))
        g.challenge(g.say(b"bob"))
        yield g.say(password)


def by_cram(g):
    """Also with each bit of the answer that is right."""
    def answer(change):
        text = g.challenge(g.begin(b"CRAM-MD5"))
        return g.say(b"bob " + change(text))

    def right(text):
        return hmac.digest(PASSWORD.encode(), text, "md5")

    for password in wrong_passwords():
        yield answer(lambda text, p=password: hmac.digest(
            p, text, "md5").hex().encode())
    for n in range(len(list(flipped(bytes(16))))):
        yield answer(lambda text, n=n: next(itertools.islice(
            flipped(right(text)), n, None)).hex().encode())
    yield answer(lambda text: right(text + b" ").hex().encode())
    yield answer(lambda text: right(text).hex().encode())


def by_scram(g, name):
    """Also with a bit of each byte of the proof that is right."""
    digest = name.decode().split("-", 1)[1].replace("-", "").lower()

    def answer(password, change=lambda proof: proof):
        client = Scram(digest, password=password)
        first = g.challenge(g.begin(name + b" " + b64(client.first.encode())))
        text, proof = client.final(first.decode()).rsplit(",p=", 1)
        proof = b64(change(base64.b64decode(proof)))
        return g.say(f"{text},p=".encode() + proof)

    # each costs both sides 4096 rounds
    for password in itertools.islice(wrong_passwords(), 0, None, 8):
        yield answer(password.decode("latin1"))
    for n in range(2 * hashlib.new(digest).digest_size):
        yield answer(PASSWORD, lambda proof, n=n: next(itertools.islice(
            flipped(proof, 8), n, None)))
    yield answer(PASSWORD, lambda proof: proof + b"x")
    # the server proves itself before it says OK
    if g.challenge(answer(PASSWORD)).startswith(b"v="):
        yield g.say(b"")


MECHANISMS = {
    "PLAIN": by_plain, "LOGIN": by_login, "CRAM-MD5": by_cram,
    "SCRAM-SHA-1": lambda g: by_scram(g, b"SCRAM-SHA-1"),
    "SCRAM-SHA-256": lambda g: by_scram(g, b"SCRAM-SHA-256")}


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_wrong_ones_are_wrong(suite, mechanism):
    """CVE-2020-12783: nothing but the password does, whatever it is near."""
    s = suite(main=ALL + "auth_mechanisms = plain login cram-md5 scram-sha-1 "
              "scram-sha-256\n")
    known = re.findall(r'MECHANISM\("([^"]+)"\)', (
        SOURCE / "lib/sasl/mechanisms.def").read_text())
    assert set(known) == set(MECHANISMS)
    g = Guesses(s)
    *wrong, right = MECHANISMS[mechanism](g)
    assert len(wrong) > 100
    for n, line in enumerate(wrong):
        assert line.startswith((b"x NO ", b"x BAD ")), (n, line)
    assert right.startswith(b"x OK "), right
    wait_for("the login", lambda: login_lines(s))
    assert login_lines(s) == ["bob"]


@pytest.mark.unsanitized
def test_aborted_exchanges_cost_no_memory(suite):
    """CVE-2017-15132"""
    s = suite(main=ALL)
    s.imap().logout()

    def abort(count):
        for _ in range(count):
            c = s.imap(user=None)
            for mechanism in (b"LOGIN", b"CRAM-MD5", b"SCRAM-SHA-256"):
                attempt(c, b"AUTHENTICATE " + mechanism, [b"*"])
            c.send(b"x AUTHENTICATE CRAM-MD5\r\n")
            c.line()
            c.socket.close()
    does_not_leak(s, ("imapd", "auth"), abort, 400)
    s.imap().logout()


def test_stuck_handshakes_hold_up_nobody(suite):
    """CVE-2014-3430"""
    s = suite(main=OPEN)
    s.imap().logout()
    stuck = []
    for i in range(60):
        c = socket.create_connection(("127.0.0.1", s.ports["imaps"]))
        # a record that promises 512 bytes, and some of them
        c.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"[:1 + i % 9])
        stuck.append(c)
    for _ in range(20):
        c = socket.create_connection(("127.0.0.1", s.ports["imap"]))
        c.sendall(b"a STARTTLS\r\n\x16\x03")
        stuck.append(c)
    began = time.monotonic()
    s.imap(tls="implicit").logout()
    s.imap(tls="starttls").logout()
    assert time.monotonic() - began < 20
    for c in stuck:
        c.close()


def test_nothing_that_was_said_in_clear_counts_behind_tls(suite):
    """NO STARTTLS: neither a name, nor an exchange, nor bytes behind it."""
    s = suite(main=OPEN)
    c = s.imap(user=None)
    assert not c.greeting.startswith(b"* PREAUTH")
    c.send(b"a AUTHENTICATE LOGIN\r\n")
    assert c.line().startswith(b"+ ")
    c.send(b"*\r\n")
    assert c.line().startswith(b"a BAD")
    c.starttls()
    # the list is another one, asked for anew
    assert "STARTTLS" not in c.capabilities()
    c.ok("LOGIN bob " + PASSWORD)
    c.logout()


def test_names_are_not_expanded(suite):
    """CVE-2017-2669: nor do they lead anywhere."""
    s = suite(main=ALL)
    s.imap().logout()
    before = {p for p in (s.root / "mail").rglob("*") if p.is_dir()}
    c = s.imap(user=None)
    for name in ("%u", "%n@%d", "%{user}", "$USER", "${user}", "$(id)", "`id`",
                 "bob%d", "%Lu", "%%u", "../bob", "bob/../alice", "./bob",
                 "bob@", "@example.test", "bob@@example.test", "*", "b*b",
                 "bob@example.test@example.test", "%h", "%s%n", "{PLAIN}",
                 "bob:x", "bob\\", "~", "bob@example.test/", "%1u", "bob\t"):
        attempt(c, b"AUTHENTICATE PLAIN " + plain(name), [])
    c.ok("LOGIN bob " + PASSWORD)
    c.logout()
    wait_for("a login", lambda: login_lines(s).count("bob") == 2)
    assert len(login_lines(s)) == 2
    assert {p for p in (s.root / "mail").rglob("*") if p.is_dir()} == before


# what is held back, of a command that has no end
ENDLESS = [b"(" * 60000, b")" * 60000, b"()" * 30000, b"(" + b")(" * 30000,
           b"\"" * 60000, b"\\" * 60000, b"{1+}\r\nx " * 8000,
           b"{0+}\r\n" * 8000, b"({1+}\r\nx" * 8000, b"~{1+}\r\nx" * 8000,
           b"{1000+}\r\n" + b"x" * 1000, b"[" * 60000, b"<" * 60000]


@pytest.mark.unsanitized
@pytest.mark.parametrize("command", [b"a LOGIN ", b"a AUTHENTICATE ",
                                     b"a ID ", b"a "])
def test_no_command_before_the_login_holds_much(suite, command):
    """CVE-2026-27857, CVE-2026-42006, CVE-2024-34055: brackets that open,
    close, or both, and literals of any number."""
    s = suite(main=ALL + "imapd_client_connection_count_limit = 0\n")
    s.imap().logout()

    def hold():
        held = []
        for data in ENDLESS * 3:
            c = s.imap(user=None)
            try:
                c.send(command + data)
            except ConnectionError:
                pass  # it was heard out, and told so
            held.append(c)
        began = time.monotonic()
        s.imap().logout()
        assert time.monotonic() - began < 10
        most = largest()
        for c in held:
            c.socket.close()
        return most

    def largest():
        """kB of one process: others may be started meanwhile."""
        return max(resident(pid) for pid in s.processes("imapd"))
    before = largest()
    most = hold()
    # all at once: 39 connections with some buffers each
    assert most - before < 39 * 100, (before, most)
