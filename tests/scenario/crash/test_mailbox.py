# SPDX-License-Identifier: ISC
"""A user's process ends while mail is added, flagged, moved and removed: what
was told is so, the rest is as before or as it was to be."""
import contextlib
import os
import time

import pytest

import crasher
from posthaste import AS_ROOT, wait_for

pytestmark = pytest.mark.skipif(not AS_ROOT, reason="all identities are one")
MAIN = "disable_plaintext_auth = no\nmail_max_userip_connections = 100\n"
ENDS = (EOFError, ConnectionError, TimeoutError, OSError)


def fill(s, token, count=3):
    """Makes a mailbox of so many messages, and an empty one; the UIDs."""
    c = selected(s, "INBOX")
    c.command("CREATE other")
    for name in ("other", "INBOX"):
        c.ok(f"SELECT {name}")
        c.command("STORE 1:* +FLAGS.SILENT (\\Deleted)")
        c.ok("EXPUNGE")
    uids = [c.append("INBOX", crasher.message(f"{token}-{n}").encode())
            for n in range(count)]
    c.logout()
    return uids


def selected(s, folder):
    """A new connection, once what was killed is known to be gone."""
    def one():
        with contextlib.suppress(*s.ends):
            c = s.imap()
            c.ok(f"SELECT {folder}")
            return c
        return None

    return wait_for("a login", one)


def found(s, folder):
    """{uid: line that has its flags}; each message is whole."""
    c = selected(s, folder)
    result = {}
    for line in c.ok("UID FETCH 1:* (FLAGS BODY.PEEK[])"):
        head, _, text = line.partition(b"}\r\n")
        if b"BODY[]" in head:
            uid = int(head.split(b"UID ")[1].split()[0])
            text = text.rsplit(b")", 1)[0]
            crasher.check_some_whole(b"\n" + text)
            result[uid] = head
    c.logout()
    return result


def told(s, *commands):
    """Were all of these answered with OK? Then s.killed says what was."""
    was_told = False
    with contextlib.suppress(*s.ends):
        c = s.imap()
        c.ok("SELECT INBOX")
        for command, *literals in commands:
            c.ok(command, *literals)
        was_told = True
        c.close()
        time.sleep(0.05)  # for what is done behind the last answer
    s.killed, _ = s.crasher.disarm()
    assert was_told or s.killed
    return was_told


def append(s, uids):
    text = crasher.message("appended").encode()
    was_told = told(s, ("APPEND INBOX {} {}", text, text))
    more = set(found(s, "INBOX")) - set(uids)
    assert len(more) == 2 if was_told else len(more) in (0, 2)
    assert set(uids) <= set(found(s, "INBOX"))


def expunge(s, uids):
    was_told = told(s, (f"UID STORE {uids[0]},{uids[2]} +FLAGS (\\Deleted)",),
                    ("EXPUNGE",))
    left = set(found(s, "INBOX"))
    assert left <= set(uids) and uids[1] in left
    assert not was_told or left == {uids[1]}


def store(s, uids):
    was_told = told(s, ("STORE 1:* +FLAGS (\\Flagged word)",))
    flagged = [b"\\Flagged" in head for head in found(s, "INBOX").values()]
    assert len(flagged) == 3
    assert not was_told or all(flagged)


def copy(s, uids):
    was_told = told(s, ("COPY 1:* other",))
    assert set(found(s, "INBOX")) == set(uids)
    there = len(found(s, "other"))
    assert there == 3 if was_told else there in (0, 3)


def move(s, uids):
    was_told = told(s, ("MOVE 1:* other",))
    here, there = len(found(s, "INBOX")), len(found(s, "other"))
    assert (here, there) in ([(0, 3)] if was_told else [(0, 3), (3, 0)])


def in_files(s):
    """bob's mailboxes are mbox files, his INBOX where a keeper locks it."""
    folders, inbox = s.root / "mail/folders", s.root / "mail/inbox"
    folders.mkdir()
    inbox.touch(0o600)
    for path in (folders, inbox):
        os.chown(path, s.uid, s.gid)
    (s.root / "etc/accounts").write_text(s.account("bob").replace(
        f"maildir:{s.maildir('bob')}", f"mbox:{folders}:INBOX={inbox}"))


def by_imap(s, change, program, ended, ends=ENDS):
    """"ends" is how a session may end in the middle."""
    s.ends = ends

    def once(n, program=program):
        uids = fill(s, f"point-{n}")
        s.crasher.arm(program, n)
        change(s, uids)
        return s.killed

    once(0, "*")
    crasher.check_who(s, ended)
    crasher.until_it_ends(once)


@pytest.mark.parametrize("change", [append, expunge, store, copy, move],
                         ids=lambda f: f.__name__)
def test_by_imap(crashing, change):
    by_imap(crashing(MAIN), change, "imapd-session", {"imapd-session"})


KEPT = ("imapd-session", "imapd-mbox")


@pytest.mark.parametrize("program", KEPT)
@pytest.mark.parametrize("change", [append, expunge], ids=lambda f: f.__name__)
def test_of_an_mbox(crashing, change, program):
    by_imap(crashing(MAIN + "stale_lock_time = 1s\n", prepare=in_files),
            change, program, KEPT,
            # or a NO: another process than the session's has gone
            (*ENDS, AssertionError))


def test_by_pop3(crashing):
    s = crashing()

    def once(n, program="pop3d-session"):
        tokens = [f"pop-{n}-{i}" for i in range(3)]
        for token in tokens:
            crasher.send(s, ["bob@example.test"], crasher.message(token))
        s.wait_messages("bob", 3)
        s.crasher.arm(program, n)
        was_told, kept = False, b""
        with contextlib.suppress(*ENDS, crasher.POP3_ERROR):
            p = s.pop3()
            kept = [x for x in p.retr(2)[1] if x.startswith(b"Subject: ")][0]
            p.dele(1)
            p.dele(3)
            p.quit()
            was_told = True
        killed, _ = s.crasher.disarm()
        assert was_told or killed
        left = [t for token in tokens for t in crasher.with_token(
            crasher.everywhere(s, ["bob"]), token)]
        assert any(kept + b"\r\n" in t for t in left)
        assert len(left) == 1 if was_told else len(left) <= 3
        for path in s.message_files("bob"):
            path.unlink()
        return killed

    for _ in range(2):  # at the first time login stages make what they count in
        once(0, "*")
    crasher.check_who(s, {"pop3d-session", "local", "qmgr"})  # mail just came
    crasher.until_it_ends(once)
