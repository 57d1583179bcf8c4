# SPDX-License-Identifier: ISC
"""Kills cleanup, pickup and postdrop as they enter the system call of each
step of doc/DURABILITY.md, and compares."""
import os
import shutil
import smtplib
import subprocess

import pytest

from posthaste import AS_ROOT, DEADLINE, ROOT, wait_for

BOB = "bob@example.test"
pytestmark = pytest.mark.skipif(
    not shutil.which("strace") or not AS_ROOT,
    reason="needs strace, and root to attach it")


class Killer:
    """Kills a process when it enters a system call, for the nth time."""

    def __init__(self, s, program, call, nth):
        pid, = wait_for(f"one {program}", lambda: s.processes(program))
        self.output = s.root / "strace"
        self.strace = subprocess.Popen(
            ["strace", "-f", "-o", self.output, "-e", f"trace={call}", "-e",
             f"inject={call}:signal=SIGKILL:when={nth}", "-p", str(pid)],
            stderr=subprocess.PIPE, text=True)
        assert "attached" in self.strace.stderr.readline()

    def wait(self):
        """The process has died of it."""
        self.strace.wait(DEADLINE)
        self.strace.stderr.close()
        assert "killed by SIGKILL" in self.output.read_text()

    def close(self):
        if self.strace.poll() is None:
            self.strace.terminate()
            self.strace.wait(DEADLINE)


@pytest.fixture
def kill():
    made = []

    def make(*arguments):
        made.append(Killer(*arguments))
        return made[-1]

    yield make
    for killer in made:
        killer.close()


def submit(session, subject):
    """Whether the content was accepted."""
    session.mail("alice@example.test")
    session.rcpt(BOB)
    try:
        code, _ = session.data(f"Subject: {subject}\r\n\r\nx\r\n")
    except smtplib.SMTPServerDisconnected:
        return False
    assert code in (250, 451), code
    return code == 250


def count(s, subject):
    return sum(f"Subject: {subject}\r\n".encode() in m
               for m in s.messages("bob"))


# step; may the message arrive though the client was told nothing or 4xx?
CLEANUP = [
    ("openat", 1, False), ("flock", 1, False), ("writev", 1, False),
    ("fsync", 1, True),  # the file is whole, and the machine went on
    ("sendmsg", 1, True), ("sendmsg", 2, True),
]


@pytest.mark.parametrize("call, nth, may_arrive", CLEANUP)
def test_cleanup(suite, kill, call, nth, may_arrive):
    s = suite()
    with s.smtp() as session:
        session.ehlo()
        assert submit(session, "before")
        s.wait_messages("bob")
        killer = kill(s, "cleanup", call, nth)
        accepted = submit(session, "crashed")
        killer.wait()
        assert not accepted
        # the client tries again
        assert submit(session, "again")
    wait_for("the later message", lambda: count(s, "again") == 1)
    s.stop()
    for base, _, names in os.walk(s.root / "spool/incoming"):
        for name in names:
            os.utime(os.path.join(base, name), (1, 1))
    s.start()
    if may_arrive:
        wait_for("the committed message", lambda: count(s, "crashed") == 1)
    wait_for("an empty queue", lambda: not s.queue())
    assert count(s, "crashed") == may_arrive


@pytest.mark.parametrize("call, nth, copies", [
    ("openat", 2, 1),   # the first opens the folder
    ("sendmsg", 1, 1),  # nothing was said to cleanup
    ("unlink", 1, 2),   # submitted and delivered, the file is still there
])
def test_pickup(suite, kill, call, nth, copies):
    s = suite()
    s.command("sendmail", BOB, stdin="Subject: before\n\nx\n")
    s.wait_messages("bob")
    wait_for("an empty maildrop", lambda: not s.queue("maildrop"))
    killer = kill(s, "pickup", call, nth)
    s.command("sendmail", BOB, stdin="Subject: crashed\n\nx\n")
    killer.wait()
    if copies == 2:
        wait_for("the first copy", lambda: count(s, "crashed") == 1)
    s.command("sendmail", BOB, stdin="Subject: after\n\nx\n")
    wait_for("the later message", lambda: count(s, "after") == 1)
    wait_for("an empty maildrop", lambda: not s.queue("maildrop"))
    wait_for("an empty queue", lambda: not s.queue())
    assert count(s, "crashed") == copies


@pytest.mark.parametrize("call, arrives", [
    ("write", False), ("fchmod", False), ("fsync", True), ("connect", True)])
def test_postdrop(suite, call, arrives):
    s = suite()
    spool = s.root / "spool/maildrop"
    record = (b"POSTHASTE-DROP 1\n"
              b"\x06sender\x00\x12alice@example.test"
              b"\x09recipient\x00\x10bob@example.test\x07content\x00\x00"
              b"\x00\x00\x00\x17Subject: crashed\n\nhello"
              b"\x00\x00\x00\x00POSTHASTE-END\n")
    done = subprocess.run(
        ["strace", "-f", "-o", "/dev/null", "-e",
         f"inject={call}:signal=SIGKILL:when=1", ROOT / "sbin/postdrop"],
        input=record, capture_output=True,
        env=dict(os.environ, MAIL_CONFIG=str(s.root / "etc")))
    assert done.returncode == -9 or done.returncode == 137, done
    left = list(spool.iterdir())
    s.command("sendmail", BOB, stdin="Subject: after\n\nx\n")
    wait_for("the later message", lambda: count(s, "after") == 1)
    if arrives:
        wait_for("the whole message", lambda: count(s, "crashed") == 1)
        wait_for("an empty maildrop", lambda: not s.queue("maildrop"))
    else:
        assert count(s, "crashed") == 0
        path, = left
        os.utime(path, (1, 1))
        s.command("sendmail", BOB, stdin="Subject: more\n\nx\n")
        wait_for("the rest to be removed", lambda: not path.exists())
        assert count(s, "crashed") == 0
