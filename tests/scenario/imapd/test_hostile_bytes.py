# SPDX-License-Identifier: ISC
"""Command bytes that broke other servers, behind the login and before it:
attacks 51 (NUL in a quoted string), 61 and 62 (argument overflows), 82
(unbounded parsing)."""
import random
import re
import socket

import pytest
from posthaste import resident

OPEN = ("disable_plaintext_auth = no\nimap_error_limit = 1000\n"
        "imap_login_limit = 100\nmail_max_userip_connections = 100\nauth_failure_delay_max = 0\n")
FORMS = {
    "tag": b"a%sb NOOP\r\n",
    "name": b"a NO%sOP\r\n",
    "atom": b"a SELECT x%sy\r\n",
    "quoted": b"a SELECT \"x%sy\"\r\n",
    "literal": b"a SELECT {3+}\r\nx%sy\r\n",
    "literal8": b"a SELECT ~{3+}\r\nx%sy\r\n",
    "list": b"a STATUS x (MESS%sAGES)\r\n",
    "section": b"a FETCH 1 BODY[HEADER.FIELDS (x%sy)]\r\n",
    "set": b"a UID FETCH 1%s FLAGS\r\n",
    "flag": b"a STORE 1 +FLAGS (x%sy)\r\n",
}
COMMANDS = [
    b"SELECT %s", b"CREATE %s", b"DELETE %s", b"RENAME %s y", b"RENAME x %s",
    b"SUBSCRIBE %s", b"LIST \"\" %s", b"LIST %s \"\"", b"LSUB \"\" %s",
    b"STATUS %s (MESSAGES)", b"STATUS INBOX (%s)", b"APPEND %s {1+}\r\nx",
    b"FETCH %s FLAGS", b"FETCH 1 %s", b"FETCH 1 BODY[%s]",
    b"FETCH 1 BODY[HEADER.FIELDS (%s)]", b"STORE 1 +FLAGS (%s)",
    b"STORE 1 %s x", b"SEARCH %s", b"SEARCH SUBJECT %s", b"SEARCH HEADER %s x",
    b"SEARCH KEYWORD %s", b"SEARCH CHARSET %s ALL", b"COPY 1 %s", b"UID %s",
    b"SORT (%s) UTF-8 ALL", b"THREAD %s UTF-8 ALL", b"ENABLE %s", b"ID (%s x)",
    b"GETMETADATA INBOX %s", b"SETMETADATA INBOX (%s x)", b"SETACL INBOX %s r",
    b"GETQUOTA %s", b"COMPRESS %s", b"%s", b"SELECT INBOX (QRESYNC (1 1 %s))",
    b"APPEND INBOX (%s) {1+}\r\nx", b"APPEND INBOX %s {1+}\r\nx", b"NOTIFY %s",
    b"UID FETCH 1 (FLAGS) (CHANGEDSINCE %s)"]
LENGTHS = [0, 1, 63, 64, 65, 127, 128, 129, 254, 255, 256, 257, 1000, 1023,
           1024, 1025, 4095, 4096, 4097, 8191, 8192, 16383, 16384, 65530,
           65536, 70000]


def alive(c):
    """What was sent has been answered; a fence says where that ends."""
    c.send(b"fence NOOP\r\n")
    lines = []
    while True:
        line = c.line()
        if line.startswith(b"fence "):
            assert line.startswith(b"fence OK"), line
            return lines
        lines.append(line)


@pytest.fixture
def session(suite):
    s = suite(main=OPEN)
    c = s.imap()
    c.append("INBOX", b"Subject: x\r\n\r\ny\r\n")
    c.ok("SELECT INBOX")
    return s, c


@pytest.mark.parametrize("form", FORMS)
def test_every_byte(session, form):
    _, c = session
    for byte in range(256):
        if byte == 0x0a and form not in ("literal", "literal8"):
            continue  # it ends the line, and begins another
        c.send(FORMS[form] % bytes([byte]))
        lines = alive(c)
        tagged = [x for x in lines if x.startswith((b"a", b"* BAD"))]
        if form != "tag":
            assert len(tagged) == 1, (byte, lines)
        if byte == 0 and form != "literal8":
            assert b" BAD " in tagged[0], lines


def test_every_byte_before_the_login(suite):
    s = suite(main=OPEN)
    c = s.imap(user=None)
    for form in (b"a LOGIN \"x%s\" y\r\n", b"a LOGIN x%s y\r\n",
                 b"a LOGIN {2+}\r\nx%s y\r\n", b"a%s NOOP\r\n",
                 b"a AUTHENTICATE PLAIN %s\r\n"):
        for byte in (0, 1, 0x0d, 0x1f, 0x22, 0x25, 0x5c, 0x7b, 0x7f, 0x80,
                     0xc3, 0xff):
            c.send(form % bytes([byte]))
            if form.startswith(b"a AUTH"):
                c.send(b"*\r\n")  # where it was taken for no response
            alive(c)
    c.login("bob")


@pytest.mark.parametrize("shape", ["atom", "quoted", "literal"])
def test_every_length(session, shape):
    """As long as each argument may be, and longer."""
    s, c = session
    for command in COMMANDS:
        for n in LENGTHS:
            data = b"x" * n
            if shape == "quoted":
                data = b'"' + data + b'"'
            elif shape == "literal":
                data = b"{%d+}\r\n" % n + data
            c.send(b"a " + command % data + b"\r\n")
            lines = alive(c)
            assert any(x.startswith((b"a OK", b"a NO", b"a BAD"))
                       for x in lines), (command, n, lines)
            if b"[CLOSED]" in b"".join(lines):
                c.ok("SELECT INBOX")
    c.logout()
    assert "panic" not in s.log() and "signal" not in s.log()


def test_grammar_broken_at_random(session):
    """Commands of all families with bytes changed, left out, doubled."""
    s, c = session
    chance = random.Random(61)
    seeds = [x % b"INBOX" for x in COMMANDS] + [
        b"UID FETCH 1:* (UID FLAGS ENVELOPE BODY.PEEK[1.MIME]<0.10>)",
        b"STORE 1 (UNCHANGEDSINCE 5) -FLAGS.SILENT (\\Seen $Junk)",
        b"SEARCH RETURN (MIN MAX ALL) OR NOT SEEN (SINCE 1-Feb-1994 SMALLER 9)",
        b"LIST (SUBSCRIBED) \"\" (\"*\" %) RETURN (CHILDREN STATUS (UIDNEXT))",
        b"APPEND INBOX (\\Seen) \"17-Jul-1996 02:44:25 -0700\" {3+}\r\nabc",
        b"APPEND INBOX CATENATE (TEXT {3+}\r\nabc URL \"/INBOX/;UID=1\")",
        b"SORT (REVERSE DATE) UTF-8 (TEXT \"x\")", b"IDLE\r\nDONE",
        b"NOTIFY SET STATUS (SELECTED (MessageNew (UID) MessageExpunge))",
        b"ESEARCH IN (mailboxes \"INBOX\" subtree \"x\") RETURN (COUNT) ALL"]
    odd = b"\0\r\n\"\\(){}[]<>%*~+ \x7f\x80\xff:,;$0A"
    for _ in range(1500):
        data = bytearray(chance.choice(seeds))
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(data) + 1)
            how = chance.randrange(3)
            if how == 0:
                data[at:at] = bytes([chance.choice(odd)])
            elif how == 1:
                del data[at:at + chance.randint(1, 4)]
            else:
                data[at:at + 1] = bytes([chance.choice(odd)])
        if re.search(rb"LOGOUT|COMPRESS|\{\d{2,}\+?\}", bytes(data)):
            continue
        # what a broken literal or IDLE swallows is not the fence
        try:
            c.send(b"a " + bytes(data) + b"\r\nDONE\r\n\r\n\r\n\r\nb x\r\n")
            alive(c)
        except (EOFError, ConnectionError):  # a reset, if some was not read
            c = s.imap()
            c.ok("SELECT INBOX")
            continue
        if c.command("CHECK")[0] != "OK":
            c.ok("SELECT INBOX")
    assert "panic" not in s.log() and "signal" not in s.log()


def test_memory_has_a_ceiling(session):
    s, c = session
    child = s.processes("imapd-session")[-1]
    before = resident(child)
    held = []
    for _ in range(10):
        d = s.imap()
        d.ok("SELECT INBOX")
        d.send(b"a SEARCH " + b"(" * 60000)
        d.send(b"b" * 200000)
        held.append(d)
    for _ in range(10):
        d = s.imap()
        d.send(b"a SEARCH SUBJECT {400000}\r\n" + b"x" * 300000)
        held.append(d)
    for _ in range(20):
        d = s.imap()
        d.send(b"a CREATE {999999999}\r\n")
        assert d.line().startswith(b"a BAD [TOOBIG]")
        d.send(b"b CREATE {999999999+}\r\n")
        assert d.closed()[0].startswith(b"* BYE [TOOBIG]")
    for depth in (10, 60, 64, 65, 1000, 20000):
        c.send(b"a SEARCH " + b"(" * depth + b"ALL" + b")" * depth + b"\r\n")
        alive(c)
        c.send(b"a SEARCH " + b"NOT " * depth + b"ALL\r\n")
        alive(c)
        c.send(b"a SEARCH " + b"OR " * depth + b"ALL " * (depth + 1) + b"\r\n")
        alive(c)
    assert resident(child) - before < 40000, (before, resident(child))
    c.ok("NOOP")


def test_gone_in_the_middle(session):
    s, c = session
    for data in (b"a", b"a SELECT", b"a SELECT {5}\r\nIN", b"a FETCH 1 (BODY[",
                 b"a APPEND INBOX {1000+}\r\nhalf", b"a IDLE\r\nDO", b"a IDLE",
                 b"a APPEND INBOX {10+}\r\n0123456789"):
        d = s.imap()
        d.send(data)
        d.socket.shutdown(socket.SHUT_WR)
        d.closed()
        d = s.imap()
        d.send(data)
        d.close()
    assert c.ok("SEARCH ALL") == [b"* SEARCH 1"]


@pytest.mark.parametrize("user", [None, "bob"])
def test_empty_lines_come_to_an_end(suite, user):
    c = suite(main=OPEN).imap(user=user)
    c.send(b"\r\n" * 900)
    c.ok("NOOP")
    # no more than what is read, or the connection is reset
    c.send(b"\r\n" * 1001)
    assert b"Too many empty lines" in c.closed()[-1]
