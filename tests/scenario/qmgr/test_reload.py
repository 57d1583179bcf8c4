# SPDX-License-Identifier: ISC
"""A new generation of qmgr takes over while the old one finishes."""
import threading

from peers import FakeServer
from posthaste import wait_for


def test_delivery_in_flight_is_finished_once(suite):
    go = threading.Event()

    def final(_):
        go.wait(20)
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
        go.wait(20)
        return "250 2.0.0 Ok"

    with FakeServer(replies={".": final}) as server:
        s = suite(main=f"relayhost = [127.0.0.1]:{server.port}\n"
                       "smtp_destination_concurrency_limit = 1\n")
        ids = [s.send(to=f"x{i}@relay.test") for i in range(10)]
        wait_for("DATA", lambda: "DATA" in server.commands)
        s.posthaste("reload")
        go.set()
        s.wait_empty(40)
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
    s.wait_empty(60)
    bodies = b"".join(s.messages("bob"))
    for i in range(150):
        assert bodies.count(f"number {i}.\r\n".encode()) == 1, i
