# SPDX-License-Identifier: ISC
"""CREATE, DELETE, RENAME, SUBSCRIBE: RFC 9051 section 6.3."""
import os
import re

import pytest

from test_list import listed, make, quiet

MESSAGE = b"Subject: one\r\n\r\ntext\r\n"


def status(c, name, items="MESSAGES UIDNEXT UIDVALIDITY MAILBOXID"):
    line, = c.ok(f'STATUS "{name}" ({items})')
    values = line.decode().rsplit(" (", 1) if "MAILBOXID" not in items else \
        line.decode().split(" (", 1)
    text = values[1]
    return dict(re.findall(r"([A-Z-]+) (\(?[\w.-]+)", text))


def test_examples_of_the_rfc(suite):
    _, c = quiet(suite)
    c.talk(r'''
        C: A003 CREATE owatagusiam/
        S: A003 OK ...
        C: A004 CREATE owatagusiam/blurdybloop
        S: A004 OK ...
        C: A683 DELETE owatagusiam/blurdybloop
        S: A683 OK ...
        C: A684 DELETE nosuch
        S: A684 NO [NONEXISTENT] ...
        C: A685 CREATE INBOX
        S: A685 NO [ALREADYEXISTS] ...
        C: A686 DELETE INBOX
        S: A686 NO [CANNOT] ...
    ''')


def test_parents_are_real_folders(suite):
    """R45: Outlook files mail into what it sees."""
    s, c = quiet(suite)
    make(c, "Customers/ABC/2024")
    got = listed(c, 'LIST "" *')
    assert set(got) == {"INBOX", "Customers", "Customers/ABC",
                        "Customers/ABC/2024"}
    assert not any(r"\Noselect" in a or r"\NonExistent" in a
                   for a in got.values())
    for name in ("Customers", "Customers/ABC"):
        assert c.append(name, MESSAGE) == 1
        c.ok(f"SELECT {name}")
    # so it is for a tree that somebody else has made without them
    c.logout()
    deep = s.maildir("bob") / ".Old.Deep"
    for part in ("cur", "new", "tmp"):
        (deep / part).mkdir(parents=True)
    for path in [deep, *deep.iterdir()]:
        os.chown(path, s.uid, s.gid)
    c = s.imap()
    assert "Old/Deep" in listed(c, 'LIST "" *')
    got = listed(c, 'LIST "" %')
    if r"\Noselect" in got["Old"]:
        assert b"TRYCREATE" in c.no("APPEND Old {}", MESSAGE)
        make(c, "Old")
    assert c.append("Old", MESSAGE) == 1


def test_a_folder_that_was_used_and_is_gone_says_so(suite):
    """R45: what is filed there is not lost without a word."""
    _, c = quiet(suite)
    c.append("INBOX", MESSAGE)
    c.ok("SELECT INBOX")
    assert b"TRYCREATE" in c.no("COPY 1 gone")
    assert b"TRYCREATE" in c.no("MOVE 1 gone")
    assert b"TRYCREATE" in c.no("APPEND gone {}", MESSAGE)
    assert status(c, "INBOX")["MESSAGES"] == "1"


def test_deletion_keeps_what_is_below(suite):
    _, c = quiet(suite)
    make(c, "foo/bar")
    c.append("foo", MESSAGE)
    c.ok("DELETE foo")
    got = listed(c, 'LIST "" *')
    assert "foo/bar" in got and r"\Noselect" in got["foo"]
    c.no("SELECT foo")
    assert b"HASCHILDREN" in c.no("DELETE foo")
    c.ok("DELETE foo/bar")
    assert "foo/bar" not in listed(c, 'LIST "" *')


def test_a_name_that_comes_again_is_another_mailbox(suite):
    _, c = quiet(suite)
    make(c, "foo")
    c.append("foo", MESSAGE)
    first = status(c, "foo")
    c.ok("DELETE foo")
    make(c, "foo")
    second = status(c, "foo")
    assert first["UIDVALIDITY"] != second["UIDVALIDITY"] or \
        int(second["UIDNEXT"]) > 1
    assert first["MAILBOXID"] != second["MAILBOXID"]
    assert second["MESSAGES"] == "0"


def test_renaming_takes_all_along(suite):
    _, c = quiet(suite)
    make(c, "foo/bar")
    uid = c.append("foo/bar", MESSAGE)
    before = status(c, "foo/bar")
    c.ok("RENAME foo new/zowie")
    assert set(listed(c, 'LIST "" *')) == {"INBOX", "new", "new/zowie",
                                           "new/zowie/bar"}
    assert status(c, "new/zowie/bar") == before
    c.ok("SELECT new/zowie/bar")
    assert c.ok(f"UID FETCH {uid} (UID)") != []
    assert b"NONEXISTENT" in c.no("RENAME foo other")
    make(c, "foo")
    assert b"ALREADYEXISTS" in c.no("RENAME foo new")
    c.no("RENAME new new/inside/itself")


def test_renaming_inbox_moves_its_messages(suite):
    _, c = quiet(suite)
    c.append("INBOX", MESSAGE)
    make(c, "INBOX/below")
    c.ok("RENAME INBOX old-mail")
    assert set(listed(c, 'LIST "" *')) == {"INBOX", "INBOX/below", "old-mail"}
    assert status(c, "INBOX")["MESSAGES"] == "0"
    assert status(c, "old-mail")["MESSAGES"] == "1"


def test_the_selected_mailbox_goes_on_under_its_new_name(suite):
    _, c = quiet(suite)
    make(c, "foo")
    c.append("foo", MESSAGE)
    c.ok("SELECT foo")
    c.ok("RENAME foo bar")
    assert c.ok("FETCH 1 (UID)") == [b"* 1 FETCH (UID 1)"]
    c.ok(r"STORE 1 +FLAGS (\Flagged)")
    assert c.append("bar", MESSAGE) == 2
    assert b"* 2 EXISTS" in c.ok("NOOP") + c.ok("NOOP") or \
        len(c.ok("FETCH 1:* (UID)")) == 2


def test_deleting_the_selected_mailbox_unselects_it(suite):
    _, c = quiet(suite)
    make(c, "foo")
    c.ok("SELECT foo")
    c.ok("DELETE foo")
    c.bad("FETCH 1 (UID)")
    c.ok("SELECT INBOX")


def test_ids_stay_and_are_told(suite):
    """RFC 8474 section 4."""
    _, c = quiet(suite)
    c.ok("CREATE foo")
    made = re.search(rb"\[MAILBOXID \(([\w-]+)\)\]", c.text)[1].decode()
    assert status(c, "foo", "MAILBOXID")["MAILBOXID"] == "(" + made
    c.ok("RENAME foo bar")
    assert status(c, "bar", "MAILBOXID")["MAILBOXID"] == "(" + made
    lines = c.ok("SELECT bar")
    assert any(f"[MAILBOXID ({made})]".encode() in x for x in lines)


def test_old_names_are_for_revision_2(suite):
    """RFC 9051 section 6.3.9.7."""
    _, c = quiet(suite)
    make(c, "first")
    assert c.ok("RENAME first second") == []
    c.ok("ENABLE IMAP4rev2")
    line, = c.ok("RENAME second third")
    assert re.fullmatch(
        rb'\* LIST \([^)]*\) "/" "?third"? \("OLDNAME" \("?second"?\)\)', line)
    # e and an accent: kept as one character
    c.send('z CREATE "Cafe\u0301"\r\n'.encode())
    word, _, (line,) = c.finish(b"z")
    assert word == "OK"
    assert "Caf\u00e9".encode() in line.split(b"OLDNAME")[0]
    assert "Cafe\u0301".encode() in line.split(b"OLDNAME")[1]


@pytest.mark.parametrize("name", [
    "..", "a/../b", "a//b", "./a", "a/.", "/",
    pytest.param("x" * 2000, id="long"),
    pytest.param("a/" * 100 + "b", id="deep")])
def test_what_can_be_no_name_is_refused(suite, name):
    s, c = quiet(suite)
    for command in ("CREATE", "SUBSCRIBE", "RENAME INBOX"):
        c.no(f'{command} "{name}"')
    assert {p.name for p in s.maildir("bob").iterdir() if p.is_dir()} <= {
        "cur", "new", "tmp"}
    assert not (s.root / "mail/example.test/b").exists()
    assert set(listed(c, 'LIST "" *')) == {"INBOX"}


@pytest.mark.parametrize("command", [
    "CREATE", "DELETE", "DELETE a b", "RENAME a", "RENAME a b c", "SUBSCRIBE",
    "UNSUBSCRIBE a b", "NAMESPACE x", "STATUS INBOX", "STATUS INBOX ()",
    "STATUS INBOX (FUTURE)", "STATUS INBOX MESSAGES"])
def test_bad_arguments(suite, command):
    _, c = quiet(suite)
    c.bad(command)
    c.ok("NOOP")


def test_dots_between_the_parts(suite):
    _, c = quiet(suite, "mail_hierarchy_separator = .\n")
    make(c, "foo.bar")
    assert set(listed(c, 'LIST "" *')) == {"INBOX", "foo", "foo.bar"}
    assert c.ok("NAMESPACE") == [b'* NAMESPACE (("" ".")) NIL NIL']


def test_status_of_every_item(suite):
    s, c = quiet(suite, "imap_append_limit = 1000\n")
    c.append("INBOX", MESSAGE, r"(\Seen)")
    c.append("INBOX", MESSAGE, r"(\Deleted)")
    got = status(c, "INBOX", "MESSAGES UIDNEXT UNSEEN DELETED SIZE"
                 " APPENDLIMIT DELETED-STORAGE RECENT")
    assert got == {"MESSAGES": "2", "UIDNEXT": "3", "UNSEEN": "1",
                   "DELETED": "1", "SIZE": str(2 * len(MESSAGE)),
                   "APPENDLIMIT": "1000",
                   "DELETED-STORAGE": str(len(MESSAGE)), "RECENT": "2"}
    assert "APPENDLIMIT=1000" in c.capabilities()
    assert b"TOOBIG" in c.no("APPEND INBOX {}", b"x" * 1001)
    assert b"NONEXISTENT" in c.no("STATUS nosuch (MESSAGES)")
    first = int(status(c, "INBOX", "HIGHESTMODSEQ")["HIGHESTMODSEQ"])
    c.append("INBOX", MESSAGE)
    assert int(status(c, "INBOX", "HIGHESTMODSEQ")["HIGHESTMODSEQ"]) > first
    # a look at it is no visit: they are \Recent to who selects it
    assert b"* 3 RECENT" in c.ok("SELECT INBOX")
    assert status(c, "INBOX", "RECENT")["RECENT"] == "0"
