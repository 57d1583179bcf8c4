# SPDX-License-Identifier: ISC
"""NOTIFY (RFC 5465), and news from every side for it and for IDLE."""
import os
import pwd
import re
import time

import pytest

from posthaste import DEADLINE, owner_ids, wait_for
from test_list import make, quiet

MESSAGE = b"From: alice@example.test\r\nSubject: news\r\n\r\ntext\r\n"
EVENTS = "(MessageNew MessageExpunge)"


def lines_until(c, pattern, seconds=DEADLINE):
    """What comes up to a line that matches."""
    got, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        if c.waiting(0.1):
            got.append(c.line())
            if re.search(pattern, got[-1]):
                return got
    raise AssertionError(f"no {pattern!r} in {got}")


def silent(c, seconds=1.0):
    return not c.waiting(seconds)


def deliver(s, folder, name, part="new", text=MESSAGE):
    """As procmail or mutt would: tmp, then rename."""
    root = s.maildir("bob") / folder if folder else s.maildir("bob")
    tmp = root / "tmp" / name
    tmp.write_bytes(text)
    os.chown(tmp, s.uid, s.gid)
    tmp.rename(root / part / name)
    return root / part / name


# what may be asked

@pytest.mark.parametrize("command, code", [
    ("NOTIFY", None), ("NOTIFY SET", None), ("NOTIFY SET STATUS", None),
    ("NOTIFY NONE x", None), ("NOTIFY SET (selected)", None),
    ("NOTIFY SET (personal (MessageNew))", None),
    ("NOTIFY SET (personal (MessageExpunge))", None),
    ("NOTIFY SET (personal (FlagChange))", None),
    ("NOTIFY SET (personal (FlagChange MessageNew))", None),
    ("NOTIFY SET (selected (MailboxName))", None),
    (f"NOTIFY SET (selected {EVENTS}) (selected-delayed {EVENTS})", None),
    ("NOTIFY SET (personal (MessageNew (uid) MessageExpunge))", None),
    ("NOTIFY SET (subtree (MessageNew MessageExpunge))", None),
    ("NOTIFY SET (somewhere NONE)", None),
    ("NOTIFY SET (selected (MessageNew (nonsense) MessageExpunge))", None),
    ("NOTIFY SET (personal (AnnotationChange))", "BADEVENT"),
    ("NOTIFY SET (personal (FutureEvent))", "BADEVENT"),
])
def test_what_is_refused(suite, command, code):
    _, c = quiet(suite)
    if code is None:
        c.bad(command)
    else:
        text = c.no(command).decode()
        assert text.startswith(f"[{code} (MessageNew MessageExpunge ")
        assert "MailboxName" in text and "ServerMetadataChange" in text
    assert silent(c, 0.1)
    c.ok("NOOP")


def test_status_at_once_where_it_is_wanted(suite):
    """RFC 5465 section 3.1."""
    _, c = quiet(suite)
    make(c, "Lists/Lemonade", "Lists/Im2000", "misc")
    c.append("Lists/Lemonade", MESSAGE)
    lines = c.ok(f"NOTIFY SET STATUS (subtree Lists {EVENTS})")
    got = {x.split(b" ")[2]: x for x in lines if x.startswith(b"* STATUS")}
    assert set(got) == {b"Lists", b"Lists/Lemonade", b"Lists/Im2000"}
    assert b"MESSAGES 1 UIDNEXT 2 UIDVALIDITY " in got[b"Lists/Lemonade"]
    lines = c.ok("NOTIFY SET STATUS (mailboxes (misc nosuch)"
                 " (MessageNew MessageExpunge FlagChange))")
    line, = lines
    assert line.startswith(b"* STATUS misc ") and b"HIGHESTMODSEQ" in line
    assert c.ok(f"NOTIFY SET (subtree Lists {EVENTS})") == []


# messages

def test_the_selected_mailbox_is_told_with_items(suite):
    """RFC 5465 section 5.2."""
    s, c = quiet(suite)
    c.ok("NOTIFY SET (selected (MessageNew (uid body.peek[header.fields"
         " (subject)]) MessageExpunge FlagChange))")
    c.ok("SELECT INBOX")
    other = s.imap()
    uid = other.append("INBOX", MESSAGE)
    lines = lines_until(c, rb"FETCH")
    assert b"* 1 EXISTS" in lines
    assert lines[-1] == (b"* 1 FETCH (UID %d BODY[HEADER.FIELDS (subject)] "
                         b"{17}\r\nSubject: news\r\n\r\n)" % uid)
    other.ok("SELECT INBOX")
    other.ok(r"STORE 1 +FLAGS (\Flagged)")
    line = lines_until(c, rb"FLAGS")[-1]
    assert b"UID 1 " in line and rb"\Flagged" in line
    other.ok(r"STORE 1 +FLAGS (\Deleted)")
    other.ok("EXPUNGE")
    lines_until(c, rb"\* 1 EXPUNGE")
    # what the client does itself is no news: EXISTS, and no FETCH
    tag = c.start("APPEND INBOX {%d+}\r\n%s" % (len(MESSAGE),
                                               MESSAGE.decode()))
    word, _, lines = c.finish(tag)
    assert word == "OK" and not any(b"FETCH" in x for x in lines)
    assert silent(c, 0.3)


def test_items_also_for_what_an_answer_told(suite):
    s, c = quiet(suite)
    c.ok("SELECT INBOX")
    c.ok("NOTIFY SET (selected (MessageNew (uid) MessageExpunge))")
    other = s.imap()
    for _ in range(5):
        other.append("INBOX", MESSAGE)
    seen = []
    end = time.monotonic() + DEADLINE
    while len(seen) < 5 and time.monotonic() < end:
        seen += [x for x in c.ok("NOOP") if b"FETCH" in x]
        while c.waiting(0.05):
            line = c.line()
            seen += [line] if b"FETCH" in line else []
    assert seen == [b"* %d FETCH (UID %d)" % (i, i) for i in range(1, 6)]


def test_delayed_keeps_the_numbers(suite):
    """RFC 5465 section 6.1.2."""
    s, c = quiet(suite)
    c.append("INBOX", MESSAGE)
    c.append("INBOX", MESSAGE)
    c.ok("SELECT INBOX")
    c.ok(f"NOTIFY SET (selected-delayed {EVENTS})")
    other = s.imap()
    other.ok("SELECT INBOX")
    other.ok(r"STORE 1 +FLAGS (\Deleted)")
    other.ok("EXPUNGE")
    other.append("INBOX", MESSAGE)
    assert lines_until(c, rb"EXISTS") == [b"* 3 EXISTS"]
    while c.waiting(0.3):
        assert b"EXPUNGE" not in c.line()
    assert b"* 1 EXPUNGE" in c.ok("NOOP")
    # in IDLE it may be told
    tag = c.idle()
    other.ok(r"STORE 1 +FLAGS (\Deleted)")
    other.ok("EXPUNGE")
    lines_until(c, rb"\* 1 EXPUNGE")
    c.done(tag)


def test_what_was_not_asked_for_is_not_told(suite):
    s, c = quiet(suite)
    c.append("INBOX", MESSAGE)
    make(c, "other", "quiet")
    c.ok("SELECT INBOX")
    c.ok(f"NOTIFY SET (mailboxes other {EVENTS})")
    peer = s.imap()
    peer.append("INBOX", MESSAGE)
    peer.append("quiet", MESSAGE)
    peer.ok("SELECT INBOX")
    peer.ok(r"STORE 1 +FLAGS (\Flagged)")
    assert silent(c)
    peer.append("other", MESSAGE)
    assert lines_until(c, rb"STATUS")[-1].startswith(b"* STATUS other (")
    # nor in IDLE
    tag = c.idle()
    peer.append("INBOX", MESSAGE)
    assert silent(c)
    c.done(tag)
    c.ok("NOTIFY NONE")
    peer.append("other", MESSAGE)
    assert silent(c)
    # flags only where they were asked for
    c.ok(f"NOTIFY SET (selected {EVENTS})")
    peer.ok(r"STORE 1 +FLAGS (\Answered)")
    assert silent(c)


def test_other_mailboxes_are_told_by_status(suite):
    s, c = quiet(suite)
    make(c, "misc")
    c.ok("ENABLE CONDSTORE")
    c.ok("NOTIFY SET (personal (MessageNew MessageExpunge FlagChange))")
    peer = s.imap()
    peer.append("misc", MESSAGE)
    line = lines_until(c, rb"STATUS misc")[-1]
    assert b"MESSAGES 1 UIDNEXT 2" in line and b"HIGHESTMODSEQ" in line
    peer.ok("SELECT misc")
    peer.ok(r"STORE 1 +FLAGS (\Seen)")
    line = lines_until(c, rb"STATUS misc")[-1]
    assert b"UNSEEN 0" in line and b"HIGHESTMODSEQ" in line
    peer.ok(r"STORE 1 +FLAGS (\Deleted)")
    peer.ok("EXPUNGE")
    lines_until(c, rb"STATUS misc \(.*MESSAGES 0 UIDNEXT 2")


# the tree

def test_names_that_others_change(suite):
    """RFC 5465 section 5.4."""
    s, c = quiet(suite)
    make(c, "parent")
    c.ok("NOTIFY SET (personal (MailboxName SubscriptionChange))")
    peer = s.imap()
    peer.ok("CREATE parent/new")
    got = b"\n".join(lines_until(c, rb"LIST .* parent$"))
    assert re.search(rb'\* LIST \(\\HasNoChildren\) "/" parent/new', got)
    assert rb'* LIST (\HasChildren) "/" parent' in got
    peer.ok("RENAME parent/new parent/newer")
    line = lines_until(c, rb"LIST")[-1]
    assert line == (rb'* LIST (\HasNoChildren) "/" parent/newer'
                    rb' ("OLDNAME" (parent/new))')
    peer.ok("SUBSCRIBE parent/newer")
    line = lines_until(c, rb"LIST")[-1]
    assert rb"\Subscribed" in line and line.endswith(b"parent/newer")
    peer.ok("UNSUBSCRIBE parent/newer")
    assert rb"\Subscribed" not in lines_until(c, rb"LIST")[-1]
    peer.ok("DELETE parent/newer")
    lines_until(c, rb"LIST \(.*\\NonExistent.*\) \"/\" parent/newer")
    while c.waiting(0.3):
        c.line()
    # what it does itself is no news
    assert c.ok("CREATE mine") == [] and silent(c, 0.3)
    assert c.ok("DELETE mine") == [] and silent(c, 0.3)


def test_news_are_not_lost_behind_a_command_of_ones_own(suite):
    s, c = quiet(suite)
    c.ok("NOTIFY SET (personal (MailboxName))")
    peer = s.imap()
    told = []
    for i in range(15):
        peer.ok(f"CREATE theirs{i}")
        told += c.ok(f"CREATE mine{i}")
    while len(told) < 15:
        told.append(c.line())
    assert silent(c, 0.3)
    assert [x.split()[-1] for x in told] == [
        b"theirs%d" % i for i in range(15)]


def test_a_folder_of_another_program_is_seen(suite):
    s, c = quiet(suite)
    c.ok(f"NOTIFY SET (personal (MessageNew MessageExpunge MailboxName))")
    folder = s.maildir("bob") / ".Outside"
    work = s.maildir("bob") / "tmp" / "making"
    for part in ("cur", "new", "tmp"):
        (work / part).mkdir(parents=True)
    for path in [work, *work.iterdir()]:
        os.chown(path, s.uid, s.gid)
    work.rename(folder)
    lines_until(c, rb"LIST .* Outside")
    # and its messages from now on
    deliver(s, ".Outside", "1700000000.M1P1.host")
    lines_until(c, rb"STATUS Outside \(.*MESSAGES 1")
    folder.rename(s.root / "removed")
    lines_until(c, rb'LIST \(.*\\NonExistent.*\) .* Outside')


def test_subscriptions_of_another_program_are_seen(suite):
    s, c = quiet(suite)
    c.ok("CREATE aside")
    c.ok("NOTIFY SET (personal (SubscriptionChange))")
    path = s.maildir("bob") / "subscriptions"
    fresh = path.with_name("subscriptions.lock")
    fresh.write_text("aside\n")
    os.chown(fresh, s.uid, s.gid)
    fresh.rename(path)
    lines_until(c, rb"LIST \(.*\\Subscribed.*\) .* aside")


def test_a_quiet_tree_is_not_looked_at(suite):
    """Nobody wakes for a tree in which nothing happens."""
    s, c = quiet(suite, "imap_hibernate_timeout = 0\n")
    c.ok("NOTIFY SET (personal (MailboxName))")
    child = s.processes("imapd-session")[-1]

    def switches():
        with open(f"/proc/{child}/status", encoding="ascii") as f:
            return int(re.search(r"\nvoluntary_ctxt_switches:\s+(\d+)",
                                 f.read())[1])

    def at_rest():
        before = switches()
        return silent(c, 0.5) and switches() == before

    wait_for("it to be at rest", at_rest)
    before = switches()
    assert silent(c, 4)
    assert switches() - before <= 1


def test_a_mailbox_that_comes_later_is_watched(suite):
    s, c = quiet(suite)
    c.ok(f"NOTIFY SET (subtree Lists {EVENTS})")
    peer = s.imap()
    peer.ok("CREATE Lists/new")
    peer.ok("CREATE elsewhere")
    wait_for("the first news", lambda: (
        peer.append("Lists/new", MESSAGE), c.waiting(0.3))[1])
    assert c.line().startswith(b"* STATUS Lists/new (")


def test_what_is_subscribed_is_watched_from_then_on(suite):
    """RFC 5465 section 6.4."""
    s, c = quiet(suite)
    make(c, "a", "b")
    c.ok(f"NOTIFY SET (subscribed {EVENTS})")
    peer = s.imap()
    peer.append("a", MESSAGE)
    assert silent(c)
    c.ok("SUBSCRIBE a")
    peer.append("a", MESSAGE)
    lines_until(c, rb"STATUS a \(.*MESSAGES 2")
    c.ok("UNSUBSCRIBE a")
    peer.ok("SUBSCRIBE b")
    peer.append("a", MESSAGE)
    # news begin when its subscription has been seen
    wait_for("the first news", lambda: (
        peer.append("b", MESSAGE), c.waiting(0.3))[1])
    got = lines_until(c, rb"STATUS b \(")
    assert not any(b"STATUS a " in x for x in got)


def test_metadata_that_others_change(suite):
    """RFC 5465 sections 5.6 and 5.7."""
    s, c = quiet(suite)
    c.ok("NOTIFY SET (personal (MailboxMetadataChange ServerMetadataChange))")
    peer = s.imap()
    peer.ok('SETMETADATA INBOX (/shared/comment "x" /private/comment NIL)')
    assert lines_until(c, rb"METADATA") == [
        b"* METADATA INBOX /shared/comment /private/comment"]
    peer.ok('SETMETADATA "" (/private/comment "x")')
    assert lines_until(c, rb"METADATA") == [
        b'* METADATA "" /private/comment']
    c.ok('SETMETADATA INBOX (/private/comment "mine")')
    assert silent(c, 0.3)


def test_too_many_mailboxes(suite):
    s, c = quiet(suite)
    root = s.maildir("bob")
    for i in range(510):
        for part in ("cur", "new", "tmp"):
            (root / f".n{i}" / part).mkdir(parents=True)
    # many in a tick of the clock: each could be another that lost its state
    for path in root.rglob("*"):
        os.chown(path, s.uid, s.gid)
    c.socket.settimeout(10 * DEADLINE)  # each is opened for the first time
    assert c.no(f"NOTIFY SET (personal {EVENTS})").startswith(
        b"[NOTIFICATIONOVERFLOW]")
    c.ok(f"NOTIFY SET (mailboxes (n1 n2) {EVENTS})")


# news from every side: R51

def by_smtp(s):
    s.send(subject="news")


def by_smtp_as_a_copy(s):
    s.send(to=["bob@example.test", "alice@example.test"], subject="news")


def by_sendmail(s):
    s.command("sendmail", "-f", "alice@example.test", "bob@example.test",
              stdin="Subject: news\n\ntext\n")


def by_append(s):
    s.imap().append("INBOX", MESSAGE)


def by_copy(s):
    c = s.imap()
    c.ok("CREATE aside")
    c.append("aside", MESSAGE)
    c.ok("SELECT aside")
    c.ok("COPY 1 INBOX")


def by_move(s):
    c = s.imap()
    c.ok("CREATE aside")
    c.append("aside", MESSAGE)
    c.ok("SELECT aside")
    c.ok("MOVE 1 INBOX")


def by_another_program_into_new(s):
    deliver(s, "", "1700000001.M2P2.host")


def by_another_program_into_cur(s):
    deliver(s, "", "1700000002.M3P3.host:2,S", "cur")


# an alias that is a Maildir, written as the owner of mailboxes
LOCAL = f"""\
alias_maps = inline:{{bobs-maildir=$data_directory/../mail/example.test/bob/}}
default_privs = {pwd.getpwuid(owner_ids()[0]).pw_name}
"""


def by_local(s):
    """As home_mailbox or an alias to a Maildir make it do."""
    s.send(to="bobs-maildir@local.test", subject="news")


WAYS = [by_smtp, by_smtp_as_a_copy, by_sendmail, by_append, by_copy, by_move,
        by_another_program_into_new, by_another_program_into_cur, by_local]


@pytest.mark.parametrize("way", WAYS, ids=lambda f: f.__name__)
def test_a_message_wakes_idle_and_notify(suite, way):
    s, idle = quiet(suite, LOCAL)
    idle.ok("SELECT INBOX")
    tag = idle.idle()
    selected, other = s.imap(), s.imap()
    selected.ok("SELECT INBOX")
    selected.ok(f"NOTIFY SET (selected {EVENTS})")
    other.ok(f"NOTIFY SET (inboxes {EVENTS})")
    way(s)
    for c in (idle, selected):
        lines_until(c, rb"^\* 1 EXISTS$")
    lines_until(other, rb"^\* STATUS INBOX \(.*MESSAGES 1")
    idle.done(tag)


def flag_by_rename(s):
    path, = [p for part in ("cur", "new")
             for p in (s.maildir("bob") / part).iterdir()]
    name = path.name.split(":2,")[0] + ":2,FS"
    path.rename(s.maildir("bob") / "cur" / name)


def test_flags_and_removal_by_another_program(suite):
    s, idle = quiet(suite)
    idle.append("INBOX", MESSAGE)
    idle.ok("SELECT INBOX")
    tag = idle.idle()
    c = s.imap()
    c.ok("SELECT INBOX")
    c.ok("NOTIFY SET (selected (MessageNew MessageExpunge FlagChange))")
    flag_by_rename(s)
    for who in (idle, c):
        assert rb"\Seen" in lines_until(who, rb"\\Flagged")[-1]
    for path in (s.maildir("bob") / "cur").iterdir():
        path.unlink()
    for who in (idle, c):
        lines_until(who, rb"^\* 1 EXPUNGE$")
    idle.done(tag)


def test_pop3_deletion_is_told(suite):
    s, idle = quiet(suite)
    idle.append("INBOX", MESSAGE)
    idle.ok("SELECT INBOX")
    tag = idle.idle()
    p = s.pop3()
    p.dele(1)
    p.quit()
    lines_until(idle, rb"^\* 1 EXPUNGE$")
    idle.done(tag)
