# SPDX-License-Identifier: ISC
"""Many SMTP sessions that have said EHLO, and then nothing.

"held" are those that were greeted and that the server still has when all have
been tried; memory is what it needs more than before, for each of them. A new
session then sends mail, while the others say nothing.
"""
import time

from frame import measure, smtp
from frame.group import Case

NAME = "idle"
HELP = "idle SMTP sessions"


def run(peer, case):
    peer.rest(60)
    before, processes = peer.group.memory(), len(peer.pids())
    clients = measure.Server("smtp_load", "-i", "-s", case.sessions,
                             peer.port("smtp"), first="ready 1")
    try:
        said = measure.figures(clients.said)
        held = clients.count()
        rows = {"held (sessions/s)": said["held"] / said["seconds"],
                "refused (n)": case.sessions - held,
                "memory of one (KB)":
                    (peer.group.memory() - before) / 1024 / max(1, held),
                "more processes (n)": len(peer.pids()) - processes,
                "greeted, p99 (ms)": said.get("p99", 0)}
        used = peer.group.used()
        seconds = case.more["seconds"]
        time.sleep(seconds)
        rows["cpu of a second at rest (ms)"] = (
            (peer.group.used() - used) * 1000 / seconds)
        if held == case.sessions:
            sent = smtp.load(peer.port("smtp"), Case("", None, None),
                             seconds=seconds)
            rows["a new session's message, p50 (ms)"] = sent["p50"]
        rows["closed by the server meanwhile (n)"] = held - clients.count()
    finally:
        clients.close()
    return rows


def cases(quick):
    n = 200 if quick else 10_000
    return [Case(f"{n} sessions", frozenset({"smtp"}), run,
                 site={"sessions": n + 100}, sessions=n, counted=False,
                 more={"seconds": 0.5 if quick else 5})]
