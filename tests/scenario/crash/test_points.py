# SPDX-License-Identifier: ISC
"""Which points crasher.py chooses, and what it makes of those that it does not
meet: how much a program does hangs on how busy the machine is."""
import types

import pytest

import crasher


class Does:
    """In place of the tool: a program that has so many points while it is
    measured, and so many then."""

    def __init__(self, measured, then, ends=True):
        self.measured, self.then, self.ends = measured, then, ends
        self.tokens = []
        self.killed, self.points = None, []

    def arm(self, program, point):
        self.killed, self.points, self.point = None, [], point

    def act(self, token):
        self.tokens.append(token)
        total = self.measured if len(self.tokens) <= 2 else self.then
        all_of = ["after write file"] * (total - 1) + ["after unlink file"]
        if self.ends and 0 < self.point <= total:
            self.killed = f"1 prog {self.point} {all_of[self.point - 1]}"
        elif total:
            self.points = [f"prog {what}" for what in all_of]

    def disarm(self):
        return self.killed, len(self.points)

    def of(self, program):
        return [point.split(" ", 1)[1] for point in self.points]

    def changed(self):
        return {"prog"}


def judge(monkeypatch, does, full=False, seed=1, **more):
    monkeypatch.setattr(crasher, "SEED", str(seed))
    monkeypatch.setattr(crasher, "FULL", full)
    monkeypatch.setattr(crasher.time, "sleep", lambda seconds: None)
    crasher.at_each_point(types.SimpleNamespace(crasher=does), "prog",
                          does.act, {"prog"}, **more)
    assert len(does.tokens) == len(set(does.tokens))


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("then", [1, 7, 59, 60, 61, 100])
def test_more_or_less_to_do_is_no_failure(monkeypatch, full, then):
    for seed in range(20):
        judge(monkeypatch, Does(60, then), full, seed)
        judge(monkeypatch, Does(60, then), full, seed, steps=["unlink"])


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("does", [Does(60, 0), Does(60, 60, ends=False)],
                         ids=["does nothing", "is not ended"])
def test_points_that_are_never_met_are_a_failure(monkeypatch, full, does):
    with pytest.raises(AssertionError):
        judge(monkeypatch, does, full)
