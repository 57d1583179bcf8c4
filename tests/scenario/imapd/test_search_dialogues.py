# SPDX-License-Identifier: ISC
"""SEARCH as the RFCs print it: answers, options, charsets, limits."""
import re

import pytest

from mail_search import esearch, found

OPEN = "disable_plaintext_auth = no\n"


def message(subject, sender="a@example.test", body="text", extra=""):
    return (f"From: {sender}\r\nTo: bob@example.test\r\n"
            f"Subject: {subject}\r\n{extra}\r\n{body}\r\n").encode()


@pytest.fixture
def box(suite):
    """Five messages; 2 and 4 are seen, 3 is flagged."""
    c = suite(main=OPEN).imap()
    c.append("INBOX", message("one", body="first word"))
    c.append("INBOX", message("two", body="second word"), r"(\Seen)")
    c.append("INBOX", message("three", sender="Smith <s@x.test>"),
             r"(\Flagged)")
    c.append("INBOX", message("four"), r"(\Seen $Junk)")
    c.append("INBOX", message("five", extra="X-Long: yes\r\n"))
    c.ok("SELECT INBOX")
    return c


def test_plain_answers(box):
    box.talk(r"""
        C: a1 SEARCH ALL
        S: * SEARCH 1 2 3 4 5
        S: a1 OK ...
        C: a2 SEARCH UNSEEN
        S: * SEARCH 1 3 5
        S: a2 OK ...
        C: a3 SEARCH TEXT "string not in mailbox"
        S: * SEARCH
        S: a3 OK ...
        C: a4 UID SEARCH FLAGGED FROM "Smith"
        S: * SEARCH 3
        S: a4 OK ...
        C: a5 SEARCH KEYWORD $junk
        S: * SEARCH 4
        S: a5 OK ...
        C: a6 SEARCH 2:100 NOT SEEN
        S: * SEARCH 3 5
        S: a6 OK ...
        C: a7 SEARCH OR SUBJECT ONE HEADER x-long ""
        S: * SEARCH 1 5
        S: a7 OK ...
        C: a8 SEARCH BODY "first WORD"
        S: * SEARCH 1
        S: a8 OK ...
    """)


def test_extended_answers(box):
    """RFC 4731 section 3.1."""
    box.talk(r"""
        C: b1 SEARCH RETURN (MIN COUNT) UNSEEN
        S: * ESEARCH (TAG "b1") MIN 1 COUNT 3
        S: b1 OK ...
        C: b2 SEARCH RETURN () ALL
        S: * ESEARCH (TAG "b2") ALL 1:5
        S: b2 OK ...
        C: b3 UID SEARCH RETURN (MIN MAX) UNSEEN
        S: * ESEARCH (TAG "b3") UID MIN 1 MAX 5
        S: b3 OK ...
        C: b4 UID SEARCH RETURN (MAX) SEEN
        S: * ESEARCH (TAG "b4") UID MAX 4
        S: b4 OK ...
        C: b5 SEARCH RETURN (MIN MAX COUNT ALL) DRAFT
        S: * ESEARCH (TAG "b5") COUNT 0
        S: b5 OK ...
        C: b6 SEARCH RETURN (ALL) DRAFT
        S: * ESEARCH (TAG "b6")
        S: b6 OK ...
    """)


def test_saved_results(box):
    """RFC 5182."""
    box.talk(r"""
        C: c1 SEARCH RETURN (SAVE) UNSEEN
        S: c1 OK ...
        C: c2 SEARCH $
        S: * SEARCH 1 3 5
        S: c2 OK ...
        C: c3 SEARCH RETURN (SAVE MIN) UNSEEN
        S: * ESEARCH (TAG "c3") MIN 1
        S: c3 OK ...
        C: c4 SEARCH UID $
        S: * SEARCH 1
        S: c4 OK ...
        C: c5 SEARCH RETURN (SAVE MIN MAX) UNSEEN
        S: * ESEARCH (TAG "c5") MIN 1 MAX 5
        S: c5 OK ...
        C: c6 SEARCH $
        S: * SEARCH 1 5
        S: c6 OK ...
        C: c7 SEARCH RETURN (SAVE MIN COUNT) UNSEEN
        S: * ESEARCH (TAG "c7") MIN 1 COUNT 3
        S: c7 OK ...
        C: c8 FETCH $ (UID)
        S: * 1 FETCH (UID 1)
        S: * 3 FETCH (UID 3)
        S: * 5 FETCH (UID 5)
        S: c8 OK ...
        C: c9 SEARCH RETURN (SAVE) CHARSET x-none TEXT a
        S: c9 NO [BADCHARSET (UTF-8 US-ASCII ...)] ...
        C: c10 SEARCH $
        S: * SEARCH
        S: c10 OK ...
    """)


def test_a_bad_search_leaves_the_saved_result(box):
    box.ok("SEARCH RETURN (SAVE) UNSEEN")
    box.bad("SEARCH RETURN (SAVE) FOO")
    assert found(box.ok("SEARCH $")) == [1, 3, 5]
    box.ok(r"STORE 3 +FLAGS.SILENT (\Deleted)")
    box.ok("EXPUNGE")
    assert found(box.ok("UID SEARCH $")) == [1, 5]


def test_partial_results(box):
    """RFC 5267 section 4.4, RFC 9394 section 3."""
    box.talk(r"""
        C: d1 UID SEARCH RETURN (PARTIAL 1:2) UNSEEN
        S: * ESEARCH (TAG "d1") UID PARTIAL (1:2 1,3)
        S: d1 OK ...
        C: d2 UID SEARCH RETURN (PARTIAL 3:2) UNSEEN
        S: * ESEARCH (TAG "d2") UID PARTIAL (3:2 3,5)
        S: d2 OK ...
        C: d3 SEARCH RETURN (PARTIAL -1:-2) ALL
        S: * ESEARCH (TAG "d3") PARTIAL (-1:-2 4:5)
        S: d3 OK ...
        C: d4 SEARCH RETURN (PARTIAL 4:10 COUNT) UNSEEN
        S: * ESEARCH (TAG "d4") COUNT 3 PARTIAL (4:10 NIL)
        S: d4 OK ...
        C: d5 SEARCH RETURN (PARTIAL -3:-4294967295) UNSEEN
        S: * ESEARCH (TAG "d5") PARTIAL (-3:-4294967295 1)
        S: d5 OK ...
        C: d6 SEARCH RETURN (SAVE PARTIAL 2:3 MIN) UNSEEN
        S: * ESEARCH (TAG "d6") MIN 1 PARTIAL (2:3 3,5)
        S: d6 OK ...
        C: d7 SEARCH $
        S: * SEARCH 1 3 5
        S: d7 OK ...
    """)
    for text in ("PARTIAL 1:2 ALL", "PARTIAL", "PARTIAL 0:1", "PARTIAL 1:-1",
                 "PARTIAL 1", "PARTIAL 1:*", "PARTIAL 1:4294967296",
                 "PARTIAL 1:2 PARTIAL 1:2", "NONSENSE", "MIN MIN"):
        box.bad(f"SEARCH RETURN ({text}) ALL")


def test_rev2_always_answers_esearch(box):
    box.ok("ENABLE IMAP4rev2")
    box.talk(r"""
        C: e1 SEARCH UNSEEN
        S: * ESEARCH (TAG "e1") ALL 1,3,5
        S: e1 OK ...
        C: e2 UID SEARCH DRAFT
        S: * ESEARCH (TAG "e2") UID
        S: e2 OK ...
    """)


def test_modification_sequences(box):
    """RFC 7162 section 3.1.5."""
    r = esearch(box.ok("SEARCH RETURN (MIN COUNT) MODSEQ 1"))
    assert r["COUNT"] == 5 and r["MODSEQ"] > 0
    box.ok(r"STORE 3 +FLAGS.SILENT (\Answered)")
    (line,) = [x for x in box.ok(f"SEARCH MODSEQ {r['MODSEQ'] + 1}")
               if x.startswith(b"* SEARCH")]
    assert line.startswith(b"* SEARCH 3 (MODSEQ "), line
    (line,) = box.ok(r'SEARCH MODSEQ "/flags/\\draft" all 9223372036854775807')
    assert line == b"* SEARCH"


def test_charsets(box):
    box.append("INBOX", b"Subject: =?koi8-r?B?8NLJ18XU?=\r\n\r\nx\r\n")
    box.append("INBOX", b"Subject: x\r\n"
               b"Content-Type: text/plain; charset=shift_jis\r\n\r\n"
               + "日本語".encode("shift_jis") + b"\r\n")
    privet = "привет"
    for name in ("UTF-8", "koi8-r", "windows-1251", "iso-8859-5"):
        got = box.ok(f"SEARCH CHARSET {name} SUBJECT {{}}",
                     privet.encode(name))
        assert found(got) == [6], name
    for name in ("utf-8", "EUC-JP", "iso-2022-jp", "shift_jis"):
        got = box.ok(f"SEARCH CHARSET {name} BODY {{}}",
                     "日本".encode(name))
        assert found(got) == [7], name
    assert found(box.ok("SEARCH TEXT {}", privet.upper().encode())) == [6]
    assert box.no("SEARCH CHARSET x-none ALL").startswith(
        b"[BADCHARSET (UTF-8 US-ASCII ")
    assert found(box.ok('SEARCH CHARSET "US-ASCII" SEEN')) == [2, 4]
    box.ok("ENABLE UTF8=ACCEPT")
    box.bad("SEARCH CHARSET UTF-8 ALL")


@pytest.mark.parametrize("keys", [
    "", "FOO", "NOT", "OR SEEN", "()", "FROM", "LARGER x", "LARGER -1",
    "BEFORE 31-Feb-1994", "KEYWORD \\Seen", "UID", "UID 0", "0", "1:x",
    "HEADER x", "FUZZY SEEN", "FILTER f", "OLDER 0", "MODSEQ x",
    "RETURN ALL", "RETURN", "CHARSET", "(SEEN", "SEEN)",
    "UID 4294967296", "1:4294967296", "LARGER 9223372036854775808",
    "MODSEQ 9223372036854775808", "OLDER 4294967296",
    "RETURN (PARTIAL 1:9223372036854775808) ALL",
])
def test_refusals(box, keys):
    box.bad(f"SEARCH {keys}")
    assert found(box.ok("SEARCH SEEN")) == [2, 4]


def test_numbers_at_their_ends(box):
    for key, want in [("UID 4294967295", []), ("UID 4294967295:*", [5]),
                      ("1:4294967295", [1, 2, 3, 4, 5]),
                      ("SMALLER 9223372036854775807", [1, 2, 3, 4, 5]),
                      ("LARGER 9223372036854775807", []),
                      ("YOUNGER 4294967295", [1, 2, 3, 4, 5])]:
        assert found(box.ok(f"SEARCH {key}")) == want, key
    r = esearch(box.ok("SEARCH RETURN (PARTIAL 2147483648:4294967295) ALL"))
    assert r["PARTIAL"] == ("2147483648:4294967295", [])


def test_limits(box):
    """However it is nested or long: an answer, and the next command works."""
    many = " ".join(["SEEN"] * 3000)
    assert box.no(f"SEARCH {many}").startswith(b"[LIMIT]")
    assert found(box.ok("SEARCH " + "OR SEEN " * 900 + "FLAGGED")) == [2, 3, 4]
    assert found(box.ok("SEARCH " + "NOT " * 900 + "SEEN")) == [2, 4]
    assert box.no("SEARCH " + "OR SEEN NOT OR DRAFT NOT " * 200 + "ALL"
                  ).startswith(b"[LIMIT]")
    assert box.command("SEARCH " + "(" * 500 + "SEEN" + ")" * 500)[0] in (
        "BAD", "NO")
    assert found(box.ok("SEARCH SEEN")) == [2, 4]


def test_of_an_empty_mailbox(suite):
    c = suite(main=OPEN).imap()
    c.ok("SELECT INBOX")
    c.talk(r"""
        C: f1 SEARCH ALL
        S: * SEARCH
        S: f1 OK ...
        C: f2 SEARCH 1:*
        S: * SEARCH
        S: f2 OK ...
        C: f3 UID SEARCH UID 1:* TEXT a
        S: * SEARCH
        S: f3 OK ...
        C: f4 SEARCH RETURN (MIN MAX COUNT) 1
        S: * ESEARCH (TAG "f4") COUNT 0
        S: f4 OK ...
        C: f5 SEARCH RETURN (PARTIAL 1:10) ALL
        S: * ESEARCH (TAG "f5") PARTIAL (1:10 NIL)
        S: f5 OK ...
    """)


def test_ids_and_ages(box):
    (line,) = [x for x in box.ok("FETCH 2 (EMAILID)") if b"EMAILID" in x]
    ident = line.split(b"EMAILID (")[1].split(b")")[0].decode()
    assert found(box.ok(f"SEARCH EMAILID {ident}")) == [2]
    assert found(box.ok(f"SEARCH THREADID {ident}")) == []
    assert found(box.ok("SEARCH YOUNGER 3600")) == [1, 2, 3, 4, 5]
    assert found(box.ok("SEARCH OLDER 3600")) == []
    assert found(box.ok("SEARCH SAVEDATESUPPORTED")) == [1, 2, 3, 4, 5]
    assert found(box.ok("SEARCH SAVEDSINCE 1-Jan-2020")) == [1, 2, 3, 4, 5]
    assert found(box.ok("SEARCH SAVEDBEFORE 1-Jan-2020")) == []


def ids(box, name, numbers="1:*"):
    """What FETCH says, by number."""
    rows = {}
    for line in box.ok(f"FETCH {numbers} ({name})"):
        m = re.fullmatch(rb"\* (\d+) FETCH \(%s \((\S+)\)\)"
                         % name.encode(), line)
        rows[int(m[1])] = m[2].decode()
    return rows


@pytest.mark.parametrize("fetched_before", [False, True])
def test_ids_of_threads(suite, fetched_before):
    """RFC 8474 section 6: SEARCH and FETCH agree, whichever comes first."""
    box = suite(main=OPEN).imap()
    for extra in ("Message-ID: <a@x>\r\n",
                  "Message-ID: <b@x>\r\nIn-Reply-To: <a@x>\r\n",
                  "Message-ID: <c@x>\r\nReferences: <a@x>\r\n <b@x>\r\n",
                  "Message-ID: <d@x>\r\n", ""):
        box.append("INBOX", message("same", extra=extra))
    box.append("INBOX", b"From x@y Sat Nov 21 21:00:00 2026\r\n"
               + message("same", extra="Message-ID: <a@x>\r\n"))
    box.ok("SELECT INBOX")
    if fetched_before:
        rows = ids(box, "THREADID")
    else:
        # what the ids are is learnt of copies elsewhere
        box.ok("COPY 1:* Drafts")
        box.ok("EXAMINE Drafts")
        rows = ids(box, "THREADID")
        box.ok("SELECT INBOX")
    one, other, own = rows[1], rows[4], rows[5]
    assert rows == {1: one, 2: one, 3: one, 4: other, 5: own, 6: one}
    assert len({one, other, own}) == 3
    for _ in range(2):  # read, and then kept
        assert found(box.ok(f"SEARCH THREADID {one}")) == [1, 2, 3, 6]
        assert found(box.ok(f"SEARCH NOT THREADID {one}")) == [4, 5]
        assert found(box.ok(f"SEARCH THREADID {own}")) == [5]
        assert found(box.ok(f"SEARCH OR THREADID {other} TEXT nowhere")) == [4]
        assert found(box.ok(f'SEARCH 2:5 THREADID "{one}" SUBJECT same')) == [
            2, 3]
        assert found(box.ok("SEARCH THREADID NIL")) == []
        assert found(box.ok(f"SEARCH THREADID {one[:-1]}")) == []
        assert found(box.ok(f"SEARCH THREADID {one}0")) == []
        assert found(box.ok(f"SEARCH THREADID {one.lower()}")) == []
    assert ids(box, "THREADID") == rows


def test_ids_stay_over_copy_and_move(box):
    """RFC 8474 section 5.1: what is the same message has the same EMAILID."""
    was = ids(box, "EMAILID")
    assert len(set(was.values())) == 5
    box.ok("COPY 2,4 Drafts")
    box.ok("MOVE 1 Drafts")
    box.ok("UID MOVE 3 Sent")
    assert ids(box, "EMAILID") == {1: was[2], 2: was[4], 3: was[5]}
    box.ok("SELECT Drafts")
    assert ids(box, "EMAILID") == {1: was[2], 2: was[4], 3: was[1]}
    assert found(box.ok(f"SEARCH EMAILID {was[1]}")) == [3]
    # and where nobody had asked for it before the copy
    uid = box.append("INBOX", message("six"))
    box.ok("SELECT INBOX")
    box.ok(f"UID COPY {uid} Sent")
    (here,) = ids(box, "EMAILID", "4").values()
    box.ok("SELECT Sent")
    assert ids(box, "EMAILID") == {1: was[3], 2: here}


def test_where_texts_are_found(box):
    """Wrapped lines, soft line breaks, parts within parts, file names; not in
    pictures, nor across fields."""
    box.append("INBOX", b"\r\n".join([
        b"Subject: outer", b"MIME-Version: 1.0",
        b'Content-Type: multipart/mixed; boundary="b"', b"", b"--b",
        b"Content-Type: text/plain", b"",
        b"these words are", b"wrapped here", b"--b",
        b"Content-Type: text/html; charset=utf-8",
        b"Content-Transfer-Encoding: quoted-printable", b"",
        b"<p>soft=", b"ware na=C3=AFve</p>", b"--b",
        b"Content-Type: message/rfc822", b"", b"Subject: innermost", b"",
        b"inner words", b"--b",
        b"Content-Type: image/png; name=holiday.png",
        b"Content-Transfer-Encoding: base64", b"",
        b"aGlkZGVu", b"--b--", b""]))
    for key, hit in [
            ('BODY "are wrapped"', True), ('BODY "software na"', True),
            ('BODY "inner words"', True), ('TEXT innermost', True),
            ('BODY innermost', False), ('TEXT holiday', True),
            ('BODY holiday', False), ('TEXT hidden', False),
            ('TEXT "outer mime"', False), ('SUBJECT innermost', False),
            ('TEXT "subject: innermost"', True), ('BODY "here these"', False)]:
        want = [6] if hit else []
        for _ in range(2):  # from the file, then by what is kept
            assert found(box.ok(f"SEARCH {key}")) == want, key


def test_texts_at_odd_places(box):
    """Behind more empty lines than are decoded at once, across the borders of
    what is read at once, at the very end."""
    for n, text in enumerate([
            b"\r\n" * 50000 + b"needle\r\n",
            b"x" * 70000 + b" needle " + b"y" * 70000,
            b"x" * 65530 + b"needle" + b"y" * 10,
            b"\r\n".join([b"a line of text"] * 20000) + b"needle"]):
        box.append("INBOX", b"Subject: odd\r\n\r\n" + text)
        want = list(range(6, 7 + n))
        assert found(box.ok("SEARCH BODY needle")) == want
        assert found(box.ok("SEARCH TEXT nEEdle SUBJECT odd")) == want
    assert found(box.ok('SEARCH BODY "texta"')) == []
