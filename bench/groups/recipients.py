# SPDX-License-Identifier: ISC
"""One message to many recipients: a mailing list's day.

Time runs from the start of the message until the last recipient has it: in a
mailbox of its own here, or at the sink, which counts recipients: one copy may
serve many. "taken" is until the answer to the data.
"""
import time

from frame import measure, smtp
from frame.group import Case

NAME = "recipients"
HELP = "one message to many recipients"


def run_local(peer, case):
    n = case.count
    here = smtp.Here(peer, 0, n)
    before = here.count()
    with measure.Over(peer) as over:
        began = time.time()
        sent = smtp.load(peer.port("smtp"), case, "-R", n)
        ended = smtp.arrived(here, before + n)
    return {"delivered (recipients/s)": n / (ended - began),
            "taken (ms)": sent["seconds"] * 1000, **over.each(n)}


def run_relay(peer, case):
    n = case.count
    there = smtp.There(peer.sink)
    before = there.count()
    with measure.Over(peer) as over:
        began = time.time()
        sent = smtp.load(peer.port("smtp"), case, "-R", n,
                         to="x%d@relay.test")
        ended = smtp.arrived(there, before + n)
    return {"relayed (recipients/s)": n / (ended - began),
            "taken (ms)": sent["seconds"] * 1000, **over.each(n)}


def null(case):
    with smtp.sink() as server:
        sent = smtp.load(server.port, case, "-R", case.count)
    return {"taken (ms)": sent["seconds"] * 1000}


def cases(quick):
    n = 100 if quick else 10_000
    return [Case(f"{n:,} mailboxes here", frozenset({"smtp"}), run_local,
                 site={"users": n}, count=n, sessions=20, rounds=1, limit=180,
                 null=null, disk="delivered (recipients/s)"),
            Case(f"{n:,} elsewhere", frozenset({"smtp", "relay"}),
                 run_relay, site={"sink": "recipients"}, count=n, rounds=1,
                 limit=180, null=null)]
