# SPDX-License-Identifier: ISC
"""BODY[...] of all forms gives exactly those bytes of the message, whatever
line ends it has on disk."""
import base64
import quopri

import pytest
from fetched import MAIN, fetch, one, put, wire

PNG = bytes(range(256)) * 4
INNER = b"""From: inner@a.test
Subject: within
Content-Type: multipart/alternative; boundary=i

--i
Content-Type: text/plain

inner text
--i
Content-Type: text/html

<p>inner
--i--
"""
PARTS = [
    b"Content-Type: text/plain; charset=utf-8\n"
    b"Content-Transfer-Encoding: quoted-printable\n\n"
    + quopri.encodestring("Grüße, ganz lang\n".encode() * 9),
    b"Content-Type: image/png; name=x.png\n"
    b"Content-Transfer-Encoding: base64\n\n" + base64.encodebytes(PNG),
    b"Content-Type: message/rfc822\n\n" + INNER,
    b"Content-Type: text/plain\nContent-Transfer-Encoding: x-odd\n\nodd\n",
]
HEADER = b"""From: Bob <bob@example.test>
To: you@example.test,
\tthem@example.test
Subject: parts
X-Other: a
x-other: b
Content-Type: multipart/mixed; boundary="cut here"

"""
MESSAGE = (HEADER + b"preamble\n--cut here\n"
           + b"\n--cut here\n".join(PARTS) + b"\n--cut here--\nepilogue\n")


def halves(part):
    head, _, body = part.partition(b"\n\n")
    return head + b"\n\n", body


@pytest.fixture(params=["LF", "CRLF", "mixed"])
def box(request, suite):
    s = suite(main=MAIN)
    message = MESSAGE
    if request.param == "CRLF":
        message = wire(MESSAGE)
    if request.param == "mixed":
        lines = MESSAGE.split(b"\n")
        message = b"".join(x + (b"\n" if i % 3 else b"\r\n")
                           for i, x in enumerate(lines[:-1])) + lines[-1]
    put(s, [message])
    c = s.imap()
    c.ok("SELECT INBOX")
    return c


def expected():
    inner_head, inner_body = halves(INNER)
    rows = {
        "": MESSAGE,
        "HEADER": HEADER,
        "TEXT": MESSAGE[len(HEADER):],
        "3.HEADER": inner_head,
        "3.TEXT": inner_body,
        "3.1": b"inner text",
        "3.1.MIME": b"Content-Type: text/plain\n\n",
        "3.2": b"<p>inner",
        "HEADER.FIELDS (Subject FROM)":
            b"From: Bob <bob@example.test>\nSubject: parts\n\n",
        "HEADER.FIELDS (TO)":
            b"To: you@example.test,\n\tthem@example.test\n\n",
        "HEADER.FIELDS (X-OTHER)": b"X-Other: a\nx-other: b\n\n",
        "HEADER.FIELDS (NoSuch)": b"\n",
        "HEADER.FIELDS.NOT (From To Content-Type Subject)":
            b"X-Other: a\nx-other: b\n\n",
        '3.HEADER.FIELDS ("subject")': b"Subject: within\n\n",
    }
    for i, part in enumerate(PARTS, 1):
        head, body = halves(part)
        rows[f"{i}"] = body
        rows[f"{i}.MIME"] = head
    return {k: wire(v) for k, v in rows.items()}


def test_each_section_is_those_bytes(box):
    for section, text in expected().items():
        assert one(box, f"BODY.PEEK[{section}]") == text, section
    everything = " ".join(f"BODY.PEEK[{x}]" for x in expected())
    (items,) = fetch(box, f"({everything})").values()
    assert len(items) == len(expected())


def test_parts_that_are_not_there_are_nil(box):
    for section in ("5", "1.1", "0", "1.HEADER", "2.TEXT", "3.3", "3.1.1"):
        if section == "0":
            box.bad("FETCH 1 BODY.PEEK[0]")
        else:
            assert one(box, f"BODY.PEEK[{section}]") is None, section
    assert one(box, "BINARY.PEEK[9]") is None


def test_partial(box):
    for section, text in expected().items():
        n = len(text)
        for at, most in ((0, 1), (0, n), (1, 3), (n - 1, 5), (n, 1),
                         (n + 1, 1), (0, 2**40), (n // 2, n)):
            if at < 0:
                continue
            got = one(box, f"BODY.PEEK[{section}]<{at}.{most}>")
            assert got == text[at:at + most], (section, at, most)
    assert fetch(box, "BODY.PEEK[]<3.4>")[1].keys() == {"BODY[]<3>"}
    for wrong in ("<0>", "<0.0>", "<-1.1>", "<.1>", "<1.1>x", "<1.1",
                  "<99999999999999999999.1>"):
        box.bad(f"FETCH 1 BODY[]{wrong}")


def test_binary_is_decoded(box):
    text = wire("Grüße, ganz lang\n".encode() * 9)
    assert one(box, "BINARY.PEEK[1]") == text
    assert one(box, "BINARY.SIZE[1]") == len(text)
    assert one(box, "BINARY.PEEK[2]") == PNG
    assert one(box, "BINARY.SIZE[2]") == len(PNG)
    for at in (0, 1, 255, 256, 500, 1023, 1024, 5000):
        assert one(box, f"BINARY.PEEK[2]<{at}.300>") == PNG[at:at + 300]
    assert one(box, "BINARY.PEEK[3.1]") == b"inner text"
    assert one(box, "BINARY.PEEK[]") == wire(MESSAGE)
    # RFC 3516 section 4.3
    assert box.no("FETCH 1 BINARY.PEEK[4]").startswith(b"[UNKNOWN-CTE]")
    assert box.no("FETCH 1 (BINARY.PEEK[2] BINARY.SIZE[4])").startswith(
        b"[UNKNOWN-CTE]")


def test_old_names(box):
    assert one(box, "RFC822.HEADER") == wire(HEADER)
    assert one(box, "RFC822.TEXT") == wire(MESSAGE[len(HEADER):])
    assert one(box, "RFC822") == wire(MESSAGE)
    (items,) = fetch(box, "(RFC822.SIZE RFC822.HEADER FLAGS)").values()
    assert items["RFC822.SIZE"] == len(wire(MESSAGE))


def test_what_is_no_section_is_bad(box):
    for wrong in ("BODY[MIME]", "BODY[1.]", "BODY[.1]", "BODY[HEADER.FIELDS]",
                  "BODY[HEADER.FIELDS ()]", "BODY[1.x]", "BINARY[TEXT]",
                  "BODY[01]", "BODY", "BODY[]]", "X", "BODY.PEEK",
                  "BINARY.SIZE[1]<0.1>", "()"):
        if wrong != "BODY":
            box.bad(f"FETCH 1 {wrong}")
    box.ok("NOOP")


def test_header_fields_as_literal(box):
    word, _, lines = box.command("FETCH 1 (BODY.PEEK[HEADER.FIELDS ({})])",
                                 b"Subject")
    assert word == "OK"
    assert b"\r\n\r\nSubject: parts\r\n\r\n" in b"\r\n" + lines[0].replace(
        b"}\r\n", b"}\r\n\r\n\r\n")


def test_fields_are_the_same_when_they_are_kept(box):
    lists = ["(Subject)", "(FROM TO)", "(X-Other)", "(To)", "(Date)",
             "(NoSuch Subject)"]
    first = [one(box, f"BODY.PEEK[HEADER.FIELDS {x}]") for x in lists]
    for _ in range(2):
        for x, text in zip(lists, first):
            assert one(box, f"BODY.PEEK[HEADER.FIELDS {x}]") == text
            assert one(box, f"BODY.PEEK[HEADER.FIELDS {x}]") == text
            assert one(box, f"BODY.PEEK[HEADER.FIELDS {x}]<1.5>") == text[1:6]
    (items,) = fetch(box, "(BODY.PEEK[HEADER.FIELDS (Subject)] BODY.PEEK[1] "
                     "BODY.PEEK[HEADER.FIELDS (To)])").values()
    assert items["BODY[HEADER.FIELDS (Subject)]"] == first[0]
    assert items["BODY[HEADER.FIELDS (To)]"] == first[3]
