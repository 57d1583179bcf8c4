# SPDX-License-Identifier: ISC
"""Of many messages the files are read ahead by a second thread: what is sent is
what it would be without."""
import os
import socket

import pytest
from fetched import MAIN, put, wire
from imap_grammar import parse

from posthaste import wait_for

MANY = 400
RENAMED, REMOVED, LYING, LARGE = 390, 391, 392, 393

pytestmark = pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2,
                                reason="one processor: no second thread")


def message(i):
    size = 100_000 if i == LARGE else 30_000 + i
    text = f"Subject: message {i}\n\n".encode()
    text += (b"%d of these\n" % i) * (size // 12)
    return wire(text) if i % 3 == 0 else text


def fill(s):
    """One in ten names does not tell the size, and one tells another."""
    put(s, [message(i) for i in range(MANY)])
    cur = s.maildir("bob") / "cur"
    for path in list(cur.iterdir()):
        i = int(path.name.partition(".M")[2].partition("P")[0])
        size = path.stat().st_size + (i == LYING)
        if i % 10 != 5:
            path.rename(cur / path.name.replace(":2,", f",S={size}:2,"))
    os.utime(cur, (1, 1))
    return cur


def file_of(cur, i):
    (path,) = cur.glob(f"*.M{i}P*")
    return path


def number_of_threads(pid):
    return len(os.listdir(f"/proc/{pid}/task"))


def test_it_is_told_as_it_is(suite):
    s = suite(main=MAIN)
    cur = fill(s)
    c = s.imap()
    c.ok("SELECT INBOX")
    pid = s.processes("imapd-session")[-1]  # the user's, behind its parent
    c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    tag = c.start("FETCH 1:* (BODY.PEEK[])")
    wait_for("a second thread", lambda: number_of_threads(pid) == 2)
    # the connection is full long before these
    path = file_of(cur, RENAMED)
    path.rename(f"{path}S")
    file_of(cur, REMOVED).unlink()
    said, why, lines = c.finish(tag)
    assert (said, b"[EXPUNGEISSUED]" in why) == ("NO", True), why
    told = {}
    for line in lines:
        kind, data = parse(line)
        if kind == "FETCH" and "BODY[]" in data[1]:
            told[data[0] - 1] = data[1]["BODY[]"]
    assert sorted(told) == [i for i in range(MANY) if i != REMOVED]
    for i, text in told.items():
        assert text == wire(message(i)), i
    wait_for("its end", lambda: number_of_threads(pid) == 1)
