# SPDX-License-Identifier: ISC
"""What postqueue asked for outlives the qmgr that was asked."""
import os
import signal
import socket
import subprocess
import time

import pytest

from peers import FakeServer
from posthaste import ROOT, free_port, wait_for

COUNT = 12


@pytest.mark.parametrize("end", ["reload", "kill"])
@pytest.mark.parametrize("asked", [["-f"], ["-s", "relay.test"]])
def test_rest_of_the_queue_is_for_the_next_qmgr(suite, asked, end):
    port = free_port()
    s = suite(main=f"relayhost = [127.0.0.1]:{port}\n"
                   "minimal_backoff_time = 1000s\n"
                   "maximal_backoff_time = 4000s\n"
                   "qmgr_message_active_limit = 2\n")
    for i in range(COUNT):
        s.send(to=f"x{i}@relay.test")
    wait_for("deferrals", lambda: len(s.queue("deferred")) == COUNT)

    def slowly(_):
        time.sleep(0.5)
        return "250 2.0.0 Ok"

    with FakeServer(port=port, replies={".": slowly}) as server:
        s.command("postqueue", *asked)
        server.wait()
        if end == "reload":
            s.posthaste("reload")
        else:
            for pid in s.processes("qmgr"):
                os.kill(pid, signal.SIGKILL)
        s.wait_empty()
        # one that was under way when qmgr was killed may go twice
        assert COUNT <= len(server.messages) <= COUNT + 2
    nothing_asked(s)


def nothing_asked(s):
    wait_for("nothing asked for", lambda: (
        s.root / "spool/pid/qmgr.asked").stat().st_size == 0)


@pytest.mark.parametrize("asked", [["-f"], ["-s", "relay.test"]])
def test_what_was_tried_since_is_not_tried_again(suite, asked):
    port = free_port()
    s = suite(main=f"relayhost = [127.0.0.1]:{port}\n"
                   "minimal_backoff_time = 1000s\n"
                   "maximal_backoff_time = 4000s\n"
                   "qmgr_message_active_limit = 2\n")
    for i in range(COUNT):
        s.send(to=f"x{i}@relay.test")
    wait_for("deferrals", lambda: len(s.queue("deferred")) == COUNT)

    def slowly(_):
        time.sleep(0.2)
        return "450 4.2.0 later"

    with FakeServer(port=port, replies={"RCPT": slowly}) as server:
        def tried():
            return [c for c in server.commands if c.startswith("RCPT")]

        s.command("postqueue", *asked)
        wait_for("half of it", lambda: len(tried()) >= COUNT / 2)
        s.posthaste("reload")
        wait_for("each of them", lambda: len(set(tried())) == COUNT)
        nothing_asked(s)
        # a second time on a new connection is the same attempt; and one that
        # was under way may be tried by both
        assert s.log().count("status=deferred (host ") <= COUNT + 2


def test_one_that_ends_before_it_read_is_not_the_last_that_is_asked(suite):
    """A qmgr that took the connection and is gone: the next one is asked."""
    port = free_port()
    s = suite(main=f"relayhost = [127.0.0.1]:{port}\n"
                   "minimal_backoff_time = 1000s\n")
    s.send(to="x@relay.test")
    wait_for("deferral", lambda: len(s.queue("deferred")) == 1)
    door = s.root / "spool/public/qmgr"
    door.rename(door.with_name("next"))
    with FakeServer(port=port), socket.socket(socket.AF_UNIX) as ending:
        ending.bind(str(door))
        door.chmod(0o666)
        ending.listen()
        ending.settimeout(60)
        asks = subprocess.Popen(
            [ROOT / "sbin/postqueue", "-c", s.root / "etc", "-f"])
        connection, _ = ending.accept()
        wait_for("the question", lambda: connection.recv(
            100, socket.MSG_PEEK))
        door.with_name("next").rename(door)
        connection.close()
        assert asks.wait(60) == 0
        s.wait_empty()


def test_the_queue_that_cannot_be_read_is_asked_for_again(suite):
    """What was not seen stays noted."""
    s = suite(main="relayhost = [127.0.0.1]:9\nqueue_run_delay = 2s\n"
                   "minimal_backoff_time = 1000s\n")
    s.send(to="x@relay.test")
    wait_for("deferral", lambda: len(s.queue("deferred")) == 1)
    folder = s.root / "spool/deferred"
    folder.rename(folder.with_name("away"))
    folder.write_text("")
    s.command("postqueue", "-f")
    s.wait_log(r'cannot read the queue "deferred"')
    assert (s.root / "spool/pid/qmgr.asked").stat().st_size > 0
    folder.unlink()
    folder.with_name("away").rename(folder)
    nothing_asked(s)
    wait_for("a second attempt",
             lambda: s.log().count("status=deferred (connect to") == 2)
