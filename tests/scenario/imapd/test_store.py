# SPDX-License-Identifier: ISC
"""STORE and UID STORE, conditional ones too (RFC 9051 section 6.4.6, RFC 7162
section 3.1.3)."""
import os
import re

import pytest
from imap_people import message
from mail_caches import fetched
from many_messages import make

MAIN = "disable_plaintext_auth = no\n"


@pytest.fixture
def c(suite):
    """A client with INBOX selected: five messages."""
    s = suite(main=MAIN)
    c = s.imap()
    c.suite = s
    for n in range(1, 6):
        c.append("INBOX", message(f"number {n}"))
    c.ok("SELECT INBOX")
    return c


def files(c):
    """Flags in names, oldest first."""
    found = [p for part in ("cur", "new")
             for p in (c.suite.maildir("bob") / part).iterdir()]
    names = sorted(p.name for p in found)
    return [n.partition(":2,")[2] for n in names]


def flags(c, number):
    (line,) = c.ok(f"FETCH {number} (FLAGS)")
    return fetched(line)[1]["flags"]


def test_add_remove_replace(c):
    c.talk(r"""
        C: a1 STORE 2:3 +FLAGS (\Seen \Flagged)
        S: * 2 FETCH (FLAGS (...\Flagged \Seen...))
        S: * 3 FETCH (FLAGS (...\Flagged \Seen...))
        S: a1 OK ...
        C: a2 STORE 3 -FLAGS.SILENT \Seen
        S: a2 OK ...
    """)
    assert flags(c, 3) == {"\\flagged"}
    c.ok("STORE 3 FLAGS (\\Answered \\Draft)")
    assert flags(c, 3) == {"\\answered", "\\draft"}
    c.ok("STORE 3 FLAGS ()")
    assert flags(c, 3) == set()
    assert sorted(files(c)) == ["", "", "", "", "FS"]


def test_uid_store_tells_uids(c):
    (line,) = c.ok("UID STORE 4 +FLAGS (\\Seen)")
    assert fetched(line) == (4, {"uid": 4, "flags": {"\\seen"}})
    assert c.ok("UID STORE 77 +FLAGS (\\Seen)") == []
    assert c.ok("UID STORE 4:99 +FLAGS.SILENT (\\Seen)") == []
    assert flags(c, 5) == {"\\seen"}


def test_flags_in_any_case_with_and_without_parentheses(c):
    c.ok("STORE 1 +flags.silent \\SEEN \\flagged")
    assert flags(c, 1) == {"\\seen", "\\flagged"}


def test_keywords(c):
    c.ok("STORE 1 +FLAGS ($Forwarded work \\Seen)")
    assert flags(c, 1) == {"$forwarded", "work", "\\seen"}
    # one name, however it is written
    c.ok("STORE 2 +FLAGS (WORK)")
    c.ok("STORE 1 -FLAGS (Work)")
    assert flags(c, 1) == {"$forwarded", "\\seen"}
    assert re.search(r"[ab]", files(c)[0])
    # another session, and after the index is gone
    other = c.suite.imap()
    other.ok("SELECT INBOX")
    assert flags(other, 2) == {"work"}


@pytest.mark.parametrize("arguments", [
    "1", "1 FLAGS", "1 FLAG (\\Seen)", "1 (UNCHANGEDSINCE) FLAGS (\\Seen)",
    "1 (UNCHANGEDSINCE x) FLAGS (\\Seen)", "1 (OTHER 1) FLAGS (\\Seen)",
    "1 () FLAGS (\\Seen)", "9 FLAGS (\\Seen)", "x FLAGS (\\Seen)",
    "1 FLAGS \"\\\\Seen\"", "1 *FLAGS (\\Seen)"])
def test_wrong_arguments_change_nothing(c, arguments):
    word, _, _ = c.command(f"STORE {arguments}")
    assert word in ("BAD", "NO")
    for n in range(1, 6):
        assert flags(c, n) == set()
    c.ok("STORE 1 FLAGS (\\Seen)")
    assert flags(c, 1) == {"\\seen"}


def test_recent_and_unknown_ones_cannot_be_set(c):
    """They are ignored: clients bring them from other servers."""
    c.ok("STORE 1 FLAGS (\\Recent \\Unknown \\Seen)")
    assert flags(c, 1) == {"\\seen"}


def test_read_only(c):
    c.ok("EXAMINE INBOX")
    assert c.no("STORE 1 +FLAGS (\\Seen)").startswith(b"[READ-ONLY]")
    assert flags(c, 1) == set()


def test_unchangedsince(c):
    """Those changed meanwhile are left alone and named."""
    other = c.suite.imap()
    other.ok("SELECT INBOX")
    lines = c.ok("SELECT INBOX (CONDSTORE)")
    highest = int(re.search(rb"HIGHESTMODSEQ (\d+)", b"\n".join(lines))[1])
    other.ok("STORE 2 +FLAGS (\\Answered)")
    lines = c.ok(f"STORE 1:3 (UNCHANGEDSINCE {highest}) +FLAGS.SILENT "
                 "(\\Deleted)")
    assert c.text.startswith(b"[MODIFIED 2]"), c.text
    rows = dict(fetched(x) for x in lines)
    assert rows[1]["modseq"] == rows[3]["modseq"] > highest
    assert "flags" not in rows[1]
    assert rows[2]["flags"] == {"\\answered"}
    assert "\\deleted" in flags(c, 1) and "\\deleted" not in flags(c, 2)
    # with the value that is now known it works
    lines = c.ok(f"UID STORE 2 (UNCHANGEDSINCE {rows[2]['modseq']}) "
                 "+FLAGS (\\Deleted)")
    assert b"MODIFIED" not in c.text
    assert {"\\answered", "\\deleted"} == fetched(lines[-1])[1]["flags"]
    c.ok("STORE 4 (UNCHANGEDSINCE 0) +FLAGS.SILENT ($MDNSent)")
    assert c.text.startswith(b"[MODIFIED 4]")
    c.ok("UID STORE 4:5 (UNCHANGEDSINCE 1) +FLAGS.SILENT ($MDNSent)")
    assert c.text.startswith(b"[MODIFIED 4:5]")


def test_unchangedsince_makes_aware_of_modification_sequences(c):
    lines = c.ok("STORE 1 (UNCHANGEDSINCE 99999999999999999) +FLAGS.SILENT "
                 "(\\Seen)")
    assert any(b"[HIGHESTMODSEQ " in x for x in lines)
    (line,) = [x for x in lines if b"FETCH" in x]
    assert fetched(line)[1].keys() == {"modseq"}
    (line,) = c.ok("STORE 2 +FLAGS (\\Seen)")
    assert {"modseq", "flags"} <= fetched(line)[1].keys()


def test_a_change_is_told_once(c):
    c.ok("STORE 1 +FLAGS (\\Seen)")
    assert [x for x in c.ok("NOOP") if b"FETCH" in x] == []
    c.ok("STORE 1 -FLAGS.SILENT (\\Seen)")
    assert [x for x in c.ok("NOOP") if b"FETCH" in x] == []


def test_others_are_told(c):
    other = c.suite.imap()
    other.ok("SELECT INBOX")
    other.ok("NOOP")
    c.ok("STORE 1:2 +FLAGS.SILENT (\\Flagged $Junk)")
    rows = dict(fetched(x) for x in other.ok("NOOP") if b" FETCH " in x)
    assert rows[1]["flags"] == rows[2]["flags"] == {"\\flagged", "$junk"}


def test_vanished_messages_are_passed_over(c):
    """R41: what another session removed meanwhile is no error."""
    other = c.suite.imap()
    other.ok("SELECT INBOX")
    other.ok("STORE 2 +FLAGS (\\Deleted)")
    other.ok("EXPUNGE")
    lines = c.ok("STORE 1:3 +FLAGS (\\Seen)")
    assert not any(b"EXPUNGE" in x for x in lines), lines
    numbers = {fetched(x)[0] for x in lines if b" FETCH " in x}
    assert {1, 3} <= numbers
    assert flags(c, 3) == {"\\seen"}
    assert b"* 2 EXPUNGE" in c.ok("NOOP")
    assert c.ok("UID STORE 2 +FLAGS (\\Seen)") == []


def test_sixty_five_keywords(c):
    """The folder has room for 64; then NO, and the connection goes on."""
    for n in range(64):
        c.ok(f"STORE 1 +FLAGS.SILENT (k{n})")
    assert len(flags(c, 1)) == 64
    assert c.no("STORE 1 +FLAGS (k64)").startswith(b"[LIMIT]")
    c.ok("STORE 2 +FLAGS (k63)")


def permanent(lines):
    """The keywords and "\\*" of the last PERMANENTFLAGS."""
    told = [x for x in lines if b"[PERMANENTFLAGS (" in x][-1]
    return set(re.search(rb"\((.*)\)\]", told)[1].decode().split())


def test_no_promise_of_a_sixty_fifth_keyword(c):
    """RFC 9051 section 7.1: "\\*" says that more can be made."""
    for n in range(63):
        c.ok(f"STORE 1 +FLAGS.SILENT (k{n})")
    assert "\\*" in permanent(c.ok("SELECT INBOX"))
    lines = c.ok("STORE 1 +FLAGS (k63)")
    assert "k63" in permanent(lines) and "\\*" not in permanent(lines)
    lines = c.ok("SELECT INBOX")
    assert "k63" in permanent(lines) and "\\*" not in permanent(lines)
    assert c.no("STORE 1 +FLAGS (k64)").startswith(b"[LIMIT]")
    c.ok("STORE 2 +FLAGS (K63)")
    assert flags(c, 2) == {"k63"}


def test_messages_come_into_a_folder_full_of_keywords(c):
    """They are kept, and what has no room is left out."""
    c.ok("CREATE Full")
    c.append("Full", b"Subject: x\r\n\r\nx\r\n",
             "(" + " ".join(f"k{n}" for n in range(64)) + ")")
    for text in (b"one", b"two"):
        c.append("Full", b"Subject: x\r\n\r\n" + text + b"\r\n",
                 "(k1 More \\Seen)")
    c.ok("STORE 1:2 +FLAGS.SILENT (k2 Other \\Flagged)")
    c.ok("COPY 1 Full")
    c.ok("MOVE 2 Full")
    c.ok("SELECT Full")
    assert len(flags(c, 1)) == 64
    assert [flags(c, n) for n in range(2, 6)] == [
        {"k1", "\\seen"}] * 2 + [{"k2", "\\flagged"}] * 2
    assert c.no("STORE 2 +FLAGS (More)").startswith(b"[LIMIT]")
    assert flags(c, 2) == {"k1", "\\seen"}
    c.suite.wait_log("Full: no room for more than 64 keywords: More is "
                     "left out")
    assert c.suite.log().count("no room for more than 64 keywords") == 1


def test_many_are_changed_and_removed_part_by_part(suite):
    """20,000: more than are changed at a time."""
    s = suite(main="disable_plaintext_auth = no\n")
    box = s.maildir("bob")
    count = 20000
    s.imap().ok("SELECT INBOX")  # makes it
    source = make(s, "source", b"Subject: x\r\n\r\nx\n"[:16])
    for n in range(1, count + 1):
        os.link(source, box / "cur" / f"1700000000.M{n:06}P1.host,S=16,W=16:2,")
    c, other = s.imap(), s.imap()
    c.ok("ENABLE CONDSTORE")
    c.ok("SELECT INBOX")
    other.ok("SELECT INBOX")
    lines = c.ok(r"STORE 1:* +FLAGS (\Flagged)")
    assert len([x for x in lines if b"\\Flagged" in x]) == count
    assert c.ok("SEARCH RETURN (COUNT) FLAGGED")[-1].endswith(
        b"COUNT %d" % count)

    def modseq(number):
        (line,) = [x for x in c.ok(f"FETCH {number} (MODSEQ)")
                   if x.startswith(b"* %d FETCH (MODSEQ" % number)]
        return int(re.search(rb"MODSEQ \((\d+)\)", line)[1])

    later = modseq(18000)
    assert later > modseq(100)
    other.ok(r"STORE 5,19000 +FLAGS.SILENT (\Seen)")
    word, text, _ = c.command(
        rf"STORE 1:* (UNCHANGEDSINCE {later}) +FLAGS.SILENT (\Deleted)")
    assert word == "OK" and b"[MODIFIED 5,19000]" in text, text
    lines = c.ok("EXPUNGE")
    assert len([x for x in lines if x.endswith(b"EXPUNGE")]) == count - 2
    assert c.ok("UID SEARCH ALL") == [b"* SEARCH 5 19000"]
    assert len(list((box / "cur").iterdir())) == 2
