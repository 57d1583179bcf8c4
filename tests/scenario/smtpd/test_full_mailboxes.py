# SPDX-License-Identifier: ISC
"""Quotas of accounts, from RCPT to delivery."""
import ctypes
import os
import re
import select
import signal
import time
from pathlib import Path

import pytest

from posthaste import AS_ROOT, wait_for

LIBC = ctypes.CDLL(None, use_errno=True)
PIDFD_GETFD = 438
SMALL = "*:storage=20k:messages=3"


def with_quota(suite, rule=SMALL, who=("bob",), **options):
    """bob, or whoever it is, has this quota, the others none."""
    s = suite(start=False, **options)
    path = s.root / "etc/accounts"
    lines = path.read_text().splitlines()
    path.write_text("".join(
        f"{line} userdb_quota_rule={rule}\n" if line.split("@")[0] in who else
        f"{line}\n" for line in lines))
    return s.start()


def fill(s, count=3, size=6000):
    """Messages of some six thousand bytes, which are in the mailbox, and
    counted: that comes behind."""
    for i in range(count):
        q = s.send(body="x" * 70 + "\r\n" + "y" * 70 +
                   "\r\n" * (size // 2 - 142))
        s.wait_log(f"{q}: removed")
    assert len(s.messages("bob")) == count


def rcpt(c, address):
    code, text = c.rcpt(address)
    return code, text.decode()


def begin(s, size=None):
    c = s.smtp()
    c.ehlo()
    options = [f"SIZE={size}"] if size else []
    assert c.mail("alice@example.test", options)[0] == 250
    return c


@pytest.mark.parametrize("later", ["yes", "no"])
def test_a_full_mailbox_is_refused_by_name_and_others_are_not(suite, later):
    s = with_quota(suite, main=f"quota_full_tempfail = {later}\n")
    fill(s, 3, 300)
    c = begin(s)
    reply = "452 4.2.2" if later == "yes" else "552 5.2.2"
    text = ("<bob@example.test>: Recipient address rejected: Mailbox is full")
    assert rcpt(c, "carol@example.test")[0] == 250
    assert rcpt(c, "bob@example.test") == (int(reply[:3]), f"{reply[4:]} {text}")
    # by another name
    assert rcpt(c, "bob+lists@example.test")[0] == int(reply[:3])
    assert c.data("Subject: to carol\r\n\r\ntext\r\n")[0] == 250
    s.wait_messages("carol")
    assert len(s.messages("bob")) == 3
    s.wait_log(rf"reject: RCPT from .*: {reply} .*to=<bob@example.test>")
    c.quit()


def test_what_the_client_announces_counts(suite):
    s = with_quota(suite)
    fill(s, 2)
    c = begin(s, 4000)
    assert rcpt(c, "bob@example.test")[0] == 250
    c.rset()
    c = begin(s, 15000)
    assert rcpt(c, "bob@example.test")[0] == 452
    c.quit()


def test_the_largest_that_can_be_announced_count(suite):
    """Where there is no other limit."""
    s = with_quota(suite, main="message_size_limit = 0\n"
                   "mailbox_size_limit = 0\nvirtual_mailbox_limit = 0\n")
    for size in (2 ** 31, 2 ** 32, 2 ** 63 - 1, 2 ** 63, 2 ** 64 - 1):
        c = begin(s, size)
        assert rcpt(c, "bob@example.test")[0] == 452, size
        assert rcpt(c, "carol@example.test")[0] == 250, size
        c.quit()
    assert "no answer from quota" not in s.log()


def test_messages_are_counted(suite):
    s = with_quota(suite, "*:messages=2")
    fill(s, 2, 300)
    c = begin(s)
    assert rcpt(c, "bob@example.test")[0] == 452
    c.quit()


def test_there_is_room_again_when_mail_was_removed(suite):
    s = with_quota(suite)
    fill(s, 3, 300)
    c = begin(s)
    assert rcpt(c, "bob@example.test")[0] == 452
    for path in list((s.maildir("bob") / "new").iterdir())[:2]:
        path.unlink()
    # by somebody who does not tell: a count of some time ago is not believed
    past = os.stat(s.maildir("bob") / "maildirsize").st_mtime - 1000
    os.utime(s.maildir("bob") / "maildirsize", (past, past))
    assert rcpt(c, "bob@example.test")[0] == 250
    c.quit()


@pytest.mark.parametrize("form", ["crlf", "lf"])
@pytest.mark.parametrize("later", ["yes", "no"])
def test_two_at_once_do_not_both_fit(suite, later, form):
    # moved by its name, and copied
    s = with_quota(suite, main=f"quota_full_tempfail = {later}\n"
                   f"virtual_maildir_form = {form}\n")
    fill(s, 1, 300)
    # the count begins with the first question
    a, b = begin(s), begin(s)
    for c in (a, b):
        assert rcpt(c, "bob@example.test")[0] == 250
    body = "Subject: large\r\n\r\n" + ("x" * 70 + "\r\n") * 200
    for c in (a, b):
        assert c.data(body)[0] == 250
    s.wait_messages("bob", 2)
    if later == "yes":
        s.wait_log(r"to=<bob@example.test>.*dsn=4.2.2, status=deferred "
                   r"\(mailbox is full\)")
    else:
        s.wait_log(r"to=<bob@example.test>.*dsn=5.2.2, status=bounced "
                   r"\(mailbox is full\)")
        report, = s.wait_messages("alice")
        assert b"mailbox is full" in report
    assert len(s.messages("bob")) == 2
    a.quit()
    b.quit()


def test_the_count_is_what_is_there(suite):
    s = with_quota(suite, "*:storage=1M")
    fill(s, 1, 300)
    for q in [s.send(body="z" * 60 + "\r\n") for _ in range(5)]:
        s.wait_log(f"{q}: removed")
    lines = (s.maildir("bob") / "maildirsize").read_text().splitlines()
    assert lines[0] == "1048576S"
    changes = [tuple(map(int, line.split())) for line in lines[1:]]
    assert sum(n for _, n in changes) == 6
    assert sum(n for n, _ in changes) == sum(
        len(m) for m in s.messages("bob"))


def opened(pid):
    """What this process has open."""
    names = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            names.add(os.readlink(f"/proc/{pid}/fd/{fd}"))
        except FileNotFoundError:
            pass
    return names


def stopped(pid):
    stat = Path(f"/proc/{pid}/stat").read_text()
    return stat.rpartition(")")[2].split()[0] == "T"


def to_be_read(pid):
    """How many sockets of this process have something for it."""
    taken = []
    process = os.pidfd_open(pid)
    try:
        for fd in os.listdir(f"/proc/{pid}/fd"):
            if os.readlink(f"/proc/{pid}/fd/{fd}").startswith("socket:"):
                taken.append(LIBC.syscall(PIDFD_GETFD, process, int(fd), 0))
        assert -1 not in taken, os.strerror(ctypes.get_errno())
        return len(select.select(taken, [], [], 0)[0])
    finally:
        for fd in [process, *taken]:
            if fd != -1:
                os.close(fd)


def stop(pid):
    os.kill(pid, signal.SIGSTOP)
    wait_for("its stop", lambda: stopped(pid))


def found_full(s):
    """In the order in which it was found."""
    return re.findall(r"mailbox of (\w+)@example.test is full", s.log())


def hold_the_count(s, c, pid):
    """Has bob's mailbox counted for this client, and stops that amid it. One
    that was quicker is begun anew. How often it was told by then."""
    cur = str(s.maildir("bob") / "cur")
    told = len(found_full(s))

    def held():
        nonlocal told
        (s.maildir("bob") / "maildirsize").unlink(missing_ok=True)
        c.putcmd("RCPT", "TO:<bob@example.test>")
        wait_for("the count", lambda: cur in opened(pid) or
                 select.select([c.sock], [], [], 0)[0])
        stop(pid)
        if cur in opened(pid):
            return True
        os.kill(pid, signal.SIGCONT)
        c.getreply()
        told += 1
        wait_for("its line", lambda: len(found_full(s)) == told)
        return False

    wait_for("a count that was stopped", held)
    return told


def many(folder, count):
    first = folder / "first.x:2,"
    first.write_text("text\n")
    for i in range(1, count):
        os.link(first, folder / f"{i}.x:2,")


@pytest.mark.skipif(not AS_ROOT, reason="needs another's descriptors")
def test_nobody_waits_for_the_count_of_another_mailbox(suite):
    """Names without sizes, so that each file is looked at, and most of them
    behind the folder in which the count is stopped. Whom quota logs first is
    answered first."""
    s = with_quota(suite, "*:messages=1", who=("bob", "carol"))
    s.send(to=["carol@example.test"])
    s.wait_messages("carol")
    s.send(to=["bob@example.test"])
    s.wait_messages("bob")
    many(s.maildir("bob") / "cur", 20000)
    more = s.maildir("bob") / ".more"
    for name in "cur", "new", "tmp":
        (more / name).mkdir(parents=True)
    many(more / "cur", 40000)
    # the service has been asked before, and has counted
    assert rcpt(begin(s), "carol@example.test")[0] == 452
    wait_for("its line", lambda: found_full(s))
    a, again, other = begin(s), begin(s), begin(s)
    [pid] = s.processes("quota")
    told = hold_the_count(s, a, pid)

    def after_a_little():
        """A millisecond of the count: others have all the time they want."""
        os.kill(pid, signal.SIGCONT)
        time.sleep(0.001)  # no more, whatever comes of it
        stop(pid)
        return found_full(s)[told:]

    try:
        already = to_be_read(pid)
        other.putcmd("RCPT", "TO:<carol@example.test>")
        wait_for("its question", lambda: to_be_read(pid) > already)
        again.putcmd("RCPT", "TO:<bob@example.test>")
        assert wait_for("the first", after_a_little)[0] == "carol"
    finally:
        os.kill(pid, signal.SIGCONT)
    for c in a, again, other:
        assert c.getreply()[0] == 452
    wait_for("all three", lambda: len(found_full(s)) == told + 3)
    assert found_full(s)[told:] == ["carol", "bob", "bob"]
    # it was counted once, and the other one has read it
    assert (s.maildir("bob") / "maildirsize").read_text().splitlines()[1] \
        .endswith(" 60001")


@pytest.mark.skipif(not AS_ROOT, reason="needs rights to lose")
def test_what_lies_in_the_mailbox_is_read_as_its_owner(suite):
    s = with_quota(suite)
    fill(s, 1, 300)
    secret = s.root / "secret"
    secret.write_text("1S\n1000 1\n")
    secret.chmod(0o600)
    size = s.maildir("bob") / "maildirsize"
    size.unlink(missing_ok=True)
    # root could follow it, and would find the mailbox full
    size.symlink_to(secret)
    s.send(body="still comes\r\n")
    s.wait_messages("bob", 2)
    assert secret.read_text() == "1S\n1000 1\n"
