# SPDX-License-Identifier: ISC
"""kill -9 of qmgr: nothing is lost, no report is sent twice."""
import os
import random
import re
import signal
import threading
import time

from peers import FakeServer
from posthaste import wait_for

QUICK = "minimal_backoff_time = 1s\nmaximal_backoff_time = 2s\n" \
        "queue_run_delay = 1s\n"


def kill(s, program="qmgr"):
    pids = s.processes(program)
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    return pids


def test_killed_while_an_agent_delivers(suite):
    go = threading.Event()

    def final(_):
        go.wait(10)
        return "250 2.0.0 Ok"

    with FakeServer(replies={".": final}) as server:
        s = suite(main=f"relayhost = [127.0.0.1]:{server.port}\n" + QUICK)
        s.send(to="x@relay.test")
        wait_for("DATA", lambda: "DATA" in server.commands)
        (old,) = kill(s)
        wait_for("a new qmgr",
                 lambda: s.processes("qmgr") not in ([], [old]))
        go.set()
        server.wait()
        s.wait_empty()


def test_restart_finds_everything(suite):
    s = suite()
    kill(s)
    sent = 0
    end = time.monotonic() + 3
    while time.monotonic() < end:
        s.send(to="bob@example.test", body=f"number {sent}\n")
        sent += 1
        if sent % 7 == 0:
            kill(s)
    s.wait_empty()
    bodies = b"".join(s.messages("bob"))
    for i in range(sent):
        assert f"number {i}\r\n".encode() in bodies, i


def test_each_failure_is_reported_exactly_once(suite):
    """However often qmgr, bounce and cleanup die in between."""
    with FakeServer(replies={"RCPT": "550 5.1.1 no such user"}) as server:
        s = suite(main=f"relayhost = [127.0.0.1]:{server.port}\n" + QUICK)
        s.send(to="bob@example.test")  # his mailbox is there: from now on
        s.wait_messages("bob")         # delivery is a rename, never a copy
        noise = random.Random(7)
        stop = threading.Event()

        def killer():
            while not stop.wait(noise.uniform(0.02, 0.25)):
                kill(s, noise.choice(["qmgr", "qmgr", "bounce"]))

        thread = threading.Thread(target=killer)
        thread.start()
        ids = []
        try:
            for i in range(40):
                ids.append(s.send(to=[f"a{i}@relay.test",
                                      f"b{i}@relay.test"],
                                  sender="bob@example.test",
                                  subject=f"number {i}."))
        finally:
            stop.set()
            thread.join()
        s.wait_empty()
        reports = [m.decode() for m in s.messages("bob")]
        for i, queue_id in enumerate(ids):
            about = [r for r in reports
                     if f"X-Posthaste-Queue-ID: {queue_id}\r\n" in r]
            for user in ("a", "b"):
                final = f"Final-Recipient: rfc822; {user}{i}@relay.test"
                ids_of = [re.search(r"^Message-ID: (\S+)", r, re.M).group(1)
                          for r in about if final in r]
                assert len(ids_of) == 1, (queue_id, user, ids_of)


def test_file_without_notice_is_found(suite):
    """cleanup's notice is lost when qmgr is not there to hear it."""
    s = suite()
    queue_id = s.send(to="bob@example.test")
    s.wait_empty()
    assert queue_id
    for _ in range(5):
        kill(s)
        s.send(to="bob@example.test")
    s.wait_messages("bob", 6)
