# SPDX-License-Identifier: ISC
"""Without auth a right password is nothing but one to try again."""
import base64
import os
import signal
import time

import pytest

from posthaste import PASSWORD

PLAIN = "AUTH PLAIN " + base64.b64encode(
    f"\0alice@example.test\0{PASSWORD}".encode()).decode()


def stop_auth(s):
    """It ends as soon as it is started."""
    s.may_crash = True
    state = s.root / "data/auth_state"
    state.unlink()
    state.mkdir()
    kill(s, "auth")


def kill(s, name):
    for pid in s.processes(name):
        os.kill(pid, signal.SIGKILL)


@pytest.fixture
def s(suite):
    s = suite()
    with s.smtp("submission", tls=True) as c:
        c.ehlo()
        assert c.docmd(PLAIN)[0] == 235
    return s


def test_its_last_list_stays(s):
    """Also when the next one has been asked for, in vain."""
    with s.smtp("submission", tls=True, timeout=60) as c:
        stop_auth(s)
        until = time.monotonic() + 30
        asked = after = 0
        while after < 3:
            assert time.monotonic() < until, "nobody asks for a list"
            start = time.monotonic()
            c.ehlo()
            assert time.monotonic() - start < 6
            assert c.has_extn("auth")
            asked = asked or "no answer from auth" in s.log() \
                or "no connection to service auth" in s.log()
            after += bool(asked)
            time.sleep(0.5)


def test_a_process_that_has_no_list(s):
    stop_auth(s)
    kill(s, "smtpd")
    with s.smtp("submission", tls=True, timeout=60) as c:
        start = time.monotonic()
        c.ehlo()
        assert not c.has_extn("auth")
        code, said = c.docmd(PLAIN)
        assert (code, said[:5]) == (454, b"4.7.0")
        # others do not wait for what just was not there
        c.ehlo()
        assert time.monotonic() - start < 25
