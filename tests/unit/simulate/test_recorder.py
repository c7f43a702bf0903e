"""Intervals hold what a plain integration makes of every change."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotatree.simulate.recorder import INTERVALS, Recorder

changes = st.lists(st.tuples(st.integers(0, 3_000), st.integers(-5, 9)), max_size=30)


def recorded(found, *, end):
    recorder = Recorder([1], start=0, end=end)
    for moment, delta in found:
        recorder.reach(moment)
        recorder.add(0, delta, moment)
    (curve,) = recorder.finish(max([moment for moment, _ in found], default=0))
    return recorder.length, curve


def value_at(found, moment):
    return sum(delta for at, delta in found if at <= moment)


@given(found=changes.map(sorted), end=st.integers(0, 1_000))
def test_means_are_those_of_adding_up_every_step_of_the_clock(found, end):
    """Traces that last longer than was thought are among them: their intervals were merged."""
    length, curve = recorded(found, end=end)
    last = max([1, *(moment for moment, _ in found)])
    values = [value_at(found, moment) for moment in range(last)]
    merged = 1 if length == (end // INTERVALS + 1) else 2  # merging rounds up, each time
    for number, mean in enumerate(curve.means):
        part = values[number * length : (number + 1) * length]
        assert mean == pytest.approx(sum(part) / len(part), abs=0.5 * merged + 4 * (merged - 1))
    assert curve.mean == pytest.approx(sum(values) / last, abs=0.5)


@given(found=changes.map(sorted), end=st.integers(0, 1_000))
def test_peaks_are_the_greatest_values_of_their_intervals(found, end):
    length, curve = recorded(found, end=end)
    for number, peak in enumerate(curve.peaks):
        begins, ends = number * length, (number + 1) * length
        running = [value_at(found, begins - 1)]
        for at, delta in found:
            if begins <= at < ends:
                running.append(running[-1] + delta)
        assert peak == max(running)


def test_no_more_intervals_are_kept_than_said():
    recorder = Recorder([1], start=0, end=10)
    recorder.reach(10**6)
    (curve,) = recorder.finish(10**6)
    assert INTERVALS / 2 <= len(curve.means) <= INTERVALS


def test_amounts_beyond_what_an_interval_can_hold_are_cut_there_and_exact_in_all():
    recorder = Recorder([1], start=0, end=100)
    recorder.add(0, 2**80, 0)
    (curve,) = recorder.finish(100)
    assert set(curve.means) == {2**63 - 1}
    assert curve.mean == curve.peak == 2**80
