# SPDX-License-Identifier: ISC
"""Servers that do not keep to the protocol do no harm."""
import contextlib
import itertools
import json
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


REPLIES = ["450-4.1.1 a\r\n450-4.1.1 b\r\n450 4.1.1 c",
           "450 4.1.1 x\rM 0 |touch\rS evil@b.test",
           "450 4.1.1 \0\x01\x7f\xff", "450 4.1.1 " + "y" * 990, "450", "450 ",
           "450-\r\n450", "450 4.1.1", "450 4.1", "450 9.9.9 z",
           "450 %s%n${sender}"]


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA", "."])
def test_what_is_said_stays_out_of_the_envelope(suite, verb):
    """CVE-2020-8794: it is the reason of a delay, and one line."""
    to = [f"x{i}@remote.test" for i in range(len(REPLIES))]
    answers = itertools.cycle(r.encode("latin-1") + b"\r\n" for r in REPLIES)
    with FakeServer(replies={verb: lambda _: next(answers)}) as server:
        s = suite(main=f"relayhost = [127.0.0.1]:{server.port}\n"
                  "smtp_destination_recipient_limit = 1\n"
                  "smtp_destination_concurrency_limit = 1\n"
                  "smtp_destination_concurrency_failed_cohort_limit = 0\n"
                  "minimal_backoff_time = 1000s\n")
        queue_id = s.send(to=to)
        for name in to:
            line = s.wait_log(rf"{queue_id}: to=<{name}>.*status=\S+ .*")[0]
            assert "status=deferred" in line
        entry = json.loads(wait_for("the end of its attempt", lambda: [
            line for line in s.command("postqueue", "-j").out.splitlines()
            if '"deferred"' in line])[0])
        assert entry["sender"] == "alice@example.test"
        assert sorted(r["address"] for r in entry["recipients"]) == sorted(to)
        said = [r["delay_reason"] for r in entry["recipients"]]
        assert not [text for text in said if re.search(r"[\0-\x1f]", text)]
        for kind, want in (("sender", 1), ("recipient", len(to))):
            out = s.command("postcat", "-eq", queue_id).out
            assert len(re.findall(rf"^{kind}: ", out, re.M)) == want, out


CHALLENGES = [b"334\r\n", b"334 \r\n", b"334 !!!\r\n", b"334 ====\r\n",
              b"334 " + b"A" * 4000 + b"\r\n", b"334 AAA\r\n",
              b"334 AAAA\0\r\n", b"334-QQ==\r\n334 QQ==\r\n",
              b"334 \xff\xff\r\n", b"235\r\n", b"235 x\r\n", b"220 y\r\n",
              b"334 " + b"PDE+" * 300 + b"\r\n", b"3", b""]


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_challenges(suite, mechanism):
    """CVE-2023-42114, CVE-2026-40687: whatever is asked, ever again."""
    heard = []

    def hostile(challenge):
        def handle(connection):
            f = connection.makefile("rb")
            connection.sendall(b"220 fake ESMTP\r\n")
            f.readline()
            connection.sendall(f"250-fake\r\n250 AUTH {mechanism}\r\n".encode())
            for _ in range(20):
                heard.append(f.readline())
                if not challenge or not heard[-1]:
                    return
                connection.sendall(challenge)
        return handle

    with contextlib.ExitStack() as stack, FakeServer() as good:
        servers = [stack.enter_context(Server(hostile(c)))
                   for c in CHALLENGES]
        hosts = [f"[127.0.0.1]:{server.port}" for server in servers]
        s = suite(main="smtp_sasl_auth_enable = yes\n"
                  "smtp_sasl_security_options = noanonymous\n"
                  "smtp_helo_timeout = 2s\nsmtp_mail_timeout = 2s\n"
                  "smtp_tls_security_level = none\ntransport_maps = inline:{"
                  + ", ".join(f"{{b{i}.test=smtp:{h}}}"
                              for i, h in enumerate(hosts))
                  + f", {{good.test=smtp:[127.0.0.1]:{good.port}}}}}\n"
                  "smtp_sasl_password_maps = inline:{" + ", ".join(
                      f"{{{h}=joe:se:cret}}" for h in hosts) + "}\n")
        for i in range(len(hosts)):
            s.send(to=f"x@b{i}.test")
        s.send(to="y@good.test")
        good.wait()
        for i in range(len(hosts)):
            s.wait_log(rf"to=<x@b{i}\.test>.*status=deferred")
        assert b"AUTH" in heard[0]
        assert "cret" not in s.log() and "c2U6" not in s.log()
        assert not re.search(r"panic|fatal|killed by|signal", s.log())


def test_endless_greeting_of_single_lines_is_cut_in_time(suite):
    import time

    def handle(connection):
        for i in range(1000):
            connection.sendall(b"220-wait\r\n")
            time.sleep(0.3)  # each in time, all of them not

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
