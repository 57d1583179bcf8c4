# SPDX-License-Identifier: ISC
"""What POP3 costs: log in, a visit as of a program that leaves mail on the
server, for two seconds each; messages fetched, listed and deleted, until all
are. Each session is another user's, as POP3 wants it; the messages are links to
the same files for every server."""
from frame import mail, measure, smtp
from frame.group import Case

NAME = "pop3"
HELP = "POP3: log in, visit, RETR, UIDL of 10,000, DELE"
NEEDS = frozenset({"pop3"})
SITE = {"users": 40}


def client(peer, mode, sessions, count, first=0, seconds=0):
    return measure.load("pop3_load", "-w", peer.site.password, "-u", first,
                        "-d", seconds, peer.port("pop3"), mode,
                        f"user%d@{peer.site.domain}", sessions, count)


def given(peer, first, users, count):
    template = mail.Template(peer.site, count)
    for user in range(first, first + users):
        mail.give(peer, user, template)


def work(name):
    """A case's run: its mode's work, once to warm up where that changes
    nothing, then measured."""
    def run(peer, case):
        first, each = case.more["first"], case.more.get("messages", 0)
        if each:
            given(peer, first, case.sessions, each)
        if case.more.get("warm", True):
            client(peer, case.more["mode"], case.sessions, case.sessions,
                   first)
        with measure.Over(peer) as over:
            said = client(peer, case.more["mode"], case.sessions, case.count,
                          first, smtp.seconds(peer, case))
        return {f"{name} (1/s)": said["count"] / said["seconds"],
                **smtp.latency(said), **over.each(said["count"])}
    return run


def null(name, messages=1):
    """The same by our client against a server that does nothing."""
    def run(case):
        server = measure.Server("null_server", "-m", messages, "pop3")
        try:
            said = measure.load("pop3_load", "-d", 1, server.port,
                                case.more["mode"], "user%d@x", case.sessions,
                                case.count)
        finally:
            server.close()
        return {f"{name} (1/s)": said["count"] / said["seconds"],
                **smtp.latency(said)}
    return run


def first_uidl(peer, case):
    """Of a mailbox that the server sees for the first time, with the login,
    which is when most of them read it; and again."""
    given(peer, case.more["first"], 1, case.count)
    figures = {}
    for name in ("first visit (ms)", "second visit (ms)"):
        said = client(peer, "visit", 1, 1, case.more["first"])
        figures[name] = said["max"]
    with measure.Over(peer) as over:
        said = client(peer, "uidl", 1, case.more["times"], case.more["first"])
    return {**figures, "UIDL, logged in (ms)": said["p50"],
            "UIDL, logged in, max (ms)": said["max"],
            **over.each(case.more["times"])}


def null_uidl(case):
    server = measure.Server("null_server", "-m", case.count, "pop3")
    try:
        said = measure.load("pop3_load", server.port, "uidl", "user%d@x", 1,
                            case.more["times"])
    finally:
        server.close()
    return {"UIDL, logged in (ms)": said["p50"],
            "UIDL, logged in, max (ms)": said["max"]}


def cases(quick):
    few = 10 if quick else 100
    many = 100 if quick else 1000
    logins = 100 if quick else 100_000
    listed = 200 if quick else 10_000

    def case(label, run, sessions, count, null_run=None, **more):
        return Case(label, NEEDS, run, site=SITE, sessions=sessions,
                    count=count, more=more, null=null_run)
    return [
        case("log in and quit, 10 sessions", work("logins"), 10, logins,
             null("logins"), mode="login", first=0),
        case(f"visits of {few} messages, 10 sessions", work("visits"), 10,
             logins, null("visits", few), mode="visit", first=24,
             messages=few),
        case(f"RETR of {many:,} in each of 4 sessions", work("messages"), 4,
             4 * many, null("messages"), mode="retr", first=10,
             messages=many),
        case(f"RETR of {many:,}, pipelined", work("messages"), 1, many,
             null("messages"), mode="pipe", first=14, messages=many),
        case(f"UIDL of {listed:,}", first_uidl, 1, listed, null_uidl,
             first=15, times=20),
        case(f"DELE of {many:,} and QUIT, 4 sessions", work("messages"), 4,
             4 * many, null("messages"), mode="dele", first=20, messages=many, warm=False)]
