# SPDX-License-Identifier: ISC
"""A full disk is answered with 452, loses nothing, and is got over."""
import errno
import os
import shutil
import subprocess

import pytest

from posthaste import AS_ROOT


@pytest.fixture
def small_disk():
    """mounts a small file system as an instance's queue, or another of its
    folders; unmounted at the end, when the instance has stopped: what stops it
    is found there"""
    mounted = []

    def mount(s, size, folder="spool"):
        path = s.root / folder
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs",
             str(path)], capture_output=True)
        if done.returncode != 0:
            pytest.skip(f"cannot mount: {done.stderr.decode()}")
        mounted.append((s, path))
        return path

    yield mount
    for s, path in mounted:
        s.stop()
        subprocess.run(["umount", "-l", str(path)], check=False)


def fill(path):
    """Leaves no room at all; the file that takes it."""
    filler = path / "filler"
    with open(filler, "wb", buffering=0) as f:
        try:
            while True:
                f.write(b"x" * 4096)
        except OSError as e:
            assert e.errno == errno.ENOSPC
    return filler


@pytest.mark.skipif(not AS_ROOT, reason="mounting wants root")
def test_full_disk_gives_452_and_recovers(suite, small_disk):
    s = suite(start=False, main="queue_minfree = 0\n")
    small_disk(s, "4m")
    s.start()
    s.send(body="before\r\n")
    s.wait_messages("bob", 1)
    filler = fill(s.root / "spool")
    with s.smtp() as session:
        session.ehlo("client.test")
        session.mail("a@b.test")
        session.rcpt("bob@example.test")
        code, reply = session.data("Subject: x\r\n\r\n" + "y\r\n" * 30000)
        assert code == 452, (code, reply)
        assert reply.startswith(b"4.3.1"), reply
        assert s.queue("incoming") == []
        os.unlink(filler)
        s.send_on(session, "a@b.test", ["bob@example.test"],
                  "Subject: after\r\n\r\nafter\r\n")
    assert len(s.wait_messages("bob", 2)) == 2


@pytest.mark.skipif(not AS_ROOT, reason="mounting wants root")
def test_no_room_for_what_programs_share(suite, small_disk):
    """Counters of clients, tickets, uses of passwords: files that programs
    map, in which a hole that cannot be filled would be their end."""
    s = suite(start=False, main="disable_plaintext_auth = no\n")
    data = small_disk(s, "16m", "data")
    shutil.chown(data, "posthaste", "posthaste")
    s.start()
    s.imap().logout()  # what auth cannot do without is there
    fill(data)
    s.send(body="during\r\n")
    s.wait_messages("bob", 1)
    p = s.pop3()
    assert p.stat()[0] == 1
    p.quit()
    for program in ("smtpd", "pop3d"):
        s.wait_log(f"{program}-limits.*: No space left on device; this "
                   "process counts its clients alone")
