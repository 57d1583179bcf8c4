# SPDX-License-Identifier: ISC
"""The power goes while IMAP adds, flags, copies, moves and removes mail, and
changes subscriptions, annotations and rights, in Maildirs and in mbox files:
what was told with OK is so, under the UIDs that were told, which mean nothing
else again; of the command that was under way each part may be done or not."""
import os
import random
import re
import time
import typing
from pathlib import Path

import pytest

import crasher
import power
from mbox_files import FROM, write_mbox
from posthaste import AS_ROOT
from test_power import SECONDS, in_memory

pytestmark = pytest.mark.skipif(not AS_ROOT, reason="all identities are one")
STEPS = [
    ("APPEND INBOX (\\Seen) {}", "first"),
    ("APPEND INBOX {} {}", "second", "third"),
    ("STORE 1:2 +FLAGS (\\Flagged word)",),
    ("CREATE other",),
    ("COPY 1,3 other",),
    ("MOVE 2 other",),
    ("APPEND other {}", "fourth"),
    ("STORE 1 +FLAGS (\\Deleted)",),
    ("EXPUNGE",),
    ("RENAME other another",),
    ("UID STORE 1:* -FLAGS (\\Flagged)",),
    ("DELETE another",),
    ("SUBSCRIBE INBOX",),
    ('SETMETADATA INBOX (/private/comment "words")',),
    ("SETACL INBOX carol lrs",),
    ("UNSUBSCRIBE INBOX",),
    ("SETMETADATA INBOX (/private/comment NIL)",),
    ("DELETEACL INBOX carol",),
]
ARRIVES = "arrives"  # by another program, which does not flush it
# what changes an mbox that has mail: in place, longer, shorter
MBOX_STEPS = [
    (ARRIVES, "itself"),
    ("NOOP",),
    ("APPEND INBOX {}", "long"),
    ("STORE 1 +FLAGS (\\Answered)",),
    ("STORE 2 +FLAGS (" + " ".join(f"keyword{n}" for n in range(20)) + ")",),
    ("STORE 1:* -FLAGS (keyword1)",),
    ("STORE 1 +FLAGS (\\Deleted)",),
    ("EXPUNGE",),
    *STEPS,
    (ARRIVES, "last"),
    ("NOOP",),
    ("STORE 1:* +FLAGS (\\Deleted)",),
    ("EXPUNGE",),
    ("APPEND INBOX {}", "behind"),
]
LINES = {"long": 400}
# files of an account that are made anew with each change
ASKED = ['LSUB "" *', "GETMETADATA INBOX /private/comment", "GETACL INBOX"]
TAGS = 500  # those of the session that is judged are not others'


MAIN = ("disable_plaintext_auth = no\nstale_lock_time = 1s\n"
        "mail_special_folders =\n")  # most of the record is not of looks
ANSWERS = "answers"  # to these; what else look() finds are folders
TORN = "(torn)"  # no message of ours, or not all of one


def text(token):
    return crasher.message(token, LINES.get(token, 40)).encode()


def token_of(body):
    subject = re.search(rb"Subject: (\w+)", body)
    if subject and body.startswith(text(subject[1].decode())):
        return subject[1].decode()
    return TORN


def mbox_text(token):
    return FROM + text(token).replace(b"\r\n", b"\n") + b"\n"


class Folder(typing.NamedTuple):
    validity: int
    next: int
    mails: dict  # {UID: (token, flags)}


def number(words, lines):
    return int(re.search(words + rb" (\d+)", b"".join(lines))[1])


def look(s):
    """{name: Folder}, and the ANSWERS"""
    c = s.imap()
    found = {}
    for line in c.ok('LIST "" *'):
        folder = line.decode().split()[-1].strip('"')
        opened = c.ok(f"EXAMINE {folder}")
        mails = {}
        for m in c.ok("UID FETCH 1:* (FLAGS BODY.PEEK[])"):
            head, _, body = m.partition(b"}\r\n")
            token = token_of(body)
            uid = int(re.search(rb"UID (\d+)", m.replace(body, b""))[1])
            flags = re.search(rb"FLAGS \(([^)]*)", m.replace(body, b""))[1]
            mails[uid] = (token, set(flags.split()) - {rb"\Recent"})
        found[folder] = Folder(number(rb"UIDVALIDITY", opened),
                               number(rb"UIDNEXT", opened), mails)
    found[ANSWERS] = [c.ok(question) for question in ASKED]
    c.logout()
    return found


def inbox(s):
    return s.root / "mail/inbox"


def arrives(s, recorder, token):
    mail = s.root / "arrives"
    mail.write_bytes(mbox_text(token))
    recorder.do(f"cat {mail} >>{inbox(s)}", token)


class Told(typing.NamedTuple):
    """What is to be seen since so many events had happened."""
    at: int
    state: dict
    step: str
    arrived: bool  # with mail whose parts are not ours to keep together


def recorded(s, steps):
    """The disk, and all that was told."""
    folders = (s.root / "mail", s.root / "data/mbox")
    recorder = power.Recorder(s.root / "record", *filter(Path.exists, folders))
    start = f"{crasher.ROOT}/sbin/posthaste -c {s.root}/etc "
    try:
        s.started = True
        recorder.do(f"{start} start", "started")
        states = [Told("done started.", look(s), "nothing", False)]
        c = s.imap()
        c.number = TAGS
        c.ok("SELECT INBOX")
        arrived = False
        for command, *tokens in steps:
            if command == ARRIVES:
                arrives(s, recorder, *tokens)
                arrived = True
                continue
            c.ok(command, *map(text, tokens))
            states.append(Told(f"x{c.number} OK", look(s), command, arrived))
            arrived = False
        c.logout()
        recorder.do(f"{start} stop", "stopped")
        s.started = False
        disk = recorder.end(mapped=["posthaste.index-lock"])
    finally:
        recorder.crasher.close()
    return disk, [t._replace(at=told(disk, t.at)) for t in states]


def told(disk, words):
    program = "sh" if words.startswith("done") else "imapd-session"
    return disk.told(program, words.encode())


def tokens_of(state):
    return {token for folder in state.values()
            for token, _ in folder.mails.values()}


def check(was, then, found, parts, arrived):
    was, then, found = map(dict, (was, then, found))
    for question, before, after, now in zip(
            ASKED, *(state.pop(ANSWERS) for state in (was, then, found))):
        assert now in (before, after), (question, before, after, now)
    for name in was.keys() & then.keys():
        assert name in found, f"{name} is gone"
        assert found[name].validity == was[name].validity, name
        assert found[name].next >= was[name].next, f"UIDNEXT of {name}"
        stays = was[name].mails.keys() & then[name].mails.keys()
        assert stays <= found[name].mails.keys(), f"{name}: {stays}"
    assert tokens_of(was) & tokens_of(then) <= tokens_of(found), "lost"
    for name, folder in found.items():
        for uid, mail in folder.mails.items():
            known = [state[name].mails[uid] for state in (was, then)
                     if name in state and uid in state[name].mails]
            if (parts or arrived) and mail[0] == TORN:  # of which nobody was told
                assert name not in was or uid not in was[name].mails, \
                    (name, uid)
                continue
            if arrived and uid >= was[name].next:
                # the UID that it was to have may be given up
                known = [m for m in then[name].mails.values()
                         if m[0] == mail[0]]
            goes = name not in then or uid not in then[name].mails
            check_mail((name, uid), mail, known,
                       {rb"\Deleted"} if goes else set())


def check_mail(which, mail, known, marks):
    """It is as it was, or as it was to be, or marked for that it goes (MOVE of
    an mbox)."""
    token, flags = mail
    assert known, f"{which}: {token}, which nobody put there"
    assert {token} == {t for t, _ in known}, (which, token)
    told_flags = [f for _, f in known]
    assert set.intersection(*told_flags) <= flags \
        <= set.union(marks, *told_flags), (which, flags, known)


def test_what_was_told_holds(suite):
    cut_power(*scene(suite, in_memory()))


def test_without_a_journal(no_journal, suite):
    s, disk, states = scene(suite, no_journal)
    disk.names = ("apart",)
    cut_power(s, disk, states, parts=True)


def test_of_an_mbox(suite):
    cut_power(*mbox_scene(suite, in_memory()))


def test_of_an_mbox_without_a_journal(no_journal, suite):
    s, disk, states = mbox_scene(suite, no_journal)
    disk.names = ("apart",)
    cut_power(s, disk, states)


def scene(suite, root):
    return played(suite(start=False, root=root, users=["bob"], main=MAIN),
                  STEPS)


def mbox_scene(suite, root):
    s = suite(start=False, root=root, users=["bob"], main=MAIN)
    folders = s.root / "mail/folders"
    folders.mkdir()
    write_mbox(s, inbox(s), b"".join(
        mbox_text(f"before{n}") for n in range(2)))
    os.chown(folders, s.uid, s.gid)
    (s.root / "etc/accounts").write_text(s.account("bob").replace(
        f"maildir:{s.maildir('bob')}", f"mbox:{folders}:INBOX={inbox(s)}"))
    return played(s, MBOX_STEPS)


def played(s, steps):
    s.start()
    look(s)
    s.stop()
    return s, *recorded(s, steps)


def cut_power(s, disk, states, parts=False):
    """parts: there may be some of a message that nobody was told of."""
    for n, question in enumerate(ASKED):
        assert len({str(t.state[ANSWERS][n]) for t in states}) > 1, question
    assert TORN not in str(states)
    print(f"POSTHASTE_CRASH_SEED={crasher.SEED}")
    end, n = time.monotonic() + SECONDS, 0
    cuts = [cut for cut in disk.cuts() if cut >= states[0].at]
    while n < 3 or time.monotonic() < end:
        chance = random.Random(f"{crasher.SEED} imap {n}")
        cut = chance.choice(cuts)
        names, data = power.ways(chance, disk)
        image = disk.image(cut, names, data, chance)
        image.lay_out()
        at = max(i for i, t in enumerate(states) if t.at <= cut)
        then = states[min(at + 1, len(states) - 1)]
        s.start()
        try:
            check(states[at].state, then.state, look(s),
                  parts, then.arrived)
        except AssertionError as e:
            raise AssertionError(
                f"image {n}: names {names}, data {data}, behind "
                f"{states[at].step}: {e}\n{image.about()}") from e
        s.stop()
        n += 1
    print(f"{len(disk.events)} events, {n} images")
