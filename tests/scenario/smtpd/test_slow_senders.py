# SPDX-License-Identifier: ISC
"""Slow senders hold a task each, and no process of cleanup."""
import os
import pathlib
import random
import re
import signal
import subprocess
import time

from peers import TO_DATA, Dialogue
from posthaste import DEADLINE, MASTER_CF, freeze, kill_all, wait_for

TWO_CLEANUPS = MASTER_CF.replace("cleanup unix n - n - 0 cleanup",
                                 "cleanup unix n - n - 2 cleanup")
assert TWO_CLEANUPS != MASTER_CF
ONE_CLEANUP = TWO_CLEANUPS.replace("- 2 cleanup", "- 1 cleanup")


def begin(s, port="smtp"):
    d = Dialogue(s.ports[port])
    d.script("S: 220\nC: EHLO client.test\nS: 250" + TO_DATA)
    return d


def content(seed, size):
    """Lines with dots at their start here and there; no two alike."""
    r = random.Random(seed)
    lines = [f"Subject: {seed}", "Message-ID: <x@b.test>",
             "Date: Sat, 21 Nov 2026 12:00:00 +0000", "From: a@b.test",
             "To: bob@example.test", ""]
    n = sum(len(line) + 2 for line in lines)
    while n < size:
        line = r.choice(("", ".", "..")) + "%x" % r.getrandbits(4 * 70)
        lines.append(line)
        n += len(line) + 2
    return ("\r\n".join(lines) + "\r\n").encode()


def stuffed(text):
    return re.sub(rb"(?m)^\.", b"..", text)


def scratch_files(s):
    """Unlinked files of the queue that smtpd's processes have open: sizes."""
    found = []
    for pid in s.processes("smtpd"):
        folder = pathlib.Path(f"/proc/{pid}/fd")
        try:
            names = os.listdir(folder)
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended
        for name in names:
            try:
                target = os.readlink(folder / name)
                if "/spool/incoming/" in target and "(deleted)" in target:
                    found.append(os.stat(folder / name).st_size)
            except (FileNotFoundError, ProcessLookupError):
                pass
    return sorted(found)


def wait_emptied(s):
    """Behind the reply: nobody waits for a scratch file's end."""
    wait_for("emptied scratch files", lambda: sum(scratch_files(s)) == 0)


def test_slow_small_messages_hold_no_cleanup(suite):
    s = suite()
    slow = [begin(s) for _ in range(20)]
    for d in slow:
        d.send(b"Subject: slow\r\n\r\n" + b"x" * 60 + b"\r\n")
    s.send()
    s.wait_messages("bob")
    assert len(s.processes("cleanup")) <= 1
    assert scratch_files(s) == []
    for d in slow:
        d.send(b".\r\n")
        assert d.reply().startswith("250")
        d.close()
    s.wait_messages("bob", 21)


def test_two_hundred_slow_large_messages_and_two_cleanups(suite):
    s = suite(master_cf=TWO_CLEANUPS, main="default_process_limit = 1000\n")
    master = s.root / "etc/master.cf"
    master.write_text(master.read_text().replace("- 200 smtpd", "- 1000 smtpd"))
    s.posthaste("reload")
    texts = [content(i, 1 << 18) for i in range(200)]
    wires = [stuffed(text) for text in texts]
    slow = [begin(s) for _ in texts]
    for d, wire in zip(slow, wires):
        d.send(wire[:100000])
    wait_for("a scratch file for each",
             lambda: len([n for n in scratch_files(s) if n >= 1 << 16]) == 200)
    for i in range(20):
        s.send(to="alice@example.test", subject=f"prompt {i}")
    s.wait_messages("alice", 20)
    # while all of the others are still on their way
    s.wait_empty()
    assert s.messages("bob") == []
    for d, wire in zip(slow, wires):
        d.send(wire[100000:] + b".\r\n")
    for d in slow:
        assert d.reply().startswith("250 2.0.0 Ok: queued as ")
        d.close()
    assert len(s.processes("cleanup")) <= 2
    got = s.wait_messages("bob", 200)
    assert sorted(m[m.index(b"Subject: "):] for m in got) == sorted(texts)
    assert len(scratch_files(s)) <= 2 * 32
    wait_emptied(s)


def test_large_message_in_chunks(suite):
    s = suite()
    text = content(1, 500000)
    d = Dialogue(s.ports["smtp"])
    d.script("""S: 220
        C: EHLO client.test
        S: 250
        C: MAIL FROM:<a@b.test>
        S: 250
        C: RCPT TO:<bob@example.test>
        S: 250""")
    for at in range(0, len(text), 150000):
        part = text[at:at + 150000]
        d.send(b"BDAT %d%s\r\n" % (
            len(part), b" LAST" if at + 150000 >= len(text) else b"") + part)
        assert d.reply().startswith("250")
    d.close()
    got, = s.wait_messages("bob")
    assert got[got.index(b"Subject: "):] == text


def test_stalled_large_message_times_out(suite):
    s = suite(main="smtpd_timeout = 6s\n")
    d = begin(s)
    d.send(stuffed(content(1, 300000)))
    wait_for("a scratch file", lambda: scratch_files(s))
    # what waits keeps little in memory
    wait_for("all of it there", lambda: scratch_files(s)[0] >= 300000)
    assert d.reply().startswith("421 4.4.2")
    d.close()
    wait_emptied(s)
    assert s.messages("bob") == []
    s.wait_log(r"timeout after DATA \(30\d{4} bytes\)")


def test_min_data_rate_under_a_request_deadline(suite):
    s = suite(main="smtpd_timeout = 4s\nsmtpd_min_data_rate = 1000000\n"
                   "smtpd_per_request_deadline = yes\n")
    d = begin(s)
    start = time.monotonic()
    try:
        # a byte now and then is no progress
        while time.monotonic() - start < DEADLINE:
            d.send(b"z")
            time.sleep(0.2)
    except OSError:
        pass
    assert 1.5 < time.monotonic() - start < DEADLINE
    s.wait_log("timeout after DATA")


def test_scratch_files_are_used_again(suite):
    s = suite()
    text = content(1, 200000)
    for i in range(5):
        d = begin(s)
        d.send(stuffed(text) + b".\r\n")
        assert d.reply().startswith("250")
        d.close()
    for got in s.wait_messages("bob", 5):
        assert got[got.index(b"Subject: "):] == text
    assert len(s.processes("smtpd")) == 1
    wait_emptied(s)
    assert scratch_files(s) == [0]


def test_dead_smtpd_leaves_nothing(suite):
    s = suite()
    slow = [begin(s) for _ in range(3)]
    for d in slow:
        d.send(stuffed(content(1, 300000)))
    wait_for("scratch files", lambda: len(scratch_files(s)) == 3)
    kill_all(s.processes("smtpd"))
    s.send()
    s.wait_messages("bob")
    s.wait_empty()
    assert scratch_files(s) == []
    files = [f for _, _, names in os.walk(s.root / "spool/incoming")
             for f in names]
    assert files == []
    assert len(s.messages("bob")) == 1


def test_dead_cleanup_while_content_comes(suite):
    """It holds nothing of a message that is still coming."""
    s = suite()
    text = content(1, 300000)
    wire = stuffed(text)
    d = begin(s)
    d.send(wire[:200000])
    wait_for("a scratch file", lambda: scratch_files(s))
    kill_all(s.processes("cleanup"))
    d.send(wire[200000:] + b".\r\n")
    assert d.reply().startswith("250")
    d.close()
    got, = s.wait_messages("bob")
    assert got[got.index(b"Subject: "):] == text


def test_dead_cleanup_at_the_end_of_data(suite):
    s = suite(master_cf=ONE_CLEANUP)
    s.send(subject="first")  # cleanup runs
    s.wait_messages("bob")
    text = content(1, 300000)
    wire = stuffed(text)
    d = begin(s)
    d.send(wire[:200000])
    wait_for("a scratch file", lambda: scratch_files(s))
    pid, = s.processes("cleanup")
    freeze(lambda: [pid])
    d.send(wire[200000:] + b".\r\n")
    wait_for("the message at cleanup's door", lambda: waiting_bytes(pid))
    os.kill(pid, signal.SIGKILL)
    assert d.reply().startswith("451 4.3.0")
    d.script(TO_DATA)
    d.send(wire + b".\r\n")
    assert d.reply().startswith("250")
    d.close()
    got = s.wait_messages("bob", 2)
    assert [m[m.index(b"Subject: "):] for m in got if b"first" not in m] == \
        [text]
    s.wait_empty()
    wait_emptied(s)


def waiting_bytes(pid):
    """Has the stopped process a message to read on a UNIX socket?"""
    out = subprocess.run(["ss", "-xpH"], capture_output=True,
                         check=True).stdout.decode()
    return any(f"pid={pid}," in line and int(line.split()[2]) > 1000
               for line in out.splitlines())


def test_disk_that_fills_while_content_comes(small_disk):
    s = small_disk.start()
    d = begin(s)
    # no room for the scratch file; then for a scratch file and the message
    for size in (4 << 20, 2 << 20):
        d.send(stuffed(content(1, size)) + b".\r\n")
        assert d.reply().startswith("452 4.3.1 ")
        wait_emptied(s)
        wait_for("an empty queue", lambda: s.queue() == [])
        assert s.messages("bob") == []
        d.script(TO_DATA)
    text = content(2, 500000)
    d.send(stuffed(text) + b".\r\n")
    assert d.reply().startswith("250")
    d.close()
    got, = s.wait_messages("bob")
    assert got[got.index(b"Subject: "):] == text


def test_no_scratch_file_below_queue_minfree(suite):
    s = suite(main="queue_minfree = 1000000000000000\n")
    d = begin(s)
    d.send(stuffed(content(1, 300000)) + b".\r\n")
    assert d.reply().startswith("452 4.3.1 ")
    d.close()
    assert scratch_files(s) == []


def test_no_file_of_smtpd_outgrows_a_message(suite):
    s = suite(main="message_size_limit = 1000000\n")
    d = begin(s)
    pid, = s.processes("smtpd")
    limits = pathlib.Path(f"/proc/{pid}/limits").read_text()
    assert re.search(r"Max file size +1000000 +1000000 ", limits)
    d.send(stuffed(content(1, 1500000)) + b".\r\n")
    assert d.reply().startswith("552 5.3.4 ")
    d.close()
    wait_emptied(s)
