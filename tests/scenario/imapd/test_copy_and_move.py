# SPDX-License-Identifier: ISC
"""COPY and MOVE with COPYUID (RFC 9051 sections 6.4.7 and 6.4.8, RFC 4315,
RFC 6851)."""
import re

import pytest
from imap_people import look, message
from mail_caches import fetched

MAIN = "disable_plaintext_auth = no\n"


@pytest.fixture
def c(suite):
    s = suite(main=MAIN)
    c = s.imap()
    c.suite = s
    for n in range(1, 6):
        c.append("INBOX", message(f"number {n}"), "(\\Seen $Work)"
                 if n == 2 else "", '"17-Jul-1996 02:44:25 -0700"')
    c.ok("CREATE There")
    c.ok("SELECT INBOX")
    return c


def row(c, number, items):
    (line,) = c.ok(f"FETCH {number} ({items})")
    return line


def test_copies_have_flags_dates_and_text(c):
    before = row(c, 2, "FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[]")
    c.talk("""
        C: a1 COPY 2,4 There
        S: a1 OK [COPYUID <v> 2,4 1:2] ...
    """)
    assert set(look(c.suite)) >= {"number 2", "number 4"}
    c.ok("SELECT There")
    after = row(c, 1, "FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[]")
    assert fetched(after)[1]["flags"] == {"\\seen", "$work"}
    strip = rb"FLAGS \([^)]*\) "
    assert re.sub(strip, b"", after).split(b" ", 2)[2] == re.sub(
        strip, b"", before).split(b" ", 2)[2]


def test_the_code_comes_before_messages_vanish(c):
    """RFC 6851 section 4.3."""
    c.talk("""
        C: a1 MOVE 2,4 There
        S: * OK [COPYUID <v> 2,4 1:2] ...
        S: * 4 EXPUNGE
        S: * 2 EXPUNGE
        S: a1 OK ...
        C: a2 UID MOVE 5 There
        S: * OK [COPYUID <v> 5 3] ...
        S: * 3 EXPUNGE
        S: a2 OK ...
    """)
    assert set(look(c.suite)) == {"number 1", "number 3"}
    assert look(c.suite, "There")["number 2"] == {"\\seen", "$work"}


def test_move_with_qresync(c):
    c.ok("ENABLE QRESYNC")
    lines = c.ok("UID MOVE 1:3 There")
    assert re.match(rb"\* OK \[COPYUID \d+ 1:3 1:3\]", lines[0])
    assert lines[1:] == [b"* VANISHED 1:3"]


def test_a_missing_target(c):
    for command in ("COPY 1 Nowhere", "UID COPY 1 Nowhere",
                    "MOVE 1 Nowhere", "UID MOVE 1 Nowhere"):
        assert c.no(command).startswith(b"[TRYCREATE]")
    assert len(look(c.suite)) == 5


def test_the_same_mailbox(c):
    c.ok("COPY 1 INBOX")
    assert re.match(rb"\[COPYUID \d+ 1 6\]", c.text), c.text
    assert any(x.startswith(b"* 6 EXISTS") for x in c.ok("NOOP")) or (
        row(c, 6, "UID"))
    lines = c.ok("UID MOVE 6 INBOX")
    assert re.match(rb"\* OK \[COPYUID \d+ 6 7\]", lines[0])
    assert b"* 6 EXPUNGE" in lines
    assert b"* 6 EXISTS" in lines


def test_vanished_messages_are_passed_over(c):
    """R41: a client that moves what was moved already sees no ghost."""
    other = c.suite.imap()
    other.ok("SELECT INBOX")
    other.ok("UID MOVE 2 There")
    lines = c.ok("UID MOVE 2 There")
    assert not any(b"COPYUID" in x for x in lines)
    c.ok("UID COPY 2 There")
    assert b"COPYUID" not in c.text
    c.ok("UID MOVE 2:3 There")
    assert set(look(c.suite, "There")) == {"number 2", "number 3"}
    c.ok("UID MOVE 99 There")


def test_read_only(c):
    c.ok("EXAMINE INBOX")
    assert c.no("MOVE 1 There").startswith(b"[READ-ONLY]")
    c.ok("COPY 1 There")
    assert set(look(c.suite, "There")) == {"number 1"}
    assert len(look(c.suite)) == 5


def test_arguments(c):
    for command in ("COPY", "COPY 1", "COPY 1 There more", "COPY x There",
                    "MOVE 9 There", "COPY 9 There"):
        c.bad(command)


def test_hundreds_of_gaps(c):
    """UIDs of a code are as many as there are."""
    for _ in range(60):
        c.ok("APPEND INBOX" + " {}" * 5, *[message("x")] * 5)
    c.ok("STORE 1:* FLAGS.SILENT ()")
    c.ok(f"STORE {','.join(str(n) for n in range(2, 306, 2))} "
         "+FLAGS.SILENT (\\Deleted)")
    c.ok("EXPUNGE")
    lines = c.ok("MOVE 1:* There")
    m = re.match(rb"\* OK \[COPYUID \d+ ([\d,:]+) 1:153\]", lines[0])
    assert m[1].count(b",") == 152
    assert len([x for x in lines if x.endswith(b"EXPUNGE")]) == 153
