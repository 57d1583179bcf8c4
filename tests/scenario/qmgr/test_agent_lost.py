# SPDX-License-Identifier: ISC
"""An agent's death is not the mail's fault: it waits for seconds, never for
minimal_backoff_time or queue_run_delay (300 s each here), whoever schedules
meanwhile."""
import os
import signal
import threading
import time

import pytest

from peers import FakeServer
from posthaste import DEADLINE, freeze, kill_all, wait_for

SECONDS = 45  # ten, and a machine that has other work


def reload(s):
    s.posthaste("reload")


def kill_qmgr(s):
    kill_all(s.processes("qmgr"))


def nothing(s):
    pass


@pytest.mark.parametrize("then", [nothing, reload, kill_qmgr])
def test_tried_again_in_seconds(suite, then):
    go = threading.Event()

    def final(_):
        go.wait(DEADLINE)
        return "250 2.0.0 Ok"

    with FakeServer(replies={".": final}) as server:
        s = suite(main=f"relayhost = [127.0.0.1]:{server.port}\n")
        id = s.send(to="x@relay.test")
        wait_for("DATA", lambda: "DATA" in server.commands)
        kill_all(s.processes("smtp"))
        s.wait_log(rf"{id}: .*status=deferred.* ended unexpectedly")
        wait_for("it to be put off", lambda: s.queue("deferred") == [id])
        go.set()
        then(s)
        s.wait_empty(deadline=SECONDS)


def has_open(pid, name):
    try:
        links = [os.readlink(f"/proc/{pid}/fd/{fd}")
                 for fd in os.listdir(f"/proc/{pid}/fd")]
    except OSError:
        return False  # one was closed meanwhile
    return any(link.endswith(name) for link in links)


def test_connection_that_waited_dies_with_the_request(suite):
    """The message had nothing to do with it: another agent, at once."""
    s = suite()
    s.send(body="first\r\n")
    s.wait_messages("bob")
    s.wait_log(": removed")
    agent = int(s.wait_log(r"posthaste/virtual\[(\d+)\]")[1])
    (qmgr,) = s.processes("qmgr")
    freeze(lambda: [agent])
    id = s.send(body="second\r\n")
    s.wait_log(rf"{id}: .*\(queue active\)")
    wait_for("the request", lambda: has_open(qmgr, id))
    time.sleep(0.2)  # opened, and sent
    os.kill(agent, signal.SIGKILL)
    s.wait_messages("bob", 2, SECONDS)
    s.wait_log(rf"{id}: removed")
    assert "lost connection" not in s.log()
    assert "status=deferred" not in s.log()


def test_agent_that_died_at_rest_is_replaced(suite):
    """qmgr kept a connection to it, and does not look before it asks."""
    s = suite()
    s.send(body="first\r\n")
    s.wait_messages("bob")
    s.wait_log(": removed")
    agent = int(s.wait_log(r"posthaste/virtual\[(\d+)\]")[1])
    kill_all([agent])
    id = s.send(body="second\r\n")
    s.wait_messages("bob", 2, SECONDS)
    s.wait_log(rf"{id}: removed")
    assert "lost connection" not in s.log()
    assert "status=deferred" not in s.log()
