"""Writes come at their rate, after a pause a few at once, and nobody overtakes."""

import pytest

from quotatree.controller.pace import Pace


class Time:
    def __init__(self):
        self.now = 0.0
        self.slept = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


@pytest.mark.parametrize(("rate", "want"), [(10, 0.9), (100, 0.09)])
async def test_a_crowd_is_spread_over_its_time(rate, want):
    time = Time()
    pace = Pace(rate, clock=lambda: time.now, sleep=time.sleep)
    for _ in range(10):
        await pace.turn()
    assert max(time.slept) == pytest.approx(want)
    assert time.slept == sorted(time.slept)


async def test_a_long_pause_lets_only_a_few_come_at_once():
    time = Time()
    pace = Pace(100, clock=lambda: time.now, sleep=time.sleep)
    time.now = 60.0
    for _ in range(20):
        await pace.turn()
    assert len(time.slept) == pytest.approx(10, abs=1)


async def test_whoever_comes_slower_than_the_rate_never_waits():
    time = Time()
    pace = Pace(100, clock=lambda: time.now, sleep=time.sleep)
    for _ in range(50):
        time.now += 0.02
        await pace.turn()
    assert time.slept == []
