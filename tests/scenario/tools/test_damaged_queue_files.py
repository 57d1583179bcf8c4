# SPDX-License-Identifier: ISC
"""Tools that list and mend the queue read its files with distrust: no byte
of one, changed, ends them (Postfix HISTORY 20151129 and its kin)."""
import os
import random
import re
import subprocess
import time

from posthaste import wait_for

WAITS = "relayhost = [127.0.0.1]:9\nminimal_backoff_time = 1000s\n"


def run(s, *command, ok=(0, 1)):
    done = s.command(*command, check=False, timeout=120)
    assert done.returncode in ok, (command, done.returncode, done.err)
    assert not re.search(r"[\x00-\x08\x0e-\x1f]", done.out), command
    return done


def test_every_byte_of_the_envelope(suite):
    s = suite(main=WAITS)
    qid = s.send(to=["x@relay.test", "y@relay.test"], body="x" * 40)
    wait_for("a deferred message", lambda: s.queue("deferred"))
    s.stop()
    file, = [p for p in (s.root / "spool/deferred").rglob(qid)]
    good = file.read_bytes()
    start = good.rindex(b"x" * 40) + 40  # envelope and footer
    noise = random.Random(7)
    for at in range(start, len(good)):
        for value in {0, 0xff, good[at] ^ 1, noise.randrange(256)}:
            bad = good[:at] + bytes([value]) + good[at + 1:]
            if bad == good:
                continue
            file.write_bytes(bad)
            if at % 7 == value % 7:
                run(s, "postcat", "-q", qid)
            elif at % 29 == 0:
                run(s, "postqueue", "-j")
    for cut in list(range(0, len(good), 61)) + [len(good) - 1]:
        file.write_bytes(good[:cut])
        run(s, "postcat", "-q", qid)
        if cut % 5 == 0:
            run(s, "postqueue", "-p")
    # a good one beside it is listed all the same, and mended mail goes on
    file.write_bytes(good)
    assert qid in run(s, "postqueue", "-p").out


def test_damaged_files_stop_no_action_on_the_others(suite):
    s = suite(main=WAITS)
    ids = [s.send(to="x@relay.test") for _ in range(3)]
    wait_for("deferred messages", lambda: len(s.queue("deferred")) == 3)
    bad, = [p for p in (s.root / "spool/deferred").rglob(ids[1])]
    bad.write_bytes(bad.read_bytes()[:-20] + b"\xff" * 20)
    out = run(s, "postqueue", "-p").out
    assert ids[0] in out and ids[2] in out
    run(s, "postsuper", "-h", "ALL")
    assert {ids[0], ids[2]} <= set(s.queue("hold"))
    run(s, "postsuper", "-r", "ALL", ok=(65,))
    # one that is on its way to another queue is found by the next
    wait_for("an empty queue", lambda: run(s, "postsuper", "-d", "ALL") and
             s.queue() == [])


def test_what_was_never_committed_is_purged(suite):
    """postsuper -p; what was committed stays, whatever queue it is in."""
    s = suite(main=WAITS)
    qid = s.send(to="x@relay.test")
    wait_for("a deferred message", lambda: s.queue("deferred"))
    s.stop()
    half = s.root / "spool/incoming" / qid
    good, = [p for p in (s.root / "spool/deferred").rglob(qid)]
    half.write_bytes(good.read_bytes()[:-30])
    subprocess.run(["chown", "--reference", good, half], check=True)
    # it might be the one that is being written
    run(s, "postsuper", "-p", ok=(0,))
    assert half.exists()
    os.utime(half, (time.time() - 100,) * 2)
    run(s, "postsuper", "-p", ok=(0,))
    assert not half.exists()
    assert good.exists()


def test_ids_come_from_standard_input(suite):
    s = suite(main=WAITS)
    ids = [s.send(to="x@relay.test") for _ in range(3)]
    wait_for("deferred messages", lambda: len(s.queue("deferred")) == 3)
    # as mailq prints them, with marks and more behind
    text = f"{ids[0]}*  400 Sat Nov 21\n\nnonsense!!\n{ids[1]}\n"
    done = s.command("postsuper", "-h", "-", stdin=text)
    assert "Placed on hold: 2 messages" in done.err
    assert s.queue("hold") == sorted(ids[:2])
    done = s.command("postsuper", "-H", "-", stdin=f"{ids[0]}!\n")
    assert "Released from hold: 1 message" in done.err
    done = s.command("postsuper", "-r", "-", stdin=f"{ids[1]}\n")
    assert "Requeued: 1 message" in done.err
    done = s.command("postsuper", "-d", "-", stdin=f"{ids[2]}\n")
    assert "Deleted: 1 message" in done.err
    assert ids[2] not in s.queue()
