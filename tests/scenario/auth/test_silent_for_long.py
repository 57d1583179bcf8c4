# SPDX-License-Identifier: ISC
"""A table whose timeout is longer than anybody waits is known to be down all
the same."""
import time

import scripted_redis
from ipc_client import Ipc

LATER = 1


def find(s, name):
    c = Ipc(s, "auth-session", "auth")
    c.socket.settimeout(60)
    start = time.monotonic()
    try:
        said = c.ask("find_account", address=name, local=False)[1]
        assert said["verdict"] == LATER
        return time.monotonic() - start
    finally:
        c.close()


def test_the_second_question_does_not_wait(suite):
    redis = scripted_redis.Redis(lambda key: None)
    s = scripted_redis.site(suite, redis, timeout=60)
    assert 10 < find(s, "u1@example.test") < 20
    assert find(s, "u2@example.test") < 3
    redis.close()
