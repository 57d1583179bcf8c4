# SPDX-License-Identifier: ISC
"""Any search of any mailbox finds what a model finds, again and again: with
nothing kept beside the messages, with all of it, and after changes."""
import random

import pytest

from mail_search import Message, Query, found

OPEN = "disable_plaintext_auth = no\n"


def fill(c, r, count):
    box = []
    for i in range(count):
        m = Message(r, i)
        when = m.internal.strftime("%d-%b-%Y %H:%M:%S +0000")
        m.uid = c.append("INBOX", m.raw, "(" + " ".join(sorted(m.flags)) + ")",
                         f'"{when}"')
        box.append(m)
    return box


def ask(c, r, box):
    q = Query(r, box)
    keys = [q.key() for _ in range(r.choice([1, 1, 2, 3]))]
    text = " ".join(k for k, _ in keys)
    want = [(n, m.uid) for n, m in enumerate(box, 1)
            if all(f(n, m) for _, f in keys)]
    if r.random() < 0.5:
        got = found(c.ok(f"SEARCH CHARSET UTF-8 {text}", *q.literals))
        assert got == [n for n, _ in want], (text, q.literals)
    else:
        got = found(c.ok(f"UID SEARCH CHARSET UTF-8 {text}", *q.literals))
        assert got == [u for _, u in want], (text, q.literals)


def change(c, r, box):
    """Flags of some, and one that goes."""
    for m in r.sample(box, 5):
        flag = r.choice(["\\Seen", "\\Flagged", "work"])
        sign = "-" if flag in m.flags else "+"
        c.ok(f"UID STORE {m.uid} {sign}FLAGS.SILENT ({flag})")
        m.flags ^= {flag}
    gone = r.choice(box)
    c.ok(f"UID STORE {gone.uid} +FLAGS.SILENT (\\Deleted)")
    c.ok(f"UID EXPUNGE {gone.uid}")
    box.remove(gone)


@pytest.mark.parametrize("seed", range(3))
def test_searches_find_what_the_model_finds(suite, seed):
    r = random.Random(seed)
    c = suite(main=OPEN).imap()
    box = fill(c, r, 60)
    c.ok("SELECT INBOX")
    for _ in range(4):
        for _ in range(60):
            ask(c, r, box)
        change(c, r, box)
