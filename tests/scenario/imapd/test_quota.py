# SPDX-License-Identifier: ISC
"""Quotas over IMAP: RFC 9208."""
import re
import shutil
import signal
import subprocess

import pytest
from test_list import PLAIN

from posthaste import AS_ROOT, freeze, signal_all, wait_for

ONE = b"Subject: one\r\n\r\n" + b"x" * 1000 + b"\r\n"


def limited(suite, rule="*:storage=10k:messages=5"):
    s = suite(start=False, main=PLAIN + "mail_special_folders =\n")
    path = s.root / "etc/accounts"
    path.write_text("".join(
        f"{line} userdb_quota_rule={rule}\n" if line.startswith("bob@") else
        f"{line}\n" for line in path.read_text().splitlines()))
    s.start()
    return s, s.imap()


def use(c, kind):
    line, = c.ok('GETQUOTA "User quota"')
    words = line.decode().strip(")").split("(")[1].split()
    return tuple(map(int, words[words.index(kind) + 1:][:2]))


def test_usage_and_limits(suite):
    s, c = limited(suite)
    c.talk(r'''
        C: a1 GETQUOTAROOT INBOX
        S: * QUOTAROOT INBOX "User quota"
        S: * QUOTA "User quota" (STORAGE 0 10 MESSAGE 0 5)
        S: a1 OK ...
        C: a2 GETQUOTAROOT not/yet/there
        S: * QUOTAROOT not/yet/there "User quota"
        S: * QUOTA "User quota" (STORAGE 0 10 MESSAGE 0 5)
        S: a2 OK ...
        C: a3 GETQUOTA "other"
        S: a3 NO [NONEXISTENT] ...
        C: a4 SETQUOTA "User quota" (STORAGE 1000)
        S: a4 NO [NOPERM] ...
    ''')
    names = c.capabilities()
    assert {"QUOTA", "QUOTA=RES-STORAGE", "QUOTA=RES-MESSAGE"} <= set(names)
    assert "QUOTASET" not in names
    c.append("INBOX", ONE)
    c.append("INBOX", ONE)
    assert use(c, "MESSAGE") == (2, 5)
    assert use(c, "STORAGE") == (2, 10)
    # who has none is told none
    other = s.imap("alice")
    assert other.ok('GETQUOTA "User quota"') == [b'* QUOTA "User quota" ()']


def test_a_full_account_takes_no_more(suite):
    s, c = limited(suite)
    for _ in range(4):
        c.append("INBOX", ONE)
    c.ok("CREATE other")
    c.ok("SELECT INBOX")
    # five, and no sixth
    assert b"OVERQUOTA" in c.no("COPY 1:2 other")
    c.ok("COPY 1 other")
    assert b"OVERQUOTA" in c.no("APPEND INBOX {}", ONE)
    assert b"OVERQUOTA" in c.no("COPY 1 INBOX")
    # what is moved takes no room
    c.ok("MOVE 2 other")
    assert use(c, "MESSAGE") == (5, 5)
    c.ok("SELECT other")
    c.ok(r"STORE 1:* +FLAGS (\Deleted)")
    c.ok("EXPUNGE")
    assert use(c, "MESSAGE") == (3, 5)
    c.append("INBOX", ONE)
    assert use(c, "MESSAGE") == (4, 5)


def test_bytes_are_judged_before_they_come(suite):
    _, c = limited(suite, "*:storage=10k")
    c.append("INBOX", ONE)
    tag = c.tag()
    c.send(tag + b" APPEND INBOX {10000}\r\n")
    # no "+": the client need not send it
    word, text, _ = c.finish(tag)
    assert word == "NO" and b"OVERQUOTA" in text
    # nor is it taken from one who does not wait
    word, text, _ = c.command(
        b"APPEND INBOX {10000+}\r\n" + b"y" * 10000)
    assert word == "NO" and b"OVERQUOTA" in text
    assert use(c, "STORAGE") == (1, 10)
    c.ok("NOOP")


def test_delivery_pop3_and_imap_count_alike(suite):
    s, c = limited(suite, "*:storage=100k")
    for i in range(3):
        s.send(body="x" * 60 + "\r\n")
        s.wait_messages("bob", i + 1)
    s.wait_empty()  # the size is counted behind the delivery
    total = sum(len(m) for m in s.messages("bob"))
    assert use(c, "STORAGE")[0] == -(-total // 1024)
    p = s.pop3()
    p.dele(1)
    p.quit()
    left = sum(len(m) for m in s.messages("bob"))
    assert left < total
    size = s.maildir("bob") / "maildirsize"
    lines = [x.split() for x in size.read_text().splitlines()[1:]]
    assert sum(int(n) for n, _ in lines) == left
    assert sum(int(n) for _, n in lines) == 2
    assert use(c, "STORAGE")[0] == -(-left // 1024)


@pytest.mark.parametrize("command", [
    "GETQUOTA", "GETQUOTA a b", "GETQUOTAROOT", "SETQUOTA", "SETQUOTA a",
    'SETQUOTA "User quota" STORAGE'])
def test_bad_arguments(suite, command):
    _, c = limited(suite)
    c.bad(command)
    c.ok("NOOP")


def sessions_of_one(s, n):
    """Sessions of bob, and the processes that serve him: the parent is older."""
    clients = [s.imap() for _ in range(n)]
    for c in clients:
        c.ok("SELECT INBOX")
    return clients, s.processes("imapd-session")[1:]


def at_once(pids, sends):
    """What is sent so is there before any of it is looked at."""
    freeze(lambda: pids)
    try:
        for send in sends:
            send()
    finally:
        signal_all(pids, signal.SIGCONT)


def lines(s):
    text = (s.maildir("bob") / "maildirsize").read_text()
    return [tuple(map(int, x.split())) for x in text.splitlines()[1:]]


def assert_counted(s):
    """The lines say what is there."""
    files = [p for p in s.maildir("bob").rglob("*")
             if p.parent.name in ("cur", "new")]
    assert sum(n for _, n in lines(s)) == len(files)
    assert sum(n for n, _ in lines(s)) == sum(
        int(re.search(r",S=(\d+)", p.name)[1]) for p in files)
    return len(files)


def answers(clients, tags):
    got = [c.finish(tag)[:2] for c, tag in zip(clients, tags)]
    for word, text in got:
        assert word == "OK" or b"[OVERQUOTA]" in text, got
    return sorted(word for word, _ in got)


@pytest.mark.parametrize("n, room", [(2, 1), (8, 3)])
def test_of_appends_at_once_those_get_in_that_fit(suite, n, room):
    s, _ = limited(suite, f"*:messages={room}")
    clients, pids = sessions_of_one(s, n)
    assert pids
    tags = []
    for c in clients:
        tags.append(c.tag())
        c.send(tags[-1] + b" APPEND INBOX {%d}\r\n" % len(ONE))
        assert c.line().startswith(b"+")
    at_once(pids, [lambda c=c: c.send(ONE + b"\r\n") for c in clients])
    assert answers(clients, tags) == ["NO"] * (n - room) + ["OK"] * room
    assert assert_counted(s) == room


def test_of_copies_at_once_those_get_in_that_fit(suite):
    s, c = limited(suite, "*:messages=5")
    c.append("INBOX", ONE)
    c.append("INBOX", ONE)
    clients, pids = sessions_of_one(s, 4)
    tags = [b"c%d" % i for i in range(4)]
    at_once(pids, [lambda c=c, tag=tag: c.send(tag + b" COPY 1:2 INBOX\r\n")
                   for c, tag in zip(clients, tags)])
    assert answers(clients, tags) == ["NO"] * 3 + ["OK"]
    assert assert_counted(s) == 4


def test_appended_and_delivered_at_once(suite):
    """Whoever comes first; never both."""
    s, c = limited(suite, "*:messages=1")
    use(c, "MESSAGE")  # counts
    for _ in range(5):
        tag = c.tag()
        c.send(tag + b" APPEND INBOX {%d}\r\n" % len(ONE))
        assert c.line().startswith(b"+")
        s.send(body="x\r\n")
        c.send(ONE + b"\r\n")
        c.finish(tag)
        s.wait_empty("maildrop", "report", "incoming")
        assert assert_counted(s) == 1
        s.command("postsuper", "-d", "ALL")
        c.ok("SELECT INBOX")
        c.ok(r"STORE 1:* +FLAGS (\Deleted)")
        c.ok("EXPUNGE")
        assert use(c, "MESSAGE") == (0, 1)


@pytest.mark.skipif(not AS_ROOT, reason="attaching wants root")
@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
@pytest.mark.parametrize("call, command", [
    ("renameat", "APPEND INBOX {}"), ("linkat", "COPY 1 other")])
def test_room_of_what_fails_is_given_back(suite, call, command):
    s, _ = limited(suite, "*:messages=3")
    (c,), (pid,) = sessions_of_one(s, 1)
    c.append("INBOX", ONE)
    c.ok("CREATE other")
    before = lines(s)
    tracer = subprocess.Popen(
        ["strace", "-f", "-qq", "-o", "/dev/null", "-p", str(pid), "-e",
         f"trace={call}", "-e", f"inject={call}:error=EIO"])
    try:
        wait_for("the tracer", lambda: not re.search(
            r"^TracerPid:\t0$", open(f"/proc/{pid}/status").read(), re.M))
        c.no(command, *[ONE] * command.count("{}"))
    finally:
        tracer.terminate()
        tracer.wait()
    assert lines(s)[len(before):] == [(len(ONE), 1), (-len(ONE), -1)]
    c.ok(command, *[ONE] * command.count("{}"))
    assert assert_counted(s) == 2


def test_a_client_that_goes_amid_a_message_has_taken_nothing(suite):
    s, c = limited(suite, "*:messages=1")
    use(c, "MESSAGE")  # counts
    gone = s.imap()
    gone.send(b"g1 APPEND INBOX {%d}\r\n" % len(ONE))
    assert gone.line().startswith(b"+")
    gone.send(ONE[:100])
    gone.socket.close()
    c.append("INBOX", ONE)
    assert assert_counted(s) == 1
