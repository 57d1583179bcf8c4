# SPDX-License-Identifier: ISC
"""Mail that comes in over SMTP and goes on to another server, our sink.

A message counts when the sink has taken it.
"""
from frame import smtp
from frame.group import Case

NAME = "relay"
HELP = "accept over SMTP and relay to a sink"


def run(peer, case):
    def load(share):
        return smtp.load(peer.port("smtp"), case, to="x%d@relay.test",
                         seconds=case.more["seconds"] * share)

    sent, over = smtp.through(peer, peer.sink.count, lambda: load(1),
                              lambda: load(0.2))
    return {"relayed (1/s)": sent["messages"] / over.wall,
            "taken (1/s)": sent["rate"], **smtp.latency(sent),
            **over.each(sent["messages"])}


def case_of(sessions, size, quick):
    return Case(f"{sessions} session{'s'[:sessions != 1]}, {size // 1000} KB",
                frozenset({"smtp", "relay"}), run,
                site={"sink": True, "sessions": 100}, sessions=sessions,
                size=size, more={"seconds": 0.3 if quick else 3},
                disk=True, null=smtp.null)


def cases(quick):
    if quick:
        return [case_of(10, 4096, True)]
    return [case_of(sessions, size, False)
            for size in (4096, 100_000) for sessions in (1, 10, 100)]
