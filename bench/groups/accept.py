# SPDX-License-Identifier: ISC
"""Mail that comes in over SMTP and is delivered to Maildirs.

A message counts when it can be read in its mailbox, not when it was taken. The
load lasts some seconds; the clock goes on until the last message is there. One
connection for each message, as most mail comes.
"""
from frame import smtp
from frame.group import Case

NAME = "accept"
HELP = "accept over SMTP and deliver to Maildirs"
SIZES = {"4 KB": 4096, "100 KB": 100_000, "10 MB": 10_000_000}


def run(peer, case):
    how, seconds = case.more["how"], case.more["seconds"]

    def load(share):
        # not more than a disk has room for
        return smtp.load(peer.port("smtp"), case, "-u", peer.site.users,
                         "-x", how, "-m", max(1, int(1e9 / case.size * share)),
                         seconds=seconds * share)

    sent, over = smtp.through(peer, peer.delivered, lambda: load(1),
                              lambda: load(0.2))
    return {"delivered (1/s)": sent["messages"] / over.wall,
            "taken (1/s)": sent["rate"], **smtp.latency(sent),
            **over.each(sent["messages"])}


def case_of(sessions, size, users, how, quick):
    label = (f"{sessions} session{'s'[:sessions != 1]}, {size}, "
             f"{users} mailbox{'es'[:2 * (users != 1)]}"
             f"{', TLS' if how != 'plain' else ''}")
    return Case(label, frozenset({"smtp", how} - {"plain"}), run,
                site={"users": users, "sessions": 100, "tls": True},
                sessions=sessions, size=SIZES[size],
                more={"how": how, "seconds": 0.3 if quick else 3},
                disk=users == 1 and how == "plain",
                null=smtp.null if users == 1 else None)


def cases(quick):
    if quick:
        return [case_of(10, "4 KB", 1, "plain", True),
                case_of(10, "4 KB", 1, "starttls", True)]
    return [case_of(sessions, size, users, how, False)
            for how in ("plain", "starttls") for users in (1, 100)
            for size in SIZES for sessions in (1, 10, 100)]
