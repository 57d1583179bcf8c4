# SPDX-License-Identifier: ISC
"""mbox over IMAP: INBOX is a file that local delivers to, folders are files
below the mail directory; UIDs, flags and keywords are in the files."""
import os
import pathlib
import re
import socket
import time

import pytest

from mbox_files import FROM, message, write_mbox
from parked import all_parked, awake, stay_parked, until
from pop3_client import Client
from posthaste import AS_ROOT, wait_for

def spool(s, user="bob"):
    return s.root / "mail/spool" / user


def mail(s, user="bob"):
    return s.root / "mail" / (user + "-folders")


@pytest.fixture
def mbox(suite):
    """bob has folders, carol her INBOX alone."""
    s = suite(main="disable_plaintext_auth = no\n"
              "imap_hibernate_timeout = 1s\n", start=False)
    for directory in (spool(s).parent, mail(s)):
        directory.mkdir()
        os.chown(directory, s.uid, s.gid)
    where = {"bob": f"mbox:{mail(s)}:INBOX={spool(s)}",
             "carol": f"mbox:{spool(s, 'carol')}"}
    (s.root / "etc/accounts").write_text("".join(
        s.account(user).replace("maildir:" + str(s.maildir(user)), at)
        for user, at in where.items()))
    write_mbox(s, spool(s), message(1) + message(2) + message(3))
    write_mbox(s, spool(s, "carol"), message(1))
    return s.start()


def deliver(s, content, user="bob"):
    with open(spool(s, user), "ab") as f:
        f.write(content)


def subjects(path):
    return re.findall(rb"^Subject: (.*)$", path.read_bytes(), re.M)


def fetched(c, what, items):
    return [line for line in c.ok(f"FETCH {what} {items}")
            if b"FETCH (" in line]


def test_read_flags_expunge(mbox):
    c = mbox.imap()
    lines = c.ok("SELECT INBOX")
    assert b"* 3 EXISTS" in lines
    assert any(b"UIDNEXT 4" in x for x in lines)
    text = message(2)[len(FROM):-1].replace(b"\n", b"\r\n")
    assert any(text in x for x in c.ok("FETCH 2 BODY.PEEK[]"))
    assert fetched(c, "2", "RFC822.SIZE") == [
        b"* 2 FETCH (RFC822.SIZE %d)" % len(text)]
    c.ok(r"STORE 2 +FLAGS (\Flagged $Forwarded)")
    assert b"X-Status: F" in spool(mbox).read_bytes()
    assert b"X-Keywords: $Forwarded" in spool(mbox).read_bytes()
    c.ok(r"STORE 1 +FLAGS (\Deleted)")
    c.ok("EXPUNGE")
    assert subjects(spool(mbox)) == [b"number 2", b"number 3"]
    c.logout()
    # all that was told is in the file
    for path in (mail(mbox) / ".posthaste").glob("posthaste.index*"):
        path.unlink()
    wait_for("the user's process to end",
             lambda: not mbox.processes("imapd-session")[1:])
    c = mbox.imap()
    lines = c.ok("SELECT INBOX")
    assert any(b"UIDNEXT 4" in x for x in lines)
    found = fetched(c, "1:*", "(UID FLAGS)")
    assert re.search(rb"UID 2 .*\\Flagged.*\$Forwarded", found[0])
    assert b"UID 3" in found[1]


def test_append_copy_move(mbox):
    c = mbox.imap()
    c.ok("CREATE Work/2026")
    c.no("CREATE Archive")  # made, with its special use
    assert (mail(mbox) / "Work").is_dir()
    assert (mail(mbox) / "Work/2026").is_file()
    c.append("Work/2026", b"Subject: a\r\n\r\nFrom here\r\n", r"(\Seen)",
             '"01-Feb-2003 04:05:06 +0000"')
    assert b"\n>From here\n" in (mail(mbox) / "Work/2026").read_bytes()
    c.ok("SELECT INBOX")
    c.ok(r"STORE 3 +FLAGS (\Answered Junk)")
    c.ok("COPY 2:3 Work/2026")
    c.ok("MOVE 1 Work/2026")
    assert subjects(spool(mbox)) == [b"number 2", b"number 3"]
    c.ok("SELECT Work/2026")
    assert fetched(c, "1", "(FLAGS INTERNALDATE BODY.PEEK[TEXT])")
    found = fetched(c, "1:*", "(UID FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
    assert len(found) == 4
    assert rb"\Seen" in found[0]
    assert rb"\Answered" in found[2] and b"Junk" in found[2]
    c.append("INBOX", b"Subject: to the spool\r\n\r\nx\r\n")
    assert subjects(spool(mbox))[-1] == b"to the spool"


def test_folders(mbox):
    c = mbox.imap()
    write_mbox(mbox, mail(mbox) / "old", message(7))
    (mail(mbox) / ".subscriptions").write_text("old\n")
    c.ok("CREATE a/b")
    listed = c.ok('LIST "" "*"')
    assert any(re.search(rb'LIST \([^)]*\\Noselect[^)]*\) "/" "?a"?$', x)
               for x in listed), listed
    for name in (b"INBOX", b"a/b", b"old", b"Sent", b"Drafts"):
        assert any(x.rstrip(b'"').endswith(name) for x in listed), name
    assert not any(b"posthaste" in x or b"subscriptions" in x for x in listed)
    assert any(x.rstrip(b'"').endswith(b"old") for x in c.ok('LSUB "" "*"'))
    c.ok("SELECT old")
    c.ok("SUBSCRIBE a/b")
    assert "a/b" in (mail(mbox) / ".subscriptions").read_text()
    c.no("CREATE old/child")
    c.no("DELETE a")
    c.ok("RENAME a z")
    assert (mail(mbox) / "z/b").is_file()
    c.ok("RENAME old z/old")
    assert subjects(mail(mbox) / "z/old") == [b"number 7"]
    c.ok("FETCH 1 BODY.PEEK[]")
    c.ok("DELETE z/b")
    assert not (mail(mbox) / "z/b").exists()
    # children may be no files, and files no parents
    c.no("SELECT z")


def test_inbox_alone(mbox):
    c = mbox.imap(user="carol")
    assert b"* 1 EXISTS" in c.ok("SELECT INBOX")
    c.no("CREATE other")
    c.append("INBOX", b"Subject: mine\r\n\r\nx\r\n")
    assert b"* 2 EXISTS" in c.ok("SELECT INBOX")
    assert subjects(spool(mbox, "carol")) == [b"number 1", b"mine"]
    listed = c.ok('LIST "" "*"')
    assert [x for x in listed if b"LIST" in x and b"INBOX" not in x] == []


def test_delivery_is_heard_in_idle(mbox):
    c = mbox.imap()
    c.ok("SELECT INBOX")
    tag = c.idle()
    begin = time.monotonic()
    deliver(mbox, message(4))
    while c.line() != b"* 4 EXISTS":
        pass
    assert time.monotonic() - begin < 20
    c.done(tag)
    assert b"number 4" in b"".join(c.ok("FETCH 4 BODY.PEEK[HEADER]"))


def test_removed_by_pop3(mbox):
    c = mbox.imap()
    c.ok("SELECT INBOX")
    c.ok(r"STORE 2 +FLAGS (\Flagged)")
    p = Client(mbox, "pop3", login="bob")
    before = dict(reversed(x.split()) for x in p.many("UIDL")[1])
    assert p.say("DELE 1").startswith(b"+OK")
    p.say("QUIT")
    assert b"* 1 EXPUNGE" in c.ok("NOOP")
    assert rb"\Flagged" in fetched(c, "1", "(UID FLAGS)")[0]
    c.ok(r"STORE 1:* +FLAGS (\Seen a-keyword)")
    p = Client(mbox, "pop3", login="bob")
    after = dict(reversed(x.split()) for x in p.many("UIDL")[1])
    assert set(after) < set(before)


def test_new_inbox(mbox):
    """There is no spool file before the first mail."""
    spool(mbox).unlink()
    c = mbox.imap()
    assert b"* 0 EXISTS" in c.ok("SELECT INBOX")
    deliver(mbox, message(1))
    os.chown(spool(mbox), mbox.uid, mbox.gid)
    assert b"* 1 EXISTS" in c.ok("NOOP")
    spool(mbox).unlink()
    c.ok("NOOP")
    c.append("INBOX", b"Subject: first\r\n\r\nx\r\n")
    assert subjects(spool(mbox)) == [b"first"]


def status(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return dict(x.split(":\t", 1) for x in text.splitlines() if ":\t" in x)


@pytest.mark.skipif(not AS_ROOT, reason="needs root to separate rights")
@pytest.mark.parametrize("user", ["bob", "carol"])
def test_rights(mbox, user):
    """In root's spool directory the session can do nothing; its keeper has
    the group that makes lock files there."""
    os.chown(mbox.root / "mail", 0, 0)
    spool(mbox).unlink()
    os.chown(spool(mbox).parent, 0, 8)  # mail
    spool(mbox).parent.chmod(0o2775)
    c = mbox.imap(user=user)
    c.ok("SELECT INBOX")
    parent, child = mbox.processes("imapd-session")
    (keeper,) = mbox.processes("imapd-mbox")
    root = os.readlink(f"/proc/{child}/root")
    if user == "bob":
        assert root == str(mail(mbox))
    else:
        assert "/mbox/" in root and root.endswith(".imap")
    assert os.readlink(f"/proc/{keeper}/root") == str(spool(mbox).parent)
    for pid, group in ((child, mbox.gid), (keeper, 8)):
        of = status(pid)
        assert set(of["Uid"].split()) == {str(mbox.uid)}
        assert set(of["Gid"].split()) == {str(group)}
        assert of["Groups"].split() in ([], [str(group)])
        assert of["CapEff"].strip("0") == "" and of["NoNewPrivs"] == "1"
    c.append("INBOX", b"Subject: new\r\n\r\nx\r\n")
    c.ok("SELECT INBOX")
    c.ok(r"STORE 1 +FLAGS (\Deleted)")
    c.ok("EXPUNGE")
    assert spool(mbox, user).stat().st_uid == mbox.uid
    assert spool(mbox, user).stat().st_mode & 0o777 == 0o600
    assert not list(spool(mbox).parent.glob("*.lock*"))
    c.logout()
    wait_for("both to leave", lambda: not mbox.processes("imapd-mbox") and
             mbox.processes("imapd-session") == [parent])


@pytest.mark.skipif(not AS_ROOT, reason="needs root to separate rights")
@pytest.mark.parametrize("whose", ["root", "bob"])
def test_group_by_roots_links_alone(mbox, whose):
    """A link of root's leads to the spool (/var/mail is one at some places);
    one of the user's could lead to any directory that a group may write."""
    os.chown(mbox.root / "mail", 0, 0)
    real = mbox.root / "mail/real"
    spool(mbox).unlink()
    spool(mbox, "carol").unlink()
    spool(mbox).parent.rmdir()
    real.mkdir()
    os.chown(real, 0, 8)
    real.chmod(0o2775)
    spool(mbox).parent.symlink_to("real")
    if whose == "bob":
        os.chown(spool(mbox).parent, mbox.uid, mbox.gid,
                 follow_symlinks=False)
    c = mbox.imap()
    c.ok("LOGOUT") if False else c.ok("NOOP")
    (keeper,) = mbox.processes("imapd-mbox")
    assert os.readlink(f"/proc/{keeper}/root") == str(real)
    group = 8 if whose == "root" else mbox.gid
    assert set(status(keeper)["Gid"].split()) == {str(group)}
    new = b"Subject: new\r\n\r\nx\r\n"
    if whose == "root":
        c.append("INBOX", new)
        assert subjects(real / "bob") == [b"new"]
    else:
        c.no("APPEND INBOX {}", new)
        assert not list(real.iterdir())


@pytest.mark.skipif(not AS_ROOT, reason="needs root to separate rights")
def test_place_of_somebody_else(mbox):
    """What is kept of an mbox changes hands only from root to its owner."""
    c = mbox.imap(user="carol")
    c.ok("SELECT INBOX")
    c.logout()
    wait_for("her process to end",
             lambda: len(mbox.processes("imapd-session")) == 1)
    (place,) = (mbox.root / "data/mbox").glob("*.imap")
    assert (place.stat().st_uid, place.stat().st_gid) == (mbox.uid, mbox.gid)
    strange = mbox.uid + 1
    os.chown(place, strange, strange)
    c = mbox.imap(user=None)
    c.no("LOGIN carol posthaste")
    assert (place.stat().st_uid, place.stat().st_gid) == (strange, strange)


def test_parked_and_woken(mbox):
    c = mbox.imap()
    c.ok("SELECT INBOX")
    c.ok(r"STORE 1 +FLAGS (\Seen)")
    wait_for("its process to end",
             lambda: len(mbox.processes("imapd-session")) == 1)
    deliver(mbox, message(4))
    lines = c.ok("NOOP")
    assert b"* 4 EXISTS" in lines
    assert rb"\Seen" in fetched(c, "1", "FLAGS")[0]


@pytest.mark.parametrize("folder", ["INBOX", "old"])
def test_parked_in_idle(mbox, folder):
    """The file is watched: appended to, changed in place, replaced."""
    path = spool(mbox) if folder == "INBOX" else mail(mbox) / "old"
    write_mbox(mbox, path, message(1) + message(2) + message(3))
    c, other = mbox.imap(), mbox.imap("carol")
    c.ok(f"SELECT {folder}")
    c.ok(r"STORE 1 +FLAGS (\Flagged)")
    tag = c.idle()
    stay_parked(mbox)
    for x in (4, 5):
        began = time.monotonic()
        with open(path, "ab") as f:
            f.write(message(x))
        assert until(c, b"EXISTS")[-1] == b"* %d EXISTS" % x
        assert time.monotonic() - began < 20
        all_parked(mbox)
    fresh = path.with_suffix(".new")
    write_mbox(mbox, fresh, path.read_bytes() + message(6))
    os.rename(fresh, path)
    assert until(c, b"EXISTS")[-1] == b"* 6 EXISTS"
    all_parked(mbox)
    other.ok("NOOP")
    c.done(tag)
    assert rb"\Flagged" in fetched(c, "1", "FLAGS")[0]
    assert c.ok("UID SEARCH ALL") == [b"* SEARCH 1 2 3 4 5 6"]


def test_an_mbox_that_is_not_there_keeps_its_process(mbox):
    """There is nothing that could be watched."""
    spool(mbox).unlink()
    c = mbox.imap()
    c.ok("SELECT INBOX")
    tag = c.idle()
    awake(mbox)
    write_mbox(mbox, spool(mbox), message(1))
    assert until(c, b"EXISTS")[-1] == b"* 1 EXISTS"
    all_parked(mbox)
    c.done(tag)


def test_emailid_goes_with_a_copy(mbox):
    c = mbox.imap()
    c.ok("SELECT INBOX")
    before = fetched(c, "2", "(EMAILID)")
    c.ok("CREATE to")
    c.ok("COPY 1:2 to")
    c.ok("SELECT to")
    assert fetched(c, "2", "(EMAILID)") == before
    assert before != [x.replace(b"* 1", b"* 2")
                      for x in fetched(c, "1", "(EMAILID)")]


def die_amid(s, whole):
    """What a delivery of this message leaves that is killed amid it."""
    good = spool(s).read_bytes()
    part, begin, before = whole[:1000], whole[:300], good[-256:]
    with open(spool(s), "ab") as f:
        f.write(part)
    st = spool(s).stat()
    boot = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    write_mbox(s, lock_of(s), (
        f"posthaste {socket.gethostname()}\nappending {boot} {st.st_dev}"
        f" {st.st_ino} {len(good)} {len(before)} {len(begin)}\n").encode() +
        before + begin)


def lock_of(s):
    return spool(s).with_name(spool(s).name + ".lock")


@pytest.mark.parametrize("protocol", ["imap", "pop3"])
def test_half_a_message_is_removed_by_who_reads_first(mbox, protocol):
    good = spool(mbox).read_bytes()
    die_amid(mbox, message(4, 5000))
    if protocol == "imap":
        assert b"* 3 EXISTS" in mbox.imap().ok("SELECT INBOX")
    else:
        c = Client(mbox, "pop3", login="bob")
        assert c.say("STAT").startswith(b"+OK 3 ")
        assert spool(mbox).read_bytes() == good
    mbox.wait_log("the last 1000 bytes are removed")
    assert subjects(spool(mbox)) == [b"number 1", b"number 2", b"number 3"]
    assert not lock_of(mbox).exists()
