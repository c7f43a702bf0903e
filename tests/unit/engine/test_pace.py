"""How fast levels fill: by the charges that those who asked found there."""

from __future__ import annotations

from quotatree.engine.forest import Forest
from quotatree.engine.pace import BETWEEN, FORGOTTEN, Pace
from quotatree.model.names import Namespace
from quotatree.model.scope import UNSCOPED

ORG, A, NOW = Namespace("org"), Namespace("a"), 100.0
KEY = (A, UNSCOPED)


def forest() -> Forest:
    found = Forest()
    found.declare(ORG, None)
    found.declare(A, ORG)
    found.set_limits(found.node(ORG), UNSCOPED, hard={"cpu": 100}, guaranteed={})
    return found


def hold(where: Forest, cpu: int) -> None:
    where.set_held(where.node(A), UNSCOPED, {"cpu": cpu})


def test_a_level_that_nobody_asked_at_does_not_fill() -> None:
    where = forest()
    hold(where, 5)
    assert Pace(where).of(ORG, UNSCOPED, "cpu", now=NOW) == 0


def test_a_burst_counts_as_if_it_had_taken_a_moment() -> None:
    where = forest()
    pace = Pace(where)
    pace.note(KEY, NOW)
    hold(where, 20)
    assert pace.of(ORG, UNSCOPED, "cpu", now=NOW + BETWEEN / 10) == 20
    assert pace.of(ORG, UNSCOPED, "cpu", now=NOW + 2 * BETWEEN) == 10
    assert pace.of(ORG, UNSCOPED, "cpu", now=NOW + FORGOTTEN + 1) == 0


def test_who_asks_again_does_not_hide_how_fast_it_was_before() -> None:
    where = forest()
    pace = Pace(where)
    pace.note(KEY, NOW)
    hold(where, 20)
    pace.note(KEY, NOW + BETWEEN)
    assert pace.of(ORG, UNSCOPED, "cpu", now=NOW + BETWEEN) == 20
    pace.note(KEY, NOW + 2 * BETWEEN)
    assert pace.of(ORG, UNSCOPED, "cpu", now=NOW + 2 * BETWEEN) == 0


def test_room_that_comes_back_is_no_growth() -> None:
    where = forest()
    hold(where, 20)
    pace = Pace(where)
    pace.note(KEY, NOW)
    hold(where, 5)
    assert pace.of(ORG, UNSCOPED, "cpu", now=NOW) == 0


def test_old_marks_are_forgotten() -> None:
    where = forest()
    pace = Pace(where)
    pace.note(KEY, NOW)
    hold(where, 20)
    pace.forget(NOW + FORGOTTEN)
    assert pace.of(ORG, UNSCOPED, "cpu", now=NOW) == 0
