"""Who gets how large a slice: the rules alone, on values."""

from __future__ import annotations

import pytest

from quotatree.engine import slices
from quotatree.engine.slices import Level, Offer, SliceSettings

SETTINGS = SliceSettings(enabled=True, share=4, first=4, horizon=5.0)


def level(
    hard: int | None, *, charge: int = 0, idle: int = 0, slack: int = 0, pace: int = 0
) -> Level:
    return Level(hard=hard, charge=charge, solid=charge - idle, slack=slack, pace=pace)


@pytest.mark.parametrize(
    ("line", "want"),
    [
        pytest.param([level(None)], None, id="nobody limits it"),
        pytest.param([level(100)], 25, id="a quarter of what is free"),
        pytest.param([level(100, charge=60)], 10, id="less as the level fills"),
        pytest.param([level(100, charge=100)], 0, id="nothing of a full one"),
        pytest.param([level(90, charge=100)], 0, id="nothing of an exceeded one"),
        pytest.param([level(100, charge=70, idle=10)], 0, id="what others hold idle counts"),
        pytest.param([level(100, pace=12)], 10, id="what will be used up soon is not free"),
        pytest.param([level(100, pace=30)], 0, id="nothing of one that will be full soon"),
        pytest.param([level(100), level(40), level(None)], 10, id="the tightest level decides"),
        pytest.param([level(100, charge=96, slack=8)], 9, id="all of the own guarantee"),
        pytest.param(
            [level(None), level(100, charge=100, slack=8)], 2, id="a part of a shared guarantee"
        ),
        pytest.param(
            [level(None, slack=5), level(None, slack=8), level(10, charge=10)],
            7,
            id="what guarantees absorb does not arrive above",
        ),
    ],
)
def test_a_level_lets_a_part_of_its_free_room_stand_idle(
    line: list[Level], want: int | None
) -> None:
    assert slices.allowed(line, SETTINGS) == want


@pytest.mark.parametrize(
    ("one", "want"),
    [
        pytest.param(level(None, charge=9, idle=9), 0, id="nobody limits it"),
        pytest.param(level(100, charge=50, idle=25), 0, id="as much as was offered then"),
        pytest.param(level(100, charge=80, idle=10), 0, id="twice what is offered now is kept"),
        pytest.param(level(100, charge=81, idle=20), 11, id="more goes, to what is offered"),
        pytest.param(level(100, charge=100, idle=1), 1, id="nearly full: all of it"),
        pytest.param(level(50, charge=100, idle=40), 40, id="lowered: all of it"),
        pytest.param(level(100, charge=50, idle=10, pace=8), 0, id="it fills slowly enough"),
        pytest.param(level(100, charge=50, idle=10, pace=12), 10, id="full soon: all of it"),
    ],
)
def test_what_stands_idle_shrinks_as_a_level_fills(one: Level, want: int) -> None:
    assert one.excess(SETTINGS) == want


@pytest.mark.parametrize(
    ("now", "grown", "want"),
    [
        pytest.param(100.1, 10, 20, id="used up at once: twice as much"),
        pytest.param(102.5, 10, 20, id="in half the horizon: twice as much"),
        pytest.param(105.0, 10, 10, id="in the horizon: the same again"),
        pytest.param(150.0, 10, 1, id="slowly: little"),
        pytest.param(101.0, -3, None, id="it fell: nothing"),
    ],
)
def test_an_offer_follows_how_fast_the_last_one_was_used(
    now: float, grown: int, want: int | None
) -> None:
    last = Offer(since=100.0, used={"pods": 5}, ahead={"pods": 10})
    found = slices.ahead({"pods": 5 + grown}, {}, last, now=now, settings=SETTINGS)
    assert found == ({} if want is None else {"pods": want})


def test_the_first_offer_is_some_times_what_was_asked_for() -> None:
    found = slices.ahead({"pods": 7}, {"pods": 2}, None, now=0.0, settings=SETTINGS)
    assert found == {"pods": 8}


def test_an_offer_is_low_when_half_of_any_resource_of_it_is_used() -> None:
    offer = Offer(since=0.0, used={}, ahead={"cpu": 10, "pods": 4})
    assert not offer.is_low({"cpu": 10, "pods": 4}, {"cpu": 5, "pods": 2})
    assert offer.is_low({"cpu": 10, "pods": 4}, {"cpu": 0, "pods": 3})


ONE = 10**9


@pytest.mark.parametrize(
    ("most", "want"),
    [
        pytest.param({"cpu": None, "pods": None}, {"cpu": 41, "pods": 42}, id="nobody limits"),
        pytest.param({"cpu": 9, "pods": 9}, {"cpu": 5, "pods": 6}, id="all fits"),
        pytest.param({"cpu": 2, "pods": 9}, {"cpu": 3, "pods": 6}, id="a part of one fits"),
        pytest.param({"cpu": 0, "pods": 9}, None, id="none of one: the API server would ask"),
        pytest.param({"cpu": 9, "pods": 1}, None, id="less than what is asked for at a time"),
    ],
)
def test_a_slice_reaches_as_far_as_fits_or_is_of_no_use(
    most: dict[str, int | None], want: dict[str, int] | None
) -> None:
    used = {"cpu": ONE, "pods": 2 * ONE}
    found = slices.reach(
        {"cpu": 4 * ONE, "pods": 4 * ONE},
        {"pods": 2 * ONE},
        used=used,
        held=used,
        most={r: None if m is None else m * ONE for r, m in most.items()},
    )
    assert found == (None if want is None else {r: a * ONE for r, a in want.items()})


def test_slices_are_whole_or_thousandths_of_a_cpu() -> None:
    wanted = {"cpu": 1_234_567_890, "pods": 2_500_000_000, "memory": 3_700_000_001}
    unlimited = dict.fromkeys(wanted, 10**12)
    found = slices.reach(wanted, {}, used={}, held={}, most=unlimited)
    assert found == {"cpu": 1_234_000_000, "pods": 2 * ONE, "memory": 3 * ONE}


def test_what_is_written_is_above_the_use_nameable_and_bounded() -> None:
    long = "x" * 60 + ".example.com/device"
    granted = {"pods": 2, "cpu": 5, long: 9, **{f"count/k{i:02}.example.com": 1 for i in range(40)}}
    found = slices.writable(granted, {"pods": 2})
    assert len(found) == 32
    assert found.keys() == set(sorted(granted.keys() - {"pods", long})[:32])
