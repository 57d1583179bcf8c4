# SPDX-License-Identifier: ISC
"""What the groups of the SMTP side share: our load client, and waiting until
all that it sent has arrived."""
import pathlib
import tempfile

import posthaste
from . import measure
from .peer import wait_for

PERCENTILES = ("p50", "p90", "p99", "max")


def load(port, case, *more, to="user%d@bench.test", seconds=None):
    """Sends as the case says; what our client says of it."""
    arguments = ["-s", case.sessions, "-l", case.size, "-t", to, *more]
    if seconds:
        arguments += ["-d", seconds]
    return measure.load("smtp_load", *arguments, port)


def latency(sent):
    return {f"{p} (ms)": sent[p] for p in PERCENTILES if p in sent}


def arrived(what, count, expected, seconds=300):
    """Returns when count() has come to what is expected."""
    wait_for(f"{expected:.0f} {what}; there are {count()}",
             lambda: count() >= expected, seconds)


def through(peer, count, send, warm, seconds=300):
    """send() of messages, after warm() of some, until count() has all of them:
    (what our client said, what it cost)."""
    before = count()
    arrived("messages at the end", count, before + warm()["messages"],
            seconds)
    before = count()
    with measure.Over(peer) as over:
        sent = send()
        arrived("messages at the end", count, before + sent["messages"],
                seconds)
    return sent, over


def null(case):
    """The same load against a sink that keeps nothing."""
    how = case.more.get("how", "plain")
    with tempfile.TemporaryDirectory() as folder:
        where = pathlib.Path(folder)
        posthaste.certificate(where)
        chain = where / "chain.pem"
        chain.write_text((where / "key.pem").read_text() +
                         (where / "cert.pem").read_text())
        sink = measure.Server("smtp_sink", *(
            ("-x", how, chain) if how != "plain" else ()))
        try:
            sent = load(sink.port, case, "-x", how,
                        seconds=min(1, case.more.get("seconds", 1)))
        finally:
            sink.close()
    return {"messages (1/s)": sent["rate"], "p99 (ms)": sent["p99"]}
