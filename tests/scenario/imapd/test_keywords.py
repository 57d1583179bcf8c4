# SPDX-License-Identifier: ISC
"""Any keyword that is one is taken (R47), told before its first use, and there
for the next session; what is none is refused."""
import imaplib
import re

OPEN = "disable_plaintext_auth = no\n"
TEXT = b"Subject: x\r\n\r\ny\r\n"
# every character that an atom may have
LEGAL = "!#$&'+,-./0123456789:;<=>?@ABC[^_`xyz|}~"


def flags(line):
    return set(re.search(rb"FLAGS \(([^)]*)\)", line)[1].decode().split())


def test_any_legal_keyword(suite):
    s = suite(main=OPEN)
    c, d = s.imap(), s.imap()
    words = [f"k{x}k" for x in LEGAL] + [LEGAL[:40], "$MDNSent", "NIL2"]
    assert c.append("INBOX", TEXT, f"({' '.join(words)})") == 1
    c.ok("SELECT INBOX")
    d.ok("SELECT INBOX")
    (line,) = c.ok("FETCH 1 FLAGS")
    assert flags(line) - {r"\Recent"} == set(words)
    c.ok("STORE 1 FLAGS (brand-new)")
    lines = d.ok("NOOP")
    told = [i for i, x in enumerate(lines) if x.startswith(b"* FLAGS ")]
    used = [i for i, x in enumerate(lines) if b"FETCH (FLAGS" in x]
    assert told and used and told[0] < used[0]
    assert b"brand-new" in lines[told[0]]
    assert flags(s.imap().ok("EXAMINE INBOX") and lines[used[0]]) >= {
        "brand-new"}
    # another client's parser, and another process
    i = imaplib.IMAP4("127.0.0.1", s.ports["imap"])
    i.login("bob", "posthaste")
    i.select()
    assert b"brand-new" in i.fetch("1", "(FLAGS)")[1][0]
    i.logout()


def test_what_is_none(suite):
    c = suite(main=OPEN).imap()
    c.append("INBOX", TEXT)
    c.ok("SELECT INBOX")
    for bad in ("a]b", "a%", "a*", 'a"b', "(a)", "a\\b", r"\*", "\"a\"",
                "{1+}\r\na", "k\u00e9"):
        c.bad(f"STORE 1 +FLAGS ({bad})")
        c.ok("NOOP")
    # flags that only others have are passed over, those beside them are not
    line = c.ok(r"STORE 1 FLAGS (\Recent \Seen \XYZ $ok)")[-1]
    assert flags(line) == {r"\Seen", "$ok", r"\Recent"}


def test_more_than_there_is_room_for(suite):
    c = suite(main=OPEN).imap()
    c.append("INBOX", TEXT)
    c.ok("SELECT INBOX")
    for n in range(64):
        c.ok(f"STORE 1 +FLAGS.SILENT (k{n})")
    assert c.no("STORE 1 +FLAGS (k64)").startswith(b"[LIMIT]")
    (line,) = c.ok("FETCH 1 FLAGS")
    assert len(flags(line) - {r"\Recent"}) == 64
    assert c.no("STORE 1 +FLAGS (" + "x" * 1000 + ")").startswith(b"[LIMIT]")


def test_taking_away_what_no_message_has(suite):
    s = suite(main=OPEN)
    c = s.imap()
    assert c.append("INBOX", TEXT) == 1
    c.ok("SELECT INBOX")
    lines = c.ok("STORE 1 -FLAGS (never-seen \\Seen)")
    assert not [x for x in lines if b"never-seen" in x]
    assert not [x for x in s.imap().ok("SELECT INBOX") if b"never-seen" in x]
    c.ok("STORE 1 +FLAGS (seen-now)")
    (line,) = c.ok("STORE 1 -FLAGS (SEEN-now never-seen)")
    assert flags(line) - {r"\Recent"} == set()
