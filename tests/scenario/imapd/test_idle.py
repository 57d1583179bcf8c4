# SPDX-License-Identifier: ISC
"""IDLE hears within a second, whoever it was: RFC 2177, R51."""
import os
import smtplib
import time

import pytest

from posthaste import wait_for

OPEN = "disable_plaintext_auth = no\nimap_hibernate_timeout = 0\n"
PARKED = "disable_plaintext_auth = no\nimap_hibernate_timeout = 1s\n"
TEXT = b"Subject: x\r\n\r\ny\r\n"


@pytest.fixture(params=[OPEN, PARKED], ids=["awake", "parked"])
def idler(suite, request):
    """An account with three messages, and a client in IDLE."""
    s = suite(main=request.param)
    c = s.imap()
    for _ in range(3):
        c.append("INBOX", TEXT)
    c.ok("SELECT INBOX")
    tag = c.idle()
    if request.param is PARKED:
        wait_for("it to be parked",
                 lambda: len(s.processes("imapd-session")) == 1)
    return s, c, tag


def hears(c, want):
    """Reads up to that; seconds since it was called."""
    begin = time.monotonic()
    while c.line() != want:
        pass
    return time.monotonic() - begin


def deliver(s, to):
    """Queued; when it is in the mailbox is for the queue."""
    with smtplib.SMTP("127.0.0.1", s.ports["smtp"]) as smtp:
        smtp.sendmail("a@example.test", [to], "Subject: new\r\n\r\nx\r\n")


def test_virtual_delivers(idler):
    s, c, tag = idler
    deliver(s, "bob@example.test")
    hears(c, b"* 4 EXISTS")
    c.done(tag)
    assert c.ok("UID FETCH 4 BODY.PEEK[HEADER.FIELDS (SUBJECT)]")


def test_within_a_second(idler):
    s, c, tag = idler
    d = s.imap()
    took = []
    for i in range(4, 13):
        d.append("INBOX", TEXT)
        took.append(hears(c, b"* %d EXISTS" % i))
    # others' load may stretch some of them
    assert sorted(took)[4] < 1, took
    c.done(tag)


def test_another_session(idler):
    s, c, tag = idler
    d = s.imap()
    d.ok("SELECT INBOX")
    d.append("INBOX", TEXT)
    hears(c, b"* 4 EXISTS")
    d.ok(r"STORE 2 +FLAGS (\Flagged)")
    while not (line := c.line()).startswith(b"* 2 FETCH (FLAGS (\\Flagged"):
        assert line.endswith(b"RECENT")
    d.ok(r"STORE 2 +FLAGS.SILENT (\Deleted)")
    d.ok("EXPUNGE")
    hears(c, b"* 2 EXPUNGE")
    c.done(tag)


def test_pop3_deletes(idler):
    s, c, tag = idler
    p = s.pop3()
    p.dele(2)
    p.quit()
    hears(c, b"* 2 EXPUNGE")
    c.done(tag)
    assert c.ok("SEARCH ALL") == [b"* SEARCH 1 2"]


def test_mv_by_hand(idler):
    s, c, tag = idler
    box = s.maildir("bob")
    path = box / "tmp" / "1700000000.M1P2.host"
    path.write_bytes(TEXT)
    os.chown(path, s.uid, s.gid)
    path.rename(box / "new" / path.name)
    hears(c, b"* 4 EXISTS")
    names = sorted(p.name for p in (box / "cur").iterdir())
    mine = [n for n in names if n.startswith("1700000000.M1P2.host")]
    assert len(mine) == 1
    base = mine[0].partition(":2,")[0]
    (box / "cur" / mine[0]).rename(box / "cur" / f"{base}:2,F")
    while b"\\Flagged" not in c.line():
        pass
    (box / "cur" / f"{base}:2,F").unlink()
    hears(c, b"* 4 EXPUNGE")
    c.done(tag)


def test_idle_where_nothing_is_selected(suite):
    c = suite(main=OPEN).imap()
    tag = c.idle()
    assert not c.waiting()
    assert c.done(tag) == []


def test_signs_of_life(suite):
    s = suite(main=OPEN + "imap_idle_notify_interval = 1s\n")
    c = s.imap()
    tag = c.idle()
    assert c.line() == b"* OK Still here"
    assert c.line() == b"* OK Still here"
    c.done(tag)


def test_not_done(suite):
    c = suite(main=OPEN).imap()
    tag = c.idle()
    c.send(b"NOOP\r\n")
    assert c.finish(tag)[0] == "BAD"
    tag = c.idle()
    c.send(b"x" * 100000 + b"\r\n")
    assert c.finish(tag)[0] == "BAD"
    c.ok("NOOP")
    c.bad("IDLE now")


def test_nothing_is_said_of_other_mailboxes(suite):
    s = suite(main=OPEN)
    c, d = s.imap(), s.imap()
    c.ok("SELECT INBOX")
    tag = c.idle()
    d.append("Sent", TEXT)
    assert not c.waiting(0.5)
    assert c.done(tag) == []


def test_a_selected_mailbox_is_deleted(suite):
    """RFC 2180 section 3.3: who has it selected is told, and disconnected."""
    s = suite(main=OPEN)
    c, d = s.imap(), s.imap()
    d.ok("CREATE gone")
    c.ok("SELECT gone")
    d.ok("DELETE gone")
    c.send(b"a NOOP\r\n")
    lines = c.closed()
    assert lines[0].startswith(b"* BYE "), lines
    d.ok("CREATE gone")
    c = s.imap()
    c.ok("SELECT gone")
    c.idle()
    d.ok("DELETE gone")
    assert c.closed()[0].startswith(b"* BYE ")


def test_a_literal_is_no_command(suite):
    c = suite(main=OPEN).imap()
    tag = c.idle()
    text = b"evil CREATE made-by-a-message\r\n"
    c.send(b"x APPEND INBOX {%d+}\r\n" % len(text) + text + b"\r\n")
    assert c.finish(tag)[0] == "BAD"
    assert b"made-by-a-message" not in b"".join(c.ok('LIST "" *'))
