# SPDX-License-Identifier: ISC
"""THREAD (RFC 5256)."""
import pytest

OPEN = "disable_plaintext_auth = no\n"


def message(number, ident, references=(), subject="s", reply_to=None):
    head = (f"Date: 1 Jan 2000 00:00:{number:02d} +0000\r\n"
            f"Message-ID: {ident}\r\nSubject: {subject}\r\n")
    if references:
        head += "References: " + "\r\n ".join(references) + "\r\n"
    if reply_to:
        head += f"In-Reply-To: {reply_to}\r\n"
    return head.encode() + b"\r\nbody\r\n"


@pytest.fixture
def box(suite):
    c = suite(main=OPEN).imap()
    rows = [
        ("<1@x>", [], "first"),
        ("<2@x>", ["<1@x>"], "Re: first"),
        ("<3@x>", ["<1@x>", "<2@x>"], "other"),
        ("<4@x>", ["<1@x>"], "Re: first"),
        ("<5@x>", ["<gone@x>"], "kin"),
        ("<6@x>", ["<gone@x>"], "kin"),
        ("<7@x>", [], "alone"),
    ]
    for i, (ident, refs, subject) in enumerate(rows, 1):
        c.append("INBOX", message(i, ident, refs, subject))
    # a quoted id means the same
    c.append("INBOX", message(8, '<"7"@x>', ['<"1"@x>'], "again"))
    c.append("INBOX", message(9, "<9@x>", [], "last", "<\"3\"@x> (of me)"))
    c.ok("SELECT INBOX")
    return c


def test_references(box):
    box.talk(r"""
        C: a1 THREAD REFERENCES UTF-8 ALL
        S: * THREAD (1 (2 3 9)(4)(8))((5)(6))(7)
        S: a1 OK ...
        C: a2 UID THREAD REFERENCES US-ASCII 2:4
        S: * THREAD ((2 3)(4))
        S: a2 OK ...
        C: a3 THREAD REFERENCES US-ASCII TEXT "gewp"
        S: * THREAD
        S: a3 OK ...
    """)


def test_ordered_subject(box):
    box.talk(r"""
        C: a1 THREAD ORDEREDSUBJECT UTF-8 ALL
        S: * THREAD (1 (2)(4))(3)(5 6)(7)(8)(9)
        S: a1 OK ...
        C: a2 THREAD ORDEREDSUBJECT UTF-8 SUBJECT kin
        S: * THREAD (5 6)
        S: a2 OK ...
    """)


def test_refusals(box):
    box.bad("THREAD FOO UTF-8 ALL")
    box.bad("THREAD REFERENCES ALL")
    box.bad("THREAD REFERENCES UTF-8")
    box.bad("THREAD")
    assert box.no("THREAD REFERENCES x-none ALL").startswith(b"[BADCHARSET")


def test_a_long_chain_is_answered(suite):
    """Each message answers the one before: one thread, however deep."""
    c = suite(main=OPEN).imap()
    for i in range(1, 301):
        c.append("INBOX", message(i % 60, f"<{i}@x>",
                                  [f"<{i - 1}@x>"] if i > 1 else [], f"s{i}"))
    c.ok("SELECT INBOX")
    (line,) = c.ok("THREAD REFERENCES UTF-8 ALL")
    assert line == b"* THREAD (" + b" ".join(
        b"%d" % i for i in range(1, 301)) + b")"
