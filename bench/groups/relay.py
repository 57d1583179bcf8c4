# SPDX-License-Identifier: ISC
"""Mail that comes in over SMTP and goes on to another server, our sink.

A message counts when the sink has taken it.
"""
from frame import smtp
from frame.group import Case

NAME = "relay"
HELP = "accept over SMTP and relay to a sink"


def run(peer, case):
    seconds = smtp.seconds(peer, case)

    def load(share):
        return smtp.load(peer.port("smtp"), case, *smtp.opening(peer),
                         to="x%d@relay.test", seconds=seconds * share)

    sent, took, over = smtp.through(peer, smtp.There(peer.sink),
                                    lambda: load(1), lambda: load(0.2))
    return {"relayed (1/s)": sent["messages"] / took,
            "taken (1/s)": sent["rate"], **smtp.latency(sent),
            **over.each(sent["messages"]), **smtp.few_at_a_time(peer, case)}


def case_of(sessions, size, quick):
    return Case(f"{sessions} session{'s'[:sessions != 1]}, {size // 1000} KB",
                frozenset({"smtp", "relay"}), run,
                site={"sink": True, "sessions": 100}, sessions=sessions,
                size=size, more={"seconds": 0.3 if quick else 2},
                disk="relayed (1/s)", null=smtp.null)


def cases(quick):
    if quick:
        return [case_of(10, 4096, True)]
    return [case_of(sessions, size, False)
            for size in (4096, 100_000) for sessions in (1, 10, 100)]
