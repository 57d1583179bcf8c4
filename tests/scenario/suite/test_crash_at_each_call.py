# SPDX-License-Identifier: ISC
"""A program ends at its first, second, third... system call that changes
something, or amid what it writes there, until it comes to the end of what it
does without meeting one more: what was told is true, all of it, and whole.

In the suite some points of each (POSTHASTE_FULL=1: all)."""
import contextlib
import os
import random
import time

import pytest

import crash
from posthaste import AS_ROOT, wait_for

FULL = bool(os.environ.get("POSTHASTE_FULL"))
QUICK = ("minimal_backoff_time = 1s\nmaximal_backoff_time = 1s\n"
         "queue_run_delay = 1s\ntransport_retry_time = 1s\n"
         "service_throttle_time = 1s\n")


def points(total, seed, some):
    """Of 1..total: all, or some that are others for each seed."""
    every = range(1, total + 1)
    if FULL or total <= some:
        return list(every)
    return sorted(random.Random(seed).sample(every, some))


@pytest.fixture
def crashing(suite):
    """crashing(main=...) -> an instance that runs under s.crasher."""
    made = []

    def make(main="", prepare=lambda s: None, **options):
        s = suite(start=False, main=QUICK + main, **options)
        prepare(s)
        s.crasher = crash.start(s)
        made.append(s)
        return s

    yield make
    for s in made:
        s.stop()
        s.crasher.close()


def settled(s):
    """Nothing is left to do: what waits for its time is asked for, and what
    was never finished is old."""
    if not s.queue():
        return True
    for path in (s.root / "spool").glob("[im]*/*"):
        with contextlib.suppress(FileNotFoundError):
            os.utime(path, (1, 1))
    s.command("postqueue", "-f")
    return False


def everywhere(s, users=("alice", "bob", "carol")):
    return [crash.shown(p) for u in users for p in s.message_files(u)]


def copies(s, token, users=("bob",)):
    """How often it is there; each is whole."""
    mark = f"Subject: {token}".encode()
    found = [t for t in everywhere(s, users)
             if mark + b"\r\n" in t or mark + b"\n" in t]
    for text in found:
        crash.check_whole(text, token.encode())
    return len(found)


def counted(s, program, point, act, token):
    """What was killed, or None, and how many points there were."""
    s.crasher.arm(program, point)
    act(token)
    if not s.crasher.killed:
        time.sleep(0.02)  # for what is said behind the last change
    return s.crasher.disarm()


def measured(s, program, act):
    """Points of one run, when all programs are there already."""
    act(f"{program}-first")
    _, total = counted(s, program, 10**9, act, f"{program}-second")
    assert total > 0, f"{program} changes nothing"
    return total


def at_each_point(s, program, act, some=4):
    """act(token) while the program ends at each of its points."""
    reached = []
    tried = points(measured(s, program, act), program, some)
    for n in tried:
        killed, _ = counted(s, program, n, act, f"{program}-{n}")
        reached += [killed] if killed else []
    print(*reached, sep="\n")
    # it may have had less to do than the last time, now and then
    assert len(reached) * 2 >= len(tried), (tried, reached)


# what may be there once more than it was sent: doc/DURABILITY.md
AGAIN = {"qmgr": 1, "local": 1}


@pytest.mark.skipif(not AS_ROOT, reason="all identities are one")
@pytest.mark.parametrize("lines", [1, 6000], ids=["small", "large"])
@pytest.mark.parametrize("program", ["smtpd", "cleanup", "qmgr", "local"])
def test_accept_and_take(crashing, program, lines):
    s = crashing("virtual_maildir_form = crlf\n")

    def act(token):
        sent = crash.send(s, ["bob@example.test"],
                          crash.message(token, lines))
        wait_for("an empty queue", lambda: settled(s))
        got = copies(s, token)
        assert 1 <= got <= sent + AGAIN.get(program, 0), (
            token, got, sent, s.crasher.disarm())

    at_each_point(s, program, act)
