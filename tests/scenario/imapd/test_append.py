# SPDX-License-Identifier: ISC
"""APPEND of one and several messages; whatever is wrong with one, the
connection goes on at the next command (RFC 9051 section 6.3.12, RFC 3502,
RFC 4315, RFC 6855 section 4, RFC 7888, RFC 7889)."""
import re

import pytest
from imap_people import look, message
from mail_caches import fetched

MAIN = "disable_plaintext_auth = no\n"
TEXT = message("hello")


@pytest.fixture
def c(suite):
    s = suite(main=MAIN + "imap_append_limit = 20000\n")
    c = s.imap()
    c.suite = s
    return c


def plus(data, sign=b"+"):
    return b"{%d%s}\r\n%s" % (len(data), sign, data)


def send(c, text):
    """A command as it stands; ("NO", text, lines)."""
    return c.finish(c.start(text))


def test_one_message(c):
    c.talk(f"""
        C: a1 APPEND INBOX (\\Seen $Work) "17-Jul-1996 02:44:25 -0700" {{{len(TEXT)}}}
        S: + ...
    """)
    c.send(TEXT + b"\r\n")
    word, text, _ = c.finish(b"a1")
    assert (word, text[:11]) == ("OK", b"[APPENDUID ")
    c.ok("SELECT INBOX")
    (line,) = c.ok("FETCH 1 (UID FLAGS INTERNALDATE BODY.PEEK[])")
    assert fetched(line)[1]["flags"] == {"\\seen", "$work"}
    assert TEXT in line
    (date,) = re.search(rb'INTERNALDATE "([^"]+)"', line).groups()
    other = c.suite.imap()
    other.ok("SELECT INBOX")
    assert date.split()[0] in (b"17-Jul-1996",)


def test_it_is_durable_and_in_form(c):
    """The file has the size that its name says, its date, and one name."""
    c.append("INBOX", TEXT, "(\\Flagged)", '" 3-Feb-2001 04:05:06 +0000"')
    (p,) = (c.suite.maildir("bob") / "cur").iterdir()
    assert p.name.endswith(":2,F")
    assert f",S={p.stat().st_size}," in p.name + ","
    assert p.read_bytes().replace(b"\r\n", b"\n") == TEXT.replace(
        b"\r\n", b"\n")
    assert int(p.stat().st_mtime) == 981173106
    assert not list((c.suite.maildir("bob") / "tmp").iterdir())


def test_literals_without_wait(c):
    word, text, _ = send(c, b"APPEND " + plus(b"INBOX") + b" " + plus(TEXT))
    assert (word, text[:11]) == ("OK", b"[APPENDUID ")
    word, text, _ = send(c, b"APPEND INBOX () ~" + plus(TEXT + b"\0\r\n"))
    assert word == "OK", text
    c.ok("SELECT INBOX")
    assert TEXT in c.ok("FETCH 1 (BODY.PEEK[])")[0]


def test_several_messages(c):
    c.ok('APPEND INBOX (\\Seen) {} (\\Flagged) "03-Feb-2001 04:05:06 +0000" '
         "{} {}", message("a"), message("b"), message("c"))
    assert re.match(rb"\[APPENDUID \d+ 1:3\]", c.text)
    assert look(c.suite) == {"a": {"\\seen"}, "b": {"\\flagged"}, "c": set()}


def test_all_or_none(c):
    """The last of three is wrong: none is there."""
    for third in (b"{0+}\r\n", plus(b"x" * 30000),
                  b'(\\Seen "x") ' + plus(TEXT), b'"no date" ' + plus(TEXT), b"atom " +
                  plus(TEXT)):
        word, text, _ = send(c, b"APPEND INBOX " + plus(TEXT) + b" " +
                             plus(TEXT) + b" " + third)
        assert word in ("NO", "BAD"), (third[:20], text)
        assert look(c.suite) == {}
        c.ok("NOOP")
    for part in ("cur", "new", "tmp"):
        assert not list((c.suite.maildir("bob") / part).iterdir())


def test_a_missing_mailbox(c):
    assert c.no("APPEND Nowhere {}", TEXT).startswith(b"[TRYCREATE]")
    word, text, _ = send(c, b"APPEND Nowhere " + plus(TEXT + b"x1 LOGOUT\r\n"))
    assert (word, text[:11]) == ("NO", b"[TRYCREATE]")
    word, text, _ = send(c, b"APPEND Nowhere " + plus(TEXT) + b" " +
                         plus(TEXT))
    assert word == "NO"
    c.ok("NOOP")


def test_too_large(c):
    """Refused before it is sent, or thrown away as it comes."""
    assert any(x == "APPENDLIMIT=20000" for x in c.capabilities())
    assert c.no("APPEND INBOX {}", b"x" * 20001).startswith(b"[TOOBIG]")
    word, text, _ = send(c, b"APPEND INBOX " + plus(b"y" * 200000))
    assert (word, text[:8]) == ("NO", b"[TOOBIG]")
    # together they may be larger
    c.ok("APPEND INBOX {} {}", b"a: b\r\n\r\n" + b"x" * 15000,
         b"a: b\r\n\r\n" + b"x" * 15000)


@pytest.mark.parametrize("command", [
    b"APPEND", b"APPEND INBOX", b"APPEND INBOX (\\Seen)",
    b"APPEND INBOX text", b"APPEND INBOX \"text\"",
    b"APPEND INBOX (\\Seen " + plus(TEXT) + b")",
    b"APPEND INBOX UTF8 (" + plus(TEXT) + b")",
    b"APPEND INBOX UTF8 " + plus(TEXT),
    b"APPEND INBOX UTF8 (~" + plus(TEXT),
    b"APPEND INBOX " + plus(TEXT) + b")",
    b"APPEND INBOX " + plus(TEXT) + b" INBOX",
    b"APPEND INBOX " + plus(TEXT) + plus(TEXT),
    b"APPEND ~ " + plus(TEXT) + b" (",
    b"APPEND \"&*-\" " + plus(TEXT)])
def test_wrong_commands_add_nothing_and_break_nothing(c, command):
    word, text, _ = send(c, command)
    assert word in ("BAD", "NO"), text
    assert look(c.suite) == {}
    c.ok("NOOP")
    assert c.append("INBOX", TEXT)


def test_utf8_headers(c):
    c.ok("ENABLE UTF8=ACCEPT")
    text = "Subject: Grüße\r\n\r\nx\r\n".encode()
    word, rest, _ = send(c, b"APPEND INBOX UTF8 (~" + plus(text) + b")")
    assert word == "OK", rest
    c.ok("SELECT INBOX")
    assert text in c.ok("FETCH 1 (BODY.PEEK[])")[0]


def test_the_selected_mailbox_is_told_at_once(c):
    c.ok("SELECT INBOX")
    lines = c.ok("APPEND INBOX {}", TEXT)
    assert b"* 1 EXISTS" in lines
    lines = c.ok("APPEND INBOX {} {}", TEXT, TEXT)
    assert b"* 3 EXISTS" in lines


def test_line_ends_become_crlf(c):
    c.append("INBOX", b"a: b\n\nx\ny\r\nz\n")
    c.ok("SELECT INBOX")
    (line,) = c.ok("FETCH 1 (RFC822.SIZE BODY.PEEK[])")
    assert b"a: b\r\n\r\nx\r\ny\r\nz\r\n" in line
    assert b"RFC822.SIZE 17" in line


def test_in_any_packing(suite):
    """R40: cut at any byte, the same answers."""
    s = suite(main=MAIN)
    script = (b"a1 APPEND INBOX (\\Seen) " + plus(b"a: b\r\n\r\nx\r\n") +
              b" " + plus(b"c: d\r\n\r\ny") + b"\r\na2 APPEND Nowhere " +
              plus(b"a1 NOOP\r\n") + b"\r\na3 NOOP\r\n")
    shapes = set()
    for step in (1, 2, 3, 7, len(script)):
        c = s.imap()
        for i in range(0, len(script), step):
            c.send(script[i:i + step])
        said = [c.finish(t) for t in (b"a1", b"a2", b"a3")]
        shapes.add(tuple(re.sub(rb"UID \d+ [\d:]+", b"UID", text)
                         for _, text, _ in said))
        c.close()
    assert len(shapes) == 1, shapes


def test_the_connection_ends_within_a_message(c):
    c.send(b"a1 APPEND INBOX {1000+}\r\nabc")
    c.close()
    other = c.suite.imap()
    assert look(c.suite) == {}
    other.append("INBOX", TEXT)
    assert look(c.suite) == {"hello": set()}


def test_over_quota(suite):
    """Known before the message is asked for."""
    s = suite(main=MAIN + "account_quota = storage=100K\n")
    c = s.imap()
    c.append("INBOX", b"a: b\r\n\r\n" + b"x" * 60000)
    assert c.no("APPEND INBOX {}", b"x" * 60000).startswith(b"[OVERQUOTA]")
    word, text, _ = send(c, b"APPEND INBOX " + plus(b"x" * 60000))
    assert (word, text[:11]) == ("NO", b"[OVERQUOTA]")
    c.ok("SELECT INBOX")
    c.ok("CREATE There")
    assert c.no("COPY 1 There").startswith(b"[OVERQUOTA]")
    c.ok("MOVE 1 There")
