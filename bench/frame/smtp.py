# SPDX-License-Identifier: ISC
"""What the groups of the SMTP side share: our load client, and waiting until
all that it sent has arrived."""
import contextlib
import os
import pathlib
import tempfile
import time

import posthaste
from . import measure
from .peer import wait_for

PERCENTILES = ("p50", "p90", "p99", "max")


def opening(peer):
    """For our client: how many connections at a time it may begin."""
    return ["-o", peer.opening] if peer.opening else []


def few_at_a_time(peer, case):
    """What is to be known of such a server's figures."""
    if not peer.opening or case.sessions <= peer.opening:
        return {}
    return {"note": f"no more than {peer.opening} of its sessions are being "
            "begun at a time (its listener's queue is short): not the same "
            "load as the others'"}


def load(port, case, *more, to="user%d@bench.test", seconds=None):
    """Sends as the case says; what our client says of it."""
    arguments = ["-s", case.sessions, "-l", case.size, "-t", to, *more]
    if seconds:  # two of each session, or it is its start that is counted
        arguments += ["-d", f"{seconds:g}", "-n", 2 * case.sessions]
    return measure.load("smtp_load", *arguments, port)


def latency(sent):
    return {f"{p} (ms)": sent[p] for p in PERCENTILES if p in sent}


def seconds(peer, case):
    """How long a case lasts: counting needs no more than some messages."""
    return min(case.more.get("seconds", 2), 0.5 if peer.counted else 60)


class Here:
    """Messages in mailboxes of the server, of these numbers."""

    def __init__(self, peer, first=0, users=1):
        self.peer = peer
        self.numbers = range(first, first + users)

    def count(self):
        return sum(self.peer.delivered(n) for n in self.numbers)

    def last(self):
        """When the last one came, in the time of files."""
        return max((os.stat(self.peer.maildir(n) / "new").st_mtime
                    for n in self.numbers if self.peer.delivered(n)),
                   default=0)


class There:
    """What a sink of ours has taken; it is asked without delay."""

    def __init__(self, sink):
        self.count = sink.count
        self.last = time.time


def arrived(where, expected):
    """Returns when so many have; the time of the last one."""
    wait_for(lambda: f"{where.count()} of {expected:.0f} messages arrived",
             lambda: where.count() >= expected, pause=0.005)
    return where.last()


def through(peer, where, send, warm):
    """send() of messages, after warm() of some, until all of them have
    arrived: (what our client said, seconds, what it cost)."""
    arrived(where, where.count() + warm()["messages"])
    before = where.count()
    with measure.Over(peer) as over:
        began = time.time()
        sent = send()
        ended = arrived(where, before + sent["messages"])
    return sent, max(ended - began, sent["seconds"]), over


def chain(where):
    """A file of a new key and certificate."""
    posthaste.certificate(where)
    path = where / "chain.pem"
    path.write_text((where / "key.pem").read_text() +
                    (where / "cert.pem").read_text())
    return path


@contextlib.contextmanager
def sink(how="plain"):
    """A server that keeps nothing, for our client alone."""
    with tempfile.TemporaryDirectory() as folder:
        server = measure.Server("smtp_sink", *(
            ("-x", how, chain(pathlib.Path(folder))) if how != "plain"
            else ()))
        try:
            yield server
        finally:
            server.close()


def null(case, *more):
    """The same load against a sink that keeps nothing."""
    how = case.more.get("how", "plain")
    with sink(how) as server:
        sent = load(server.port, case, "-x", how, *more,
                    seconds=min(1, case.more["seconds"]))
    return {"taken (1/s)": sent["rate"], **latency(sent)}
