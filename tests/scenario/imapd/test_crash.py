# SPDX-License-Identifier: ISC
"""The user's process is killed at any moment while four clients change the
mail, the index lost or damaged in between: what was acknowledged is there, each
message once (a move that was under way may have left it in both places), and
no UID has come to mean another message.

By hand, for long: python3 test_crash.py SECONDS [SEED]
"""
import os
import pathlib
import random
import sys
import time

import pytest

if __name__ == "__main__":
    HERE = pathlib.Path(__file__).resolve().parents[1]
    sys.path[:0] = [str(HERE), str(HERE / "imapd")]

from long_runs import (MAIN, by_hand, kill_children,  # noqa: E402
                       write_nonsense)
from mail_ledger import (FOLDERS, Ledger, Writer, check, clean,  # noqa: E402
                         look)


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
