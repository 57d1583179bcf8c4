# SPDX-License-Identifier: ISC
"""The power goes while IMAP adds, flags, copies, moves and removes mail, and
changes subscriptions, annotations and rights: what
was told with OK is so, under the UIDs that were told; of the command that was
under way each part may be done or not."""
import random
import re
import time

import pytest

import crasher
import power
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
# files of an account that are made anew with each change
ASKED = ['LSUB "" *', "GETMETADATA INBOX /private/comment", "GETACL INBOX"]
TAGS = 500  # those of the session that is judged are not others'


ANSWERS = "answers"  # to these; what else look() finds are folders
TORN = "(torn)"  # no message of ours, or not all of one


def text(token):
    return crasher.message(token, 40).encode()


def token_of(body):
    subject = re.search(rb"Subject: (\w+)", body)
    if subject and body.startswith(text(subject[1].decode())):
        return subject[1].decode()
    return TORN


def look(s):
    """{folder: (UIDVALIDITY, {UID: (token, flags)})}"""
    c = s.imap()
    found = {}
    for line in c.ok('LIST "" *'):
        folder = line.decode().split()[-1].strip('"')
        opened = c.ok(f"EXAMINE {folder}")
        validity = re.search(rb"UIDVALIDITY (\d+)", b"".join(opened))[1]
        mails = {}
        for m in c.ok("UID FETCH 1:* (FLAGS BODY.PEEK[])"):
            head, _, body = m.partition(b"}\r\n")
            token = token_of(body)
            uid = int(re.search(rb"UID (\d+)", m.replace(body, b""))[1])
            flags = re.search(rb"FLAGS \(([^)]*)", m.replace(body, b""))[1]
            mails[uid] = (token, set(flags.split()) - {rb"\Recent"})
        found[folder] = (validity, mails)
    found[ANSWERS] = [c.ok(question) for question in ASKED]
    c.logout()
    return found


def recorded(s):
    """The disk; how many events had happened when each step was told, and what
    was to be seen then."""
    recorder = power.Recorder(s.root / "record", s.root / "mail")
    start = f"{crasher.ROOT}/sbin/posthaste -c {s.root}/etc "
    states = [("done started.", None)]
    try:
        s.started = True
        recorder.do(f"{start} start", "started")
        states[0] = (states[0][0], look(s))
        c = s.imap()
        c.number = TAGS
        c.ok("SELECT INBOX")
        for command, *tokens in STEPS:
            c.ok(command, *map(text, tokens))
            states.append((f"x{c.number} OK", look(s)))
        c.logout()
        recorder.do(f"{start} stop", "stopped")
        s.started = False
        disk = recorder.end(mapped=["posthaste.index-lock"])
    finally:
        recorder.crasher.close()
    return disk, [(told(disk, words), state) for words, state in states]


def told(disk, words):
    program = "sh" if words.startswith("done") else "imapd-session"
    return disk.told(program, words.encode())


def tokens_of(state):
    return {token for _, mails in state.values() for token, _ in mails.values()}


def check(*states, torn):
    was, then, found = map(dict, states)
    for question, before, after, now in zip(
            ASKED, *(state.pop(ANSWERS) for state in (was, then, found))):
        assert now in (before, after), (question, before, after, now)
    for folder in was.keys() & then.keys():
        assert folder in found, f"{folder} is gone"
        assert found[folder][0] == was[folder][0], f"UIDVALIDITY of {folder}"
        stays = was[folder][1].keys() & then[folder][1].keys()
        assert stays <= found[folder][1].keys(), f"{folder}: {stays}"
    assert tokens_of(was) & tokens_of(then) <= tokens_of(found), "lost"
    for folder, (_, mails) in found.items():
        for uid, (token, flags) in mails.items():
            if torn and token == TORN:  # of which nobody was told
                assert uid not in was.get(folder, (0, {}))[1], (folder, uid)
                continue
            known = [state[folder][1][uid] for state in (was, then)
                     if uid in state.get(folder, (0, {}))[1]]
            assert known, f"{folder} {uid}: {token}, which nobody put there"
            assert {token} == {t for t, _ in known}, (folder, uid, token)
            told_flags = [f for _, f in known]
            assert set.intersection(*told_flags) <= flags \
                <= set.union(*told_flags), (folder, uid, flags, known)


def test_what_was_told_holds(suite):
    cut_power(*scene(suite, in_memory()))


def test_without_a_journal(no_journal, suite):
    s, disk, states = scene(suite, no_journal)
    disk.names = ("apart",)
    cut_power(s, disk, states)


def scene(suite, root):
    s = suite(start=False, root=root, users=["bob"],
              main="disable_plaintext_auth = no\n")
    s.start()
    look(s)
    s.stop()
    return s, *recorded(s)


def cut_power(s, disk, states):
    for n, question in enumerate(ASKED):
        assert len({str(then[ANSWERS][n]) for _, then in states}) > 1, question
    assert TORN not in str(states)
    print(f"POSTHASTE_CRASH_SEED={crasher.SEED}")
    end, n = time.monotonic() + SECONDS, 0
    cuts = [cut for cut in disk.cuts() if cut >= states[0][0]]
    while n < 3 or time.monotonic() < end:
        chance = random.Random(f"{crasher.SEED} imap {n}")
        cut = chance.choice(cuts)
        names, data = power.ways(chance, disk)
        image = disk.image(cut, names, data, chance)
        image.lay_out()
        at = max(i for i, (told, _) in enumerate(states) if told <= cut)
        then = states[min(at + 1, len(states) - 1)][1]
        s.start()
        try:
            check(states[at][1], then, look(s), torn=names == "apart")
        except AssertionError as e:
            raise AssertionError(
                f"image {n}: names {names}, data {data}, behind "
                f"{STEPS[at - 1] if at else 'nothing'}: {e}\n"
                f"{image.about()}") from e
        s.stop()
        n += 1
    print(f"{len(disk.events)} events, {n} images")
