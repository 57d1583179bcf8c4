# SPDX-License-Identifier: ISC
"""Mixed load while bad things happen: the ledger balances. chaos.py, run by
hand, goes on for as long as one likes; a failure here prints its seed."""
import os
import time

import pytest

import chaos

SECONDS = float(os.environ.get("POSTHASTE_CHAOS_SECONDS", "12"))


@pytest.fixture
def run():
    def go(actions):
        seed = os.environ.get("POSTHASTE_CHAOS_SEED", str(time.time()))
        print(f"seed {seed}")
        running.append(chaos.Chaos(seed, actions))
        running[0].run(SECONDS)
        running[0].make_well(120)
        more = running[0].check()
        if running[0].ended_by_force():
            return {}  # a machine so slow that a stop became a kill
        return more

    running = []
    yield go
    for c in running:
        c.close(failed=False)


def test_administration_loses_and_repeats_nothing(run):
    """Reload, stop and start, flush, hold, release and requeue."""
    assert run(chaos.HARMLESS) == {}


def test_kills_lose_nothing(run):
    """A copy too many is what a kill -9 may cost (DURABILITY.md)."""
    run(chaos.HARMLESS + chaos.HARMFUL)
