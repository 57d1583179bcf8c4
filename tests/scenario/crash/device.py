# SPDX-License-Identifier: ISC
"""File systems in files: what a test takes before "suite", so that nothing runs
on them any more when they go."""
import contextlib
import pathlib
import shutil
import subprocess
import tempfile

import pytest

from posthaste import AS_ROOT

TOOLS = ("mkfs.ext4", "e2fsck", "debugfs")
MEGABYTES = 24


def run(*command):
    return subprocess.run(command, check=True, capture_output=True).stdout


def ask_for_tools():
    if not AS_ROOT:
        pytest.skip("only root can mount")
    if not all(map(shutil.which, TOOLS)):
        pytest.skip("no e2fsprogs")


def mount(what, options, kind="ext4"):
    """A new folder with this on it; skips where that cannot be had."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="ph-", dir="/tmp"))
    mounted = subprocess.run(["mount", "-t", kind, "-o", options, what, path],
                             capture_output=True, check=False)
    if mounted.returncode != 0:
        path.rmdir()
        pytest.skip(f"no loop device: {mounted.stderr.decode()}")
    return path


class Device:
    """A file below "folder" that is mounted at "path"."""

    def __init__(self, folder, feature, megabytes=MEGABYTES, options="loop"):
        self.folder, self.image = folder, folder / "image"
        with open(self.image, "wb") as f:
            f.truncate(megabytes << 20)
        run("mkfs.ext4", "-q", "-F", "-O", feature, self.image)
        # a journal that is not written by itself within the test
        self.has_journal = feature == "has_journal"
        if self.has_journal:
            options += ",commit=900"
        self.path = mount(self.image, options)

    def close(self):
        run("umount", "-l", self.path)

    def stopped(self):
        """A folder with what is on it if the power goes now: whatever the
        kernel has not written yet is in its memory, and lost."""
        image, found = self.folder / "stopped", self.folder / "found"
        run("cp", "--sparse=always", self.image, image)
        # 1: it has mended something
        status = subprocess.run(["e2fsck", "-fy", image], check=False,
                                capture_output=True).returncode
        assert status in (0, 1)
        shutil.rmtree(found, ignore_errors=True)
        found.mkdir()
        run("debugfs", "-R", f"rdump / {found}", image)
        return found


@contextlib.contextmanager
def ext4(feature, **options):
    """A Device in memory with this feature, or without: "^has_journal"."""
    ask_for_tools()
    with tempfile.TemporaryDirectory(prefix="ph-", dir="/dev/shm") as folder:
        d = Device(pathlib.Path(folder), feature, **options)
        try:
            yield d
        finally:
            d.close()
