import pytest

from quotatree.simulate import words
from quotatree.simulate.trace import SECOND


@pytest.mark.parametrize(
    ("seconds", "want"),
    [
        (0, "0 s"),
        (0.25, "0.25 s"),
        (1, "1 s"),
        (45.04, "45 s"),
        (90, "1.5 min"),
        (3_600, "1 h"),
        (86_400 * 149, "149 d"),
    ],
)
def test_durations_are_short(seconds, want):
    assert words.duration(int(seconds * SECOND)) == want


@pytest.mark.parametrize(
    ("part", "whole", "exact", "rough"),
    [
        (0, 9, "0.0 %", "0%"),
        (1, 10**6, "0.1 %", "<1%"),
        (999_999, 10**6, "99.9 %", "99%"),
        (9, 9, "100.0 %", "100%"),
        (1, 3, "33.3 %", "33%"),
        (3, 0, "0 %", "0%"),
    ],
)
def test_neither_nothing_nor_all_is_said_unless_it_is_so(part, whole, exact, rough):
    assert words.share(part, whole) == exact
    assert words.percent(part, whole) == rough


def test_a_sparkline_shows_peaks_with_its_full_sign_for_full_alone():
    values = [0, 0, 1, 0, 99, 100]
    assert words.spark(values, 100, cells=6) == "  ▁ ▇█"
    assert words.spark(values, 100, cells=3) == " ▁█"
    assert words.spark(values, 100, cells=3, ascii_only=True) == " .@"


@pytest.mark.parametrize(
    ("seconds", "want"),
    [(5, ["0 s", "1 s", "2 s", "3 s", "4 s", "5 s"]), (86_400 * 149, ["0 d", "50 d", "100 d"])],
)
def test_ticks_are_round_numbers(seconds, want):
    assert [label for _, label in words.ticks(seconds * SECOND)] == want
