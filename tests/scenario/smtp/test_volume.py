# SPDX-License-Identifier: ISC
"""Many recipients, large messages, slow servers, and changes meanwhile."""
import signal
import threading
import time

from peers import FakeServer, Server
from posthaste import DEADLINE, signal_all, wait_for


def test_several_hundred_recipients_in_batches(suite):
    with FakeServer() as sink:
        s = suite(main=f"relayhost = [127.0.0.1]:{sink.port}\n"
                  "smtp_destination_recipient_limit = 400\n")
        to = [f"user{i}@remote.test" for i in range(350)]
        s.send(to=to)
        sink.wait()
        s.wait_empty()
        got = [r for m in sink.messages for r in m[1]]
        assert sorted(got) == sorted(f"RCPT TO:<{a}>" for a in to)


def test_large_message_arrives_whole(suite):
    lines = [f"{i:08d} " + "x" * (i % 70) for i in range(300000)]
    with FakeServer() as sink:
        s = suite(main=f"relayhost = [127.0.0.1]:{sink.port}\n")
        s.send(to="x@remote.test", body="\r\n".join(lines) + "\r\n",
               timeout=DEADLINE)
        (_, _, content), = sink.wait()
        assert content.split(b"\r\n\r\n", 1)[1].decode().split("\r\n") == \
            lines + [""]


def test_server_that_stops_reading_times_out(suite):
    stop = threading.Event()

    def handle(connection):
        f = connection.makefile("rb")
        connection.sendall(b"220 slow ESMTP\r\n")
        for reply in (b"250 slow\r\n", b"250 ok\r\n", b"250 ok\r\n",
                      b"354 go\r\n"):
            f.readline()
            connection.sendall(reply)
        stop.wait(DEADLINE)

    with Server(handle) as slow:
        s = suite(main=f"relayhost = [127.0.0.1]:{slow.port}\n"
                  "smtp_data_xfer_timeout = 1s\n")
        s.send(to="x@remote.test", body=("y" * 76 + "\r\n") * 200000,
               timeout=DEADLINE)
        s.wait_log(r"dsn=4.4.2, status=deferred \(conversation with .* timed "
                   "out while sending message body")
        stop.set()


def test_reply_in_the_middle_of_the_content_is_the_reason(suite):
    def handle(connection):
        f = connection.makefile("rb")
        connection.sendall(b"220 full ESMTP\r\n")
        for reply in (b"250 full\r\n", b"250 ok\r\n", b"250 ok\r\n",
                      b"354 go\r\n"):
            f.readline()
            connection.sendall(reply)
        f.read(100000)
        connection.sendall(b"552 5.3.4 that is enough\r\n")
        connection.shutdown(1)
        try:  # what is under way is read, or a reset would eat the reply
            while f.read(65536):
                pass
        except OSError:
            pass

    with Server(handle) as full:
        s = suite(main=f"relayhost = [127.0.0.1]:{full.port}\n")
        s.send(to="x@remote.test", body=("y" * 76 + "\r\n") * 30000,
               timeout=DEADLINE)
        s.wait_log(r"dsn=5.3.4, status=bounced .*552 5.3.4 that is enough")


def test_reload_lets_a_delivery_finish(suite):
    go = threading.Event()

    def slow(line):
        assert go.wait(DEADLINE)
        return "250 2.0.0 Ok"

    with FakeServer(replies={".": slow}) as sink:
        s = suite(main=f"relayhost = [127.0.0.1]:{sink.port}\n")
        qid = s.send(to="x@remote.test")
        wait_for("the content", lambda: any(
            c.startswith("DATA") for c in sink.commands))
        s.posthaste("reload")
        s.send(to="bob@example.test")
        s.wait_messages("bob")
        go.set()
        s.wait_log(rf"{qid}: to=<x@remote.test>, .*status=sent")
        s.wait_empty()
        assert len(sink.messages) == 1


def test_stop_does_not_wait_for_a_silent_server(suite):
    def handle(connection):
        connection.recv(1000)

    with Server(handle) as mute:
        s = suite(main=f"relayhost = [127.0.0.1]:{mute.port}\n")
        qid = s.send(to="x@remote.test")
        wait_for("a connection", lambda: mute.connections)
        start = time.monotonic()
        s.stop()
        # nor for the minutes that a server may take
        assert time.monotonic() - start < 60
        assert qid in " ".join(s.queue())


def test_verification_asks_and_sends_nothing(suite):
    def rcpt(line):
        return "550 5.1.1 no" if "<no@" in line else "250 2.1.5 yes"

    with FakeServer(replies={"RCPT": rcpt}) as sink:
        s = suite(main=f"relayhost = [127.0.0.1]:{sink.port}\n")
        s.command("sendmail", "-bv", "-f", "alice@example.test",
                  "yes@remote.test", "no@remote.test")
        s.wait_log(r"to=<yes@remote.test>, .*status=deliverable \(250 2.1.5 "
                   r"yes\)")
        s.wait_log(r"to=<no@remote.test>, .*status=undeliverable \(host .*"
                   "550 5.1.1 no")
        assert not sink.messages
        assert not any(c.startswith("DATA") for c in sink.commands)


def test_client_killed_in_the_middle_loses_nothing(suite):
    stop = threading.Event()

    def slow(line):
        stop.wait(10)
        return "250 2.0.0 Ok"

    replies = {".": slow}
    with FakeServer(replies=replies) as sink:
        s = suite(main=f"relayhost = [127.0.0.1]:{sink.port}\n"
                  "minimal_backoff_time = 1s\nqueue_run_delay = 1s\n"
                  "transport_retry_time = 1s\n")
        s.send(to="x@remote.test")
        wait_for("the content", lambda: any(
            c.startswith("DATA") for c in sink.commands))
        del replies["."]
        signal_all(s.processes("smtp"), signal.SIGKILL)
        s.wait_log(r"to=<x@remote.test>, .*status=sent \(250")
        s.wait_empty()
        stop.set()
