"""Whose status is looked at: the line of a change at once, everybody else in turn."""

import pytest

from quotatree.controller.due import Due
from quotatree.engine.world import World
from quotatree.model.names import Namespace
from quotatree.testing import words

TREE = "org > t1 > a1..2; org > t2 > b1; other > c1".replace("a1..2", "a1; t1 > a2")


@pytest.fixture
def due() -> Due:
    world: World = words.world(TREE)
    return Due(world.ledger.forest, bears=lambda _: True)


def changed(due: Due, *names: str) -> None:
    due.changed([Namespace(name) for name in names])


def test_the_line_of_a_change_comes_at_once_and_its_tree_in_turn(due):
    changed(due, "a1")
    assert due.take(0) == ["a1", "org", "t1"]
    assert due.take(2) == ["org", "t1"]
    assert due.take(2) == ["a1", "a2"]
    assert due.take(9) == ["b1", "t2"]
    assert due.take(9) == []


def test_a_change_on_the_way_makes_the_tree_be_gone_through_once_more(due):
    changed(due, "a1")
    due.take(3)
    changed(due, "b1")
    seen = [due.take(3) for _ in range(4)]
    assert {name for names in seen[1:] for name in names} >= {"org", "t1", "a1", "a2", "t2", "b1"}
    assert due.take(9) == []


def test_a_great_tree_does_not_keep_others_waiting(due):
    changed(due, "a1", "c1")
    due.take(0)
    due.take(2)
    assert "c1" in due.take(2)


def test_one_that_is_due_again_drags_nobody_along(due):
    due.again(Namespace("t1"))
    assert due.take(9) == ["t1"]
    assert due.take(9) == []


def test_what_is_in_no_tree_is_due_alone(due):
    changed(due, "stranger")
    assert due.take(9) == ["stranger"]


def test_whoever_has_no_treequota_takes_nobodys_turn():
    bearing = {Namespace("org"), Namespace("t2")}
    due = Due(words.world(TREE).ledger.forest, bears=bearing.__contains__)
    changed(due, "org")
    due.take(0)
    assert due.take(2) == ["org", "t2"]
