# SPDX-License-Identifier: ISC
"""Servers that do not keep to the protocol do no harm."""
import re

import pytest

from peers import FakeServer, Server
from posthaste import wait_for


def flood(piece, limit=50_000_000):
    """Sends the piece for ever; how much the client took is in .sent."""

    def handle(connection):
        handle.sent = 0
        block = piece * (65536 // len(piece) + 1)
        while handle.sent < limit:
            connection.sendall(block)
            handle.sent += len(block)

    handle.sent = 0
    return handle


def say(*replies):
    """Each of the replies, the next when something was heard."""

    def handle(connection):
        for reply in replies:
            connection.sendall(reply)
            if not connection.recv(65536):
                return

    return handle


HOSTILE = {
    "endless line": flood(b"2"),
    "endless reply": flood(b"220-x\r\n"),
    "long line": say(b"220 " + b"x" * 5000 + b"\r\n"),
    "no reply": say(b"SSH-2.0-OpenSSH\r\n"),
    "empty line": say(b"\r\n"),
    "nothing": lambda connection: None,
    "half a reply": lambda connection: connection.sendall(b"220 hal"),
    "short code": say(b"22\r\n"),
    "no blank": say(b"220x\r\n"),
    "NUL": say(b"2\x0020 x\r\n"),
    "codes that differ": say(b"220-a\r\n221 b\r\n"),
    "greeting in TLS": say(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    "too many replies": say(b"220 a\r\n250 b\r\n250 c\r\n250 d\r\n250 e\r\n"
                            b"250 f\r\n250 g\r\n250 h\r\n" * 200, b""),
    "bad in EHLO": say(b"220 a\r\n", b"250-a\r\n250-" + b"\xff" * 4090 +
                       b"\r\nwhat\r\n"),
    "line breaks in text": say(b"220 a\r\n", b"250 b\r\n",
                               b"550 5.1.1 a\rb\x00c\x1b[2J\r\n"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_mail_waits_and_others_get_theirs(suite, name):
    handle = HOSTILE[name]
    with Server(handle) as hostile, FakeServer() as good:
        s = suite(main="smtp_helo_timeout = 5s\nsmtp_mail_timeout = 5s\n"
                  "smtp_tls_security_level = none\n"
                  "transport_maps = inline:{bad.test=smtp:[127.0.0.1]:%d, "
                  "good.test=smtp:[127.0.0.1]:%d}\n"
                  % (hostile.port, good.port))
        qid = s.send(to="x@bad.test")
        s.send(to="y@good.test")
        good.wait()
        line = s.wait_log(rf"{qid}: to=<x@bad.test>.*status=\S+ .*")[0]
        assert "status=sent" not in line
        # one line of printable text, whatever was sent
        assert re.fullmatch(r"[\x20-\x7e\x80-\U0010ffff]+", line)
        # queued as before; nothing was added to the envelope
        if "deferred" in line:
            out = s.command("postqueue", "-p", check=False)
            if out.returncode == 0:
                assert "x@bad.test" in out.out
        if hasattr(handle, "sent"):
            assert handle.sent < 20_000_000
        assert not re.search(r"panic|fatal|killed by|signal", s.log())


def test_endless_greeting_of_single_lines_is_cut_in_time(suite):
    import time

    def handle(connection):
        for i in range(1000):
            connection.sendall(b"220-wait\r\n")
            time.sleep(0.3)

    with Server(handle) as slow:
        s = suite(main=f"relayhost = [127.0.0.1]:{slow.port}\n"
                  "smtp_helo_timeout = 2s\n")
        start = time.monotonic()
        s.send(to="x@remote.test")
        s.wait_log(r"status=deferred \(conversation with 127.0.0.1"
                   r"\[127.0.0.1\] timed out while receiving the initial "
                   "server greeting")
        # its thousand lines take it five minutes
        assert time.monotonic() - start < 60


def test_crowd_of_silent_servers_holds_nobody_up(suite):
    def silent(connection):
        connection.recv(1000)

    with Server(silent) as mute, FakeServer() as good:
        s = suite(main="smtp_helo_timeout = 300s\n"
                  "transport_maps = inline:{good.test=smtp:[127.0.0.1]:%d}\n"
                  "relayhost = [127.0.0.1]:%d\n" % (good.port, mute.port))
        with s.smtp() as session:
            for i in range(15):
                s.send_on(session, "alice@example.test", [f"x@m{i}.test"],
                          "Subject: x\r\n\r\nx\r\n")
            wait_for("connections", lambda: mute.connections >= 5)
            s.send_on(session, "alice@example.test", ["y@good.test"],
                      "Subject: x\r\n\r\nx\r\n")
        good.wait()
        assert "timed out" not in s.log()
