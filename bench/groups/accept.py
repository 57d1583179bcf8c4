# SPDX-License-Identifier: ISC
"""Mail that comes in over SMTP and is delivered to Maildirs.

A message counts when it can be read in its mailbox, not when it was taken. The
load lasts some seconds; the clock goes on until the last message is there. One
connection for each message, as most mail comes. Each case has mailboxes of its
own, which nothing else has filled.
"""
from frame import smtp
from frame.group import Case

NAME = "accept"
HELP = "accept over SMTP and deliver to Maildirs"
SIZES = {"4 KB": 4096, "100 KB": 100_000, "10 MB": 10_000_000}
MOST = 600_000_000  # bytes of a case, or one message of each session

# sessions, size, mailboxes, how
CASES = (
    *((sessions, size, 1, "plain") for size in SIZES
      for sessions in (1, 10, 100)),
    (10, "4 KB", 100, "plain"), (100, "4 KB", 100, "plain"),
    (100, "100 KB", 100, "plain"),
    *((sessions, "4 KB", 1, "starttls") for sessions in (1, 10, 100)),
    (10, "100 KB", 1, "starttls"), (10, "10 MB", 1, "starttls"),
    (10, "4 KB", 100, "starttls"))
QUICK = ((10, "4 KB", 1, "plain"), (10, "4 KB", 1, "starttls"))


def most(case, share=1):
    """Messages: not more than a disk has time for."""
    return max(round(case.sessions * share), int(MOST / case.size * share))


def run(peer, case):
    how, first, users = (case.more[k] for k in ("how", "first", "users"))
    seconds = smtp.seconds(peer, case)

    def load(share):
        return smtp.load(peer.port("smtp"), case, "-f", first, "-u", users,
                         "-x", how, *smtp.opening(peer),
                         "-m", max(1, most(case, share)),
                         seconds=seconds * share)

    sent, took, over = smtp.through(peer, smtp.Here(peer, first, users),
                                    lambda: load(1), lambda: load(0.2))
    return {"delivered (1/s)": sent["messages"] / took,
            "taken (1/s)": sent["rate"], **smtp.latency(sent),
            **over.each(sent["messages"]), **smtp.few_at_a_time(peer, case)}


def null(case):
    return smtp.null(case, "-m", most(case))


def label(sessions, size, users, how):
    return (f"{sessions} session{'s'[:sessions != 1]}, {size}, "
            f"{users} mailbox{'es'[:2 * (users != 1)]}"
            f"{', TLS' if how != 'plain' else ''}")


def cases(quick):
    rows = QUICK if quick else CASES
    site = {"users": sum(row[2] for row in rows), "sessions": 100,
            "tls": True}
    made, first = [], 0
    for sessions, size, users, how in rows:
        made.append(Case(
            label(sessions, size, users, how),
            frozenset({"smtp", how} - {"plain"}), run, site=site,
            sessions=sessions, size=SIZES[size], disk="delivered (1/s)",
            null=null if users == 1 else None,
            more={"how": how, "first": first, "users": users,
                  "seconds": 0.3 if quick else 2}))
        first += users
    return made
