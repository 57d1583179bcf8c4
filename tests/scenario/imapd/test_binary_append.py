# SPDX-License-Identifier: ISC
"""Binary parts that come in a literal8 (RFC 3516, RFC 9051 section 4.3.1) are
kept in base64: BODY[], BODYSTRUCTURE and sizes agree, BINARY[] gives what
came."""
import base64
import hashlib
import os
import random
import re

import pytest

MAIN = "disable_plaintext_auth = no\nimap_append_limit = 20000000\n"
DATA = bytes(range(256)) * 7 + b"\r\n\0\n\r--b\r"
FIELD = b"Content-Transfer-Encoding: binary\r\n"
SINGLE = (b"Subject: s\r\nMIME-Version: 1.0\r\n" + FIELD +
          b"Content-Type: application/octet-stream\r\n\r\n")


def multipart(data, boundary=b"b"):
    return (b"Subject: m\r\nMIME-Version: 1.0\r\n" + FIELD +
            b'Content-Type: multipart/mixed; boundary="%s"\r\n\r\npreamble'
            b"\r\n--%s\r\n\r\nbinary: Gr\xfc\xdfe\r\n--%s\r\n"
            b"Content-Type: image/png\r\n%s\r\n%s\r\n--%s--\r\nepilogue" % (
                boundary, boundary, boundary, FIELD, data, boundary))


def nested(data):
    return (b"Subject: n\r\nContent-Type: multipart/mixed; boundary=o\r\n\r\n"
            b"--o\r\nContent-Type: message/rfc822\r\n" + FIELD + b"\r\n" +
            multipart(data) + b"\r\n--o--\r\n")


@pytest.fixture
def c(suite):
    s = suite(main=MAIN)
    c = s.imap()
    c.suite = s
    return c


def literal8(text):
    return b"~{%d+}\r\n%s" % (len(text), text)


def bring(c, arguments):
    word, text, _ = c.finish(c.start(b"APPEND INBOX " + arguments))
    assert word == "OK", text
    c.ok("SELECT INBOX")


def item(c, name, number="*"):
    """Of one message: bytes of a literal or string, or a number."""
    (line,) = c.ok(f"FETCH {number} ({name})")
    name = re.escape(name.replace(".PEEK", "").encode())
    m = re.search(name + rb" (?:~?\{(\d+)\}\r\n|(\d+)|\"([^\"]*)\")", line)
    assert m, line[:300]
    if m[1]:
        return line[m.end():m.end() + int(m[1])]
    return int(m[2]) if m[2] else m[3]


def check(c, number, part, data):
    """One part is these bytes, and text where text belongs."""
    body = item(c, f"BODY.PEEK[{part}]", number)
    assert base64.b64decode(body) == data
    lines = body.rstrip(b"\r\n").split(b"\r\n")
    assert {len(x) for x in lines[:-1]} <= {76} and len(lines[-1]) <= 76
    got = item(c, f"BINARY.PEEK[{part}]", number)
    assert hashlib.sha256(got).digest() == hashlib.sha256(data).digest()
    assert item(c, f"BINARY.SIZE[{part}]", number) == len(data)
    whole = item(c, "BODY.PEEK[]", number)
    assert item(c, "RFC822.SIZE", number) == len(whole)
    (line,) = c.ok(f"FETCH {number} (BODYSTRUCTURE)")
    assert b'"base64" %d' % len(body) in line.lower(), line
    return whole


def test_single_part(c):
    bring(c, literal8(SINGLE + DATA))
    whole = check(c, 1, "1", DATA)
    assert whole.startswith(SINGLE.replace(b"binary", b"base64"))
    assert b"\0" not in whole and b"\x80" not in whole


def test_multipart(c):
    """Boundaries, the other part, preamble and epilogue stay."""
    bring(c, literal8(multipart(DATA)))
    whole = check(c, 1, "2", DATA)
    part = item(c, "BODY.PEEK[2]")
    there = multipart(part).rpartition(FIELD)
    assert whole == there[0] + FIELD.replace(b"binary", b"base64") + there[2]
    assert item(c, "BODY.PEEK[1]") == b"binary: Gr\xfc\xdfe"


def test_nested(c):
    bring(c, literal8(nested(DATA)))
    check(c, 1, "1.2", DATA)


@pytest.mark.parametrize("size", [1, 56, 57, 58, 3000, 131071, 5000000])
def test_sizes(c, size):
    """In memory and by a file; what was kept aside leaves nothing."""
    data = b"\0" + random.Random(size).randbytes(size - 1)
    bring(c, literal8(multipart(data, b"x_y_z")))
    check(c, 1, "2", data)
    assert not list((c.suite.maildir("bob") / "tmp").iterdir())
    (p,) = (c.suite.maildir("bob") / "cur").iterdir()
    assert f",S={p.stat().st_size}," in p.name + ","


def test_several_messages(c):
    """Each by itself; the one without NUL is not touched."""
    text = multipart(b"no byte 0\r\n\xff")
    bring(c, literal8(SINGLE + DATA) + b" (\\Seen) " + literal8(text) +
          b" {8+}\r\na: b\r\n\r\n " + literal8(nested(DATA)))
    check(c, 1, "1", DATA)
    assert item(c, "BODY.PEEK[]", 2) == text
    check(c, 4, "1.2", DATA)


def test_without_nul_nothing_changes(c):
    for text in (multipart(b"bare\rand 8 bit \xff"), b"a: b\r\n\r\nx",
                 SINGLE + b"x" * 400000):
        bring(c, literal8(text))
        assert item(c, "BODY.PEEK[]") == text


def test_nul_elsewhere_stays(c):
    """No field says binary: shown as before."""
    for text in (b"a: b\r\n\r\nx\0y", b"Content-Transfer-Encoding: 8bit\r\n"
                 b"\r\nx\0y", multipart(b"text").replace(b"pre", b"p\0e")):
        bring(c, literal8(text))
        assert item(c, "BODY.PEEK[]") == text.replace(b"\0", b"\x80")
        assert item(c, "BINARY.PEEK[]") == text


def test_utf8_and_parts(c):
    """UTF8 (~{n}), CATENATE of a literal8, and REPLACE."""
    bring(c, b"UTF8 (" + literal8(multipart(DATA)) + b")")
    check(c, 1, "2", DATA)
    head, _, tail = multipart(DATA).partition(DATA)
    bring(c, b"CATENATE (TEXT {%d+}\r\n%s UTF8 (%s) TEXT {%d+}\r\n%s)" % (
        len(head), head, literal8(DATA), len(tail), tail))
    check(c, 2, "2", DATA)
    word, text, _ = c.finish(c.start(
        b"REPLACE 1 INBOX " + literal8(SINGLE + DATA)))
    assert word == "OK", text
    c.ok("SELECT INBOX")
    check(c, 2, "1", DATA)


def test_it_ends_amid_a_message(c):
    """Refused or cut off: nothing is left, and the connection goes on."""
    word, text, _ = c.finish(c.start(
        b"APPEND INBOX " + literal8(SINGLE + DATA) + b" ~{0+}\r\n"))
    assert word == "NO", text
    c.ok("NOOP")
    c.send(b"a1 APPEND INBOX ~{300000+}\r\n" + SINGLE + b"\0" * 200000)
    c.close()
    other = c.suite.imap()
    assert b"* 0 EXISTS" in other.ok("SELECT INBOX")
    for part in ("cur", "new", "tmp"):
        assert not list((c.suite.maildir("bob") / part).iterdir())


def test_mbox(suite):
    """The same where messages lie in one file."""
    s = suite(main=MAIN, start=False)
    where = s.root / "mail/mboxes"
    where.mkdir()
    os.chown(where, s.uid, s.gid)
    (s.root / "etc/accounts").write_text(s.account("bob").replace(
        "maildir:" + str(s.maildir("bob")), f"mbox:{where}:INBOX={where}/inbox"))
    c = s.start().imap()
    big = b"\0" + random.Random(1).randbytes(2000000)
    bring(c, literal8(multipart(DATA)) + b" " + literal8(nested(big)))
    check(c, 1, "2", DATA)
    check(c, 2, "1.2", big)
