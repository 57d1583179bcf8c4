# SPDX-License-Identifier: ISC
"""test_crash.py on mbox files: the user's process is killed at any moment
while four clients change them, and mail comes meanwhile."""
import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import test_crash  # noqa: E402


def hurt_index(s, chance):
    for path in (s.root / "mail/folders/.posthaste").glob("posthaste.index"):
        what = chance.randrange(6)
        if what == 0:
            path.unlink()
        elif what == 1:
            os.truncate(path, chance.randrange(path.stat().st_size + 1))


@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_acknowledged_is_lost(suite, seed, monkeypatch):
    monkeypatch.setattr(test_crash, "hurt_index", hurt_index)
    s = suite(main=test_crash.MAIN, start=False)
    folders, spool = s.root / "mail/folders", s.root / "mail/spool"
    for directory in (folders, spool):
        directory.mkdir()
        os.chown(directory, s.uid, s.gid)
    (s.root / "etc/accounts").write_text(s.account("bob").replace(
        "maildir:" + str(s.maildir("bob")),
        f"mbox:{folders}:INBOX={spool / 'bob'}"))
    (spool / "bob").touch(0o600)
    os.chown(spool / "bob", s.uid, s.gid)
    test_crash.run(s.start(), seed, rounds=8)
