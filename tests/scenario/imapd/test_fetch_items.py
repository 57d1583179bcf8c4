# SPDX-License-Identifier: ISC
"""All items and modifiers of FETCH."""
import os
import re

from fetched import MAIN, fetch, one, put, wire

MESSAGE = b"""Date: Mon, 1 Jan 2024 10:00:00 +0100
From: "Bob Example" <bob@example.test>
To: group: a@a.test, "B B" <b@b.test>;, undisclosed:;
Subject: hello
Message-ID: <%d@example.test>
%b
Hello,   this is
the text &c. %d
"""


def messages(n):
    rows = []
    for i in range(1, n + 1):
        more = b"" if i == 1 else b"References: <1@example.test>\n"
        rows.append(MESSAGE % (i, more, i))
    return rows


def box(suite, n=5):
    s = suite(main=MAIN)
    put(s, messages(n))
    c = s.imap()
    c.ok("SELECT INBOX")
    return s, c


def test_items(suite):
    _, c = box(suite)
    (items,) = fetch(c, "(FLAGS UID INTERNALDATE RFC822.SIZE ENVELOPE BODY "
                     "BODYSTRUCTURE MODSEQ EMAILID THREADID SAVEDATE PREVIEW)",
                     numbers="2").values()
    assert items["UID"] == 2
    assert items["RFC822.SIZE"] == len(wire(messages(2)[1]))
    assert items["MODSEQ"] > 0
    assert items["PREVIEW"] == b"Hello, this is the text &c. 2"
    e = items["ENVELOPE"]
    assert e[1] == b"hello"
    assert e[2] == [(b"Bob Example", None, b"bob", b"example.test")]
    assert e[3] == e[4] == e[2]
    assert [x[2:] for x in e[5]] == [
        (b"group", None), (b"a", b"a.test"), (b"b", b"b.test"), (None, None),
        (b"undisclosed", None), (None, None)]
    assert e[9] == b"<2@example.test>"
    again = fetch(c, "(ENVELOPE BODY BODYSTRUCTURE EMAILID THREADID PREVIEW)",
                  numbers="2")[2]
    for key, value in again.items():
        assert items[key] == value, key


def test_macros(suite):
    _, c = box(suite, 1)
    fast = {"FLAGS", "INTERNALDATE", "RFC822.SIZE"}
    assert fetch(c, "FAST")[1].keys() == fast
    assert fetch(c, "ALL")[1].keys() == fast | {"ENVELOPE"}
    assert fetch(c, "FULL")[1].keys() == fast | {"ENVELOPE", "BODY"}
    assert fetch(c, "FLAGS", uid=True)[1].keys() == {"FLAGS", "UID"}
    c.bad("FETCH 1 (ALL)")


def test_ids_of_threads_and_messages(suite):
    _, c = box(suite)
    found = fetch(c, "(EMAILID THREADID)")
    assert len({str(x["EMAILID"]) for x in found.values()}) == 5
    assert len({str(x["THREADID"]) for x in found.values()}) == 1
    for subject in (b"alone", b"alone", b"alone, too"):
        c.append("INBOX", b"Subject: %s\r\n\r\nx\r\n" % subject)
    c.ok("NOOP")
    own = [x["THREADID"] for x in fetch(c, "THREADID").values()][5:]
    assert own[0] == own[1] != own[2]
    assert found[1]["THREADID"] not in own and None not in own


def test_reading_sets_seen_and_tells_it(suite):
    _, c = box(suite)
    fetch(c, "(BODY.PEEK[] BINARY.PEEK[1] RFC822.HEADER ENVELOPE)")
    assert all(x["FLAGS"] == [] or rb"\Seen" not in str(x["FLAGS"]).encode()
               for x in fetch(c, "FLAGS").values())
    for i, what in enumerate(("BODY[]", "BODY[TEXT]<0.1>", "RFC822",
                              "RFC822.TEXT", "BINARY[1]"), 1):
        items = fetch(c, what, numbers=str(i))[i]
        assert r"\Seen" in str(items["FLAGS"]), what
        assert "FLAGS" not in fetch(c, what, numbers=str(i))[i]
    c.ok("STORE 1:* -FLAGS (\\Seen)")
    c.ok("EXAMINE INBOX")
    assert "FLAGS" not in fetch(c, "BODY[]", numbers="1")[1]
    assert r"\Seen" not in str(fetch(c, "FLAGS", numbers="1"))


def test_seen_is_on_disk_when_it_is_told(suite):
    s, c = box(suite, 1)
    fetch(c, "BODY[]")
    (name,) = os.listdir(s.maildir("bob") / "cur")
    assert re.search(r":2,S$", name)


def test_changed_since(suite):
    _, c = box(suite)
    before = max(x["MODSEQ"] for x in fetch(c, "MODSEQ").values())
    assert fetch(c, f"FLAGS (CHANGEDSINCE {before})") == {}
    c.ok("STORE 2,4 +FLAGS (\\Flagged)")
    found = fetch(c, f"(FLAGS) (CHANGEDSINCE {before})")
    assert found.keys() == {2, 4}
    assert all(x["MODSEQ"] > before for x in found.values())
    c.bad(f"UID FETCH 1:* FLAGS (CHANGEDSINCE {before} VANISHED)")
    c.ok("ENABLE QRESYNC")
    c.bad(f"FETCH 1:* FLAGS (CHANGEDSINCE {before} VANISHED)")
    c.bad("UID FETCH 1:* FLAGS (VANISHED)")
    c.bad("FETCH 1:* FLAGS (CHANGEDSINCE x)")


def test_vanished(suite):
    _, c = box(suite)
    c.ok("ENABLE QRESYNC")
    c.ok("SELECT INBOX")
    before = max(x["MODSEQ"] for x in fetch(c, "MODSEQ").values())
    c.ok("STORE 2,5 +FLAGS (\\Deleted)")
    c.ok("EXPUNGE")
    lines = c.ok(f"UID FETCH 1:4 (UID) (CHANGEDSINCE {before} VANISHED)")
    assert lines == [b"* VANISHED (EARLIER) 2"]
    lines = c.ok(f"UID FETCH 1:* (UID) (CHANGEDSINCE {before} VANISHED)")
    assert b"* VANISHED (EARLIER) 2,5" in lines or (
        b"* VANISHED (EARLIER) 2" in lines)


def test_partial_ranges(suite):
    _, c = box(suite)
    for partial, want in (("1:2", {1, 2}), ("-1:-2", {4, 5}),
                          ("-2:-1", {4, 5}), ("2:2", {2}), ("4:9", {4, 5}),
                          ("6:9", set()), ("-5:-9", {1}), ("-6:-9", set())):
        found = fetch(c, f"(UID) (PARTIAL {partial})", uid=True)
        assert found.keys() == want, partial
    assert fetch(c, "(UID) (PARTIAL -1:-2)", uid=True,
                 numbers="1:3").keys() == {2, 3}
    for wrong in ("0:1", "1:-1", "1", "1:0", "x"):
        c.bad(f"UID FETCH 1:* (UID) (PARTIAL {wrong})")
    c.bad("FETCH 1:* (UID) (PARTIAL 1:2)")


def test_uids_that_are_not_there_are_no_error(suite):
    _, c = box(suite, 2)
    assert fetch(c, "FLAGS", uid=True, numbers="7:9") == {}
    assert fetch(c, "FLAGS", uid=True, numbers="2:7").keys() == {2}
    c.bad("FETCH 3 FLAGS")
    assert fetch(c, "FLAGS", uid=True, numbers="9:*").keys() == {2}


def test_without_numbers(suite):
    """RFC 9586."""
    _, c = box(suite, 2)
    c.ok("ENABLE UIDONLY")
    found = fetch(c, "(FLAGS ENVELOPE)", uid=True, numbers="2")
    assert found[2].keys() == {"FLAGS", "ENVELOPE"}
    assert b"[UIDREQUIRED]" in c.bad("FETCH 1 FLAGS")


def test_preview_of_html_and_lazily(suite):
    s = suite(main=MAIN)
    put(s, [
        b"Content-Type: text/html; charset=iso-8859-1\n\n"
        b"<html><head><style>p {}</style></head><!-- no -->"
        b"<p class='a>'>Sch\xf6n &amp; gut<br>mit &#8364;&nbsp;<b>x</b>",
        b"Content-Type: multipart/mixed; boundary=b\n\n--b\n"
        b"Content-Type: application/pdf\n\npdf\n--b\n"
        b"Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\n"
        b"SGVsbG8=\n--b--\n",
        b"Content-Type: image/png\n\nx",
        b"\n" + b"word " * 100])
    c = s.imap()
    c.ok("SELECT INBOX")
    assert one(c, "PREVIEW (LAZY)") is None
    assert one(c, "PREVIEW") == "Schön & gut mit € x".encode()
    assert one(c, "PREVIEW (LAZY)") == "Schön & gut mit € x".encode()
    assert one(c, "PREVIEW", 2) == b"Hello"
    assert one(c, "PREVIEW", 3) == b""
    assert len(one(c, "(PREVIEW (LAZY))", 4) or b"") == 0
    assert one(c, "(PREVIEW)", 4) == (b"word " * 40)[:-1]


def test_a_message_that_went_meanwhile(suite):
    s, c = box(suite, 3)
    for name in os.listdir(s.maildir("bob") / "cur"):
        if "M1P" in name:
            os.unlink(s.maildir("bob") / "cur" / name)
    tag = c.start("FETCH 1:3 (UID BODY.PEEK[])")
    word, text, lines = c.finish(tag)
    told = [x for x in lines if b"FETCH" in x]
    assert len(told) == 2 and word in ("OK", "NO")
    if word == "NO":
        assert text.startswith(b"[EXPUNGEISSUED]")
    c.ok("NOOP")
    assert fetch(c, "UID").keys() == {1, 2}
