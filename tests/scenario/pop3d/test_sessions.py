# SPDX-License-Identifier: ISC
"""Locks, isolation between sessions, rights of processes, size."""
import contextlib
import os
import pathlib
import re
import signal
import threading
import time

import pytest

from pop3_client import Client, crlf, put, served
from posthaste import AS_ROOT, ROOT, is_not_felt, wait_for

ONE = b"Subject: one\r\n\r\ntext\r\n"


def test_second_login_to_a_locked_maildrop(suite):
    s = suite()
    crlf(s, "bob", 1, ONE)
    a = Client(s, "pop3s", login="bob")
    b = Client(s, "pop3s", login="bob")
    assert b.last.startswith(b"-ERR [IN-USE]")
    assert b.closed()
    # another mailbox is not concerned, and the first goes on
    assert Client(s, "pop3s", login="alice").last == b"+OK Logged in"
    assert a.say("STAT").startswith(b"+OK 1")
    assert a.say("QUIT").startswith(b"+OK")
    assert a.closed()
    assert Client(s, "pop3s", login="bob").last == b"+OK Logged in"


def test_killed_holder_leaves_no_lock(suite):
    s = suite()
    crlf(s, "bob", 1, ONE)
    a = Client(s, "pop3s", login="bob")
    parent, child = s.processes("pop3d-session")
    os.kill(child, signal.SIGKILL)
    assert a.closed()

    def again():
        c = Client(s, "pop3s", login="bob")
        return c.last == b"+OK Logged in"

    wait_for("a login after the holder died", again)


@pytest.mark.unsanitized
def test_a_killed_process_is_in_the_log(suite):
    s = suite()
    s.may_crash = True
    crlf(s, "bob", 1, ONE)
    for number in (signal.SIGKILL, signal.SIGSEGV, signal.SIGSYS):
        c = Client(s, "pop3s", login="bob")
        assert c.last == b"+OK Logged in"
        parent, child = s.processes("pop3d-session")
        os.kill(child, number)
        assert c.closed()
        s.wait_log(rf"warning: process pop3d-session pid {child} of "
                   rf"user=<bob@example.test> killed by signal {number}: ")
        c.close()
    # nothing is left of them
    assert s.processes("pop3d-session") == [parent]


@pytest.mark.parametrize("port", ["pop3", "pop3s"])
def test_every_end_is_in_the_log(suite, port):
    s = suite(main="disable_plaintext_auth = no\npop3_timeout = 2s\n"
              "pop3_login_timeout = 6s\n")
    crlf(s, "bob", 1, ONE)
    clients = {"quit": Client(s, port), "lost connection": Client(s, port),
               "line too long": Client(s, port)}
    clients["quit"].say("QUIT")
    clients["lost connection"].close()
    clients["line too long"].send(b"x" * 5000)
    idle = Client(s, port)
    for reason in clients:
        s.wait_log(r"disconnect client=\[127.0.0.1\], session=\w+, no login, "
                   rf"reason=\({reason}\)")
    s.wait_log(r"no login, reason=\(timeout: see pop3_login_timeout\)")
    assert idle.line().startswith(b"-ERR")
    c = Client(s, port, login="bob")
    s.wait_log(r"logout user=<bob.*reason=\(timeout: see pop3_timeout\)")
    c = served(s, port, login="bob")
    c.close()
    s.wait_log(r"logout user=<bob.*reason=\(lost connection\)")


def test_sessions_that_stop_ends_are_in_the_log(suite):
    s = suite(main="disable_plaintext_auth = no\n")
    crlf(s, "bob", 1, ONE)
    c = Client(s, login="bob")
    assert c.say("DELE 1").startswith(b"+OK")
    d = Client(s, "pop3s", login="alice")
    s.stop()
    for each in (c, d):
        assert each.line() == b"-ERR [SYS/TEMP] The server stops"
        assert each.closed()
    log = s.log()
    assert re.search(r"logout user=<bob.*deleted=0, left=1, "
                     r"reason=\(the server stops\)", log)
    assert re.search(r"logout user=<alice.*reason=\(", log)
    assert re.search(r"disconnect client=\[127.0.0.1\], session=\w+, "
                     r"reason=\(the server stops\)", log)
    assert len(s.messages("bob")) == 1


def test_failed_login_delays_nobody_else(suite):
    s = suite()
    crlf(s, "bob", 1, ONE)
    slow = []

    def guess(i):
        c = Client(s, "pop3s")
        c.say("USER alice")
        began = time.monotonic()
        assert c.say("PASS guess").startswith(b"-ERR [AUTH]")
        slow.append(time.monotonic() - began)

    threads = [threading.Thread(target=guess, args=(i,)) for i in range(8)]
    for t in threads:
        t.start()
    wait_for("the first", lambda: slow)
    c = Client(s, "pop3s", login="bob")
    assert c.last == b"+OK Logged in"
    c.many("RETR 1")
    c.say("QUIT")
    # the last of them wait for seconds
    assert any(t.is_alive() for t in threads)
    for t in threads:
        t.join()
    assert 3 < max(slow) < 20


def test_garbage_logins_do_not_disturb_others(suite):
    s = suite(main="auth_failure_delay_max = 0\n")
    crlf(s, "bob", 1, ONE)

    def garbage():
        with contextlib.suppress(OSError, EOFError, AssertionError):
            c = Client(s, "pop3s")
            c.say("AUTH LOGIN")
            c.say("!!!!")
            c.say("AUTH PLAIN " + "A" * 400)
            c.send(b"AUTH PLAIN\r\n" + bytes(range(1, 255)))
            c.close()

    def login():
        c = Client(s, "pop3s", login="bob")
        assert c.last == b"+OK Logged in"
        assert c.say("STAT").startswith(b"+OK 1")
        c.say("QUIT")
        assert c.closed()
    is_not_felt(login, garbage)


def test_one_process_serves_a_user_and_leaves(suite):
    s = suite()
    crlf(s, "bob", 1, ONE)
    a = Client(s, "pop3s", login="bob")
    Client(s, "pop3s", login="bob")
    assert len(s.processes("pop3d-session")) == 2  # parent and bob's
    c = Client(s, "pop3s", login="alice")
    assert len(s.processes("pop3d-session")) == 3
    for each in (a, c):
        each.say("QUIT")
        assert each.closed()
    wait_for("bob's process to leave",
             lambda: len(s.processes("pop3d-session")) <= 2)
    assert Client(s, "pop3s", login="bob").last == b"+OK Logged in"


def status(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return dict(x.split(":\t", 1) for x in text.splitlines() if ":\t" in x)


def filtered():
    """Value of Seccomp in /proc: sanitized builds have no filter."""
    program = (ROOT / "libexec/posthaste/pop3d").read_bytes()
    return "0" if b"__asan_init" in program else "2"


@pytest.mark.skipif(not AS_ROOT, reason="needs root to separate rights")
def test_rights(suite):
    s = suite()
    crlf(s, "bob", 1, ONE)
    c = Client(s, "pop3s", login="bob")
    assert c.last == b"+OK Logged in"
    parent, child = s.processes("pop3d-session")
    of = status(child)
    assert set(of["Uid"].split()) == {str(s.uid)}
    assert set(of["Gid"].split()) == {str(s.gid)}
    assert of["Groups"].split() in ([], [str(s.gid)])
    assert of["CapEff"].strip("0") == "" and of["CapPrm"].strip("0") == ""
    assert of["Seccomp"] == filtered() and of["NoNewPrivs"] == "1"
    assert os.readlink(f"/proc/{child}/root") == str(s.maildir("bob"))
    logins, keys = s.processes("pop3d"), s.processes("keyd")
    assert logins and keys
    for login in logins:
        of = status(login)
        assert "0" not in of["Uid"].split()
        assert of["Seccomp"] == filtered()
    for pid in logins + keys:
        assert os.readlink(f"/proc/{pid}/root") == str(s.root / "spool/empty")


def test_ten_thousand_messages(suite):
    s = suite()
    body = b"Subject: n\r\n\r\n" + b"0123456789" * 20 + b"\r\n"
    crlf(s, "bob", 0, body)
    new = s.maildir("bob") / "new"
    n = len(body)
    (first,) = new.iterdir()
    for i in range(1, 10000):
        os.link(first, new / f"{1700000000 + i}.M1P1_{i}.host,S={n},W={n}")
    began = time.monotonic()
    c = Client(s, "pop3s", login="bob")
    assert c.last == b"+OK Logged in"
    assert c.say("STAT") == b"+OK 10000 %d" % (10000 * n)
    assert len(c.many("LIST")[1]) == 10000
    assert len({x.split()[1] for x in c.many("UIDL")[1]}) == 10000
    assert time.monotonic() - began < 60
    # a client that reads all of it with commands far ahead of the answers
    commands = [b"RETR %d\r\n" % i for i in range(1, 1001)]
    commands += [b"DELE %d\r\n" % i for i in range(1, 10001)]
    answers = c.ahead(b"".join(commands) + b"QUIT\r\n")
    for _ in range(1000):
        assert next(answers).startswith(b"+OK")
        assert len([x for x in iter(lambda: next(answers), b".")]) == 3
    for _ in range(10000):
        assert next(answers).startswith(b"+OK")
    assert next(answers) == b"+OK Good bye"
    assert s.messages("bob") == []


def test_large_message_byte_for_byte(suite):
    s = suite()
    line = b".x" * 30 + b"\r\n"
    body = b"Subject: big\r\n\r\n" + line * 50000 + b"y" * 200000 + b"\r\n"
    crlf(s, "bob", 1, body)
    put(s, "bob", "1700000009.M1P1_9.host", body.replace(b"\r\n", b"\n"))
    for port in ("pop3s",):
        c = Client(s, port, login="bob")
        for number in (1, 2):
            first, lines = c.many(f"RETR {number}")
            assert first == b"+OK %d octets" % len(body)
            got = b"".join(x[x.startswith(b"."):] + b"\r\n" for x in lines)
            assert got == body
        c.say("QUIT")


def test_reload_and_stop_with_sessions(suite):
    s = suite()
    crlf(s, "bob", 1, ONE)
    c = Client(s, "pop3s", login="bob")
    s.posthaste("reload")
    assert c.say("STAT").startswith(b"+OK 1")
    d = Client(s, "pop3s", login="alice")
    assert d.last == b"+OK Logged in"
    assert c.many("RETR 1")[1][0] == b"Subject: one"
    s.stop()
    for left in (c, d):
        assert left.file.read() in (b"", b"-ERR [SYS/TEMP] The server stops"
                                    b"\r\n")


def test_a_mailbox_that_is_not_there_is_empty(suite):
    s = suite()
    c = Client(s, "pop3s", login="carol")
    assert c.last == b"+OK Logged in"
    assert c.say("STAT") == b"+OK 0 0"
    assert c.many("LIST")[1] == []
    assert c.say("QUIT").startswith(b"+OK")
    assert c.closed()
    assert not s.maildir("carol").exists()


@pytest.mark.skipif(not AS_ROOT, reason="needs root")
def test_a_link_leads_nowhere_its_owner_cannot_go(suite):
    """The session stage enters the mailbox as its owner, not as root."""
    s = suite()
    crlf(s, "bob", 1, ONE)
    closed = s.root / "closed"
    for part in (closed, closed / "box", *(closed / "box" / p
                                           for p in ("new", "cur", "tmp"))):
        part.mkdir(mode=0o755)
        part.chmod(0o755)
    secret = closed / "box/cur/1700000009.M1P1_9.host,S=24,W=24:2,"
    secret.write_bytes(ONE)
    secret.chmod(0o644)
    closed.chmod(0o700)
    home = s.maildir("alice")
    home.parent.mkdir(parents=True, exist_ok=True)
    if home.exists():
        home.rename(home.with_name("alice.was"))
    home.symlink_to(closed / "box")
    os.lchown(home, s.uid, s.gid)
    c = Client(s, "pop3s", login=None)
    c.say("USER alice")
    with pytest.raises(EOFError):
        assert not c.say("PASS posthaste").startswith(b"+OK")
        c.line()
    assert Client(s, "pop3s", login="bob").last == b"+OK Logged in"
    # closed above, but the mailbox is the user's own
    os.chown(closed / "box", s.uid, s.gid)
    for part in ("new", "cur", "tmp"):
        os.chown(closed / "box" / part, s.uid, s.gid)
    assert Client(s, "pop3s", login="alice").last == b"+OK Logged in"
