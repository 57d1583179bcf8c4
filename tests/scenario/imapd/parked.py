# SPDX-License-Identifier: ISC
"""Connections on which nothing happens, for tests."""
import time

from posthaste import wait_for

SOON = "imap_hibernate_timeout = 1s\n"


def parent(s):
    return s.processes("imapd-session")[0]


def all_parked(s):
    """No process of a user is left: whatever is connected is parked."""
    wait_for("all to be parked",
             lambda: s.processes("imapd-session") == [parent(s)])


def stay_parked(s, seconds=2.5):
    """Nothing wakes them: their own process's ending does not, above all."""
    all_parked(s)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert s.processes("imapd-session") == [parent(s)]
        time.sleep(0.05)


def awake(s, n=1, seconds=2.5):
    """So many processes of users go on, although nothing happens."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert len(s.processes("imapd-session")) == 1 + n
        time.sleep(0.05)


def told(c, wait=1.5):
    """Lines that come by themselves."""
    lines = []
    while c.waiting(wait):
        lines.append(c.line())
    return lines


def news(c):
    """The same where there must be some: the first is waited for."""
    return [c.line()] + told(c)


def until(c, what):
    """Lines up to the one that has this."""
    lines = [c.line()]
    while what not in lines[-1]:
        lines.append(c.line())
    return lines
