# SPDX-License-Identifier: ISC
"""NOTIFY of other mailboxes than the selected one goes on behind parking."""
import os
import signal
import time

import pytest
from parked import (SOON, all_parked, awake, news, parent, stay_parked, told,
                    until)
from sharing import BOB
from sharing import message as shared_message
from sharing import shared

MAIN = SOON + "disable_plaintext_auth = no\nmail_special_folders =\n"
MESSAGES = "(MessageNew MessageExpunge FlagChange)"


def message(text=b"x"):
    return b"Subject: %s\r\n\r\n%s\r\n" % (text, text)


def opened(suite, *folders, main=MAIN):
    s = suite(main=main)
    c, other = s.imap(), s.imap()
    for name in folders:
        other.ok(f"CREATE {name}")
    return s, c, other


def deliver(s, folder="", i=1):
    """By another program."""
    box = s.maildir("bob") / folder
    with open(box / f"tmp/{i}", "wb") as f:
        f.write(message())
    os.chown(f.name, s.uid, s.gid)
    os.rename(f.name, box / f"new/1700000{i:03}.M{i}.host")


@pytest.mark.parametrize("select", [True, False])
@pytest.mark.parametrize("tls", [None, "implicit"])
def test_messages(suite, select, tls):
    s, c, other = opened(suite, "a", "a/b", "z")
    other.append("a", message())
    c.logout()
    c = s.imap(tls=tls)
    if select:
        c.ok("SELECT z")
    c.ok(f"NOTIFY SET (selected {MESSAGES}) (personal {MESSAGES})"
         if select else f"NOTIFY SET (personal {MESSAGES})")
    stay_parked(s)
    deliver(s)
    line = c.line()
    assert line.startswith(b"* STATUS INBOX (")
    assert b"MESSAGES 1" in line and b"UIDNEXT 2" in line
    assert told(c) == []
    all_parked(s)
    other.append("a/b", message())
    (line,) = until(c, b"STATUS")
    assert line.startswith(b"* STATUS a/b (MESSAGES 1 UIDNEXT 2")
    all_parked(s)
    # flags alone: how many are unseen
    other.ok("SELECT a")
    other.ok(r"STORE 1 +FLAGS (\Seen)")
    (line,) = until(c, b"STATUS")
    assert line.startswith(b"* STATUS a (") and b"UNSEEN 0" in line
    assert b"MESSAGES" not in line
    all_parked(s)
    other.ok(r"STORE 1 +FLAGS.SILENT (\Deleted)")
    until(c, b"STATUS")
    all_parked(s)
    other.ok("EXPUNGE")
    assert b"MESSAGES 0" in until(c, b"STATUS")[-1]
    if select:
        all_parked(s)
        other.append("z", message())
        assert until(c, b"RECENT")[0] == b"* 1 EXISTS"
    all_parked(s)
    assert c.ok("NOOP") == []


def test_what_was_not_asked_for_is_not_told(suite):
    s, c, other = opened(suite, "a", "b")
    other.append("b", message())
    c.ok("NOTIFY SET (mailboxes b (MessageNew MessageExpunge))")
    stay_parked(s)
    other.ok("SELECT b")
    other.ok(r"STORE 1 +FLAGS (\Flagged)")
    other.append("INBOX", message())
    other.append("a", message())
    other.ok("CREATE c")
    assert told(c) == []
    all_parked(s)
    other.append("b", message())
    assert c.line().startswith(b"* STATUS b (MESSAGES 2 UIDNEXT 3")
    c.ok("NOTIFY NONE")
    all_parked(s)
    other.append("b", message())
    assert told(c) == []


@pytest.mark.parametrize("idle", [True, False])
def test_names_and_subscriptions(suite, idle):
    s, c, other = opened(suite, "a", "b")
    c.ok("SELECT INBOX")
    c.ok("NOTIFY SET (personal (MessageNew MessageExpunge MailboxName"
         " SubscriptionChange))")
    tag = c.idle() if idle else None
    stay_parked(s)
    other.ok("CREATE c")
    assert news(c) == [b'* LIST (\\HasNoChildren) "/" c']
    all_parked(s)
    other.append("c", message())
    assert c.line().startswith(b"* STATUS c (MESSAGES 1 UIDNEXT 2")
    all_parked(s)
    other.ok("SUBSCRIBE a")
    assert news(c) == [b'* LIST (\\HasNoChildren \\Subscribed) "/" a']
    all_parked(s)
    other.ok("DELETE b")
    assert news(c) == [b'* LIST (\\NonExistent \\HasNoChildren) "/" b']
    all_parked(s)
    (s.maildir("bob") / ".c").rename(s.root / "removed")
    assert news(c) == [b'* LIST (\\NonExistent \\HasNoChildren) "/" c']
    all_parked(s)
    if idle:
        c.done(tag)
    assert c.ok("NOOP") == []


def make_folder(s, name):
    """By another program."""
    path = s.maildir("bob") / name
    for part in ("", "new", "cur", "tmp"):
        (path / part).mkdir()
        os.chown(path / part, s.uid, s.gid)


def test_a_folder_comes_at_the_moment_of_parking(suite):
    """The change and the time to park are due together."""
    s = suite(main="imap_hibernate_timeout = 3s\n"
              "disable_plaintext_auth = no\nmail_special_folders =\n")
    c = s.imap()
    c.ok("NOTIFY SET (personal (MailboxName))")
    (child,) = set(s.processes("imapd-session")) - {parent(s)}
    time.sleep(1)  # of the three
    os.kill(child, signal.SIGSTOP)
    make_folder(s, ".fresh")
    time.sleep(3)  # both are due
    os.kill(child, signal.SIGCONT)
    assert news(c) == [b'* LIST (\\HasNoChildren) "/" fresh']
    all_parked(s)


def test_times_that_were_set_wake_nobody(suite):
    """As by rsync -a: a directory's mtime is not when it changed."""
    s, c, other = opened(suite, "a")
    other.logout()
    c.ok("SELECT INBOX")
    box = s.maildir("bob")
    for path in (box, box / "cur", box / "new", box / ".a/cur"):
        os.utime(path, (1, 1_000_000_000))
    c.ok(f"NOTIFY SET (personal {MESSAGES[:-1]} MailboxName))")
    tag = c.idle()
    stay_parked(s)
    deliver(s, ".a")
    assert c.line().startswith(b"* STATUS a (MESSAGES 1")
    c.done(tag)


def test_subscribed_ones(suite):
    s, c, other = opened(suite, "a", "b")
    other.ok("SUBSCRIBE a")
    c.ok("NOTIFY SET (subscribed (MessageNew MessageExpunge MailboxName"
         " SubscriptionChange))")
    all_parked(s)
    other.append("b", message())
    assert told(c) == []
    all_parked(s)
    other.ok("SUBSCRIBE b")
    assert news(c) == [b'* LIST (\\HasNoChildren \\Subscribed) "/" b']
    all_parked(s)
    other.append("b", message())
    assert c.line().startswith(b"* STATUS b (MESSAGES 2 UIDNEXT 3")
    all_parked(s)
    other.ok("UNSUBSCRIBE a")
    assert news(c) == [b'* LIST (\\HasNoChildren) "/" a']


def test_a_folder_made_anew(suite):
    s, c, other = opened(suite, "a")
    other.append("a", message())
    c.ok(f"NOTIFY SET (personal {MESSAGES})")
    all_parked(s)
    other.ok("DELETE a")
    other.ok("CREATE a")
    other.append("a", message())
    assert news(c)[-1].startswith(b"* STATUS a (MESSAGES 1 UIDNEXT 2 UIDVAL")


def test_of_somebody_else(suite):
    s, bob, alice = shared(suite, "lr", SOON)
    alice.ok(f"NOTIFY SET (subtree shared {MESSAGES})")
    stay_parked(s)
    bob.append("Work", shared_message(4))
    assert alice.line().startswith(
        f"* STATUS {BOB}/Work (MESSAGES 4 ".encode())
    all_parked(s)
    bob.ok("SETACL Work alice@example.test l")
    bob.append("Work", shared_message(5))
    assert told(alice) == []


def test_many_are_parked_too_many_are_not(suite):
    """So many that they fit in 1 KB; the others keep their process."""
    s, c, other = opened(suite, *[f"folder-{i}" for i in range(25)])
    c.ok(f"NOTIFY SET (personal {MESSAGES})")
    stay_parked(s)
    other.append("folder-7", message())
    assert c.line().startswith(b"* STATUS folder-7 (MESSAGES 1 ")
    for i in range(60):
        other.ok(f"CREATE {i * 7919 % 1000:03}-{'x' * (i % 40)}")
    c.ok("NOOP")
    awake(s)
    other.append("folder-8", message())
    assert c.line().startswith(b"* STATUS folder-8 (MESSAGES 1 ")


def test_metadata_keeps_its_process(suite):
    """Of its changes nothing would be left to be seen."""
    s, c, other = opened(suite)
    c.ok("NOTIFY SET (personal (MailboxMetadataChange))")
    awake(s)
    other.ok('SETMETADATA INBOX (/private/comment "x")')
    assert c.line() == b"* METADATA INBOX /private/comment"
