# SPDX-License-Identifier: ISC
"""Mailboxes that are one file, as local delivers them."""
import fcntl
import os
import pathlib
import random
import re
import signal
import threading
import time

import pytest

from mbox_files import FROM, box, mbox_suite, message, put, subjects
from pop3_client import Client, served
from posthaste import AS_ROOT, wait_for

SYSTEM_USER = "posthaste-mail"  # a system user that is always there in tests


def login(s, user="bob", port="pop3"):
    c = Client(s, port, login=user)
    assert c.last == b"+OK Logged in", (c.last, s.log_tail())
    return c


def quit(c):
    assert c.say("QUIT") == b"+OK Good bye"
    assert c.closed()


def uidl(c):
    return dict(reversed(x.split()) for x in c.many("UIDL")[1])


def test_a_whole_session(suite):
    s = mbox_suite(suite, content=message(1) + message(2) + message(3))
    inode = box(s).stat().st_ino
    c = login(s, port="pop3s")
    size = len(message(1)[len(FROM):-1]) + 4
    assert c.say("STAT") == b"+OK 3 %d" % (3 * size)
    first, lines = c.many("RETR 2")
    assert first == b"+OK %d octets" % size
    assert lines == [b"Subject: number 2", b"Message-ID: <2@x>", b"",
                     b"x" * 100]
    assert c.many("TOP 3 0")[1] == lines[:0] + [
        b"Subject: number 3", b"Message-ID: <3@x>", b""]
    names = uidl(c)
    assert len(names) == 3
    # nothing is locked meanwhile, and nothing changed
    assert os.listdir(box(s).parent) == ["bob"]
    assert c.say("DELE 1").startswith(b"+OK")
    quit(c)
    assert box(s).read_bytes() == message(2) + message(3)
    assert box(s).stat().st_ino == inode
    s.wait_log("logout user=<bob@example.test>.*retrieved=1, .*deleted=1, "
               "left=2$")
    s.stop()
    s.start()
    c = login(s)
    assert uidl(c).keys() == {n for n, i in names.items() if i != b"1"}
    assert c.say("DELE 1").startswith(b"+OK")
    assert c.say("DELE 2").startswith(b"+OK")
    quit(c)
    assert box(s).read_bytes() == b""
    assert login(s).say("STAT") == b"+OK 0 0"


def test_nothing_is_deleted_without_quit(suite):
    s = mbox_suite(suite, content=message(1) + message(2))
    c = login(s)
    c.say("DELE 1")
    c.close()
    s.wait_log(r"deleted=0, left=2, reason=\(lost connection\)")
    assert box(s).read_bytes() == message(1) + message(2)


BODIES = [
    "From here\r\n>From there\r\n>>From x\r\n.\r\n..two\r\n\r\n\r\n",
    "text\r\n\r\nFrom alice@example.test  Sat Nov 21 13:25:01 2026\r\n"
    "Subject: not a message\r\n\r\nmore\r\n",
    "x" * 900 + "\r\n>\r\n>>>>From \r\nFrom\r\n",
]


@pytest.mark.skipif(not AS_ROOT, reason="a PAM service is a file in "
                    "/etc/pam.d")
@pytest.mark.parametrize("where", ["spool", "home"])
def test_mail_of_system_users_is_where_local_delivers_it(suite, pam, where):
    s = suite(main="disable_plaintext_auth = no\n"
              f"account_files = $config_directory/accounts, pam:{pam(SYSTEM_USER)}\n",
              start=False)
    spool = s.root / "var-mail"
    spool.mkdir()
    os.chown(spool, 0, 8)  # mail
    spool.chmod(0o2775)
    if where == "spool":
        s.set(mail_spool_directory=spool)
        file = spool / SYSTEM_USER
    else:
        import pwd
        file = pathlib.Path(pwd.getpwnam(SYSTEM_USER).pw_dir) / (
            f"mbox-test-{os.getpid()}")
        if not os.access(file.parent, os.W_OK):
            pytest.skip("the system user has no home")
        s.set(home_mailbox=file.name)
    s.start()
    try:
        for i, body in enumerate(BODIES):
            s.send(to=f"{SYSTEM_USER}@local.test", subject=f"m{i}",
                   body=body)
        wait_for("deliveries", lambda: file.exists() and
                 len(re.findall(rb"^Subject: m", file.read_bytes(), re.M)) == 3)
        s.wait_empty()
        c = login(s, SYSTEM_USER)
        got = {}
        for i in range(1, 4):
            text = b"".join(x[x.startswith(b"."):] + b"\r\n"
                            for x in c.many(f"RETR {i}")[1])
            head, body = text.split(b"\r\n\r\n", 1)
            got[re.search(rb"Subject: (\w+)", head)[1]] = body
        assert got == {b"m%d" % i: body.encode()
                       for i, body in enumerate(BODIES)}
        assert c.say("DELE 2").startswith(b"+OK")
        quit(c)
        assert len(re.findall(rb"^Subject: m", file.read_bytes(), re.M)) == 2
        assert file.stat().st_uid == s.uid
        s.wait_log(rf"login user=<{SYSTEM_USER}>, .*messages=3")
    finally:
        if where == "home":
            file.unlink(missing_ok=True)


def test_two_sessions_and_deliveries(suite):
    s = mbox_suite(suite, content=message(1) + message(2))
    c = login(s)
    other = Client(s, "pop3s", login="bob")
    assert other.last.startswith(b"-ERR [IN-USE]")
    assert other.closed()
    # another generation's process does not get it either
    s.posthaste("reload")
    other = Client(s, login="bob")
    assert other.last.startswith(b"-ERR [IN-USE]")
    # mail that comes meanwhile is neither in the session nor lost
    with open(box(s), "ab") as f:
        f.write(message(3))
    assert c.say("STAT").startswith(b"+OK 2 ")
    assert c.many("RETR 2")[1][0] == b"Subject: number 2"
    c.say("DELE 1")
    c.say("DELE 2")
    quit(c)
    assert box(s).read_bytes() == message(3)
    assert uidl(login(s))


def test_changed_by_another_program(suite):
    s = mbox_suite(suite, content=message(1) + message(2) + message(3))
    c = login(s)
    names = uidl(c)
    put(s, message(2).replace(b"Message-ID", b"Status: RO\nMessage-ID") +
        message(3) + message(4))
    assert c.say("RETR 1") == (b"-ERR Message 1 is gone: another program has "
                               b"removed it")
    assert c.many("RETR 3")[1][0] == b"Subject: number 3"
    for i in (1, 3):
        assert c.say(f"DELE {i}").startswith(b"+OK")
    quit(c)
    assert subjects(s) == [b"number 2", b"number 4"]
    again = uidl(login(s))
    assert {n for n, i in names.items() if i == b"2"} < again.keys()


def test_shrinks_while_it_is_sent(suite):
    """The client gets no dot, and so no message that is not one."""
    s = mbox_suite(suite, content=message(1, 30_000_000))
    c = login(s)
    c.send(b"RETR 1\r\n")
    assert c.line().startswith(b"+OK")
    os.truncate(box(s), 1000)
    with pytest.raises((EOFError, AssertionError)):
        while c.line() != b".":
            pass
        raise AssertionError("the end of a message")
    s.wait_log(r"warning: reading a message: Stale file handle")
    s.wait_log(r"logout user=<bob@example.test>.*reason=\(")
    c = served(s, login="bob")
    assert c.many("RETR 1")[1][0] == b"Subject: number 1"


def test_locks_of_others_are_waited_for(suite):
    s = mbox_suite(suite, content=message(1))
    quit(login(s))
    for kind in ("dotlock", "fcntl"):
        if kind == "dotlock":
            lock = box(s).with_name("bob.lock")
            lock.write_text("1\n")
            release = lock.unlink
        else:
            held = open(box(s), "r+b")
            fcntl.lockf(held, fcntl.LOCK_EX)
            release = held.close
        timer = threading.Timer(1.0, release)
        began = time.monotonic()
        timer.start()
        c = login(s)
        assert 1 <= time.monotonic() - began < 20
        quit(c)
        timer.join()
    assert os.listdir(box(s).parent) == ["bob"]


def test_a_lock_that_stays(suite):
    s = mbox_suite(suite, content=message(1))
    lock = box(s).with_name("bob.lock")
    lock.write_text("1\n")
    c = Client(s, login="bob")
    assert c.last.startswith(b"-ERR [IN-USE]")
    s.wait_log("in use: user=<bob@example.test>.*locked by another program")
    # too old to be anybody's
    os.utime(lock, (time.time() - 1000, time.time() - 1000))
    quit(login(s))
    assert not lock.exists()


def replace(s, how):
    path = box(s)
    path.unlink()
    if how == "link":
        path.symlink_to(s.root / "etc/accounts")
        os.lchown(path, s.uid, s.gid)
    elif how == "hard link":
        os.link(s.root / "etc/cert.pem", path)
    elif how == "fifo":
        os.mkfifo(path)
        os.chown(path, s.uid, s.gid)
    elif how == "directory":
        path.mkdir()
    elif how == "owner":
        path.write_bytes(message(1))
        path.chmod(0o666)
    elif how == "no mbox":
        put(s, b"Subject: a letter\n\ntext\n")
    elif how == "closed":
        put(s, message(1))
        path.chmod(0o000)


@pytest.mark.parametrize("how", ["link", "hard link", "fifo", "directory",
                                 "owner", "no mbox", "closed"])
def test_hostile_files_are_not_served(suite, how):
    if not AS_ROOT and how in ("owner", "hard link"):
        pytest.skip("needs root")
    s = mbox_suite(suite, content=message(1))
    replace(s, how)
    c = Client(s, login="bob")
    assert c.last.startswith(b"-ERR [SYS/TEMP]")
    assert c.closed()
    s.wait_log("warning: user=<bob@example.test>")
    assert not box(s).with_name("bob.lock").exists()
    # others are served, and so is bob when it is mended
    quit(login(s, "carol"))
    if how == "directory":
        box(s).rmdir()
    else:
        box(s).unlink()
    put(s, message(7))
    assert login(s).say("STAT").startswith(b"+OK 1 ")


def test_no_mailbox_is_an_empty_one(suite):
    s = mbox_suite(suite)
    box(s).unlink()
    c = login(s)
    assert c.say("STAT") == b"+OK 0 0"
    assert c.many("UIDL")[1] == []
    quit(c)
    assert os.listdir(box(s).parent) == []


def peak(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", text)[1])


def test_memory_does_not_grow_with_the_message(suite):
    s = mbox_suite(suite, content=message(1, 50_000_000) +
                   (FROM + b"\n" + b"\0" * 1000 + b"\n") * 10)
    c = login(s)
    _, pid = s.processes("pop3d-session")
    c.send(b"RETR 1\r\n")
    c.line()
    got = sum(len(x) + 2 for x in c.rest())
    assert got == len(message(1, 50_000_000)[len(FROM):-1]) + 4
    assert c.many("RETR 11")[1] == [b"", b"\0" * 1000]
    assert peak(pid) < 30_000
    c.say("DELE 2")
    quit(c)
    assert box(s).stat().st_size > 50_000_000


def test_ten_thousand_messages(suite):
    s = mbox_suite(suite, content=b"".join(
        message(i, 200) for i in range(10000)))
    began = time.monotonic()
    c = login(s, port="pop3s")
    assert c.say("STAT").startswith(b"+OK 10000 ")
    assert len(c.many("LIST")[1]) == 10000
    assert len(uidl(c)) == 10000
    assert time.monotonic() - began < 60
    commands = [b"RETR %d\r\n" % i for i in range(1, 1001)]
    commands += [b"DELE %d\r\n" % i for i in range(1, 10001, 2)]
    answers = c.ahead(b"".join(commands) + b"QUIT\r\n")
    for i in range(1000):
        assert next(answers).startswith(b"+OK")
        lines = list(iter(lambda: next(answers), b"."))
        assert lines[0] == b"Subject: number %d" % i
    for _ in range(5000):
        assert next(answers).startswith(b"+OK")
    assert next(answers) == b"+OK Good bye"
    assert subjects(s) == [b"number %d" % i for i in range(1, 10000, 2)]


def test_killed_while_it_removes(suite):
    """kill -9 at any moment: what was not marked is all there. The first
    time it is before anything is removed, the last time behind all of it."""
    s = mbox_suite(suite)
    noise = random.Random(7)
    deleted = set(range(1, 400, 3))
    kept = [b"number %d" % i for i in range(1, 401) if i not in deleted]
    outcomes = set()
    for n in range(12):
        put(s, b"".join(message(i, 20000) for i in range(1, 401)))
        c = login(s)
        for i in deleted:
            c.send(b"DELE %d\r\n" % i)
        for i in deleted:
            assert c.line().startswith(b"+OK")
        victim = noise.choice(["pop3d-session", "pop3d-mbox"])
        pid = s.processes(victim)[-1]
        if n > 0:
            c.send(b"QUIT\r\n")
            time.sleep(noise.random() * 0.05)
        if n == 11:
            assert c.line() == b"+OK Good bye"
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        if n == 0:
            try:
                c.send(b"QUIT\r\n")
            except ConnectionError:
                pass
        with open(box(s), "ab") as f:
            fcntl.lockf(f, fcntl.LOCK_EX)
            f.write(message(1000))
        c.close()

        def again():
            try:
                d = Client(s, login="bob")
            except (EOFError, ConnectionError):
                return False  # given to the process that was about to die
            if d.last != b"+OK Logged in":
                return False
            quit(d)
            return True

        wait_for("a login after the kill", again)
        found = subjects(s)
        assert [x for x in found if x in kept] == kept
        assert found[-1] == b"number 1000"
        assert len(found) in (len(kept) + 1, 401)
        outcomes.add(len(found))
        for x in re.split(rb"(?m)^From alice.*\n", box(s).read_bytes())[1:]:
            number = int(re.search(rb"number (\d+)", x)[1])
            size = 100 if number == 1000 else 20000
            assert x == message(number, size)[len(FROM):]
    # both ends of the race have been seen
    assert outcomes == {len(kept) + 1, 401}


def status(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return dict(x.split(":\t", 1) for x in text.splitlines() if ":\t" in x)


@pytest.mark.skipif(not AS_ROOT, reason="needs root to separate rights")
def test_rights(suite):
    s = mbox_suite(suite, content=message(1))
    os.chown(box(s).parent.parent, 0, 0)
    os.chown(box(s).parent, 0, 8)
    box(s).parent.chmod(0o2775)
    c = login(s)
    empty = str(s.root / "spool/empty")
    parent, child = s.processes("pop3d-session")
    (keeper,) = s.processes("pop3d-mbox")
    assert os.readlink(f"/proc/{child}/root") == empty
    assert os.readlink(f"/proc/{keeper}/root") == str(box(s).parent)
    for pid, group in ((child, s.gid), (keeper, 8)):
        of = status(pid)
        assert set(of["Uid"].split()) == {str(s.uid)}
        assert set(of["Gid"].split()) == {str(group)}
        assert of["Groups"].split() in ([], [str(group)])
        assert of["CapEff"].strip("0") == "" and of["NoNewPrivs"] == "1"
    c.say("DELE 1")
    quit(c)
    assert os.listdir(box(s).parent) == ["bob"]
    wait_for("both to leave", lambda: not s.processes("pop3d-mbox") and
             s.processes("pop3d-session") == [parent])
