# SPDX-License-Identifier: ISC
"""What cleanup could not tell qmgr is found at once all the same."""
import os
import signal
import time

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
