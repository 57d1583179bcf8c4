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


def greeted(said):
    return {f"greeted, {p} (ms)": said[p] for p in smtp.PERCENTILES
            if p in said}


def held(port, sessions):
    """Our client with all sessions that it could open, and what it said."""
    clients = measure.Server("smtp_load", "-i", "-s", sessions, port,
                             first="ready 1")
    return clients, measure.figures(clients.said)


def null(case):
    with smtp.sink() as server:
        clients, said = held(server.port, case.sessions)
        clients.close()
    return {"held (sessions/s)": said["held"] / said["seconds"],
            **greeted(said)}


def run(peer, case):
    peer.rest(60)
    before, processes = peer.group.memory(), len(peer.pids())
    clients, said = held(peer.port("smtp"), case.sessions)
    try:
        alive = clients.count()
        rows = {"held (sessions/s)": said["held"] / said["seconds"],
                "refused (n)": case.sessions - alive,
                "memory of one (KB)":
                    (peer.group.memory() - before) / 1024 / max(1, alive),
                "more processes (n)": len(peer.pids()) - processes,
                **greeted(said)}
        used = peer.group.used()
        seconds = case.more["seconds"]
        time.sleep(seconds)
        rows["cpu of a second at rest (ms)"] = (
            (peer.group.used() - used) * 1000 / seconds)
        if alive == case.sessions:
            sent = smtp.load(peer.port("smtp"), Case("", None, None),
                             seconds=seconds)
            rows["a new session's message, p50 (ms)"] = sent["p50"]
        rows["closed by the server meanwhile (n)"] = alive - clients.count()
    finally:
        clients.close()
    return rows


def cases(quick):
    n = 200 if quick else 10_000
    return [Case(f"{n} sessions", frozenset({"smtp"}), run,
                 site={"sessions": n + 100}, sessions=n, counted=False,
                 rounds=1, limit=240, null=null,
                 more={"seconds": 0.5 if quick else 5})]
