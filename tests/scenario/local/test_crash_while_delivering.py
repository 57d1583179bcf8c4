# SPDX-License-Identifier: ISC
"""virtual is killed amid a row of messages: each is in the mailbox once and
whole, and the queue is empty in the end. (One at a time:
tests/scenario/crash/test_deliver.py.)"""
import os
import re
import shutil
import signal
import subprocess
import time

import pytest

from posthaste import AS_ROOT, freeze, threads, wait_for

pytestmark = pytest.mark.skipif(shutil.which("strace") is None,
                                reason="strace is not installed")


def killed_at(pid, call, when):
    """strace that kills the process at its n-th such call from now on."""
    tracer = subprocess.Popen(
        ["strace", "-qq", "-e", f"trace={call}",
         "-e", f"inject={call}:signal=KILL:when={when}", "-p", str(pid)],
        stderr=subprocess.DEVNULL)

    def attached():
        try:
            with open(f"/proc/{pid}/status") as file:
                status = file.read()
        except OSError:
            return False
        return re.search(r"TracerPid:\t[1-9]", status)

    try:
        wait_for("strace to attach", attached, 20)
    except AssertionError:
        tracer.kill()
        pytest.skip("this process may not be traced")
    return tracer


# qmgr has used the connection before: it asks another agent at once
BUSY = [("renameat2", 2), ("fchmod", 4), ("ftruncate", 2)]
if AS_ROOT:
    BUSY += [("fchown", 4)]


@pytest.mark.parametrize("call, when", BUSY)
def test_killed_in_a_row_of_messages(suite, call, when):
    s = suite(main="virtual_maildir_form = crlf\n"
                   "virtual_destination_concurrency_limit = 1\n"
                   "minimal_backoff_time = 1s\nmaximal_backoff_time = 1s\n"
                   "queue_run_delay = 1s\ntransport_retry_time = 1s\n")
    s.send(body="first\r\n")
    pid = int(s.wait_log(r"posthaste/virtual\[(\d+)\]")[1])
    s.wait_messages("bob")
    s.wait_log(": removed")  # it has answered, and has nothing to do
    freeze(lambda: [pid])
    bodies = [f"in a row {n}\r\n" for n in range(4)]
    ids = [s.send(body=body) for body in bodies]
    for id in ids:
        s.wait_log(rf"{id}: .*\(queue active\)")
    tracer = killed_at(pid, call, when)
    os.kill(pid, signal.SIGCONT)
    try:
        wait_for("the death of virtual", lambda: threads(pid) <= {"Z", "X"} or
                 tracer.poll() is not None)
    finally:
        tracer.terminate()
        tracer.wait()
    s.wait_log(r"virtual.* pid \d+ killed by signal 9")
    s.wait_empty("incoming", "deferred", "corrupt")
    texts = read_back(s)
    for body in bodies:
        assert sum(text.endswith(body.encode()) for text in texts) == 1


def read_back(s):
    """All of bob's messages as a reader gets them."""
    p = s.pop3()
    count = len(p.list()[1])
    texts = [b"".join(line + b"\r\n" for line in p.retr(n + 1)[1])
             for n in range(count)]
    p.quit()
    return texts


@pytest.mark.skipif(not AS_ROOT, reason="owners differ only for root")
@pytest.mark.parametrize("transport", ["virtual", "smtp"])
def test_what_a_killed_move_leaves_is_put_off(suite, transport):
    """The queue file has the mailbox's owner already, and the next attempt
    fails as well: it must not be tried again and again."""
    s = suite(main="minimal_backoff_time = 600s\nmaximal_backoff_time = 600s\n"
                   "smtp_tcp_port = 9\n", start=False)
    (s.root / "mail/example.test").mkdir()
    (s.root / "mail/example.test/bob").write_text("no folder\n")
    s.start()
    id = s.send()
    path = wait_for("the first failure", lambda: next(
        (s.root / "spool/deferred").rglob(id), None))
    s.wait_log(rf"{id}: .*status=deferred")
    s.stop()
    queue_owner = path.stat().st_uid
    os.chown(path, s.uid, -1)
    os.chmod(path, 0o660)
    os.utime(path, (1, 1))
    if transport == "smtp":
        s.set(virtual_transport="smtp:[127.0.0.1]")
    s.start()
    wait_for("another attempt",
             lambda: s.log().count("status=deferred") >= 2)
    wait_for("a later time", lambda: path.exists() and
             path.stat().st_mtime > 1)
    if transport == "virtual":
        assert path.stat().st_uid == queue_owner
        assert path.stat().st_mtime > time.time() + 300
    s.stop()
    assert "cannot defer" not in s.log()
    assert s.log().count("status=deferred") == 2
