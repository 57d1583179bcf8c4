# SPDX-License-Identifier: ISC
"""The power goes while a table or settings are made anew, or an mbox is
changed: what is found is the old or the new, and the new once that was told.
Or while a part of a message is cut off an mbox, which is the old one then."""
import os
import random

import pytest

import crasher
import power
from posthaste import AS_ROOT, wait_for

pytestmark = pytest.mark.skipif(not AS_ROOT, reason="all identities are one")
IMAGES = 1000 if crasher.FULL else 25
COUNT = 600


def images(disk, count=IMAGES):
    """So many, each at a moment after the record's first."""
    test = os.environ["PYTEST_CURRENT_TEST"]
    print(f"POSTHASTE_CRASH_SEED={crasher.SEED}")
    for n in range(count):
        chance = random.Random(f"{crasher.SEED} {test} {n}")
        cut = chance.choice((*disk.cuts(), len(disk.events)))
        yield disk.image(cut, *power.ways(chance, disk), chance)


@pytest.mark.parametrize("kind", ["lmdb", "cdb"])
def test_table(suite, kind):
    s = suite(start=False)
    source = s.root / "etc/table"
    table = f"{kind}:{source}"

    def write(path, word):
        path.write_text("".join(f"key{n} {word}{n}\n" for n in range(COUNT)))
        os.utime(path, (1, 1))  # of a newer one the source would be read

    def value(key):
        return s.command("postmap", "-q", key, table).out.strip()

    write(source, "old")
    s.command("postmap", table)
    write(source, "new")
    recorder = power.Recorder(s.root / "record", s.root / "etc")
    recorder.do(f"MAIL_CONFIG={s.root}/etc {crasher.ROOT}/sbin/postmap "
                f"{table}", "built")
    disk = recorder.end()
    told = disk.told("sh", b"done built.")
    seen = set()
    for image in images(disk):
        image.lay_out()
        found = {value("key0"), value(f"key{COUNT - 1}")}
        word = "new" if "new0" in found else "old"
        assert found == {f"{word}0", f"{word}{COUNT - 1}"}, image.about()
        assert word == "new" or image.cut < told, image.about()
        seen.add(word)
    assert seen == {"old", "new"}


def test_settings(suite):
    s = suite(start=False)
    path = s.root / "etc/main.cf"
    old = path.read_bytes()
    recorder = power.Recorder(s.root / "record", s.root / "etc")
    recorder.do(f"{crasher.ROOT}/sbin/postconf -c {s.root}/etc -e "
                "relayhost=[new]", "edited")
    disk = recorder.end()
    new = path.read_bytes()
    assert b"relayhost = [new]\n" in new
    told = disk.told("sh", b"done edited.")
    for image in images(disk, 1000):
        found = image.files()[path]
        assert found == new or (found == old and image.cut < told), \
            image.about()


FROM = "From alice@example.test  Sat Nov 21 13:25:01 2026\n"


def mbox_text(numbers):
    return "".join(
        FROM + crasher.message(f"mbox-{n}", 5 + 90 * n).replace("\r\n", "\n") +
        "\n" for n in numbers).encode()


def dele(s, *numbers):
    p = s.pop3(tls=None)
    for n in numbers:
        p.dele(n)
    p.quit()


@pytest.mark.parametrize("removed", [(2, 4), (1,), (6,)], ids=str)
def test_an_mbox_that_pop3_changes(suite, removed):
    s = suite(start=False, main="disable_plaintext_auth = no\n"
              "stale_lock_time = 1s\n")
    box = s.root / "mail/bob.mbox"
    (s.root / "etc/accounts").write_text(s.account("bob").replace(
        f"maildir:{s.maildir('bob')}", f"mbox:{box}"))

    def put(numbers):
        box.write_bytes(mbox_text(numbers))
        os.chown(box, s.uid, s.gid)
        box.chmod(0o600)

    put(range(1, 4))
    s.start()
    dele(s, 2)  # there is a journal
    s.stop()
    put(range(1, 7))
    recorder = power.Recorder(s.root / "record", s.root / "mail",
                              s.root / "data/mbox")
    start = f"{crasher.ROOT}/sbin/posthaste -c {s.root}/etc "
    try:
        s.started = True
        recorder.do(f"{start} start", "started")
        dele(s, *removed)
        recorder.do(f"{start} stop", "stopped")
        s.started = False
        disk = recorder.end()
    finally:
        recorder.crasher.close()
    old = mbox_text(range(1, 7))
    new = mbox_text(n for n in range(1, 7) if n not in removed)
    assert box.read_bytes() == new
    told = max(i for i, e in enumerate(disk.events) if e.what == "told" and
               e.name.startswith("pop3d") and b"+OK" in e.bytes) + 1
    seen = set()
    untouched = disk.image(0, "journal", "whole", random.Random(0))
    for image in (untouched, disk.whole(), *images(disk, IMAGES // 3)):
        image.lay_out()
        s.start()
        dele(s)  # whoever opens it puts it right
        s.stop()
        found = box.read_bytes()
        assert found == new or (found == old and image.cut < told), \
            (len(found), image.data, image.about())
        seen.add(found == new)
    assert seen == {True, False}


REFUSES = ("virtual_mailbox_maps = inline:{bob@example.test=bob.mbox}\n"
           "message_size_limit = 400000\nvirtual_mailbox_limit = 400000\n"
           "bounce_size_limit = 1000\n")


def test_an_mbox_that_a_message_does_not_fit(suite):
    """The part of it that was written is cut off again; what was there before
    has nothing behind it but messages of their own."""
    s = suite(start=False, main=REFUSES)
    box = s.root / "mail/bob.mbox"
    old = mbox_text(range(1, 4))
    box.write_bytes(old)
    os.chown(box, s.uid, s.gid)
    box.chmod(0o600)
    recorder = power.Recorder(s.root / "record", s.root / "mail")
    start = f"{crasher.ROOT}/sbin/posthaste -c {s.root}/etc "
    try:
        s.started = True
        recorder.do(f"{start} start", "started")
        s.send(subject="refused", body=("too much" * 9 + "\n") * 5350)
        wait_for("an empty queue", lambda: crasher.settled(s))
        recorder.do(f"{start} stop", "stopped")
        s.started = False
        disk = recorder.end()
    finally:
        recorder.crasher.close()
    assert box.read_bytes() == old
    node = disk.entries[next(iter(disk.folders))][box.name]
    cut = [i for i, e in enumerate(disk.events)
           if e.what == "sized" and e.node == node]
    assert max(e.at + len(e.bytes) for e in disk.events if e.node == node) > \
        len(old) + 100000, "a part of it was written"
    s.start()
    for n in range(IMAGES):
        chance = random.Random(f"{crasher.SEED} {n}")
        image = disk.image(chance.choice(cut) + chance.randint(0, 2),
                           chance.choice(disk.names), "cuts", chance)
        image.lay_out()
        box.with_suffix(".mbox.lock").unlink(missing_ok=True)
        before = len(box.read_bytes())
        s.send(subject=f"new{n}")
        wait_for("an empty queue", lambda: crasher.settled(s))
        found = box.read_bytes()
        assert found.startswith(old + b"From "), (
            found[len(old):len(old) + 600], before, image.about())
        assert f"\nSubject: new{n}\n".encode() in found, image.about()
