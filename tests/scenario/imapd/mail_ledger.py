# SPDX-License-Identifier: ISC
"""What an IMAP server has said is done, kept beside what it then shows.

Each message has a field X-Id, and belongs to the Writer that appended it.
"""
import collections
import random
import re
import threading

from mail_caches import read_whole

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
