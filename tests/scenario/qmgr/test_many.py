# SPDX-License-Identifier: ISC
"""Many recipients, many requests, many messages."""
import re

from peers import FakeServer
from posthaste import wait_for


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


def test_flood_of_flushes_is_one_scan_at_a_time(suite):
    s = suite(main="relayhost = [127.0.0.1]:9\n"
                   "minimal_backoff_time = 1000s\n")
    queue_id = s.send(to="x@relay.test")
    wait_for("deferral", lambda: s.queue("deferred") == [queue_id])
    for _ in range(60):
        s.command("postqueue", "-f")
    s.send(to="bob@example.test")
    s.wait_messages("bob")
    wait_for("another attempt",
             lambda: s.log().count("status=deferred") >= 2)
    wait_for("its end", lambda: s.queue() == [queue_id] ==
             s.queue("deferred"))
    assert s.log().count("status=deferred") <= 61
