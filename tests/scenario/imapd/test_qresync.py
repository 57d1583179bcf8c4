# SPDX-License-Identifier: ISC
"""CONDSTORE and QRESYNC: RFC 7162, examples and corners."""
import re

import pytest

OPEN = "disable_plaintext_auth = no\n"
TEXT = b"Subject: x\r\n\r\ny\r\n"


def select(c, name="INBOX", more=""):
    lines = c.ok(f"SELECT {name}{more}")
    text = b"\n".join(lines)
    return lines, int(re.search(rb"UIDVALIDITY (\d+)", text)[1]), int(
        re.search(rb"HIGHESTMODSEQ (\d+)", text)[1])


@pytest.fixture
def box(suite):
    """Ten messages, all seen by a client that goes and comes again."""
    s = suite(main=OPEN)
    c = s.imap()
    for _ in range(10):
        c.append("INBOX", TEXT)
    _, validity, modseq = select(c)
    return s, c, validity, modseq


def changes(lines):
    return [x for x in lines
            if x.startswith(b"* VANISHED") or b" FETCH " in x]


def again(s, validity, modseq, more="", name="INBOX"):
    c = s.imap()
    c.ok("ENABLE QRESYNC")
    return changes(c.ok(
        f"SELECT {name} (QRESYNC ({validity} {modseq}{more}))"))


def test_nothing_changed(box):
    s, _, validity, modseq = box
    assert again(s, validity, modseq) == []
    assert again(s, validity + 1, 1) == []


def test_what_changed(box):
    s, c, validity, modseq = box
    c.ok(r"STORE 3 +FLAGS (\Flagged)")
    c.ok(r"STORE 5,7:8,10 +FLAGS (\Deleted)")
    c.ok("EXPUNGE")
    c.append("INBOX", TEXT)
    got = again(s, validity, modseq)
    assert got[0] == b"* VANISHED (EARLIER) 5,7:8,10"
    assert [re.match(rb"\* (\d+) FETCH \(UID (\d+) FLAGS \((.*)\) "
                     rb"MODSEQ \(\d+\)\)", x).groups() for x in got[1:]] == [
        (b"3", b"3", rb"\Flagged"), (b"7", b"11", b"")] or (
        # new ones are \Recent to the first that sees them
        b"11" in got[2])
    assert len(got) == 3


def test_known_uids(box):
    s, c, validity, modseq = box
    c.ok(r"STORE 3,9 +FLAGS (\Flagged)")
    c.ok(r"STORE 5,8 +FLAGS.SILENT (\Deleted)")
    c.ok("EXPUNGE")
    got = again(s, validity, modseq, " 1:6")
    assert got[0] == b"* VANISHED (EARLIER) 5"
    assert len(got) == 2 and b"UID 3 " in got[1]


def test_the_highest_uid_went(box):
    """"*" must not be taken for what is left."""
    s, c, validity, modseq = box
    c.ok(r"STORE 10 +FLAGS.SILENT (\Deleted)")
    c.ok("EXPUNGE")
    assert again(s, validity, modseq) == [b"* VANISHED (EARLIER) 10"]
    assert again(s, validity, modseq, " 1:10") == [
        b"* VANISHED (EARLIER) 10"]


def test_all_went(box):
    s, c, validity, modseq = box
    c.ok(r"STORE 1:* +FLAGS.SILENT (\Deleted)")
    c.ok("CLOSE")
    assert again(s, validity, modseq) == [b"* VANISHED (EARLIER) 1:10"]


def test_before_the_history(box):
    """All that is not there is told, but for what certainly matches."""
    s, c, validity, _ = box
    c.ok(r"STORE 4,9 +FLAGS.SILENT (\Deleted)")
    c.ok("EXPUNGE")
    got = again(s, validity, 1)
    assert got[0] == b"* VANISHED (EARLIER) 4,9"
    assert len(got) == 9
    got = again(s, validity, 1, " 1:10 (1,3,4 1,3,5)")
    assert got[0] in (b"* VANISHED (EARLIER) 9", b"* VANISHED (EARLIER) 4,9")
    # numbers and UIDs that do not match are of no use, and do no harm
    got = again(s, validity, 1, " 1:10 (1:3 1:2)")
    assert got[0] == b"* VANISHED (EARLIER) 4,9"


def test_what_is_not_right(box):
    s, _, validity, modseq = box
    c = s.imap()
    c.bad(f"SELECT INBOX (QRESYNC ({validity} {modseq}))")  # not enabled
    c.ok("ENABLE QRESYNC")
    for bad in ("", "1", f"{validity} 0", "0 1", f"{validity} 1 *",
                f"{validity} 1 1:5 (1:5)", f"{validity} 1 1:5 (1:5 1:5) 7",
                f"{validity} 1 1:x"):
        c.bad(f"SELECT INBOX (QRESYNC ({bad}))")
        c.ok("NOOP")
    c.bad("SELECT INBOX (QRESYNC)")
    c.bad("SELECT INBOX ()")


def test_vanished_instead_of_expunge(box):
    s, c, _, _ = box
    d = s.imap()
    d.ok("ENABLE QRESYNC")
    d.ok("SELECT INBOX")
    c.ok(r"STORE 2:3,5 +FLAGS.SILENT (\Deleted)")
    c.ok("EXPUNGE")
    lines = d.ok("NOOP")
    assert b"* VANISHED 2:3,5" in lines
    assert not any(b"EXPUNGE" in x for x in lines)
    d.ok(r"UID STORE 4 +FLAGS (\Deleted)")
    assert d.ok("EXPUNGE") == [b"* VANISHED 4"]
    assert re.match(rb"\[HIGHESTMODSEQ \d+\]", d.text)


def test_modseq_once_it_is_wanted(box):
    s, c, _, _ = box
    assert not any(b"MODSEQ" in x for x in c.ok(r"STORE 1 +FLAGS (\Seen)"))
    d = s.imap()
    d.ok("SELECT INBOX (CONDSTORE)")
    (line,) = d.ok(r"STORE 1 +FLAGS (\Flagged)")
    assert re.search(rb"MODSEQ \(\d+\)", line)
    (line,) = [x for x in c.ok("NOOP") if b"FETCH" in x]
    assert b"MODSEQ" not in line
    modseq = int(re.search(rb"MODSEQ \((\d+)\)", d.ok("FETCH 1 MODSEQ")[0])[1])
    d.ok(r"STORE 1 (UNCHANGEDSINCE 1) +FLAGS (\Draft)")
    assert d.text.startswith(b"[MODIFIED 1]")
    d.ok(rf"STORE 1 (UNCHANGEDSINCE {modseq}) +FLAGS (\Draft)")
    assert not d.text.startswith(b"[MODIFIED")
    got = d.ok(f"FETCH 1:* (FLAGS) (CHANGEDSINCE {modseq})")
    assert len(got) == 1 and b"\\Draft" in got[0]


def test_changes_wait_for_a_command_that_may_tell(box):
    """RFC 9051 section 7.5.1: numbers stay while FETCH and STORE use them."""
    s, c, _, _ = box
    d = s.imap()
    d.ok("SELECT INBOX")
    c.ok(r"STORE 1:5 +FLAGS.SILENT (\Deleted)")
    c.ok("EXPUNGE")
    for command in ("FETCH 6 UID", r"STORE 6 +FLAGS (\Seen)", "SEARCH UID 6"):
        lines = d.ok(command)
        assert not any(b"EXPUNGE" in x for x in lines), lines
        assert any(b"* 6 FETCH" in x or x == b"* SEARCH 6" for x in lines)
    assert [x for x in d.ok("NOOP") if b"EXPUNGE" in x] == [
        b"* %d EXPUNGE" % n for n in (5, 4, 3, 2, 1)]
    assert d.ok("FETCH 1 UID") == [b"* 1 FETCH (UID 6)"]


def test_vanished_messages_are_passed_over(box):
    """R41: a message that is gone, or moved already, is no error."""
    s, c, _, _ = box
    d = s.imap()
    d.ok("SELECT INBOX")
    c.ok("UID MOVE 3 Trash")
    for command in ("UID MOVE 3 Trash", r"UID STORE 3 +FLAGS (\Seen)",
                    "UID COPY 3 Trash", "UID FETCH 3 FLAGS",
                    "UID FETCH 999 FLAGS", "UID EXPUNGE 3", "UID MOVE 99 Sent"):
        d.ok(command)


def test_uidonly(box):
    """RFC 9586."""
    s, c, _, _ = box
    if "UIDONLY" not in c.capabilities():
        pytest.skip("UIDONLY is not offered")
    d = s.imap()
    d.ok("ENABLE UIDONLY")
    d.ok("SELECT INBOX")
    for command in ("FETCH 1 FLAGS", "STORE 1 FLAGS ()", "SEARCH ALL",
                    "COPY 1 Sent", "MOVE 1 Sent"):
        assert d.bad(command).startswith(b"[UIDREQUIRED]")
    (line,) = d.ok("UID FETCH 2 FLAGS")
    assert line.startswith(b"* 2 UIDFETCH (")
    (line,) = d.ok(r"UID STORE 2 +FLAGS (\Deleted)")
    assert line.startswith(b"* 2 UIDFETCH (FLAGS (")
    assert d.ok("EXPUNGE") == [b"* VANISHED 2"]
