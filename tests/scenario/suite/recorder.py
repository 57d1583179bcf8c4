# SPDX-License-Identifier: ISC
"""Which system calls programs make once they are confined: strace(1) over a
whole instance.

With POSTHASTE_RECORD=FOLDER every instance of every scenario is recorded
there, slowly; then
	recorder.py FOLDER
prints for each program what it has called, and what its filter refused;
	recorder.py FOLDER unused
what it may call and has not, with the reason why it stays (granted.py).
"""
import collections
import pathlib
import re
import subprocess
import sys
import tempfile

import granted

CALL = re.compile(r"(\w+)\((.*)$")
REFUSED = re.compile(r"= -1 EPERM ")
# where the filter looks at an argument: its index
TELLING = {"fcntl": 1, "ioctl": 1, "socket": 0, "setsockopt": 2, "prctl": 0,
           "shutdown": 1}

# of sandbox_become(): that root cannot be had back
PROOF = {"setuid(0)", "setgid(0)", "setresuid(-1, 0, -1)"}


def start(folder, command):
    """Runs the command, which leaves daemons behind: strace goes on with
    those. Its exit status, and what it said."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    prefix = pathlib.Path(tempfile.mkdtemp(prefix="run-", dir=folder)) / "p"
    with tempfile.TemporaryFile() as said:
        done = subprocess.run(
            ["strace", "-DDD", "-ff", "-q", "-s", "64", "-e", "signal=none",
             "-o", prefix, *command],
            stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        said.seek(0)
        return done.returncode, said.read().decode(errors="replace")


def kind(name, arguments):
    """The call, with the argument that decides where there is one."""
    if name in TELLING:
        parts = arguments.split(", ")
        return f"{name}({parts[TELLING[name]].split(')')[0]})"
    return name


class Process:
    def __init__(self, path):
        self.pid = int(path.name.rpartition(".")[2])
        self.name = None
        self.children = []
        self.confined = self.executed = False
        self.calls = collections.Counter()
        self.refused = collections.Counter()
        self.before = None  # (calls, refused) with its parent's filter
        self.parent = None
        self.killed = None
        with open(path, errors="replace") as lines:
            for line in lines:
                self.take(line)

    def take(self, line):
        if line.startswith("+++"):
            if "SIGSYS" in line:
                self.killed = line.strip()
            return
        found = CALL.match(line)
        if not found:
            return
        name, rest = found.groups()
        if name == "execve" and rest.rstrip().endswith("= 0"):
            self.begin(pathlib.Path(rest.split('"')[1]).name)
            self.executed = True
        elif name == "prctl" and rest.startswith("PR_SET_NAME"):
            self.name = rest.split('"')[1]
            if not self.executed and self.name.endswith("-session"):
                self.name += " of a user"
        elif (name == "seccomp" and rest.startswith("SECCOMP_SET_MODE_FILTER")
              and rest.rstrip().endswith("= 0")):
            if not self.executed and self.before is None:
                self.before = self.calls.copy(), self.refused.copy()
            self.begin(self.name)
            self.confined = True
        elif name in ("clone", "clone3", "fork", "vfork"):
            last = rest.rsplit("= ", 1)[-1].strip()
            if last.isdigit():
                self.children.append(int(last))
        self.calls[kind(name, rest)] += 1
        if REFUSED.search(rest):
            self.refused[line.strip()] += 1

    def begin(self, name):
        """What went before was somebody else's, or with other rights."""
        self.name = name
        self.calls.clear()
        self.refused.clear()


def processes(folder):
    """Of all runs below it."""
    for run in sorted(pathlib.Path(folder).iterdir()):
        found = {p.pid: p for p in map(Process, run.iterdir())}
        for parent in found.values():
            for pid in parent.children:
                if pid not in found:
                    continue
                found[pid].parent = parent
                if found[pid].name is None:
                    found[pid].name = f"{parent.name}, child"
        yield from found.values()


def is_whole(folder):
    """Has every process that was recorded come to its end?"""
    return all(path.read_text(errors="replace").rstrip().endswith("+++")
               for run in pathlib.Path(folder).iterdir()
               for path in run.iterdir())


def merged(folder):
    """For each confined program, what it called, and what was refused."""
    calls = collections.defaultdict(collections.Counter)
    refused = collections.defaultdict(collections.Counter)
    for p in processes(folder):
        if p.killed:
            refused[p.name][p.killed] += 1
        if p.confined:
            calls[p.name] += p.calls
            refused[p.name] += p.refused
        if p.before and p.parent and p.parent.confined:
            calls[p.parent.name] += p.before[0]
            refused[p.parent.name] += collections.Counter({
                line: n for line, n in p.before[1].items()
                if line.split(" =")[0].strip() not in PROOF})
    return calls, refused


def unused(calls):
    """{program: {reason: calls}} of what was allowed and never called."""
    found = {}
    for program in granted.LISTED:
        seen = {call.split("(")[0] for call in calls.get(program, ())}
        of = found[program] = collections.defaultdict(list)
        for call in sorted(granted.calls_of(program) - seen):
            of[granted.reason(call) or "WITHOUT A REASON"].append(call)
    return found


def main(folder, what="calls"):
    calls, refused = merged(folder)
    if what == "unused":
        for program, reasons in unused(calls).items():
            print(f"{program}:" +
                  ("" if calls.get(program) else " was not seen"))
            for why, names in reasons.items():
                print(f"    {why}: {' '.join(names)}")
        return
    for name in sorted(calls):
        print(f"{name}: {' '.join(sorted(calls[name]))}")
    for name in sorted(refused):
        for line, times in refused[name].items():
            print(f"{name} was refused ({times}): {line}")


if __name__ == "__main__":
    main(*sys.argv[1:])
