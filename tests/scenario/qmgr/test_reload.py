# SPDX-License-Identifier: ISC
"""A new generation of qmgr takes over while the old one finishes."""
import collections
import re
import threading
import time

from peers import FakeServer
from posthaste import DEADLINE, wait_for


def test_delivery_in_flight_is_finished_once(suite):
    go = threading.Event()

    def final(_):
        go.wait(DEADLINE)
        return "250 2.0.0 Ok"

    with FakeServer(replies={".": final}) as server:
        s = suite(main=f"relayhost = [127.0.0.1]:{server.port}\n"
                       "minimal_backoff_time = 1s\nqueue_run_delay = 1s\n")
        slow = s.send(to="x@relay.test")
        wait_for("DATA", lambda: "DATA" in server.commands)
        (old,) = s.processes("qmgr")
        s.posthaste("reload")
        wait_for("two generations", lambda: len(s.processes("qmgr")) == 2)
        s.send(to="bob@example.test")
        s.wait_messages("bob")
        go.set()
        wait_for("the old one's end", lambda: old not in s.processes("qmgr"))
        s.wait_empty()
        assert len(server.messages) == 1, server.commands
        s.wait_log(f"{slow}: removed")


def test_waiting_mail_moves_to_the_new_generation(suite):
    go = threading.Event()

    def final(_):
        go.wait(DEADLINE)
        return "250 2.0.0 Ok"

    with FakeServer(replies={".": final}) as server:
        s = suite(main=f"relayhost = [127.0.0.1]:{server.port}\n"
                       "smtp_destination_concurrency_limit = 1\n")
        ids = [s.send(to=f"x{i}@relay.test") for i in range(10)]
        wait_for("DATA", lambda: "DATA" in server.commands)
        s.posthaste("reload")
        go.set()
        s.wait_empty()
        assert len(server.messages) == len(ids)


def test_reloads_under_load_lose_and_repeat_nothing(suite):
    s = suite()
    stop = threading.Event()

    def reloads():
        while not stop.wait(0.2):
            s.posthaste("reload", check=False)

    thread = threading.Thread(target=reloads)
    thread.start()
    try:
        for i in range(150):
            s.send(to="bob@example.test", body=f"number {i}.\n")
    finally:
        stop.set()
        thread.join()
    s.wait_empty()
    bodies = b"".join(s.messages("bob"))
    for i in range(150):
        assert bodies.count(f"number {i}.\r\n".encode()) == 1, i


class MoodyServer(FakeServer):
    """Takes ok*, refuses no*, and takes those of wait* whose senders have
    been warned; a message takes it a moment."""

    def __init__(self):
        self.warned = set()
        super().__init__(replies={"RCPT": self.judge, ".": self.taken})

    def judge(self, line):
        name = re.search(r"<(\w+)@", line).group(1)
        if name.startswith("no"):
            return "550 5.1.1 no such user"
        if name.startswith("wait") and name not in self.warned:
            return "451 4.2.0 not yet"
        return "250 2.1.5 Ok"

    @staticmethod
    def taken(_):
        time.sleep(0.05)  # so that the reload comes amid them
        return "250 2.0.0 Ok"

    def count(self, name):
        return sum(f"<{name}@" in to for _, tos, _ in self.messages
                   for to in tos)


def test_reloads_under_mixed_load_end_everything_once(suite):
    """Deliveries, failures, deferrals, delay warnings, and local failures;
    all have one end, and nothing is left lying in incoming or report."""
    with MoodyServer() as server:
        s = suite(main=f"relayhost = [127.0.0.1]:{server.port}\n"
                       "minimal_backoff_time = 1s\nqueue_run_delay = 1s\n"
                       "maximal_backoff_time = 1s\ndelay_warning_time = 1s\n"
                       "local_recipient_maps =\n"
                       "smtp_destination_concurrency_limit = 5\n")
        stop = threading.Event()
        ids = []

        def reloads():
            while not stop.wait(0.1):
                s.posthaste("reload", check=False)
                all_warned()

        def all_warned():
            told = set(re.findall(r"(\w+): sender delay notification",
                                  s.log()))
            server.warned |= {f"wait{i}" for i, queue_id in
                              enumerate(list(ids)) if queue_id in told}
            return len(server.warned) == 60

        thread = threading.Thread(target=reloads)
        thread.start()
        try:
            for i in range(60):
                ids.append(s.send(
                    sender="alice@example.test", body=f"number {i}.\n",
                    to=[f"ok{i}@relay.test", f"no{i}@relay.test",
                        f"wait{i}@relay.test", f"unknown{i}@local.test"]))
                s.send(to="bob@example.test", body=f"number {i}.\n")
                s.send(sender="alice@example.test",
                       to=f"lone{i}@local.test")
        finally:
            stop.set()
            thread.join()
        wait_for("all warnings", all_warned)
        s.wait_empty()
        assert not s.queue()
        for queue_id in ids:
            s.wait_log(f"{queue_id}: removed")
        log = s.log()
        reports = [m.decode() for m in s.messages("alice")]
        bodies = b"".join(s.messages("bob"))
        for i, queue_id in enumerate(ids):
            assert bodies.count(f"number {i}.\r\n".encode()) == 1, i
            about = [r for r in reports
                     if f"X-Posthaste-Queue-ID: {queue_id}\r\n" in r]
            told = collections.Counter(
                (to.split("@")[0].rstrip("0123456789"), action)
                for r in about for to, action in re.findall(
                    r"Final-Recipient: rfc822; (\S+)\r\n"
                    r"(?:[^\r]+\r\n)*?Action: (\w+)", r))
            assert told == {("no", "failed"): 1, ("unknown", "failed"): 1,
                            ("wait", "delayed"): 1}, (i, told)
            assert server.count(f"ok{i}") == server.count(f"wait{i}") == 1, i
            assert log.count(f"{queue_id}: removed") == 1
        ends = collections.Counter(re.findall(
            r"(\w+): to=<([^>]+)>.* status=(?:sent|bounced)", log))
        assert set(ends.values()) == {1}, ends.most_common(3)
        assert len([r for r in reports if "lone" in r]) == 60
