# SPDX-License-Identifier: ISC
"""TLS handshakes on the ports that speak it from the first byte: connections
that wait for the greeting and leave, with a handshake each and with the session
of the one before resumed. The certificate is the same for all, an RSA key of
2048 bits; the client's choice is OpenSSL's, TLS 1.3 for every server.

Where some are "not resumed" the server gives no tickets, or its processes do
not know each other's: its rate is of full handshakes for so many per cent.

A handshake costs the client as much as the server (0.6 ms of a processor a full
one, 0.3 a resumed one). On two processors each side has one, and fills it: a
client of several processes would take from the server what it gives to itself.
What a server needs for a connection is in "cpu"."""
import pathlib
import tempfile

from frame import measure, smtp
from frame.group import Case

NAME = "tls"
HELP = "TLS handshakes, full and resumed: smtps, imaps, pop3s"
SITE = {"users": 1, "tls": True}
SOME = 2  # per cent that are not resumed: more are no accident


def client(port, case, count, seconds):
    return measure.load("tls_load", "-d", seconds, port, case.more["how"], "mx.bench.test",
                        case.sessions, count)


def handshakes(peer, case):
    port = peer.port(case.more["port"])
    client(port, case, case.sessions * 2, 2)
    with measure.Over(peer) as over:
        said = client(port, case, case.count, smtp.seconds(peer, case))
    count = said["count"]
    figures = {"connections (1/s)": count / said["seconds"],
               **smtp.latency(said),
               **over.each(count)}
    if case.more["how"] == "resumed":
        figures["not resumed (%)"] = 100 - 100 * said["reused"] / count
        figures.update(half_resumed(figures["not resumed (%)"]))
    return figures


def half_resumed(percent):
    """A server that resumes not all is compared with full handshakes."""
    if percent < SOME:
        return {}
    return {"note": "resumes not all (\"not resumed\"): \"ahead\" of it "
            "compares resumed handshakes with full ones"}


def null(case):
    """OpenSSL and nothing else on the other side, which is the same for all
    ports."""
    with tempfile.TemporaryDirectory() as folder:
        server = measure.Server("null_server", "-x",
                                smtp.chain(pathlib.Path(folder)), "imap")
        try:
            said = client(server.port, case, case.count, 1)
        finally:
            server.close()
    return {"connections (1/s)": said["count"] / said["seconds"],
            **smtp.latency(said)}


def cases(quick):
    count = 60 if quick else 100_000
    return [Case(f"{port}, {how}, 10 sessions", frozenset({port}), handshakes,
                 site=SITE, sessions=10, count=count,
                 more={"port": port, "how": how},
                 null=null)
            for port in ("smtps", "imaps", "pop3s")
            for how in ("full", "resumed")]
