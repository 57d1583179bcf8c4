# SPDX-License-Identifier: ISC
"""A slow server of accounts holds up the recipients that may be its, each for
itself, and no others."""
import threading
import time

import scripted_redis
from posthaste import wait_for

COUNT = 12


def rcpt(s, name, took):
    with s.smtp(timeout=100) as c:
        c.ehlo()
        c.mail("x@y.test")
        start = time.monotonic()
        assert c.rcpt(f"{name}@example.test")[0] == 250
        took[name] = time.monotonic() - start


def test_recipients_do_not_queue_up(suite):
    redis = scripted_redis.Redis(scripted_redis.slowly(2))
    s = scripted_redis.site(suite, redis, files="alice",
                            main="account_quota = *:storage=1G\n")
    s.stop()
    s.write("mailboxes", "".join(
        f"{name}@example.test example.test/{name}/\n"
        for name in ["alice", *(f"u{i}" for i in range(COUNT))]))
    s.start()
    took = {}
    threads = [threading.Thread(target=rcpt, args=(s, f"u{i}", took))
               for i in range(COUNT)]
    for t in threads:
        t.start()
    wait_for("a question to be under way", lambda: redis.asked)
    rcpt(s, "alice", took)
    for t in threads:
        t.join()
    assert took.pop("alice") < 1.5
    assert len(took) == COUNT
    # one after the other they would take twice the number
    assert max(took.values()) < COUNT, took
    redis.close()
