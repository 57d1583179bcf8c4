# SPDX-License-Identifier: ISC
"""A million entries, and readers who go on while a table is made anew."""
import threading
import time

import pytest

MILLION = 1_000_000


@pytest.fixture
def s(suite):
    return suite(start=False)


@pytest.mark.parametrize("kind", ["hash", "lmdb"])
def test_a_million_entries(s, kind):
    path = s.root / "etc/large"
    with open(path, "w") as f:
        f.writelines(f"user{i}@domain{i % 997}.test mailbox{i}\n"
                     for i in range(MILLION))
    began = time.monotonic()
    s.command("postmap", f"{kind}:{path}", timeout=600)
    # some seconds on an idle machine; a square would be days
    assert time.monotonic() - began < 300
    asked = "".join(f"USER{i}@domain{i % 997}.test\nno{i}@x.test\n"
                    for i in range(0, MILLION, 97))
    began = time.monotonic()
    done = s.command("postmap", "-q", "-", f"{kind}:{path}", stdin=asked)
    assert time.monotonic() - began < 120
    answers = done.out.splitlines()
    assert len(answers) == len(range(0, MILLION, 97))
    assert answers[3] == f"USER291@domain291.test\tmailbox291"


@pytest.mark.parametrize("kind", ["hash", "cdb", "lmdb"])
def test_readers_go_on_while_it_is_made(s, kind):
    """Each question is answered from the old table or from the new one."""
    path = s.root / "etc/map"
    entries = 3000

    def make(generation):
        path.write_text("".join(f"key{i} {generation}\n"
                                for i in range(entries)))
        s.command("postmap", f"{kind}:{path}")

    make(0)
    # for hash and lmdb a newer text would be read: it is out of the way
    stop = threading.Event()
    wrong = []

    def ask():
        keys = "".join(f"key{i}\n" for i in range(0, entries, 300))
        while not stop.is_set():
            done = s.command("postmap", "-q", "-", f"{kind}:{path}",
                             stdin=keys, check=False)
            lines = done.out.splitlines()
            if done.returncode or done.err or len(lines) != entries // 300:
                wrong.append((done.returncode, done.err, len(lines)))
                return

    readers = [threading.Thread(target=ask) for _ in range(3)]
    for r in readers:
        r.start()
    for generation in range(1, 12):
        # the text is replaced whole, as editors do
        other = s.root / "etc/other"
        other.write_text("".join(f"key{i} {generation}\n"
                                 for i in range(entries)))
        other.rename(path)
        s.command("postmap", f"{kind}:{path}")
    stop.set()
    for r in readers:
        r.join()
    assert not wrong
    left = {p.name for p in (s.root / "etc").iterdir() if "map." in p.name}
    assert len(left) == 1, left
