# SPDX-License-Identifier: ISC
"""Messages made of parts of others (RFC 4469), and REPLACE (RFC 8508)."""
import re

import pytest
from imap_people import look, message

MAIN = "disable_plaintext_auth = no\n"
PARTS = (b"From: a@example.test\r\nSubject: parts\r\nMIME-Version: 1.0\r\n"
         b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
         b"--b\r\nContent-Type: text/plain\r\n\r\nFirst\r\n"
         b"--b\r\nContent-Type: text/html\r\n\r\n<p>Second</p>\r\n--b--\r\n")


@pytest.fixture
def c(suite):
    s = suite(main=MAIN)
    c = s.imap()
    c.suite = s
    c.append("INBOX", PARTS)
    lines = c.ok("SELECT INBOX")
    c.validity = re.search(rb"UIDVALIDITY (\d+)", b"\n".join(lines))[1]
    return c


def body(c, number):
    (line,) = c.ok(f"FETCH {number} (BODY.PEEK[])")
    m = re.search(rb"BODY\[\] \{(\d+)\}\r\n", line)
    return line[m.end():m.end() + int(m[1])]


def test_parts_and_text(c):
    v = c.validity.decode()
    c.ok(f'APPEND INBOX (\\Draft) CATENATE (URL "/INBOX;UIDVALIDITY={v}/'
         f';UID=1/;section=HEADER" TEXT {{}} URL "/INBOX;UIDVALIDITY={v}/'
         ';UID=1/;SECTION=1.MIME" URL ";UID=1/;SECTION=1" TEXT {})',
         b"--b\r\n", b"\r\n--b--\r\n")
    assert re.match(rb"\[APPENDUID \d+ 2\]", c.text)
    header, _, rest = PARTS.partition(b"\r\n\r\n")
    assert body(c, 2) == (header + b"\r\n\r\n--b\r\nContent-Type: text/plain"
                          b"\r\n\r\nFirst\r\n--b--\r\n")


def test_sections_and_partials(c):
    def make(*urls):
        parts = " ".join(f'URL "{u}"' for u in urls)
        c.ok(f"APPEND INBOX CATENATE ({parts})")
        (line,) = [x for x in c.ok("NOOP") if b"EXISTS" in x] or [b"* 2"]
        c.ok("SELECT INBOX")
        return body(c, "*")
    assert make("/INBOX/;UID=1") == PARTS
    assert make("/INBOX/;UID=1/;PARTIAL=0.26") == PARTS[:26]
    assert make(";UID=1/;PARTIAL=10") == PARTS[10:]
    assert make(";UID=1/;SECTION=2/;PARTIAL=3.6") == b"Second"
    assert make(";UID=1/;SECTION=HEADER.FIELDS%20(Subject)",
                ";UID=1/;SECTION=2") == (
        b"Subject: parts\r\n\r\n<p>Second</p>")
    assert make("/INBOX/;UID=1/;SECTION=TEXT") == PARTS.split(
        b"\r\n\r\n", 1)[1]


@pytest.mark.parametrize("url", [
    "imap://example.test/INBOX/;UID=1", "/INBOX/;UID=99", "/Nowhere/;UID=1",
    "/INBOX;UIDVALIDITY=1/;UID=1", "/INBOX/;UID=1/;SECTION=7",
    "/INBOX/;UID=1/;SECTION=NONSENSE", "/../alice/;UID=1", "x] y"])
def test_bad_urls(c, url):
    text = c.no(f'APPEND INBOX CATENATE (TEXT {{}} URL "{url}" TEXT {{}})',
                b"a: b\r\n\r\n", b"more")
    assert text.startswith(b"[BADURL "), text
    assert text.count(b"]") == 1, text
    c.ok("NOOP")
    assert len(look(c.suite)) == 1


@pytest.mark.parametrize("tail", [
    b"CATENATE ()", b"CATENATE", b"CATENATE (TEXT)", b"CATENATE (URL)",
    b"CATENATE (OTHER x)", b"CATENATE (TEXT {3+}\r\nabc",
    b"CATENATE (TEXT {3+}\r\nabc))", b"CATENATE (TEXT (URL x))"])
def test_wrong_commands(c, tail):
    word, text, _ = c.finish(c.start(b"APPEND INBOX " + tail))
    assert word == "BAD", text
    c.ok("NOOP")
    assert len(look(c.suite)) == 1


def test_replace(c):
    c.talk(r"""
        C: a1 REPLACE 1 INBOX (\Seen \Draft) {10+}
    """)
    c.send(b"a: b\r\n\r\nxy\r\n")
    word, text, lines = c.finish(b"a1")
    assert word == "OK", text
    at = [i for i, x in enumerate(lines)
          if re.match(rb"\* OK \[APPENDUID \d+ 2\]", x)][0]
    assert b"* 1 EXPUNGE" in lines[at:]
    c.ok("SELECT INBOX")
    assert body(c, 1) == b"a: b\r\n\r\nxy"


def test_uid_replace_of_parts_into_another_mailbox(c):
    c.ok("CREATE Sent2")
    lines = c.ok('UID REPLACE 1 Sent2 CATENATE (TEXT {} URL ";UID=1")',
                 b"X-More: yes\r\n")
    assert any(b"APPENDUID" in x for x in lines)
    assert look(c.suite) == {}
    assert set(look(c.suite, "Sent2")) == {"parts"}


def test_replace_refused_keeps_the_old_one(c):
    for command in (b"REPLACE 1 Nowhere {3+}\r\nabc",
                    b"UID REPLACE 9 INBOX {3+}\r\nabc",
                    b"REPLACE 1:2 INBOX {3+}\r\nabc",
                    b"REPLACE 1 INBOX {0+}\r\n",
                    b"REPLACE 1 INBOX {3+}\r\nabc {3+}\r\nabc",
                    b"REPLACE 1 INBOX"):
        word, text, lines = c.finish(c.start(command))
        assert word in ("NO", "BAD"), (command, text)
        assert not any(b"EXPUNGE" in x for x in lines)
    assert look(c.suite) == {"parts": set()}
    c.ok("EXAMINE INBOX")
    word, _, _ = c.finish(c.start(b"REPLACE 1 INBOX {3+}\r\nabc"))
    assert word == "NO"
    c.append("INBOX", message("after"))
