# SPDX-License-Identifier: ISC
"""Slow senders hold a task, and cleanup only for as long as bytes earn it."""
import select

from peers import Dialogue
from posthaste import wait_for


def begin(s):
    d = Dialogue(s.ports["smtp"])
    d.script("""S: 220
        C: EHLO client.test
        S: 250
        C: MAIL FROM:<a@b.test>
        S: 250
        C: RCPT TO:<bob@example.test>
        S: 250
        C: DATA
        S: 354""")
    return d


def test_slow_small_messages_hold_no_cleanup(suite):
    s = suite()
    slow = [begin(s) for _ in range(20)]
    for d in slow:
        d.send(b"Subject: slow\r\n\r\n" + b"x" * 60 + b"\r\n")
    s.send()
    s.wait_messages("bob")
    assert len(s.processes("cleanup")) <= 1
    for d in slow:
        d.send(b".\r\n")
        assert d.reply().startswith("250")
        d.close()
    s.wait_messages("bob", 21)


def test_stalled_large_message_lets_cleanup_go(suite):
    s = suite(main="smtpd_timeout = 2s\nsmtpd_min_data_rate = 1000000\n")
    d = begin(s)
    d.send(b"Subject: large\r\n\r\n" + (b"y" * 70 + b"\r\n") * 3000)
    wait_for("a stream to cleanup", lambda: s.queue("incoming"))
    # a byte now and then is no progress
    end = wait_for("the end of it", lambda: stalled(d))
    assert end.startswith("421") or end == "closed"
    wait_for("nothing left of it", lambda: not s.queue("incoming"))


def stalled(d):
    """What the server said when it had enough; a byte meanwhile."""
    try:
        d.send(b"z")
        if select.select([d.socket], [], [], 0.3)[0]:
            return d.reply() or "closed"
    except OSError:
        return "421 closed"
    return None
