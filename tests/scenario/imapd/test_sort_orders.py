# SPDX-License-Identifier: ISC
"""SORT (RFC 5256, RFC 5957) and its extended answers (RFC 5267)."""
import os
import random

import pytest

from mail_search import esearch, fold, found
from posthaste import owner_ids

OPEN = "disable_plaintext_auth = no\n"
ROWS = [
    # subject, from, to, cc, sent day or None, size of the body, internal day
    ("Re: beta", "Zoe <b@x>", "one@x", "", 5, 60, 3),
    ("alpha", "Adam <c@x>", "two@x", "z@x", 4, 500, 2),
    ("[list] Beta", "a@x", "", "", 4, 150, 9),
    ("", "=?utf-8?q?=C3=84da?= <d@x>", "one@x", "a@x", None, 300, 7),
    ("alpha (fwd)", "a@x", "three@x", "", 1, 5, 1),
]


def raw(row):
    subject, sender, to, cc, sent, size, _ = row
    head = f"From: {sender}\r\nSubject: {subject}\r\n"
    head += f"To: {to}\r\n" if to else ""
    head += f"Cc: {cc}\r\n" if cc else ""
    if sent is not None:
        head += f"Date: {sent} Jan 2000 12:00:00 +0000\r\n"
    return head.encode() + b"\r\n" + b"x" * size + b"\r\n"


@pytest.fixture
def box(suite):
    c = suite(main=OPEN).imap()
    for row in ROWS:
        c.append("INBOX", raw(row), date=f'"{row[6]:02d}-Feb-2000 '
                 '00:00:00 +0000"')
    c.ok("SELECT INBOX")
    return c


@pytest.mark.parametrize("criteria, order", [
    ("ARRIVAL", [5, 2, 1, 4, 3]),
    ("REVERSE ARRIVAL", [3, 4, 1, 2, 5]),
    ("DATE", [5, 2, 3, 1, 4]),  # 4 has its internal date, of February
    ("SUBJECT", [4, 2, 5, 1, 3]),
    ("SUBJECT REVERSE DATE", [4, 2, 5, 1, 3]),
    ("REVERSE SUBJECT", [1, 3, 2, 5, 4]),
    ("SUBJECT DATE", [4, 5, 2, 3, 1]),
    ("FROM", [3, 5, 1, 2, 4]),
    ("DISPLAYFROM", [3, 5, 4, 2, 1]),
    ("TO", [3, 1, 4, 5, 2]),
    ("CC", [1, 3, 5, 4, 2]),
    ("SIZE", [5, 1, 3, 4, 2]),
    ("REVERSE SIZE SIZE", [2, 4, 3, 1, 5]),
])
def test_orders(box, criteria, order):
    if criteria == "DISPLAYFROM":
        # names: "a@x" twice, "Ada" with its dots, "Adam", "Zoe"
        order = sorted(range(1, 6), key=lambda n: fold(
            ["Zoe", "Adam", "a@x", "Äda", "a@x"][n - 1]).encode())
    for _ in range(2):
        assert found(box.ok(f"SORT ({criteria}) UTF-8 ALL"), b"SORT") == order
        assert found(box.ok(f"UID SORT ({criteria}) US-ASCII ALL"),
                     b"SORT") == order


def test_dialogue(box):
    box.talk(r"""
        C: a1 SORT (SUBJECT) UTF-8 SINCE 3-Feb-2000
        S: * SORT 4 1 3
        S: a1 OK ...
        C: a2 SORT (SUBJECT) US-ASCII TEXT "not in mailbox"
        S: * SORT
        S: a2 OK ...
        C: a3 UID SORT RETURN () (REVERSE DATE) UTF-8 ALL
        S: * ESEARCH (TAG "a3") UID ALL 4,1:3,5
        S: a3 OK ...
        C: a4 SORT RETURN (MIN MAX COUNT) (SIZE) UTF-8 ALL
        S: * ESEARCH (TAG "a4") MIN 5 MAX 2 COUNT 5
        S: a4 OK ...
        C: a5 SORT RETURN (PARTIAL 2:3) (SIZE) UTF-8 ALL
        S: * ESEARCH (TAG "a5") PARTIAL (2:3 1,3)
        S: a5 OK ...
        C: a6 SORT RETURN (PARTIAL -1:-2) (SIZE) UTF-8 ALL
        S: * ESEARCH (TAG "a6") PARTIAL (-1:-2 4,2)
        S: a6 OK ...
        C: a7 SORT RETURN (SAVE MIN) (SIZE) UTF-8 ALL
        S: * ESEARCH (TAG "a7") MIN 5
        S: a7 OK ...
        C: a8 SEARCH $
        S: * SEARCH 5
        S: a8 OK ...
        C: a9 SORT (SUBJECT) x-none ALL
        S: a9 NO [BADCHARSET (UTF-8 US-ASCII ...)] ...
    """)


@pytest.mark.parametrize("text", [
    "() UTF-8 ALL", "(REVERSE) UTF-8 ALL", "(REVERSE REVERSE DATE) UTF-8 ALL",
    "(FOO) UTF-8 ALL", "(DATE) UTF-8", "(DATE)", "DATE UTF-8 ALL", "",
])
def test_refusals(box, text):
    box.bad(f"SORT {text}")
    assert found(box.ok("SORT (SIZE) UTF-8 2:3"), b"SORT") == [3, 2]


def test_many_with_equal_texts(suite):
    """Long subjects that differ at their end, or not at all."""
    r = random.Random(3)
    c = suite(main=OPEN).imap()
    subjects = [r.choice(["x" * 40, "x" * 40 + "y", "x" * 8, "x" * 9, "w",
                          "x" * 39 + "y", "", "X" * 16])
                for _ in range(60)]
    for s in subjects:
        c.append("INBOX", f"Subject: {s}\r\n\r\nb\r\n".encode())
    c.ok("SELECT INBOX")
    numbers = range(1, len(subjects) + 1)
    got = found(c.ok("SORT (SUBJECT) UTF-8 ALL"), b"SORT")
    assert got == sorted(numbers, key=lambda n: (subjects[n - 1].upper(), n))
    got = found(c.ok("SORT (REVERSE SUBJECT) UTF-8 ALL"), b"SORT")
    want = sorted(numbers, key=lambda n: subjects[n - 1].upper(), reverse=True)
    assert got == want
    r = esearch(c.ok("SORT RETURN (ALL) (SUBJECT) UTF-8 ALL"))
    assert sorted(r["ALL"]) == list(numbers)


def test_many_without_a_date(suite):
    """What has no Date is sorted by when it came, also where that has to be
    found out while it is sorted."""
    s = suite(main=OPEN, start=False)
    home = s.maildir("bob")
    for part in ("cur", "new", "tmp"):
        (home / part).mkdir(parents=True, exist_ok=True)
    r = random.Random(5)
    rows = []
    for n in range(400):
        subject, when = "s" * r.randint(1, 300), 1600000000 + r.randint(0, 999)
        path = home / "cur" / f"{1700000000 + n}.M{n}P1.host:2,S"
        path.write_text(f"Subject: {subject}\n\nbody\n")
        os.utime(path, (when, when))
        rows.append((subject, when, n + 1))
    for folder, _, names in os.walk(home):
        for path in [folder] + [os.path.join(folder, n) for n in names]:
            os.chown(path, *owner_ids())
    c = s.start().imap()
    c.ok("SELECT INBOX")
    by_subject = sorted(rows, key=lambda x: (x[0], x[2]))
    by_both = sorted(rows, key=lambda x: (x[1], x[0], x[2]))
    for _ in range(2):
        assert found(c.ok("SORT (SUBJECT) UTF-8 ALL"), b"SORT") == [
            x[2] for x in by_subject]
        assert found(c.ok("SORT (DATE SUBJECT) UTF-8 ALL"), b"SORT") == [
            x[2] for x in by_both]
