# SPDX-License-Identifier: ISC
"""Mail of programs on the machine: the sendmail command, again and again.

bench/load/inject starts it, waits for its end, and starts the next; a message
counts when it is in its mailbox. What the command itself costs is counted as
the server's, for it belongs to it.
"""
from frame import measure, smtp
from frame.group import Case

NAME = "sendmail"
HELP = "inject with the sendmail command"


def entering(argv):
    """nsenter's work done once, by inject: else it would be in each message."""
    if argv[0] != "nsenter":
        return [], argv
    return ["-n", argv[argv.index("-t") + 1]], argv[argv.index("--") + 1:]


def run(peer, case):
    number = case.more["mailbox"]
    argv, environment = peer.command(
        "sendmail", "-f", "sender@bench.test", peer.site.mailbox(number))
    where, argv = entering(argv)

    groups = [word for path in peer.group.paths
              for word in ("-g", path / "cgroup.procs")]

    def inject(share):
        return measure.load(
            "inject", "-s", case.sessions, "-l", case.size, "-d",
            smtp.seconds(peer, case) * share, *groups, *where, *argv,
            env=environment)

    sent, took, over = smtp.through(peer, smtp.Here(peer, number),
                                    lambda: inject(1), lambda: inject(0.2))
    return {"delivered (1/s)": sent["messages"] / took,
            "command (1/s)": sent["rate"], **smtp.latency(sent),
            **over.each(sent["messages"])}


def null(case):
    sent = measure.load("inject", "-s", case.sessions, "-l", case.size, "-d",
                        min(1, case.more["seconds"]), "/bin/cat")
    return {"command (1/s)": sent["rate"], **smtp.latency(sent)}


def cases(quick):
    return [Case(f"{n} at a time", frozenset({"smtp", "sendmail"}), run,
                 site={"users": 2}, sessions=n, disk="delivered (1/s)",
                 more={"seconds": 0.3 if quick else 2, "mailbox": mailbox},
                 null=null)
            for mailbox, n in enumerate((4,) if quick else (1, 10))]
