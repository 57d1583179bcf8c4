# SPDX-License-Identifier: ISC
"""The queue is on an ext4 whose journal, on another device, cannot be written
any more: what was answered 250 until then is there when the device is well
again, and what came behind it was refused for now."""
import contextlib
import pathlib
import shutil
import subprocess
import tempfile
import threading

import pytest

from device import ask_for_tools, mount, run
from peers import FakeServer

TOGETHER = 6  # so that one commit is for several
JOURNAL, ROOM = 8 << 20, 1 << 20  # bytes; and so much can be written to it
QUEUES = ("incoming", "deferred", "hold")


class FailingJournal:
    """An ext4 at "path". Its journal is a loop device on a file with holes, in
    a file system that becomes full."""

    def __init__(self, folder, ends):
        self.small = mount("tmpfs", f"size={JOURNAL + (1 << 20)}", "tmpfs")
        ends.callback(run, "umount", "-l", self.small)
        self.journal, self.image = self.small / "journal", folder / "image"
        for path, size in (self.journal, JOURNAL), (self.image, 32 << 20):
            with open(path, "wb") as f:
                f.truncate(size)
        self.device = self.loop(self.journal)
        ends.callback(run, "losetup", "-d", self.device)
        run("mkfs.ext4", "-q", "-F", "-b", "4096", "-O", "journal_dev",
            self.device)
        run("mkfs.ext4", "-q", "-F", "-b", "4096", "-J",
            f"device={self.device}", self.image)
        run("sync", self.device)
        run("fallocate", "--dig-holes", self.journal)
        self.ends = ends
        self.path = self.mounted()
        self.path.chmod(0o755)

    @staticmethod
    def loop(path):
        made = subprocess.run(["losetup", "--find", "--show", path],
                              capture_output=True, check=False, text=True)
        if made.returncode != 0:
            pytest.skip(f"no loop device: {made.stderr}")
        return made.stdout.strip()

    def mounted(self):
        path = mount(self.image, f"loop,journal_path={self.device}")
        self.ends.callback(subprocess.run, ["umount", "-l", path], check=False)
        return path

    def fill(self):
        """From now on a megabyte more can be written to the journal."""
        stat = shutil.disk_usage(self.small)
        with open(self.small / "filler", "wb") as f:
            f.write(bytes(stat.free - ROOM))

    def well_again(self):
        """A folder with what it has on disk."""
        run("umount", self.path)
        (self.small / "filler").unlink()
        return self.mounted()


@pytest.fixture
def device():
    ask_for_tools()
    if not all(map(shutil.which, ("losetup", "fallocate"))):
        pytest.skip("no losetup, or no fallocate")
    with contextlib.ExitStack() as ends:
        folder = ends.enter_context(
            tempfile.TemporaryDirectory(prefix="ph-", dir="/dev/shm"))
        yield FailingJournal(pathlib.Path(folder), ends)


def send_until_refused(s, first, taken, refused):
    for n in range(first, 3000, TOGETHER):
        token = f"token-{n}-"
        with s.smtp() as session:
            session.ehlo()
            session.mail("alice@example.test")
            session.rcpt("x@far.test")
            answer = session.data(f"Subject: x\r\n\r\n{token}\r\n")
        if answer[0] != 250:
            refused.append(answer)
            return
        taken.append(token)


def test_what_was_taken_is_there(device, suite):
    with FakeServer() as server:
        server.replies["RCPT"] = "451 4.7.1 later"
        s = suite(main=f"queue_directory = {device.path}/spool\n"
                  f"relayhost = [127.0.0.1]:{server.port}\n")
        s.send(["x@far.test"], subject="before", body="token-before-\n")
        device.fill()
        taken, refused = ["token-before-"], []
        senders = [threading.Thread(target=send_until_refused,
                                    args=(s, n, taken, refused))
                   for n in range(TOGETHER)]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
        s.stop()
    assert len(refused) == TOGETHER and len(taken) > TOGETHER
    assert {code // 100 for code, _ in refused} == {4}, refused
    spool = device.well_again() / "spool"
    found = b"".join(p.read_bytes() for queue in QUEUES
                     for p in (spool / queue).rglob("*") if p.is_file())
    lost = [token for token in taken if token.encode() not in found]
    assert not lost, (len(taken), lost)
