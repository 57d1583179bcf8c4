# SPDX-License-Identifier: ISC
"""TLS handshakes on the ports that speak it from the first byte: connections
that wait for the greeting and leave, with a handshake each and with the session
of the one before resumed. The certificate is the same for all, an RSA key of
2048 bits; the client's choice is OpenSSL's, TLS 1.3 for every server.

Where nearly all are "not resumed" the server gives no tickets, or its processes
do not know each other's: the rate is of full handshakes again."""
import pathlib
import tempfile

import posthaste
from frame import measure
from frame.group import Case

NAME = "tls"
HELP = "TLS handshakes, full and resumed: smtps, imaps, pop3s"
SITE = {"users": 1, "tls": True}


def percentiles(said):
    return {f"{p} (ms)": said[p] for p in ("p50", "p90", "p99", "max")}


def handshakes(peer, case):
    port = peer.port(case.more["port"])
    measure.load("tls_load", port, case.more["how"], case.sessions,
                 case.sessions * 2)
    with measure.Over(peer) as over:
        said = measure.load("tls_load", port, case.more["how"], case.sessions,
                            case.count)
    figures = {"connections (1/s)": case.count / said["seconds"],
               **percentiles(said),
               **over.each(case.count)}
    if case.more["how"] == "resumed":
        figures["not resumed (%)"] = 100 - 100 * said["reused"] / case.count
    return figures


def null(case):
    """OpenSSL and nothing else on the other side, which is the same for all
    ports."""
    count = min(case.count, 1000)
    with tempfile.TemporaryDirectory() as folder:
        posthaste.certificate(pathlib.Path(folder))
        server = measure.Server("null_server", "-c", f"{folder}/cert.pem",
                                "-k", f"{folder}/key.pem", "imap")
        try:
            said = measure.load("tls_load", server.port, case.more["how"],
                                case.sessions, count)
        finally:
            server.close()
    return {"connections (1/s)": count / said["seconds"],
            **percentiles(said)}


def cases(quick):
    count = 60 if quick else 2000
    return [Case(f"{port}, {how}, 10 sessions", frozenset({port}), handshakes,
                 site=SITE, sessions=10, count=count,
                 more={"port": port, "how": how},
                 null=null)
            for port in ("smtps", "imaps", "pop3s")
            for how in ("full", "resumed")]
