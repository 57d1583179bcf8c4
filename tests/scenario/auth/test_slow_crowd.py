# SPDX-License-Identifier: ISC
"""A crowd of logins whose accounts are on a slow server: those of a file get in
at once meanwhile, at every stage, and everybody hears something."""
import collections
import contextlib
import re
import socket
import threading
import time

import pytest

import parked
import scripted_redis
from posthaste import PASSWORD, resident, wait_for
from test_table_accounts import login

CROWD = 200
MAIN = "disable_plaintext_auth = no\ndefault_process_limit = 500\n"
FAST = "fast@example.test"
LONG = 40  # seconds that an answer takes, if it is not let go before
QUEUE = 30  # seconds: who would have to wait longer is told at once
MANY = 300  # more than can be served in that time, less than there is room for


class Held:
    """auth gets its answers, auth-session none until they are released."""

    def __init__(self):
        self.asked = collections.Counter()
        self.released = threading.Event()

    def answer(self, key):
        self.asked[key] += 1
        if self.asked[key] > 1:
            self.released.wait(LONG)
        return scripted_redis.entry(key)

    def held(self):
        return sum(n > 1 for n in self.asked.values())


class Slow:
    """Each answer takes so long, until it is made quick."""

    def __init__(self, seconds):
        self.seconds = seconds
        self.quick = threading.Event()

    def answer(self, key):
        self.quick.wait(self.seconds)
        return scripted_redis.entry(key)


class Client:
    """One of a crowd, with an address of its own, that has sent its login."""

    def __init__(self, s, protocol, i, password="pw-u%d"):
        self.c = socket.create_connection(
            ("127.0.0.1", s.ports[protocol]), timeout=90,
            source_address=(f"127.0.{1 + i // 250}.{1 + i % 250}", 0))
        self.said = b""
        user, password = f"u{i}@example.test", password.replace("%d", str(i))
        words = [f"a LOGIN {user} {password}\r\n"]
        if protocol == "pop3":
            words = [f"USER {user}\r\n", f"PASS {password}\r\n"]
        self.c.sendall("".join(words).encode())
        self.answers = 1 + len(words)  # and the greeting
        self.protocol = protocol

    def has_answer(self):
        if self.protocol == "imap":
            return re.search(rb"^a (OK|NO) ", self.said, re.M)
        lines = self.said.count(b"\r\n")
        return lines >= self.answers and re.search(
            rb"^(\+OK|-ERR)[^\r\n]*\r\n\Z", self.said, re.M)

    def ended(self):
        """Who has an answer leaves, and makes room for another."""
        if self.c.fileno() == -1:
            return True
        self.c.setblocking(False)
        with contextlib.suppress(BlockingIOError, ConnectionResetError):
            while part := self.c.recv(65536):
                self.said += part
        if not self.has_answer():
            return False
        self.c.close()
        return True


def get_in_at_once(s, protocol, times, others=LONG):
    """Long before anybody would who had to wait for the others' answers, on a
    machine that has much else to do as well."""
    start = time.monotonic()
    for _ in range(times):
        assert login(s, protocol, FAST, PASSWORD) == ""
    assert time.monotonic() - start < others / 2


def everybody_hears(crowd):
    wait_for("everybody's answer", lambda: all(c.ended() for c in crowd))


@pytest.mark.parametrize("protocol", ["imap", "pop3"])
def test_sessions_of_others_begin_meanwhile(suite, protocol):
    """All of the crowd have logged in, and wait for their sessions."""
    held = Held()
    redis = scripted_redis.Redis(held.answer)
    s = scripted_redis.site(suite, redis, main=MAIN, files="fast",
                            timeout=60)
    get_in_at_once(s, protocol, 1)
    parent, = s.processes(f"{protocol}d-session")[:1]
    before = resident(parent)
    crowd = [Client(s, protocol, i) for i in range(CROWD)]
    # auth-session asks about eight at a time in each of its processes
    wait_for("the crowd", lambda: held.held() >= 8 and len(held.asked) > CROWD)
    get_in_at_once(s, protocol, 5)
    assert resident(parent) - before < 8000
    held.released.set()
    everybody_hears(crowd)
    assert all(b"[AUTH" not in c.said for c in crowd)
    assert login(s, protocol, "u900@example.test", "pw-u900") == ""
    get_in_at_once(s, protocol, 1)
    redis.close()


TOO_SLOW = (r"accounts\.cf lookup error: the server is too slow:"
            r" \d+ questions come first, and an answer takes \d+ ms")


def test_who_would_come_too_late_is_told_at_once(suite):
    slow = Slow(3.5)
    redis = scripted_redis.Redis(slow.answer)
    s = scripted_redis.site(suite, redis, main=MAIN, files="fast",
                            timeout=20)
    get_in_at_once(s, "imap", 1)
    crowd = []

    def gone():
        return sum(c.ended() for c in crowd)

    def one_more():
        i = len(crowd)
        if i - gone() < MANY:
            crowd.append(Client(s, ("imap", "pop3")[i % 2], i, "wrong"))
        return re.search(TOO_SLOW, s.log())
    while len(crowd) < MANY:
        one_more()
    wait_for("first answers", lambda: gone() >= 24)
    wait_for("it to be known how long answers take", one_more)
    wait_for("who is told so", lambda: any(
        c.ended() and
        (b"[UNAVAILABLE]" in c.said or b"[SYS/TEMP]" in c.said)
        for c in crowd), QUEUE / 2)
    get_in_at_once(s, "imap", 1, QUEUE)
    slow.quick.set()
    everybody_hears(crowd)
    assert login(s, "imap", "u899@example.test", "pw-u899") == ""
    redis.close()


def test_many_that_wake_keep_nobody_waiting(suite):
    """Of each that is parked the accounts are asked whether it is still what
    it was."""
    slow = Slow(0)
    redis = scripted_redis.Redis(slow.answer)
    s = scripted_redis.site(suite, redis, main=MAIN + parked.SOON,
                            files="fast", timeout=60)
    sleepers = [s.imap(None) for _ in range(12)]
    for i, c in enumerate(sleepers):
        c.login(f"u{i}", f"pw-u{i}")
    parked.all_parked(s)
    slow.seconds = LONG
    asked = len(redis.asked)
    for c in sleepers:
        c.send(b"w NOOP\r\n")
    wait_for("questions", lambda: len(redis.asked) > asked)
    get_in_at_once(s, "imap", 3)
    slow.quick.set()
    for c in sleepers:
        assert parked.until(c, b"w ")[-1].startswith(b"w OK")
    assert "BYE" not in s.log()
    redis.close()


def test_who_shares_with_a_user_is_asked_all_at_once(suite):
    """One after the other they would hold up everybody for as long as all of
    their answers take."""
    owners = {f"u{i}@example.test" for i in range(1, 13)}
    at_once = threading.Semaphore(4)
    together = threading.Event()

    def answer(key):
        if key in owners:
            if not at_once.acquire(blocking=False):
                together.set()
                return scripted_redis.entry(key)
            together.wait(1)
            at_once.release()
        return scripted_redis.entry(key)

    redis = scripted_redis.Redis(answer)
    s = scripted_redis.site(suite, redis, main=MAIN + "mail_shared_prefix = "
                            "shared\n", timeout=60)
    assert login(s, "imap", "u900@example.test", "pw-u900") == ""
    folder = s.root / "data/imap-shares/u0@example.test"
    folder.mkdir()
    for owner in owners:
        (folder / owner).touch()
    assert login(s, "imap", "u0@example.test", "pw-u0") == ""
    assert together.is_set()
    assert owners <= set(redis.asked)
    redis.close()
