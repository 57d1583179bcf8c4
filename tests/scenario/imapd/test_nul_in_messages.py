# SPDX-License-Identifier: ISC
"""NUL in messages that were delivered: no literal can hold it (RFC 9051
section 9), so it is shown as 0x80; BINARY (RFC 3516) gives the true bytes. All
sizes are the same."""
import base64

import pytest

from fetched import MAIN, fetch, put, wire

HEADER = (b"Subject: a\0b\nFrom: \"x\0y\" <jo\0e@example.test>\n"
          b"Content-Type: multipart/mixed; boundary=b\n\n")
# what is in the parts, and how it is written
PARTS = [
    (b"8bit", b"one\0two\nline\0", b"one\0two\nline\0"),
    (b"binary", b"\0\0\n\0", b"\0\0\n\0"),
    (b"base64", b"\0\n\xff\0", base64.b64encode(b"\0\n\xff\0")),
    (b"quoted-printable", b"a\0b", b"a=00b"),
    (b"7bit", b"without", b"without"),
]
MESSAGE = HEADER + b"".join(
    b"--b\nContent-Transfer-Encoding: %b\n\n%b\n" % (coding, text)
    for coding, _, text in PARTS) + b"--b--\n"


@pytest.fixture(params=["LF", "CRLF", "large"])
def c(suite, request):
    s = suite(main=MAIN)
    text = MESSAGE if request.param == "LF" else wire(MESSAGE)
    if request.param == "large":  # beyond what is looked at in memory
        text += b"\0epilogue\r\n" * 100000
    put(s, [text])
    c = s.imap()
    c.stored = wire(text)
    c.ok("SELECT INBOX")
    return c


def items(c, what):
    (found,) = fetch(c, what).values()
    return found


def test_shown(c):
    text = c.stored.replace(b"\0", b"\x80")
    got = items(c, "(RFC822.SIZE BODY.PEEK[] BODY.PEEK[HEADER] BODY.PEEK[TEXT]"
                " BODY.PEEK[HEADER.FIELDS (SUBJECT)] BODY.PEEK[1])")
    assert got["BODY[]"] == text
    assert got["RFC822.SIZE"] == len(text) == len(c.stored)
    assert got["BODY[HEADER]"] + got["BODY[TEXT]"] == text
    assert got["BODY[HEADER.FIELDS (SUBJECT)]"] == \
        b"Subject: a\x80b\r\n\r\n"
    assert got["BODY[1]"] == b"one\x80two\r\nline\x80"
    for at in range(0, 60, 7):
        got = items(c, f"BODY.PEEK[]<{at}.9>")
        assert got[f"BODY[]<{at}>"] == text[at:at + 9]


def test_parts(c):
    for n, (_, data, text) in enumerate(PARTS, 1):
        got = items(c, f"(BODY.PEEK[{n}] BINARY.PEEK[{n}] BINARY.SIZE[{n}]"
                    " BODYSTRUCTURE)")
        if n < 3:
            data = wire(data)  # as text that is sent
        assert got[f"BODY[{n}]"] == wire(text).replace(b"\0", b"\x80")
        assert got[f"BINARY[{n}]"] == data
        assert got[f"BINARY.SIZE[{n}]"] == len(data)
        for at in range(len(data) + 1):
            piece = items(c, f"BINARY.PEEK[{n}]<{at}.2>")
            assert piece[f"BINARY[{n}]<{at}>"] == data[at:at + 2]


def test_all_of_it(c):
    got = items(c, "(BINARY.PEEK[] BINARY.SIZE[] RFC822.SIZE)")
    assert got["BINARY[]"] == c.stored
    assert got["BINARY.SIZE[]"] == got["RFC822.SIZE"] == len(c.stored)


def test_literals_say_what_they_hold(c):
    """~{n} where there is a NUL, else a literal that everybody can read."""
    for n, start in ((1, b"~{14}"), (2, b"~{5}"), (4, b"~{3}"), (5, b"{7}")):
        c.send(b"x FETCH 1 BINARY.PEEK[%d]\r\n" % n)
        assert c.raw_line() == b"* 1 FETCH (BINARY[%d] " % n + start
        while not c.raw_line().startswith(b"x OK"):
            pass


def test_envelope_has_none(c):
    for _ in range(2):  # made, and kept
        got = items(c, "(ENVELOPE PREVIEW)")
        assert b"\0" not in repr(got).encode()
        assert b"\0" not in got["ENVELOPE"][1]
