# SPDX-License-Identifier: ISC
"""Who is served, how many at a time, and that nobody starves."""
import threading
import time

from peers import FakeServer
from posthaste import DEADLINE, wait_for


class Counting(FakeServer):
    """Counts sessions that are inside a transaction at the same time."""

    def __init__(self, limit, **options):
        self.lock = threading.Lock()
        self.now = self.most = 0
        self.full = threading.Event()
        self.limit = limit
        super().__init__(replies={"DATA": self.enter, ".": self.leave},
                         **options)

    def enter(self, _):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
            if self.now >= self.limit:
                self.full.set()
        # all that may come are here, and one more would come meanwhile
        self.full.wait(DEADLINE / 2)
        time.sleep(0.1)  # for one more
        return "354 go on"

    def leave(self, _):
        with self.lock:
            self.now -= 1
        return "250 2.0.0 Ok"


def test_concurrency_limit_of_a_destination(suite):
    with Counting(3) as server:
        s = suite(main=f"relayhost = [127.0.0.1]:{server.port}\n"
                       "smtp_destination_concurrency_limit = 3\n")
        for i in range(20):
            s.send(to=f"x{i}@relay.test")
        server.wait(20)
        s.wait_empty()
        assert server.most == 3


def test_recipient_limit_of_a_request(suite):
    with FakeServer() as server:
        s = suite(main=f"relayhost = [127.0.0.1]:{server.port}\n"
                       "smtp_destination_recipient_limit = 10\n")
        s.send(to=[f"x{i}@relay.test" for i in range(35)])
        wait_for("35 recipients", lambda: sum(
            len(r) for _, r, _ in list(server.messages)) == 35)
        assert max(len(r) for _, r, _ in server.messages) == 10
        s.wait_empty()


def test_rate_delay_spaces_deliveries(suite):
    with FakeServer() as server:
        s = suite(main=f"relayhost = [127.0.0.1]:{server.port}\n"
                       "smtp_destination_rate_delay = 1s\n")
        begin = time.monotonic()
        for i in range(4):
            s.send(to=f"x{i}@relay.test")
        server.wait(4)
        assert time.monotonic() - begin >= 2.9
        s.wait_empty()


def test_slow_destination_does_not_delay_others(suite):
    release = threading.Event()

    def stall(_):
        release.wait(120)
        return "250 2.0.0 Ok"

    with FakeServer(replies={".": stall}) as slow:
        s = suite(main=f"relayhost = [127.0.0.1]:{slow.port}\n")
        for i in range(30):
            s.send(to=f"x{i}@slow.test")
        s.send(to="bob@example.test")
        s.wait_messages("bob")
        assert slow.messages == [] and not release.is_set()
        release.set()
        s.wait_empty()
        assert len(slow.messages) == 30


def test_small_active_queue_delivers_all(suite):
    s = suite(main="qmgr_message_active_limit = 3\n")
    with s.smtp() as session:
        for i in range(40):
            s.send_on(session, "alice@example.test", ["bob@example.test"],
                      f"Subject: {i}\r\n\r\n{i}\r\n")
    s.wait_messages("bob", 40)
    s.wait_empty()
