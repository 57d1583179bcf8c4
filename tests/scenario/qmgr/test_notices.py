# SPDX-License-Identifier: ISC
"""What cleanup could not tell qmgr is found at once all the same."""
import os
import signal
import time

from posthaste import wait_for

COUNT = 600  # notices: more than a socket holds


def test_qmgr_that_did_not_read_finds_the_rest_at_once(suite):
    s = suite()
    s.send(to="bob@example.test")
    s.wait_empty()
    time.sleep(3)  # qmgr's second pass over incoming; the next is in a minute
    (qmgr,) = s.processes("qmgr")
    os.kill(qmgr, signal.SIGSTOP)
    with s.smtp() as client:
        for i in range(COUNT):
            client.sendmail("a@example.test", ["bob@example.test"],
                            f"Subject: x\r\n\r\nnumber {i}.\r\n")
        assert len(s.queue("incoming")) == COUNT
        os.kill(qmgr, signal.SIGCONT)
        began = time.monotonic()
        s.wait_empty()
        assert time.monotonic() - began < 30
    assert len(s.messages("bob")) == COUNT + 1


def test_qmgr_that_cannot_be_reached_is_asked_less_and_less(suite):
    """And is told of all as soon as it can be."""
    s = suite()
    door = s.root / "spool/public/qmgr"
    door.rename(door.with_name("away"))
    began = time.monotonic()
    s.send(to="bob@example.test")
    wait_for("three attempts", lambda: s.log().count(
        "no connection to service qmgr") >= 3)
    assert time.monotonic() - began > 2.5  # at once, after one second, two
    door.with_name("away").rename(door)
    s.wait_messages("bob")
    assert time.monotonic() - began < 30
