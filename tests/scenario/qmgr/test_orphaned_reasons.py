# SPDX-License-Identifier: ISC
"""A reason of a deferral whose message went while no qmgr was there."""
import socket

from posthaste import wait_for

MAIN = "transport_maps = inline:{defer.test=smtp:[127.0.0.1]:9}\n"


def wake(s):
    """As master does each minute: qmgr looks at what came."""
    with socket.socket(socket.AF_UNIX) as c:
        c.connect(str(s.root / "spool/public/qmgr"))
        c.send(b"W")


def deferred(s):
    """(message, note) of one that waits for its next attempt."""
    name = s.send(to="x@defer.test")
    return [wait_for(f"{name} in {queue}", lambda: list(
        (s.root / "spool" / queue).rglob(name)))[0]
        for queue in ("deferred", "defer")]


def test_is_swept_and_others_stay(suite):
    s = suite(main=MAIN)
    _, kept = deferred(s)
    message, orphan = deferred(s)
    message.unlink()  # as by a rename into a mailbox

    def swept():
        wake(s)
        return not orphan.exists()

    wait_for("the orphan to go", swept)
    assert kept.exists()
