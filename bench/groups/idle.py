# SPDX-License-Identifier: ISC
"""Many SMTP sessions that have said EHLO, and then nothing.

"held" are those that were greeted and that the server still has when all have
been tried, or when the time for that is up; memory is what it needs more than
before, for each of them. A new session then sends mail, while the others say
nothing.

A server with a process for each session needs memory and processor time for
each. No more are tried than the machine has memory for (peer.session_room), and
none after OPENING seconds: then "held" is less than what was wanted, and all
figures are of those.
"""
import pathlib
import re
import time

from frame import measure, smtp
from frame.group import Case

NAME = "idle"
HELP = "idle SMTP sessions"
OPENING = 100        # seconds for all of them
KEPT = 2_500_000_000  # bytes of memory that stay free


def greeted(said):
    return {f"greeted, {p} (ms)": said[p] for p in smtp.PERCENTILES
            if p in said}


def held(port, sessions, *more):
    """Our client with all sessions that it could open, and what it said."""
    clients = measure.Server("smtp_load", "-i", "-s", sessions, *more, port,
                             first="ready 1")
    return clients, measure.figures(clients.said)


def available():
    """Bytes of memory that the machine could give away."""
    text = pathlib.Path("/proc/meminfo").read_text()
    return int(re.search(r"^MemAvailable:\s+(\d+)", text, re.M)[1]) * 1024


def fit(peer, sessions):
    """Of these sessions those that server and machine can hold, and why not
    all of them."""
    most, why = peer.most
    room = available() - KEPT
    if peer.session_room and room // peer.session_room < most:
        most, why = max(1, room // peer.session_room), (
            "it has a process for each session, and the machine memory for no "
            "more")
    return (sessions, "") if sessions <= most else (most, why)


def null(case):
    with smtp.sink() as server:
        clients, said = held(server.port, case.sessions)
        clients.close()
    return {"held (sessions/s)": said["held"] / said["seconds"],
            **greeted(said)}


def note(tried, why, said, case, others=()):
    """A line below the table, where not all sessions were held, with what
    else is to be known."""
    lines = [f"{tried:,} sessions tried: {why}"] * bool(why)
    if said["untried"]:
        lines.append(f"{said['held']:,.0f} sessions after "
                     f"{case.more['opening']} s, when no more were tried")
    lines += others
    return {"note": "; ".join(lines)} if lines else {}


def run(peer, case):
    peer.rest(60)
    before, processes = peer.group.memory(), len(peer.pids())
    used = peer.group.used()
    tried, why = fit(peer, case.sessions)
    clients, said = held(peer.port("smtp"), tried, "-d", case.more["opening"],
                         *smtp.opening(peer))
    try:
        alive = clients.count()
        each = max(1, alive)
        rows = {"held (sessions/s)": said["held"] / said["seconds"],
                "not held (n)": case.sessions - alive,
                "cpu of one (ms)": (peer.group.used() - used) * 1000 / each,
                "memory of one (KB)":
                    (peer.group.memory() - before) / 1024 / each,
                "more processes (n)": len(peer.pids()) - processes,
                **greeted(said), **note(
                    tried, why, said, case,
                    smtp.few_at_a_time(peer, case).values())}
        used = peer.group.used()
        seconds = case.more["seconds"]
        time.sleep(seconds)
        rows["cpu of a second at rest (ms)"] = (
            (peer.group.used() - used) * 1000 / seconds)
        if not said["refused"]:
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
                 rounds=1, limit=OPENING + 100, null=null,
                 more={"seconds": 0.5 if quick else 5, "opening": OPENING})]
