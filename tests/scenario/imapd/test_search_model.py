# SPDX-License-Identifier: ISC
"""Any search of any mailbox finds what a model finds, again and again: with
nothing kept beside the messages, with all of it, and after changes."""
import random

import pytest

from mail_search import Message, Query, esearch, found

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


def ask_for_some(c, r, box):
    """RETURN: what is needed is found, wherever the search may stop."""
    q = Query(r, box)
    text, f = q.key()
    want = [m.uid for n, m in enumerate(box, 1) if f(n, m)]
    a, b = r.randint(1, 20), r.randint(1, 20)
    low, high = min(a, b) - 1, max(a, b)
    options = r.choice([
        {"MIN": want[:1]}, {"MAX": want[-1:]},
        {"MIN": want[:1], "MAX": want[-1:]}, {"COUNT": len(want)},
        {"MAX": want[-1:], "COUNT": len(want)}, {"ALL": want},
        {f"PARTIAL {a}:{b}": want[low:high]},
        {f"PARTIAL -{a}:-{b}":
         want[max(len(want) - high, 0):max(len(want) - low, 0)]},
    ])
    got = esearch(c.ok(f"UID SEARCH RETURN (SAVE {' '.join(options)}) CHARSET "
                       f"UTF-8 {text}", *q.literals))
    saved = set()
    for name, value in options.items():
        if name == "COUNT":
            assert got["COUNT"] == value, text
        elif name.startswith("PARTIAL"):
            assert got["PARTIAL"] == (name[8:], value), text
            saved.update(value)
        else:
            answer = got.get(name, [])
            answer = [answer] if isinstance(answer, int) else answer
            assert answer == value, (name, text)
            saved.update(value)
    if "COUNT" in options:
        saved = set(want)
    assert set(found(c.ok("UID SEARCH $"))) == saved, text


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
        for _ in range(50):
            ask(c, r, box)
            if r.random() < 0.4:
                ask_for_some(c, r, box)
        change(c, r, box)
