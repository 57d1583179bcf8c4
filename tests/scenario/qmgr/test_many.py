# SPDX-License-Identifier: ISC
"""Many recipients, many requests, many messages."""
import ctypes
import os
import re
import signal
import struct

import pytest

from ipc_client import Ipc, frame
from peers import FakeServer
from posthaste import freeze, signal_all, wait_for

WAITING = 300  # messages that are deferred
LIBC = ctypes.CDLL(None, use_errno=True)


def test_1500_failures_are_all_reported(suite):
    with FakeServer(replies={"RCPT": "550 5.1.1 no"}) as server:
        s = suite(main=f"relayhost = [127.0.0.1]:{server.port}\n"
                       "smtpd_recipient_limit = 2000\n")
        s.send(to="bob@example.test")
        queue_id = s.send(to=[f"x{i}@relay.test" for i in range(1500)],
                          sender="bob@example.test")
        s.wait_log(rf"{queue_id}: removed")
        s.wait_empty()
        text = b"".join(s.messages("bob")).decode()
        found = re.findall(r"^Final-Recipient: rfc822; (\S+)\r$", text, re.M)
        assert sorted(found) == sorted(f"x{i}@relay.test"
                                       for i in range(1500))
        assert s.log().count("sender non-delivery notification") == 2


class Openings:
    """How often a directory is opened from now on: inotify(7)."""

    OPEN, CLOSE, OVERFLOW = 0x20, 0x10, 0x4000

    def __init__(self, path):
        self.seen = 0
        self.fd = LIBC.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        assert self.fd >= 0, os.strerror(ctypes.get_errno())
        # with what comes in between no two events are one
        assert LIBC.inotify_add_watch(
            self.fd, os.fsencode(path), self.OPEN | self.CLOSE) >= 0

    def count(self):
        while True:
            try:
                data = os.read(self.fd, 65536)
            except BlockingIOError:
                return self.seen
            while data:
                _, mask, _, size = struct.unpack_from("iIII", data)
                data = data[16 + size:]
                assert not mask & self.OVERFLOW
                # with a name it is something in there
                self.seen += bool(mask & self.OPEN) and size == 0

    def close(self):
        os.close(self.fd)


def requests(count, site=""):
    """To flush, as they go over the wire."""
    return frame("flush", {"queue_id": "", "site": site}) * count


def door(s):
    return Ipc(s, "../public/qmgr", "qmgr")


def deferring(suite, count):
    """An instance with so many messages that wait."""
    s = suite(main="relayhost = [127.0.0.1]:9\n"
                   "minimal_backoff_time = 1000s\n")
    with s.smtp() as c:
        for _ in range(count):
            s.send_on(c, "a@b.test", ["x@relay.test"],
                      "Subject: x\r\n\r\nx\r\n")
    wait_for("deferrals", lambda: len(s.queue("deferred")) == count)
    return s


@pytest.mark.parametrize("site", ["", "relay.test"], ids=["all", "site"])
def test_flood_of_flushes_is_one_scan_at_a_time(suite, site):
    s = deferring(suite, WAITING)
    attempts = s.log().count("status=deferred")
    openings = Openings(s.root / "spool/deferred")
    flood = door(s)
    asked, batch = 10000, 100  # of more, some answers would not be sent
    for _ in range(asked // batch):
        flood.socket.sendall(requests(batch, site))
        for _ in range(batch):
            assert flood.receive()[0] == "flush_noted"
        openings.count()
    flood.close()
    wait_for("another attempt of each", lambda: s.log().count(
        "status=deferred") >= attempts + WAITING)
    noted = s.root / "spool/pid/qmgr.asked"
    wait_for("nothing that is asked for", lambda: noted.stat().st_size == 0)
    # it has been done, not once for each who asked
    before, sent = 0, 0
    while before != openings.count():
        before = openings.count()
        assert before < asked // 10
        for _ in range(20):
            s.send(to="bob@example.test")
        sent += 20
        s.wait_messages("bob", sent)
    assert before >= 1
    openings.close()


def overtakes(s):
    """Is who asks behind thousands of requests answered amid them?"""
    flood = door(s)
    flood.ask("flush", queue_id="", site="")
    freeze(lambda: s.processes("qmgr"))
    flood.socket.sendall(requests(2000))
    other = door(s)
    other.send("flush", queue_id="", site="")
    signal_all(s.processes("qmgr"), signal.SIGCONT)
    assert other.receive()[0] == "flush_noted"
    left = flood.unread()
    flood.close()
    other.close()
    return left > 0


def test_others_have_their_turn_amid_a_flood_of_flushes(suite):
    s = deferring(suite, 20)
    # others' load may keep us from looking in time, but hardly each time
    assert any(overtakes(s) for _ in range(10))


def test_flood_of_flushes_does_not_keep_the_old_qmgr(suite):
    """It hears no more of it than of others: the next one has the queue."""
    s = suite()
    flood = door(s)
    flood.ask("flush", queue_id="", site="")
    (old,) = s.processes("qmgr")
    freeze(lambda: [old])
    flood.socket.sendall(requests(2000))
    s.posthaste("reload")
    wait_for("the next one", lambda: len(s.processes("qmgr")) == 2)
    os.kill(old, signal.SIGCONT)
    noted = 0
    with pytest.raises(OSError):  # closed amid what it has not read
        while flood.receive():
            noted += 1
    flood.close()
    # 16 at a turn, and few turns until it knows that it is to leave
    assert noted < 200
    wait_for("the old one's end", lambda: old not in s.processes("qmgr"))
    s.send(to="bob@example.test")
    s.wait_messages("bob")
