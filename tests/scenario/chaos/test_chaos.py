# SPDX-License-Identifier: ISC
"""Mixed load while bad things happen: the ledgers balance, nothing is leaked,
nothing crashes. chaos.py says what is loaded and what happens; a failure here
prints its seed. POSTHASTE_CHAOS_SECONDS is how long each test goes on: ten
minutes with POSTHASTE_FULL=1, an hour for all."""
import os
import time

import pytest
from chaos import Chaos
from chaos_actions import GROUPS
from chaos_site import NoDisk
from posthaste import AS_ROOT

WITH_DISK = ("disk", "everything")
FULL = os.environ.get("POSTHASTE_FULL")
SECONDS = float(os.environ.get("POSTHASTE_CHAOS_SECONDS",
                               "600" if FULL else "20"))


@pytest.fixture
def run():
    """run(group...)"""
    def go(*groups):
        seed = os.environ.get("POSTHASTE_CHAOS_SEED", str(time.time()))
        print(f"seed {seed}")
        chaos = Chaos(seed, groups)
        running.append(chaos)
        chaos.run(SECONDS)

    running = []
    yield go
    for chaos in running:
        print(chaos.report())
        chaos.close(failed=False)


def test_administration_loses_and_repeats_nothing(run):
    """Reload, stop and start, flush, hold, release and requeue."""
    run("administration")


def test_kills_lose_nothing(run):
    """A copy more is what a kill -9 may cost (DURABILITY.md), and no two."""
    run("kills")


@pytest.mark.skipif(not AS_ROOT, reason="only root can mount")
def test_a_disk_that_is_full_or_stands_still(run):
    try:
        run("disk")
    except NoDisk as e:
        pytest.skip(str(e))


def test_servers_that_are_dead_slow_or_mad(run):
    """Of tables, of names, and those that mail is relayed to."""
    run("servers")


def test_settings_tables_and_certificates_change(run):
    """What is broken is not taken up."""
    run("renewals")


def test_everything_at_once(run):
    """But the disk, where there is none: the test above says so."""
    try:
        run("everything")
    except NoDisk as e:
        print(e)
        run(*(group for group in GROUPS if group not in WITH_DISK))
