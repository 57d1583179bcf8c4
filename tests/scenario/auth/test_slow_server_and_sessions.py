# SPDX-License-Identifier: ISC
"""An account on a server that is slow keeps nobody else from a session: tickets
are redeemed side by side."""
import collections
import threading
import time

import pytest

import scripted_redis
from posthaste import kill_all, wait_for
from test_table_accounts import login

# auth asks, and then the session stage does; both keep it for a second
LAST = 2
SLOW, OTHERS = "u0@example.test", [f"u{i}@example.test" for i in range(1, 4)]


class Held:
    """The last question about SLOW waits to be released."""

    def __init__(self):
        self.asked = collections.Counter()
        self.reached, self.released = threading.Event(), threading.Event()

    def answer(self, key):
        self.asked[key] += 1
        if key == SLOW and self.asked[key] == LAST:
            self.reached.set()
            self.released.wait(60)
        return scripted_redis.entry(key)


def password(user):
    return "pw-" + user.split("@")[0]


@pytest.mark.parametrize("protocol", ["pop3", "imap"])
def test_others_have_their_sessions_meanwhile(suite, protocol):
    held = Held()
    redis = scripted_redis.Redis(held.answer)
    s = scripted_redis.site(suite, redis)
    said = []
    slow = threading.Thread(target=lambda: said.append(
        login(s, protocol, SLOW, password(SLOW))))
    slow.start()
    assert held.reached.wait(20)
    start = time.monotonic()
    for user in OTHERS:
        assert login(s, protocol, user, password(user)) == ""
    assert time.monotonic() - start < 15  # of twenty that are waited
    assert not said
    held.released.set()
    slow.join()
    assert said == [""]
    redis.close()


@pytest.mark.parametrize("protocol", ["pop3", "imap"])
def test_who_waits_when_auth_session_ends(suite, protocol):
    """Somebody else redeems the ticket, or the client is told at once."""
    held = Held()
    redis = scripted_redis.Redis(held.answer)
    s = scripted_redis.site(suite, redis)
    s.may_crash = True
    said = []
    slow = threading.Thread(target=lambda: said.append(
        login(s, protocol, SLOW, password(SLOW))))
    slow.start()
    assert held.reached.wait(20)
    kill_all(s.processes("auth-session"))
    wait_for("its end", lambda: said, 15)
    slow.join()
    held.released.set()
    assert len(said) == 1
    assert login(s, protocol, OTHERS[0], password(OTHERS[0])) == ""
    redis.close()
