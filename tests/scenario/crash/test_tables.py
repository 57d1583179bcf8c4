# SPDX-License-Identifier: ISC
"""What makes tables and settings anew ends at each of its calls: who reads
them finds the old or the new one, and the next attempt succeeds."""
import os
import stat

import pytest

import crasher
from posthaste import AS_ROOT

TYPES = ("hash", "btree", "lmdb", "cdb")
COUNT = 3000


def text(word):
    return "".join(f"key{n} {word}{n}\n" for n in range(COUNT))


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("command", ["postmap", "postalias"])
def test_table(suite, kind, command):
    s = suite(start=False)
    separator = ": " if command == "postalias" else " "
    source = s.root / "etc/table"
    table = f"{kind}:{source}"

    def make(word):
        source.write_text(text(word).replace(" ", separator))

    def value(key):
        return s.command(command, "-q", key, table).out.strip()

    make("old")
    s.command(command, table)

    def once(n):
        make("new")
        killed, status = crasher.run_command(s, n, command, table)
        words = {value("key0")[:3], value(f"key{COUNT - 1}")[:3]}
        assert words == {"new"} if status == 0 else \
            words in ({"old"}, {"new"}), (killed, words)
        make("old")
        s.command(command, table)
        assert value("key1") == "old1"
        return killed

    crasher.until_it_ends(once)
    left = [p.name for p in source.parent.glob("table*")]
    assert len(left) <= 3, left


def rights(path):
    st = path.stat()
    return stat.S_IMODE(st.st_mode), st.st_uid, st.st_gid


@pytest.mark.skipif(not AS_ROOT, reason="gives a file away")
@pytest.mark.parametrize("name, arguments, new", [
    ("main.cf", ["-e", "relayhost=[new]"], "relayhost = [new]\n"),
    ("master.cf", ["-Pe", "pickup/unix/a=new"], "-o a=new"),
], ids=["main", "master"])
def test_settings(suite, name, arguments, new):
    s = suite(start=False)
    path = s.root / "etc" / name
    path.chmod(0o640)
    os.chown(path, 12, 34)
    before, old = rights(path), path.read_text()

    def once(n):
        path.write_text(old)
        killed, status = crasher.run_command(
            s, n, "postconf", "-c", s.root / "etc", *arguments)
        now = path.read_text()
        assert (new in now if status == 0 else now == old or new in now), (
            killed, now)
        assert now.startswith(old[:200]) and rights(path) == before
        s.command("postconf", "-c", s.root / "etc", *arguments)
        assert new in path.read_text() and rights(path) == before
        assert not path.with_name(f"{name}.tmp").exists()
        return killed

    crasher.until_it_ends(once)
