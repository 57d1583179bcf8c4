# SPDX-License-Identifier: ISC
"""A full disk is answered with 452, loses nothing, and is got over."""
import errno
import os
import subprocess

import pytest

from posthaste import AS_ROOT


@pytest.fixture
def small_disk():
    """mounts a small file system as an instance's queue; unmounted at the end,
    when the instance has stopped: what stops it is found there"""
    mounted = []

    def mount(s, size):
        path = s.root / "spool"
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs",
             str(path)], capture_output=True)
        if done.returncode != 0:
            pytest.skip(f"cannot mount: {done.stderr.decode()}")
        mounted.append(s)

    yield mount
    for s in mounted:
        s.stop()
        subprocess.run(["umount", "-l", str(s.root / "spool")], check=False)


@pytest.mark.skipif(not AS_ROOT, reason="mounting wants root")
def test_full_disk_gives_452_and_recovers(suite, small_disk):
    s = suite(start=False, main="queue_minfree = 0\n")
    small_disk(s, "4m")
    s.start()
    s.send(body="before\r\n")
    s.wait_messages("bob", 1)
    filler = s.root / "spool/filler"
    with open(filler, "wb", buffering=0) as f:
        try:
            while True:
                f.write(b"x" * 4096)
        except OSError as e:
            assert e.errno == errno.ENOSPC
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
