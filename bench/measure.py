# SPDX-License-Identifier: ISC
"""What the benches have in common: packages of others unpacked into folders of
their own, what a server's processes used, what the disk was asked for."""
import os
import pathlib
import re
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TOP / "tests/scenario"))
os.environ.setdefault("POSTHASTE_ROOT", str(TOP / "build-tests/root"))
import posthaste  # noqa: E402, F401

PEERS = pathlib.Path(os.environ.get("PEERS", TOP / "build-bench/peers"))
GROUP = pathlib.Path("/sys/fs/cgroup/cpuacct")


def unpack(name, packages, proof):
    """Debian's packages in a folder of their own; its root."""
    root = PEERS / name
    if not (root / proof).exists():
        PEERS.mkdir(parents=True, exist_ok=True)
        subprocess.run(["apt-get", "download", *packages], cwd=PEERS,
                       check=True, capture_output=True)
        for package in packages:
            file = next(PEERS.glob(f"{package}_*.deb"))
            subprocess.run(["dpkg", "-x", file, root], check=True)
    return root


class Group:
    """A cpuacct control group: what all processes started in it used."""

    def __init__(self, name):
        self.path = GROUP / name
        self.path.mkdir(exist_ok=True)

    def enter(self):
        (self.path / "cgroup.procs").write_text(str(os.getpid()))

    def used(self):
        return int((self.path / "cpuacct.usage").read_text()) / 1e9

    def pids(self):
        return [int(p) for p in
                (self.path / "cgroup.procs").read_text().split()]

    def switches(self):
        total = 0
        for pid in self.pids():
            try:
                status = pathlib.Path(f"/proc/{pid}/status").read_text()
            except OSError:
                continue
            total += sum(int(n) for n in re.findall(
                r"ctxt_switches:\s+(\d+)", status))
        return total

    def memory(self):
        """Proportional memory of all of them, in bytes."""
        total = 0
        for pid in self.pids():
            try:
                text = pathlib.Path(
                    f"/proc/{pid}/smaps_rollup").read_text()
            except OSError:
                continue
            total += int(re.search(r"^Pss:\s+(\d+)", text, re.M)[1]) * 1024
        return total


def disk(path):
    """(writes, flushes) the disk under this path was asked for."""
    device = os.stat(path).st_dev
    name = f"{os.major(device)}:{os.minor(device)}"
    stat = pathlib.Path(f"/sys/dev/block/{name}/stat").read_text().split()
    return int(stat[4]), int(stat[15]) if len(stat) > 15 else 0


def flushes(path):
    return disk(path)[1]
