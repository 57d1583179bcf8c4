# SPDX-License-Identifier: ISC
"""EXPUNGE, UID EXPUNGE, and how removals are told (RFC 9051 section 6.4.3,
RFC 4315, RFC 7162 section 3.2.10)."""
import re

import pytest
from imap_people import look, message

MAIN = "disable_plaintext_auth = no\n"


@pytest.fixture
def c(suite):
    s = suite(main=MAIN)
    c = s.imap()
    c.suite = s
    for n in range(1, 8):
        c.append("INBOX", message(f"number {n}"))
    c.ok("SELECT INBOX")
    return c


def test_numbers_move_up(c):
    c.ok("STORE 2,3,6 +FLAGS.SILENT (\\Deleted)")
    c.talk("""
        C: a1 EXPUNGE
        S: * 6 EXPUNGE
        S: * 3 EXPUNGE
        S: * 2 EXPUNGE
        S: a1 OK ...
        C: a2 FETCH 4 (UID)
        S: * 4 FETCH (UID 7)
        S: a2 OK ...
    """)
    assert set(look(c.suite)) == {"number 1", "number 4", "number 5",
                                  "number 7"}


def test_uid_expunge_takes_only_those_named(c):
    c.ok("STORE 1:4 +FLAGS.SILENT (\\Deleted)")
    lines = c.ok("UID EXPUNGE 2:3,6,99")
    assert lines == [b"* 3 EXPUNGE", b"* 2 EXPUNGE"]
    assert len(look(c.suite)) == 5
    assert c.ok("UID EXPUNGE 6") == []


def test_vanished_with_qresync(c):
    c.ok("ENABLE QRESYNC")
    c.ok("STORE 1,3:4 +FLAGS.SILENT (\\Deleted)")
    lines = c.ok("EXPUNGE")
    assert lines == [b"* VANISHED 1,3:4"]
    code = int(re.match(rb"\[HIGHESTMODSEQ (\d+)\]", c.text)[1])
    # by that value nothing is missed and nothing told again
    c.ok("UNSELECT")
    v = re.search(rb"UIDVALIDITY (\d+)", b"\n".join(
        c.ok("STATUS INBOX (UIDVALIDITY HIGHESTMODSEQ)")))[1].decode()
    lines = c.ok(f"SELECT INBOX (QRESYNC ({v} {code}))")
    assert not any(b"VANISHED" in x or b"FETCH" in x for x in lines), lines


def test_others_are_told_when_numbers_may_change(c):
    other = c.suite.imap()
    other.ok("SELECT INBOX")
    c.ok("STORE 2 +FLAGS.SILENT (\\Deleted)")
    c.ok("EXPUNGE")
    for command in ("FETCH 3:* (UID)", "STORE 1 +FLAGS.SILENT (\\Seen)",
                    "SEARCH ALL"):
        assert not any(b"EXPUNGE" in x for x in other.ok(command))
    assert b"* 2 EXPUNGE" in other.ok("NOOP")
    third = c.suite.imap()
    third.ok("SELECT INBOX")
    c.ok("STORE 2 +FLAGS.SILENT (\\Deleted)")
    c.ok("EXPUNGE")
    assert b"* 2 EXPUNGE" in third.ok("UID FETCH 1 (UID)")


def test_read_only_and_arguments(c):
    c.ok("STORE 1 +FLAGS (\\Deleted)")
    c.bad("EXPUNGE 1")
    c.bad("UID EXPUNGE")
    c.bad("UID EXPUNGE x")
    c.ok("EXAMINE INBOX")
    assert c.no("EXPUNGE").startswith(b"[READ-ONLY]")
    assert c.no("UID EXPUNGE 1").startswith(b"[READ-ONLY]")
    c.ok("CLOSE")
    assert len(look(c.suite)) == 7


def test_a_uid_is_not_used_again(c):
    c.ok("STORE 7 +FLAGS.SILENT (\\Deleted)")
    c.ok("EXPUNGE")
    assert c.append("INBOX", message("new")) == 8
