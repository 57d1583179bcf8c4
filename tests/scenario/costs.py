# SPDX-License-Identifier: ISC
"""What tests cost: POSTHASTE_COSTS=1 prints the dearest files and tests.

Processor time is that of all programs a test has run, also of those that
outlive their parents, as servers do: a control group of its own counts for
each process that runs tests. Where there can be none (not root), only those
that the test itself has waited for are counted.
"""
import collections
import os
import pathlib
import resource
import time

GROUPS = pathlib.Path("/sys/fs/cgroup")
SHOWN = int(os.environ.get("POSTHASTE_COSTS") or 0)


class Meter:
    """Seconds of the processor that this process and its offspring took."""

    def __init__(self):
        self.usage = self.group = None
        for folder, file in (("cpuacct", "cpuacct.usage"), ("", "cpu.stat")):
            group = GROUPS / folder / f"posthaste-tests-{os.getpid()}"
            try:
                if not (GROUPS / folder / file).exists():
                    continue
                group.mkdir(exist_ok=True)
                (group / "cgroup.procs").write_text(str(os.getpid()))
            except OSError:
                continue
            self.group, self.usage = group, group / file
            return

    def seconds(self):
        if self.usage is None:
            return sum(sum(resource.getrusage(who)[:2]) for who in (
                resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        text = self.usage.read_text().split()
        if len(text) == 1:
            return int(text[0]) / 1e9
        return int(text[text.index("usage_usec") + 1]) / 1e6

    def close(self):
        if self.group is not None:
            try:
                (self.group.parent / "cgroup.procs").write_text(
                    str(os.getpid()))
                self.group.rmdir()
            except OSError:
                pass  # somebody's server is left in it


def begin(item):
    """The test's setup begins."""
    if SHOWN:
        if begin.meter is None:
            begin.meter = Meter()
            item.config.add_cleanup(begin.meter.close)
        item.began = begin.meter.seconds(), time.monotonic()


begin.meter = None


def end(item):
    """All is done but to report it."""
    if SHOWN and hasattr(item, "began"):
        busy, passed = item.began
        item.user_properties.append(("cost", (
            begin.meter.seconds() - busy, time.monotonic() - passed)))


def table(rows):
    """Name to (processor, time passed), the dearest first."""
    dearest = sorted(rows.items(), key=lambda row: -row[1][0])[:SHOWN]
    return [f"{busy:9.2f} {passed:9.2f}  {name}"
            for name, (busy, passed) in dearest]


def summary(terminalreporter):
    tests, files = {}, collections.defaultdict(lambda: [0, 0])
    for kind in ("passed", "failed", "skipped", "error", ""):
        for report in terminalreporter.getreports(kind):
            cost = dict(getattr(report, "user_properties", ())).get("cost")
            if report.when == "teardown" and cost:
                tests[report.nodeid] = cost
                file = files[report.nodeid.split("::")[0]]
                file[:] = file[0] + cost[0], file[1] + cost[1]
    if not tests:
        return
    for what, rows in (("files", files), ("tests", tests)):
        terminalreporter.write_line(f"the dearest {what}: processor's "
                                    "seconds, seconds passed")
        for line in table(rows):
            terminalreporter.write_line(line)
    busy, passed = (sum(column) for column in zip(*tests.values()))
    terminalreporter.write_line(
        f"{busy:9.2f} {passed:9.2f}  all {len(tests)} tests")
