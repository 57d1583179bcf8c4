# SPDX-License-Identifier: ISC
"""A program ends at its first, second, third... system call that changes
something, or amid what it writes there, until it comes to the end of what it
does without meeting one more: what was told is true, all of it, and whole.

Of long scenarios the suite tries some points, others each time
(POSTHASTE_CRASH_SEED=what was printed: the same; POSTHASTE_FULL=1: all), and
those that it must not miss."""
import pytest

import crasher
from device import ext4


@pytest.fixture
def no_journal():
    """A folder on an ext4 without a journal; to be asked for before "suite"."""
    with ext4("^has_journal", megabytes=128) as d:
        yield d.path


@pytest.fixture
def crashing(suite):
    """crashing(main=...) -> an instance that runs under s.crasher."""
    made = []

    def make(main="", prepare=lambda s: None, **options):
        s = suite(start=False, main=crasher.QUICK + main, **options)
        prepare(s)
        s.crasher = crasher.start(s)
        made.append(s)
        return s

    yield make
    for s in made:
        s.stop()
        s.crasher.close()
