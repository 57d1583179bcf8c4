# SPDX-License-Identifier: ISC
"""Clients that mean no good, and what they must not be able to do."""
import os
import re
import signal
import socket
import time

import pytest
from peers import broken_off_anywhere
from pop3_client import Client, crlf, served
from posthaste import does_not_leak, wait_for

ONE = b"Subject: one\r\n\r\ntext\r\n"
OPEN = "disable_plaintext_auth = no\nauth_failure_delay_max = 0\n"


def works(s):
    c = Client(s, login="bob")
    assert c.last == b"+OK Logged in"
    assert c.say("STAT").startswith(b"+OK 1 ")
    assert c.say("QUIT").startswith(b"+OK")
    assert c.closed()


def test_disconnect_at_every_byte(suite):
    s = suite(main=OPEN)
    crlf(s, "bob", 1, ONE)
    works(s)
    before = s.processes("pop3d"), s.processes("auth")
    for dialogue in (
            [b"CAPA\r\n", b"STLS\r\n", b"\x16\x03\x01\x02\x00\x01"],
            [b"AUTH LOGIN\r\n", b"Ym9i\r\n", b"d3Jvbmc=\r\n", b"QUIT\r\n"],
            [b"AUTH PLAIN AGFsaWNlAHBvc3RoYXN0ZQ==\r\n", b"TOP 1 1\r\n",
             b"QUIT\r\n"],
            [b"USER alice\r\n", b"PASS posthaste\r\n", b"UIDL\r\n",
             b"DELE 1\r\n", b"QUIT\r\n"]):
        broken_off_anywhere(s.ports["pop3"], dialogue)
    works(s)
    assert all(set(b) <= set(s.processes(name))
               for b, name in zip(before, ("pop3d", "auth")))


def test_arguments_of_every_length(suite):
    s = suite(main=OPEN + "pop3_error_limit = 1000\n")
    crlf(s, "bob", 1, ONE)
    works(s)
    before = s.processes("pop3d")
    for verb in (b"USER ", b"PASS ", b"AUTH ", b"AUTH PLAIN ", b"X"):
        for n in (0, 1, 31, 32, 33, 63, 64, 65, 255, 256, 257, 500, 507, 508,
                  511, 512, 513, 1023, 4096, 65535, 70000):
            c = Client(s)
            answers = []
            try:
                c.send(verb + b"A" * n + b"\r\nQUIT\r\n")
                c.socket.shutdown(socket.SHUT_WR)
                while True:
                    answers.append(c.line())
            except (EOFError, OSError):
                pass
            assert all(a[:3] in (b"+OK", b"-ER", b"+ ", b".", b"PLA",
                                 b"LOG")
                       or a in (b"PLAIN", b"LOGIN", b"+ ") for a in answers)
            c.close()
    works(s)
    assert set(before) <= set(s.processes("pop3d"))


@pytest.mark.unsanitized
def test_aborted_logins_cost_no_memory(suite):
    s = suite(main=OPEN)
    crlf(s, "bob", 1, ONE)

    def abort(count):
        for _ in range(count):
            c = Client(s)
            c.say("AUTH LOGIN")
            c.say("Ym9i")
            c.say("*")
            c.say("AUTH LOGIN")
            c.close()

    does_not_leak(s, ("pop3d", "auth"), abort, 600)
    works(s)


def test_stuck_handshakes_hold_up_nobody(suite):
    s = suite(main=OPEN)
    crlf(s, "bob", 1, ONE)
    stuck = []
    for i in range(60):
        c = socket.create_connection(("127.0.0.1", s.ports["pop3s"]))
        # a record that promises 512 bytes, and some of them
        c.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"[:1 + i % 9])
        stuck.append(c)
    began = time.monotonic()
    c = Client(s, "pop3s", login="bob")
    assert c.last == b"+OK Logged in"
    assert time.monotonic() - began < 20
    c.say("QUIT")
    for c in stuck:
        c.close()


def test_garbage_instead_of_tls(suite):
    s = suite(main=OPEN)
    crlf(s, "bob", 1, ONE)
    for data in (b"QUIT\r\n", b"\0" * 100, b"GET / HTTP/1.1\r\n\r\n",
                 b"\x16\x03\x01\xff\xff" + b"x" * 70000,
                 b"\x80\x2e\x01\x00\x02" + b"\0" * 50):
        with socket.create_connection(("127.0.0.1",
                                       s.ports["pop3s"])) as c:
            try:
                c.sendall(data)
                c.shutdown(socket.SHUT_WR)
                c.settimeout(10)
                while c.recv(1000):
                    pass
            except OSError:
                pass
    s.wait_log("TLS handshake failed: client=.127.0.0.1")
    works(s)


def test_a_client_that_does_not_read(suite):
    """It holds its own mailbox and nothing else."""
    s = suite(main="pop3_timeout = 3s\n" + OPEN)
    big = b"Subject: big\r\n\r\n" + (b"x" * 70 + b"\r\n") * 100000
    crlf(s, "bob", 1, ONE)
    crlf(s, "alice", 1, big)
    for n, port in enumerate(("pop3", "pop3s"), 1):
        lazy = served(s, port, login="alice")
        lazy.send(b"RETR 1\r\n" * 5)
        time.sleep(0.3)  # the server cannot write on by then
        works(s)
        wait_for("its end", lambda: len(re.findall(
            r"logout user=<alice@example.test>.*reason=", s.log())) == n)
        lazy.close()


def test_one_client_does_not_get_all_connections(suite):
    s = suite(main=OPEN + "pop3d_client_connection_count_limit = 3\n")
    crlf(s, "bob", 1, ONE)
    held = [Client(s) for _ in range(3)]
    refused = Client(s)
    assert refused.greeting == (b"-ERR [SYS/TEMP] Too many connections from "
                                b"your address")
    assert refused.closed()
    s.wait_log(r"warning: Connection concurrency limit exceeded: "
               r"\[127.0.0.1\].*see pop3d_client_connection_count_limit")
    s.wait_log(r"reason=\(pop3d_client_connection_count_limit\)")
    # of another address, and after one has gone
    other = Client(s, source="127.0.0.2")
    assert other.greeting.startswith(b"+OK")
    held.pop().close()
    s.wait_log(r"client=\[127.0.0.1\].* no login, reason=\(lost connection\)")

    def admitted():
        """It is counted until after it is in the log."""
        c = Client(s)
        return c if c.greeting.startswith(b"+OK") else None

    c = wait_for("a place", admitted)
    assert c.say("USER bob").startswith(b"+OK")
    assert c.say("PASS posthaste") == b"+OK Logged in"
    other.close()


def test_the_limit_holds_over_processes_and_their_death(suite):
    s = suite(main=OPEN + "pop3d_client_connection_count_limit = 12\n")
    crlf(s, "bob", 1, ONE)
    held = [Client(s) for _ in range(12)]
    assert all(c.greeting.startswith(b"+OK") for c in held)
    assert Client(s).greeting.startswith(b"-ERR [SYS/TEMP]")
    for pid in s.processes("pop3d"):
        os.kill(pid, signal.SIGKILL)
    assert all(c.closed() for c in held)
    # nothing stays counted
    again = [Client(s) for _ in range(12)]
    assert all(c.greeting.startswith(b"+OK") for c in again)


def test_one_user_from_one_address(suite):
    """Where there is no mailbox there is no lock; the number is bounded."""
    s = suite(main=OPEN + "mail_max_userip_connections = 2\n")
    held = [Client(s, port, login="carol") for port in ("pop3", "pop3s")]
    assert all(c.last == b"+OK Logged in" for c in held)
    for port in ("pop3", "pop3s"):
        refused = Client(s, port, login="carol")
        assert refused.last.startswith(b"-ERR [SYS/TEMP] Too many sessions")
        assert refused.closed()
    s.wait_log(r"warning: too many sessions of user=<carol@example.test>, "
               r"client=127.0.0.1, .*: see mail_max_userip_connections")
    assert Client(s, login="carol", source="127.0.0.2").last == \
        b"+OK Logged in"
    assert Client(s, login="alice").last == b"+OK Logged in"
    assert held[0].say("QUIT").startswith(b"+OK")
    assert held[0].closed()
    assert Client(s, login="carol").last == b"+OK Logged in"
