# SPDX-License-Identifier: ISC
"""Mail that comes in over SMTP and is delivered to Maildirs.

A message counts when it can be read in its mailbox, not when it was taken. The
load lasts some seconds; the clock goes on until the last message is there. One
connection for each message, as most mail comes.
"""
from frame import measure
from frame.group import Case
from frame.peer import wait_for

NAME = "accept"
HELP = "accept over SMTP and deliver to Maildirs"
SIZES = {"4 KB": 4096, "100 KB": 100_000, "10 MB": 10_000_000}


def load(peer, case, seconds=None):
    """Sends for a while; what our client says of it."""
    return measure.load(
        "smtp_load", "-s", case.sessions, "-l", case.size,
        "-d", seconds or case.more["seconds"],
        "-u", peer.site.users, "-x", case.more["how"],
        "-t", f"user%d@{peer.site.domain}",
        peer.port("smtps" if case.more["how"] == "smtps" else "smtp"))


def run(peer, case):
    before = peer.delivered()
    warm = load(peer, case, case.more["seconds"] / 5)
    arrived(peer, before + warm["messages"])
    before = peer.delivered()
    with measure.Over(peer) as over:
        sent = load(peer, case)
        arrived(peer, before + sent["messages"])
    return {"delivered (1/s)": sent["messages"] / over.wall,
            "taken (1/s)": sent["rate"],
            **{f"{p} (ms)": sent[p] for p in ("p50", "p90", "p99", "max")},
            **over.each(sent["messages"])}


def arrived(peer, count):
    wait_for(f"{count:.0f} messages in {peer.name}'s mailboxes",
             lambda: peer.delivered() >= count, 300)


def null(case):
    """The same load against a sink that keeps nothing."""
    sink = measure.Server("smtp_sink")
    try:
        sent = measure.load("smtp_load", "-s", case.sessions, "-l", case.size,
                            "-d", min(1, case.more["seconds"]), sink.port)
    finally:
        sink.close()
    return {"messages (1/s)": sent["rate"], "p99 (ms)": sent["p99"]}


def case_of(sessions, size, users, how, quick):
    label = (f"{sessions} session{'s'[:sessions != 1]}, {size}, "
             f"{users} mailbox{'es'[:2 * (users != 1)]}"
             f"{', TLS' if how != 'plain' else ''}")
    first = how == "plain" and users == 1
    return Case(label,
                frozenset({"smtp"} | ({how} if how != "plain" else set())),
                run, site={"users": users, "sessions": 100,
                           "tls": how != "plain"},
                sessions=sessions, size=SIZES[size],
                more={"how": how, "seconds": 0.3 if quick else 3},
                disk=first, null=null if first else None)


def cases(quick):
    if quick:
        return [case_of(10, "4 KB", 1, "plain", True),
                case_of(10, "4 KB", 100, "starttls", True)]
    return [case_of(sessions, size, users, how, False)
            for how in ("plain", "starttls") for users in (1, 100)
            for size in SIZES for sessions in (1, 10, 100)]
