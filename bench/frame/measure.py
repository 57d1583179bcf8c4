# SPDX-License-Identifier: ISC
"""What a server's processes used, and what the disk could have done.

Processor time is the kernel's account of a control group that holds all
processes of an instance, the dead ones included. Context switches, system
calls and flushes are counted by perf events of such a group
(bench/load/count.c), exactly and for the dead as well; that slows a server
down, so they come from a round of its own whose times are not used. Memory is
proportional: a page that n processes share counts for 1/n in each.
"""
import mmap
import os
import pathlib
import re
import subprocess
import tempfile
import threading
import time

from . import LOAD

# what a counted round measures: name in the table, name that count.c prints
COUNTED = {"switches (n)": "switches", "system calls (n)": "syscalls",
           "fsyncs (n)": "flushes", "writes waited for (n)": "waits"}
MOST = "memory, most (MB)"
LARGE = 100_000  # bytes of a message: a case is of hundreds of megabytes
WARM = 1_500_000_000  # bytes: twice what such a case writes


def is_counted(figure):
    """Is it of the counted round, perhaps behind the name of a part?"""
    return figure.endswith((*COUNTED, MOST))


_OLD = pathlib.Path("/sys/fs/cgroup/cpuacct")
_NEW = [pathlib.Path("/sys/fs/cgroup/unified"), pathlib.Path("/sys/fs/cgroup")]


class Group:
    """Control groups: what all processes started in them used. Where processor
    time is in a hierarchy of its own, there are two."""

    def __init__(self, name):
        self.old = (_OLD / "cpuacct.usage").exists()
        self.events = next(
            (b for b in _NEW if (b / "cgroup.controllers").exists()),
            None)
        if self.events is None:
            raise RuntimeError("cgroup2 is not mounted")
        self.events /= name
        self.path = _OLD / name if self.old else self.events
        self.paths = list(dict.fromkeys((self.path, self.events)))
        for path in self.paths:
            path.mkdir(exist_ok=True)

    def enter(self):
        for path in self.paths:
            (path / "cgroup.procs").write_text(str(os.getpid()))

    def used(self):
        """Processor time so far, in seconds."""
        if self.old:
            return int((self.path / "cpuacct.usage").read_text()) / 1e9
        stat = (self.path / "cpu.stat").read_text()
        return int(re.search(r"usage_usec (\d+)", stat)[1]) / 1e6

    def pids(self):
        """Of processes that are alive."""
        try:
            return [int(p) for p in
                    (self.path / "cgroup.procs").read_text().split()]
        except OSError:
            return []

    def memory(self):
        """Proportional memory of all of them, in bytes."""
        total = 0
        for pid in self.pids():
            try:
                text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
            except OSError:
                continue
            found = re.search(r"^Pss:\s+(\d+)", text, re.M)
            total += int(found[1]) * 1024 if found else 0
        return total

    def switches(self):
        """Context switches of those that are alive now."""
        total = 0
        for pid in self.pids():
            try:
                text = pathlib.Path(f"/proc/{pid}/status").read_text()
            except OSError:
                continue
            total += sum(int(n) for n in
                         re.findall(r"ctxt_switches:\s+(\d+)", text))
        return total

    def close(self):
        for path in self.paths:
            for _ in range(100):
                try:
                    path.rmdir()
                except FileNotFoundError:
                    break
                except OSError:  # the dead have not left yet
                    time.sleep(0.02)


class Counter:
    """bench/load/count on a group."""

    def __init__(self, group):
        self.process = subprocess.Popen(
            [str(LOAD / "count"), str(group.events)], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if self.process.stdout.readline() != "ready 1\n":
            raise RuntimeError("nothing is counted")

    def read(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        lines = iter(self.process.stdout.readline, "\n")
        return {name: int(value) for name, value in map(str.split, lines)}

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


class Watch:
    """The most memory that a group had at a time: looked at often, by a thread,
    which costs time as counting does, and is for that round only."""

    def __init__(self, group):
        self.group, self.most = group, 0
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.look, daemon=True)
        self.thread.start()

    def look(self):
        pause = 0
        while not self.ended.wait(pause):
            began = time.monotonic()
            self.most = max(self.most, self.group.memory())
            pause = max(0.05, time.monotonic() - began)

    def close(self):
        self.ended.set()
        self.thread.join()
        self.most = max(self.most, self.group.memory())


class Over:
    """What a peer used between entering and leaving."""

    def __init__(self, peer):
        self.peer = peer
        self.watch = None

    def _now(self):
        counts = self.peer.counter.read() if self.peer.counted else {}
        return {"time": time.monotonic(), "cpu": self.peer.group.used(),
                **counts}

    def __enter__(self):
        if self.peer.counted:
            self.watch = Watch(self.peer.group)
        self.before = self._now()
        return self

    def __exit__(self, *_):
        after = self._now()
        if self.watch is not None:
            self.watch.close()
        self.total = {k: after[k] - self.before.get(k, 0) for k in after}

    @property
    def wall(self):
        return self.total["time"]

    def each(self, n, part=""):
        """What one of n messages cost; "part" says of which part of a case."""
        of = f"{part}, " if part else ""
        if self.peer.counted:
            return {**{of + name: self.total[key] / n
                       for name, key in COUNTED.items() if key in self.total},
                    of + MOST: self.watch.most / 1e6}
        return {f"{of}cpu (ms)": self.total["cpu"] * 1000 / n}


def load(program, *arguments, **options):
    """Runs one of our load programs; what it prints as {name: value}."""
    argv = [str(LOAD / program), *map(str, arguments)]
    done = subprocess.run(argv, capture_output=True, text=True,
                          **options)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(argv)}: {done.stderr.strip()[-400:]}")
    return figures(done.stdout.splitlines())


def figures(lines):
    return {name: float(value) for name, value in
            (line.split() for line in lines)}


class Server:
    """One of our own programs that goes on until it is closed: it prints lines
    until "first" says that it is there, and then answers each line on its
    input with its count so far."""

    def __init__(self, program, *arguments, first=int):
        self.process = subprocess.Popen(
            [str(LOAD / program), *map(str, arguments)], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.said = [self.process.stdout.readline()]
        if first is int:
            self.port = int(self.said[0])
        while first is not int and self.said[-1].strip() != first:
            if not self.said[-1]:
                raise RuntimeError(f"{program}: {''.join(self.said)}")
            self.said.append(self.process.stdout.readline())

    def count(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def close(self):
        """Its end; of one that does not see the end of its input as well."""
        self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


def warm_memory(size):
    """The memory that large files are kept in was had before. A virtual machine
    may have pages that its host has yet to give, or has taken back; their first
    use takes ten times as long, and would be paid by who comes upon them."""
    if size >= LARGE:
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        mmap.mmap(-1, min(WARM, free // 2), flags=mmap.MAP_PRIVATE |
                  mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE).close()


def disk_limit(folder, sessions, size, seconds):
    """Files of this size that the disk alone makes durable in a second."""
    warm_memory(size)
    place = tempfile.mkdtemp(prefix="d-", dir=folder)
    return load("disk_limit", place, sessions, size, seconds)


def on_disk(path):
    """Is this a file system that survives a power cut?"""
    kind = subprocess.run(["stat", "-f", "-c", "%T", str(path)], check=True,
                          capture_output=True, text=True).stdout.strip()
    return kind not in ("tmpfs", "ramfs")
