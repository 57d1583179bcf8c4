# SPDX-License-Identifier: ISC
"""A separator at the end of a name: RFC 3501 section 6.3.3 has it for CREATE,
and clients then use that name elsewhere. It is the mailbox of that name."""
import re

import pytest

from imap_grammar import parse
from sharing import BOB, message, shared
from test_list import listed, quiet


@pytest.fixture(params=["/", "."])
def work(suite, request):
    """A connection with a mailbox Work that has one message, its name with
    the separator, and the separator."""
    at = request.param
    s, c = quiet(suite, f"mail_hierarchy_separator = {at}\n")
    c.suite = s
    c.ok(f"CREATE Work{at}")
    c.append("Work", message())
    return c, "Work" + at, at


def names(c):
    return set(listed(c, 'LIST "" *'))


def test_deleted_while_it_is_selected(work):
    c, name, _ = work
    c.ok(f"SELECT {name}")
    c.ok(f"DELETE {name}")
    assert names(c) == {"INBOX"}
    c.bad("FETCH 1 FLAGS")  # nothing is selected
    c.ok("NOOP")
    c.ok("SELECT INBOX")


@pytest.mark.parametrize("called", ["Work/", '"Caf&AOk-"', '"Cafe&AwE-"',
                                    '"Cafe&AwE-/"'])
def test_nothing_is_selected_by_any_name(suite, called):
    """Composed or not, a name is the same."""
    _, c = quiet(suite)
    c.ok("CREATE " + ("Work" if "Work" in called else '"Caf&AOk-"'))
    c.ok(f"SELECT {called}")
    c.ok(f"DELETE {called}")
    c.bad("FETCH 1:* FLAGS")
    c.ok("SELECT INBOX")


def test_revision_2_is_told_that_it_is_closed(work):
    c, name, _ = work
    c.ok("ENABLE IMAP4rev2")
    c.ok("SELECT Work")
    assert any(x.startswith(b"* OK [CLOSED]") for x in c.ok(f"DELETE {name}"))


def test_renamed(work):
    c, name, at = work
    c.ok("SELECT Work")
    c.ok(f"RENAME {name} Play{at}")
    assert names(c) == {"INBOX", "Play"}
    assert c.ok("FETCH 1 UID") == [b"* 1 FETCH (UID 1)"]
    c.ok("ENABLE IMAP4rev2")
    assert not any(b"Work" in x or b"Play" + at.encode() in x
                   for x in c.ok(f"SELECT Play{at}"))
    c.ok(f"RENAME Play{at} a{at}b{at}")
    assert names(c) == {"INBOX", "a", f"a{at}b"}


def test_read_and_filled(work):
    c, name, _ = work
    assert c.append(name, message(2)) == 2
    assert any(b"2 EXISTS" in x for x in c.ok(f"EXAMINE {name}"))
    (line,) = c.ok(f"STATUS {name} (MESSAGES)")
    assert re.fullmatch(rb'\* STATUS "?Work"? \(MESSAGES 2\)', line)
    c.append("INBOX", message(3))
    c.ok("SELECT INBOX")
    c.ok(f"COPY 1 {name}")
    assert c.text.startswith(b"[COPYUID")
    assert any(b"[COPYUID" in x for x in c.ok(f"MOVE 1 {name}"))
    (line,) = c.ok(f"STATUS {name} (MESSAGES)")
    assert line.endswith(b"(MESSAGES 4)")


def test_subscribed(work):
    c, name, _ = work
    c.ok(f"SUBSCRIBE {name}")
    assert set(listed(c, 'LSUB "" *')) == {"Work"}
    c.ok(f"UNSUBSCRIBE {name}")
    assert listed(c, 'LSUB "" *') == {}


def test_annotated(work):
    c, name, _ = work
    c.ok(f'SETMETADATA {name} (/private/comment "mine")')
    for n in ("Work", name):
        (line,) = c.ok(f"GETMETADATA {n} /private/comment")
        assert re.fullmatch(rb'\* METADATA "?Work"? \(/private/comment "mine"'
                            rb'\)', line)
    (line, *_) = c.ok(f"GETQUOTAROOT {name}")
    assert re.match(rb'\* QUOTAROOT "?Work"?( |$)', line)


def test_searched(work):
    c, name, _ = work
    (line,) = c.ok(f'ESEARCH IN (mailboxes "{name}") ALL')
    assert b'MAILBOX Work' in line or b'MAILBOX "Work"' in line
    (line,) = c.ok(f'ESEARCH IN (subtree ({name} Nowhere)) ALL')
    assert b"UID ALL 1" in line


def test_notified(work):
    c, name, _ = work
    c.ok(f"NOTIFY SET (mailboxes {name} (MessageNew MessageExpunge))")
    c.suite.imap().append("Work", message(2))
    while b"STATUS" not in (line := c.line()):
        pass
    kind, data = parse(line, False)
    assert kind == "STATUS" and data[0] == b"Work"


def test_shared(suite):
    s, bob, c = shared(suite, "lrswipkxtea")
    for owner, name in ((bob, "Work/"), (c, f"{BOB}/Work/")):
        plain = name.rstrip("/")
        for command in ("GETACL {}", "MYRIGHTS {}", "LISTRIGHTS {} carol"):
            assert owner.ok(command.format(name)) == owner.ok(
                command.format(plain)) != []
    c.ok(f'SETACL {BOB}/Work/ carol@example.test "lr"')
    assert b"carol@example.test lr" in b"".join(bob.ok("GETACL Work/"))
    c.ok(f"DELETEACL {BOB}/Work/ carol@example.test")
    assert b"carol" not in b"".join(bob.ok("GETACL Work"))
    c.ok(f"CREATE {BOB}/Work/deep/")
    assert "Work/deep" in names(bob)
    c.ok(f"SELECT {BOB}/Work/deep/")
    c.ok(f"DELETE {BOB}/Work/deep/")
    c.bad("FETCH 1:* FLAGS")
    assert "Work/deep" not in names(bob)


def test_nothing_else_is_no_name(work):
    c, _, at = work
    for name in (at, at + at, f"Work{at}{at}", f"{at}Work"):
        c.no(f"SELECT {name}")
        c.no(f"CREATE {name}")
    assert c.no(f"DELETE inbox{at}").startswith(b"[CANNOT]")
    c.ok(f"SELECT inbox{at}")
