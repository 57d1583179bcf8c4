# SPDX-License-Identifier: ISC
"""The user's process is killed at any moment while four clients change the
mail, the index lost or damaged in between: what was acknowledged is there, each
message once (a move that was under way may have left it in both places), and
no UID has come to mean another message.

By hand, for long: python3 test_crash.py SECONDS [SEED]
"""
import collections
import os
import pathlib
import random
import re
import sys
import threading
import time

import pytest

if __name__ == "__main__":
    HERE = pathlib.Path(__file__).resolve().parents[1]
    sys.path[:0] = [str(HERE), str(HERE / "imapd")]

from long_runs import (MAIN, by_hand, kill_children,  # noqa: E402
                       write_nonsense)
from mail_caches import read_whole  # noqa: E402

FOLDERS = ("INBOX", "f1", "f2")
ENDS = (EOFError, ConnectionError, TimeoutError, OSError)


class Ledger:
    """What the server said is done. A message is this writer's alone."""

    def __init__(self):
        self.there = {}  # id: (folder, uid, flags) as acknowledged
        self.gone = set()  # ids whose removal was acknowledged
        self.doubt = {}  # id: folders it may be in; None: nowhere

    def forget_doubt(self, found):
        """After a look: what is there is so from now on."""
        for ident in self.doubt:
            places = found.get(ident, [])
            if places:
                self.there[ident] = places[0]
            else:
                self.there.pop(ident, None)
                self.gone.add(ident)
        self.doubt = {}


class Writer(threading.Thread):
    """Changes mail until the connection breaks or it is told to stop."""

    def __init__(self, s, n, seed, ledger):
        super().__init__()
        self.s, self.n, self.ledger = s, n, ledger
        self.random = random.Random(seed)
        self.stop = False
        self.failed = None
        self.made = 0
        self.seed = seed

    def run(self):
        try:
            self.c = self.s.imap()
            while not self.stop:
                self.random.choices(
                    (self.append, self.store, self.expunge, self.move),
                    (4, 3, 1, 2))[0]()
            self.c.close()
        except ENDS:
            pass
        except BaseException as e:  # a refusal: the test's own failure
            self.failed = e

    def done(self, ident):
        self.ledger.doubt.pop(ident, None)

    def append(self):
        n = self.random.choice((1, 1, 3))
        idents = [f"w{self.seed}.{self.made + i}" for i in range(n)]
        self.made += n
        folder = self.random.choice(FOLDERS)
        for ident in idents:
            self.ledger.doubt[ident] = {folder, None}
        texts = [f"Subject: x\r\nX-Id: {i}\r\n\r\n".encode() +
                 b"text\r\n" * self.random.randrange(2000) for i in idents]
        self.c.ok(f"APPEND {folder}" + " (\\Seen) {}" * n, *texts)
        first = int(re.match(rb"\[APPENDUID \d+ (\d+)", self.c.text)[1])
        for i, ident in enumerate(idents):
            self.ledger.there[ident] = (folder, first + i,
                                        frozenset({"\\seen"}))
            self.done(ident)

    def some(self):
        if not self.ledger.there:
            return None
        ident = self.random.choice(sorted(self.ledger.there))
        return ident, *self.ledger.there[ident]

    def store(self):
        if not (some := self.some()):
            return
        ident, folder, uid, flags = some
        flag = self.random.choice(("\\Flagged", "\\Answered", "\\Draft"))
        self.c.ok(f"SELECT {folder}")
        # \Deleted apart, flags in doubt are not compared
        self.ledger.there[ident] = (folder, uid, None)
        self.c.ok(f"UID STORE {uid} +FLAGS ({flag})")
        if flags is not None:
            self.ledger.there[ident] = (folder, uid, flags | {flag.lower()})

    def expunge(self):
        if not (some := self.some()):
            return
        ident, folder, uid, _ = some
        self.c.ok(f"SELECT {folder}")
        self.ledger.doubt[ident] = {folder, None}
        del self.ledger.there[ident]
        self.c.ok(f"UID STORE {uid} +FLAGS.SILENT (\\Deleted)")
        self.c.ok(f"UID EXPUNGE {uid}")
        self.ledger.gone.add(ident)
        self.done(ident)

    def move(self):
        if not (some := self.some()):
            return
        ident, folder, uid, flags = some
        to = self.random.choice([f for f in FOLDERS if f != folder])
        self.c.ok(f"SELECT {folder}")
        self.ledger.doubt[ident] = {folder, to}
        del self.ledger.there[ident]
        lines = self.c.ok(f"UID MOVE {uid} {to}")
        (new,) = [int(m[1]) for x in lines if (m := re.match(
            rb"\* OK \[COPYUID \d+ \d+ (\d+)\]", x))]
        self.ledger.there[ident] = (to, new, flags)
        self.done(ident)


def hurt_index(s, chance):
    """Loses it, cuts it, or writes nonsense into it; mostly nothing."""
    for p in s.maildir("bob").glob("posthaste.index"):
        what = chance.randrange(8)
        size = p.stat().st_size
        if what == 0:
            p.unlink()
        elif what == 1:
            os.truncate(p, chance.randrange(size + 1))
        elif what == 2:
            write_nonsense(p, chance, 30)


def look(s):
    """{id: [(folder, uid, flags)]} of all that is there."""
    found = collections.defaultdict(list)
    c = s.imap()
    for folder in FOLDERS:
        whole, _ = read_whole(c, folder)
        for uid, (flags, ident) in whole.items():
            found[ident].append((folder, uid, flags))
    c.close()
    return found


def check(ledgers, found, meaning):
    for ident, places in found.items():
        for folder, uid, _ in places:
            before = meaning.setdefault((folder, uid), ident)
            assert before == ident, (
                f"UID {uid} of {folder} was {before} and is {ident}")
    for ledger in ledgers:
        for ident, (folder, uid, flags) in ledger.there.items():
            places = found.get(ident, [])
            assert len(places) == 1 and places[0][:2] == (folder, uid), (
                f"{ident} is {places}, acknowledged {folder} {uid}")
            if flags is not None:
                assert flags <= places[0][2], (
                    f"{ident} has {places[0][2]}, acknowledged {flags}")
        for ident in ledger.gone:
            assert ident not in found, f"{ident} came again"
        for ident, may in ledger.doubt.items():
            places = {p[0] for p in found.get(ident, [])}
            assert places <= may, (ident, places, may)
            assert places or None in may, f"{ident} is lost"
            assert len(found.get(ident, [])) <= len(may - {None})


def clean(s, ledgers, found):
    """Removes what is in two places after a move that was cut off."""
    c = s.imap()
    for ident, places in found.items():
        for folder, uid, _ in places[1:]:
            c.ok(f"SELECT {folder}")
            c.ok(f"UID STORE {uid} +FLAGS (\\Deleted)")
            c.ok(f"UID EXPUNGE {uid}")
    c.close()
    for ledger in ledgers:
        ledger.forget_doubt(found)


def run(s, seed, rounds=None, seconds=3600):
    print(f"seed {seed}", flush=True)
    chance = random.Random(seed)
    c = s.imap()
    for folder in FOLDERS[1:]:
        c.ok(f"CREATE {folder}")
    c.close()
    ledgers = [Ledger() for _ in range(4)]
    meaning = {}
    end = time.monotonic() + seconds
    n = 0
    while time.monotonic() < end and (rounds is None or n < rounds):
        writers = [Writer(s, i, seed * 10**6 + n * 10 + i, ledger)
                   for i, ledger in enumerate(ledgers)]
        for w in writers:
            w.start()
        time.sleep(chance.uniform(0.02, 0.7))
        kill_children(s)
        for w in writers:
            w.stop = True
        for w in writers:
            w.join()
            if w.failed:
                raise w.failed
        kill_children(s)
        hurt_index(s, chance)
        found = look(s)
        check(ledgers, found, meaning)
        clean(s, ledgers, found)
        n += 1
    return n


@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_acknowledged_is_lost(suite, seed):
    run(suite(main=MAIN), seed, rounds=8)


if __name__ == "__main__":
    by_hand(run, int(sys.argv[1]),
            int(sys.argv[2]) if len(sys.argv) > 2 else 1)
