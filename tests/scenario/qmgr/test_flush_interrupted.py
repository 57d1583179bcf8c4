# SPDX-License-Identifier: ISC
"""What postqueue asked for outlives the qmgr that was asked."""
import os
import signal
import time

import pytest

from peers import FakeServer
from posthaste import free_port, wait_for

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
    wait_for("nothing asked for", lambda: (
        s.root / "spool/pid/qmgr.asked").stat().st_size == 0)
