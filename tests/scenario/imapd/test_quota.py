# SPDX-License-Identifier: ISC
"""Quotas over IMAP: RFC 9208."""
import pytest

from test_list import PLAIN

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
