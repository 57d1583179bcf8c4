# SPDX-License-Identifier: ISC
"""sendmail -q, -qR and -qI: deferred mail is tried now, whole or in part."""
import pytest

from peers import FakeServer
from posthaste import free_port, wait_for

SLOW = "minimal_backoff_time = 1000s\nmaximal_backoff_time = 4000s\n" \
       "queue_run_delay = 1000s\n"


@pytest.fixture
def waiting(suite):
    """Three messages wait for a server that comes up now."""
    port = free_port()
    s = suite(main=f"relayhost = [127.0.0.1]:{port}\n" + SLOW)
    s.ids = {}
    for name in ("one.test", "two.test", "three.test"):
        s.ids[name] = s.send(to=f"x@{name}", subject=name)
    wait_for("three deferrals", lambda: len(s.queue("deferred")) == 3)
    with FakeServer(port=port) as s.server:
        yield s


def got(s):
    return {recipients[0] for _, recipients, _ in s.server.messages}


def test_all(waiting):
    assert waiting.command("sendmail", "-q").out == ""
    waiting.server.wait(3)
    waiting.wait_empty()


def test_one_site(waiting):
    waiting.command("sendmail", "-qRtwo.test")
    waiting.server.wait(1)
    waiting.wait_log(f"{waiting.ids['two.test']}: removed")
    assert got(waiting) == {"RCPT TO:<x@two.test>"}
    assert len(waiting.queue("deferred")) == 2


def test_one_message(waiting):
    waiting.command("sendmail", f"-qI{waiting.ids['three.test']}")
    waiting.server.wait(1)
    waiting.wait_log(f"{waiting.ids['three.test']}: removed")
    assert got(waiting) == {"RCPT TO:<x@three.test>"}
    assert len(waiting.queue("deferred")) == 2


def test_a_suite_that_is_down_is_told(suite):
    s = suite(start=False)
    for option in ("-q", "-qRone.test"):
        done = s.command("sendmail", option, check=False)
        assert done.returncode == 69
        assert done.err == ("postqueue: fatal: Cannot flush mail queue - mail "
                            "system is down\n")
