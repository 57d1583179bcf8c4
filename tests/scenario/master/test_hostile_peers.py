# SPDX-License-Identifier: ISC
"""A program of the suite that was taken over cannot hold up the others."""
import contextlib
import pathlib
import socket
import struct
import time

from lookup_client import Lookup
from posthaste import DEADLINE

MAIN = dict(service="", accepted=False, sender_settled=False)


def ask(instance):
    """Somebody else's question is answered."""
    other = Lookup(instance)
    other.send("resolve", sender="alice@example.test", **MAIN,
               recipients=[{"address": "bob@example.test"}])
    name, fields = other.receive()
    assert name == "resolve_reply"
    assert len(fields["results"]) == 1
    other.close()


def until_closed(c):
    try:
        while c.recv(4096):
            pass
    except ConnectionResetError:
        pass  # with something unread


def test_half_a_message_holds_up_nobody(suite):
    s = suite()
    half = Lookup(s)
    half.socket.sendall(struct.pack(">I", 1000) + b"\x07resolve")
    ask(s)
    half.close()
    ask(s)


def test_a_peer_that_takes_no_answers_is_dropped(suite):
    s = suite()
    deaf = Lookup(s)
    deaf.socket.settimeout(0.2)
    try:
        while True:
            deaf.send("resolve", sender="alice@example.test", **MAIN, recipients=[
                {"address": f"nobody{i}@example.test"} for i in range(500)])
    except (TimeoutError, BrokenPipeError, ConnectionResetError):
        pass
    ask(s)
    deaf.close()


def test_a_giant_length_is_refused_at_once(suite):
    s = suite()
    giant = Lookup(s)
    giant.socket.sendall(struct.pack(">I", 0xFFFFFFFF))
    until_closed(giant.socket)
    s.wait_log("lookup.*protocol error")
    ask(s)


def test_rubbish_ends_the_connection_and_nothing_else(suite):
    s = suite()
    for rubbish in (b"\0\0\0\1\0", b"\0\0\0\0", b"\0\0\0\x05\4helo",
                    b"GET / HTTP/1.0\r\n\r\n"):
        with socket.socket(socket.AF_UNIX) as c:
            c.connect(str(s.root / "spool/private/lookup"))
            c.sendall(rubbish)
            c.shutdown(socket.SHUT_WR)
            c.settimeout(DEADLINE)
            until_closed(c)
    pids = set(s.processes("lookup"))
    ask(s)
    # another may be started at any time, but none has ended
    assert pids and pids <= set(s.processes("lookup"))


RUBBISH = [b"", b"\0", b"\n" * 5000, b"\xff" * 70000, b"W" * 3000, b"\0\0\0\0",
           b"\0\0\0\x01", b"\0\0\0\x05\x05hello", b"\x7f\xff\xff\xff\x05",
           b"\0\0\0\x1a\x05hello\x08protocol\0\0\0\0\x05queue",
           b"GET / HTTP/1.0\r\n\r\n", b"get\0table\0key\0" * 100]


def test_rubbish_on_every_socket_closes_that_connection_alone(suite):
    """CVE-2025-62875: whoever reaches a socket, and whatever is said."""
    s = suite(main="auth_mechanisms = plain\n")
    s.send()
    s.wait_messages("bob")
    sockets = [p for p in (s.root / "spool").rglob("*") if p.is_socket()]
    assert len(sockets) > 15
    for path in sockets:
        for data in RUBBISH:
            # a stream that closes, one that goes on to read, or datagrams
            kind = socket.SOCK_DGRAM if path.name == "log" else \
                socket.SOCK_STREAM
            with socket.socket(socket.AF_UNIX, kind) as c:
                c.settimeout(DEADLINE)
                c.connect(str(path))
                if path.name == "log":
                    c.send(data[:2000])
                    continue
                # it may have been enough before all was said
                with contextlib.suppress(ConnectionError):
                    c.sendall(data)
                    c.shutdown(socket.SHUT_WR)
                until_closed(c)
    s.send()
    assert len(s.wait_messages("bob", 2)) == 2
    s.pop3().quit()
    s.imap(tls="starttls").logout()
    assert s.command("postqueue", "-p").out == "Mail queue is empty\n"
    assert "throttl" not in s.log() and "panic" not in s.log()


def processor_ticks(pid):
    text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    return sum(map(int, text[text.rindex(")") + 2:].split()[11:13]))


def test_too_many_connections_wait_and_the_rest_is_served(suite):
    s = suite(master="lookup unix - - n - 200 lookup\n")
    first = Lookup(s)
    many = []
    for _ in range(300):
        c = socket.socket(socket.AF_UNIX)
        c.connect(str(s.root / "spool/private/lookup"))
        many.append(c)
    last = Lookup(s)
    s.wait_log(r"service lookup has reached its limit of 200 sessions: new "
               "clients wait")
    pids = s.processes("lookup")
    before = sum(map(processor_ticks, pids))
    for _ in range(10):
        first.send("resolve", sender="", **MAIN, recipients=[
            {"address": "bob@example.test"}])
        assert first.receive()[0] == "resolve_reply"
        time.sleep(0.1)  # a second for it to burn, in all
    # it does not look at the listener all the time: a tick is 10 ms
    assert sum(map(processor_ticks, pids)) - before < 20 * len(pids)
    last.send("resolve", sender="", **MAIN, recipients=[
        {"address": "bob@example.test"}])
    for c in many:
        c.close()
    assert last.receive()[0] == "resolve_reply"
    first.close()
    last.close()
    ask(s)


def test_another_process_serves_those_that_are_too_many(suite):
    s = suite()
    many = []
    for _ in range(4097):
        c = socket.socket(socket.AF_UNIX)
        c.connect(str(s.root / "spool/private/lookup"))
        many.append(c)
    ask(s)
    for c in many:
        c.close()
