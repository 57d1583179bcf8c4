# SPDX-License-Identifier: ISC
"""Python's imaplib: everything it has a method for."""
import imaplib
import re
import ssl
import time

import pytest
from imap_people import WIRE, message


@pytest.fixture
def client(suite):
    s = suite()
    context = ssl.create_default_context(cafile=str(s.root / "etc/cert.pem"))
    c = imaplib.IMAP4_SSL("localhost", s.ports["imaps"], ssl_context=context)
    c.login("bob", "posthaste")
    yield c
    c.logout()


def ok(answer):
    word, data = answer
    assert word == "OK", answer
    return data


def uids(c, *keys):
    return [int(u) for u in ok(c.uid("SEARCH", *keys))[0].split()]


def test_starttls(suite):
    s = suite()
    context = ssl.create_default_context(cafile=str(s.root / "etc/cert.pem"))
    c = imaplib.IMAP4("localhost", s.ports["imap"])
    assert "LOGINDISABLED" in c.capabilities
    c.starttls(context)
    assert "LOGINDISABLED" not in c.capabilities
    ok(c.authenticate("PLAIN", lambda _: b"\0bob\0posthaste"))
    assert ok(c.select()) == [b"0"]
    c.logout()


def test_messages(client):
    c = client
    when = imaplib.Time2Internaldate(time.mktime((
        2001, 2, 3, 4, 5, 6, 0, 0, -1)))
    for n in range(1, 6):
        ok(c.append("INBOX", r"(\Seen)" if n % 2 else None, when,
                    message(f"number {n}")))
    assert ok(c.select()) == [b"5"]
    data = ok(c.fetch("2", "(UID FLAGS INTERNALDATE BODY.PEEK[])"))
    assert data[0][1] == message("number 2")
    assert b'" 3-Feb-2001 04:05:06' in data[0][0].replace(b'"03', b'" 3')
    assert ok(c.search(None, "UNSEEN")) == [b"2 4"]
    assert ok(c.search(None, "SUBJECT", '"number 3"')) == [b"3"]
    ok(c.store("1:3", "+FLAGS", r"(\Flagged $Work)"))
    assert ok(c.search(None, "KEYWORD", "$Work")) == [b"1 2 3"]
    ok(c.store("3", "-FLAGS.SILENT", r"\Flagged"))
    assert ok(c.search(None, "FLAGGED")) == [b"1 2"]
    ok(c.store("2,4", "+FLAGS", r"\Deleted"))
    # numbers from the highest down, or counted anew each time
    assert ok(c.expunge()) in ([b"2", b"3"], [b"4", b"2"])
    assert len(uids(c, "ALL")) == 3
    data = ok(c.fetch("1", "(BODY.PEEK[]<0.4>)"))
    assert data[0][1] == b"From"


def test_folders(client):
    c = client
    ok(c.create(WIRE))
    ok(c.subscribe(WIRE))
    assert any(WIRE.encode() in x for x in ok(c.list()))
    assert any(WIRE.encode() in x for x in ok(c.lsub()))
    for n in range(3):
        ok(c.append("INBOX", None, None, message(f"number {n}")))
    ok(c.select())
    ok(c.copy("1:2", WIRE))
    (status,) = ok(c.status(WIRE, "(MESSAGES UIDNEXT UNSEEN)"))
    assert b"MESSAGES 2" in status and b"UNSEEN 2" in status
    ok(c.uid("MOVE", "1:*", WIRE))
    assert ok(c.select(WIRE)) == [b"5"]
    ok(c.rename(WIRE, "Other"))
    ok(c.unselect())
    assert ok(c.select("Other", readonly=True)) == [b"5"]
    word, _ = c.store("1", "+FLAGS", r"\Seen")
    assert word == "NO"
    ok(c.close())
    ok(c.delete("Other"))
    assert not any(b"Other" in x for x in ok(c.list()))
    (answer,) = c.append("Other", None, None, message("lost"))[1]
    assert answer.startswith(b"[TRYCREATE]")


def test_sort_thread_and_namespace(client):
    c = client
    for subject in ("b", "c", "Re: b", "a"):
        ok(c.append("INBOX", None, None, message(subject)))
    ok(c.select())
    assert ok(c.sort("(SUBJECT)", "UTF-8", "ALL")) == [b"4 1 3 2"]
    (threads,) = ok(c.thread("ORDEREDSUBJECT", "UTF-8", "ALL"))
    assert sorted(re.findall(rb"\(([^()]+)\)", threads)) == [
        b"1 3", b"2", b"4"]
    assert ok(c.namespace())[0].startswith(b'(("" "/")')
    assert ok(c.noop()) is not None
    ok(c.check())
