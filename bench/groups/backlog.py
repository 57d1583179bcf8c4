# SPDX-License-Identifier: ISC
"""A queue that is full, because where its mail should go cannot be reached.

The messages come in over SMTP and are deferred: nobody listens at the port
that they are routed to. When the server has come to rest it is stopped and
started again. Then the queue is listed, somebody begins to listen, and the
queue is flushed.
"""
import dataclasses
import re
import subprocess
import tempfile
import time

import posthaste
from frame import measure, smtp
from frame.group import Case
from frame.peer import TooSlow, wait_for

NAME = "backlog"
HELP = "a queue of deferred mail: start, memory, listing, flush"


def listed(peer):
    """Seconds of listing the queue, and how many messages that names."""
    argv, environment = peer.command("mailq")
    with tempfile.TemporaryFile(dir=peer.site.root) as out:
        began = time.monotonic()
        subprocess.run(argv, env=environment, stdout=out, check=True,
                       preexec_fn=peer.group.enter)
        took = time.monotonic() - began
        out.seek(0)
        return took, len(re.findall(rb"sender@load\.bench\.test", out.read()))


def flushed(peer, count):
    """Seconds until so many have arrived after a flush."""
    argv, environment = peer.command("flush")
    sink = measure.Server("smtp_sink", "-p", peer.site.sink)
    began = time.monotonic()
    flush = subprocess.Popen(argv, env=environment,
                             preexec_fn=peer.group.enter,
                             stdin=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL)
    try:
        wait_for(lambda: f"{sink.count()} of {count} are flushed",
                 lambda: sink.count() >= count)
        return time.monotonic() - began
    finally:
        sink.close()
        try:
            flush.wait(20)
        except subprocess.TimeoutExpired:
            flush.kill()
            flush.wait()


def load(port, case, *more):
    return smtp.load(port, case, "-m", case.count, "-k", 20, *more,
                     to="x%d@relay.test")


def null(case):
    few = dataclasses.replace(case, count=min(case.count, 10_000))
    with smtp.sink() as server:
        sent = load(server.port, few)
    return {"taken (1/s)": sent["rate"], **smtp.latency(sent)}


def run(peer, case):
    rows = {"memory before (MB)": peer.group.memory() / 1e6}
    try:
        return through(peer, case, rows)
    except TooSlow as e:
        raise TooSlow(f"{e}: not past what follows "
                      f"\"{list(rows)[-1]}\"") from None


def through(peer, case, rows):
    n = case.count
    with measure.Over(peer) as over:
        sent = load(peer.port("smtp"), case, *smtp.opening(peer))
        rows["taken (1/s)"] = sent["rate"]
        rows.update(smtp.latency(sent))
        rows["deferred after (s)"] = sent["seconds"] + peer.rest(case.limit)
    rows.update(over.each(n, "taken and deferred"))
    if peer.queued() < n:
        raise RuntimeError(f"{peer.queued()} of {n} are in the queue")
    rows["memory with all (MB)"] = peer.group.memory() / 1e6
    used = peer.group.used()
    rows["stop (s)"], rows["start (s)"] = peer.restart()
    rows["start, until at rest (s)"] = rows["start (s)"] + peer.rest(
        case.limit)
    rows["start, cpu (s)"] = peer.group.used() - used
    rows["memory after start (MB)"] = peer.group.memory() / 1e6
    with measure.Over(peer) as over:
        rows["listing (s)"], seen = listed(peer)
    rows.update(over.each(1, "listing"))
    if seen < n:
        raise RuntimeError(f"{seen} of {n} are listed")
    with measure.Over(peer) as over:
        rows["flushed (1/s)"] = n / flushed(peer, n)
    rows.update(over.each(n, "flushed"))
    return {**rows, **smtp.few_at_a_time(peer, case)}


# nothing is tried again by itself while all is looked at
LATER = {"minimal_backoff_time": "10000s", "maximal_backoff_time": "10000s"}
NEEDS = frozenset({"smtp", "relay", "backlog"})


def case_of(n, needs=NEEDS, **more):
    return Case(f"{n:,} deferred", needs, run,
                site={"sink": posthaste.free_port(), "sessions": 20,
                      "options": {"posthaste": LATER, "postfix": LATER}},
                sessions=10, size=2048, count=n, counted=False, rounds=1,
                null=null, **more)


def cases(quick):
    """All do what the slowest can do in some minutes; the many those that can
    do that."""
    if quick:
        return [case_of(300, disk="taken (1/s)")]
    return [case_of(5000, limit=400, disk="taken (1/s)"),
            case_of(200_000, NEEDS | {"large backlog"}, limit=1200,
                    long=True)]
