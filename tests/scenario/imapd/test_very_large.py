# SPDX-License-Identifier: ISC
"""A million messages in a mailbox, two gigabytes in a message: answered in
memory that does not grow with either.

The million with POSTHASTE_FULL=1; else 200,000.
"""
import os
import pathlib
import re

import pytest
from fetched import MAIN, one
from mail_caches import fetched
from many_messages import make, many

FULL = os.environ.get("POSTHASTE_FULL") == "1"
MESSAGES = 1000000 if FULL else 200000
FEW = 24 << 20


def private(s):
    """Memory of the user's processes that no file backs, in bytes."""
    most = 0
    for pid in s.processes("imapd-session"):
        try:
            text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue
        most = max(most, 1024 * int(
            re.search(r"Pss_Anon:\s+(\d+)", text)[1]))
    assert most > 0
    return most


@pytest.mark.unsanitized
def test_many_messages_in_little_memory(suite):
    s = suite(main=MAIN)
    many(s, MESSAGES)
    c = s.imap(timeout=600)
    lines = c.ok("SELECT INBOX")
    assert b"* %d EXISTS" % MESSAGES in lines
    first = private(s)
    print(f"Pss_Anon after the first SELECT: {first >> 10} KB")
    # names were sorted, and are forgotten
    assert first < FEW, first
    c.logout()
    s.stop()
    s.start()
    c = s.imap(timeout=600)
    lines = c.ok("SELECT INBOX")
    assert b"* %d EXISTS" % MESSAGES in lines
    c.strict = False  # the grammar in Python takes its time
    for start in (1, MESSAGES // 2, MESSAGES - 5000):
        rows = [fetched(x) for x in c.ok(
            f"FETCH {start}:{start + 4999} (UID FLAGS)")]
        assert [row[0] for row in rows] == list(range(start, start + 5000))
        assert [row[1]["uid"] for row in rows] == sorted(
            row[1]["uid"] for row in rows)
    c.send(b"all FETCH 1:* (UID FLAGS)\r\n")
    n = 0
    while not (line := c.raw_line()).startswith(b"all "):
        n += 1
    assert n == MESSAGES and line.startswith(b"all OK"), line
    found = c.ok("UID SEARCH RETURN (COUNT) UNSEEN")
    assert f"COUNT {MESSAGES // 10}".encode() in found[-1], found
    found = c.ok("UID SEARCH RETURN (COUNT MIN MAX) LARGER 5 SEEN")
    assert f"COUNT {MESSAGES - MESSAGES // 10}".encode() in found[-1], found
    c.ok(f"STORE {MESSAGES // 2} +FLAGS (\\Flagged)")
    found = c.ok("SEARCH FLAGGED")
    assert found[-1] == b"* SEARCH %d" % (MESSAGES // 2), found
    used = private(s)
    print(f"Pss_Anon: {used >> 10} KB with {MESSAGES} messages")
    assert used < FEW, used


@pytest.mark.unsanitized
def test_offsets_beyond_two_gigabytes(suite):
    """The file has a hole, which is sent as NULs would be."""
    s = suite(main=MAIN)
    path = make(s, "source", b"Subject: huge\r\n\r\n")
    size = (1 << 31) + (64 << 20)
    mark = b"0123456789\r\n"
    with open(path, "r+b") as f:
        f.truncate(size - len(mark))
        f.seek(0, os.SEEK_END)
        f.write(mark)
    path.rename(path.parent / "cur" / f"1600000000.M1P1.test,S={size}:2,")
    c = s.imap(timeout=600)
    c.ok("SELECT INBOX")
    assert one(c, "RFC822.SIZE") == size
    assert one(c, f"BODY.PEEK[]<{size - 12}.5>") == b"01234"
    assert one(c, f"BODY.PEEK[]<{size - 7}.100>") == b"56789\r\n"
    assert len(one(c, f"BODY.PEEK[]<{(1 << 31) + 5}.1000>")) == 1000
    assert one(c, f"BODY.PEEK[]<{size}.10>") == b""
    used = private(s)
    print(f"Pss_Anon: {used >> 10} KB with {size} bytes")
    assert used < FEW, used
