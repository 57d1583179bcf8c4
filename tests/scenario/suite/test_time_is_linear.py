# SPDX-License-Identifier: ISC
"""Twice as much of anything takes about twice as long: what costs the square
is a way to stop a server with one message (CVE-2024-23184 and its kin)."""
import os

import pytest

from peers import FakeServer

N = 15000


def cpu(s, program):
    """Seconds of processor time of these processes so far."""
    total = 0
    for pid in s.processes(program):
        with open(f"/proc/{pid}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


SHAPES = {
    "headers": lambda n: "".join(f"X-{i}: y\r\n" for i in range(n)),
    "addresses": lambda n: "To: " + ",\r\n ".join(
        f"u{i}@x.test" for i in range(n)) + "\r\n",
    "comments": lambda n: "To: a@b.test " + "(" * (n // 2) + "\r\n " +
        ")" * (n // 2) + "\r\n",
    "open comments": lambda n: "".join(
        "To: " + "(" * 900 + "\r\n" for _ in range(n // 900)),
    "folds": lambda n: "Subject: x" + "\r\n y" * n + "\r\n",
    "empty names": lambda n: ":\r\n" * n,
    "groups": lambda n: "To: " + "".join(
        f"g{i}:;,\r\n " for i in range(n // 2)) + "a@b.test\r\n",
    "quotes": lambda n: "From: " + '"\\"' * (n // 3) + "\r\n",
    "lines": lambda n: "Subject: x\r\n\r\n" + "y\r\n" * (n * 10),
    "dots": lambda n: "Subject: x\r\n\r\n" + ".\r\n".replace(".", "..") *
        (n * 10),
}


def took(s, shape, n):
    """Processor time of the way in for one message of that size."""
    text = SHAPES[shape](n)
    if "\r\n\r\n" not in text:
        text += "\r\nbody\r\n"
    before = cpu(s, "cleanup") + cpu(s, "smtpd")
    with s.smtp(timeout=60) as session:
        session.ehlo()
        session.mail("alice@example.test")
        session.rcpt("bob@example.test")
        session.putcmd("data")
        session.getreply()
        session.send(text.encode() + b".\r\n")
        code, reply = session.getreply()
    assert code in (250, 554, 552), reply
    return cpu(s, "cleanup") + cpu(s, "smtpd") - before


@pytest.mark.parametrize("shape", SHAPES)
def test_message_on_its_way_in(suite, shape):
    s = suite(main="header_size_limit = 10000000\nhopcount_limit = 100000\n"
              "canonical_maps = inline:{a@b.test=c@d.test}\n"
              "local_header_rewrite_clients = permit_mynetworks\n"
              "max_idle = 1000s\n")
    took(s, shape, 100)
    one = took(s, shape, N)
    four = took(s, shape, 4 * N)
    # a clock tick of 10 ms is what is measured; a square would be 16
    assert four < 7 * one + 0.5, (one, four)
    assert four < 5


def parts(n):
    """A message of n parts inside each other."""
    text = "MIME-Version: 1.0\r\n"
    for i in range(n):
        text += (f"Content-Type: multipart/mixed; boundary=b{i}\r\n\r\n"
                 f"--b{i}\r\n")
    return text + "\r\nGr\u00fc\u00dfe\r\n"


def wide(n):
    return ("MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b"
            "\r\n\r\n" + "--b\r\n\r\nGr\u00fc\u00dfe\r\n" * n + "--b--\r\n")


@pytest.mark.parametrize("make", [parts, wide])
@pytest.mark.parametrize("n", [39, 40, 41, 9999, 10001, 20000])
def test_parts_on_their_way_out(suite, make, n):
    """Conversion for a server without 8BITMIME reads the parts."""
    with FakeServer(("SIZE",)) as sink:
        s = suite(main=f"relayhost = [127.0.0.1]:{sink.port}\n"
                  "max_idle = 1000s\n")
        with s.smtp(timeout=60) as session:
            session.ehlo()
            session.mail("alice@example.test", ["BODY=8BITMIME"])
            session.rcpt("x@remote.test")
            code, reply = session.data(make(n).encode())
            assert code == 250, reply
        line = s.wait_log(r"to=<x@remote.test>, .*status=(sent|bounced)")
        assert cpu(s, "smtp") + cpu(s, "smtpd") + cpu(s, "cleanup") < 5
        # sent in 7 bits, or returned with the reason; never as it is
        if line[1] == "sent":
            assert all(b < 128 for b in sink.messages[0][2])
        else:
            s.wait_log("dsn=5.6.3, status=bounced")
        s.send(to="y@remote.test")
        s.wait_log("to=<y@remote.test>, .*status=sent")
