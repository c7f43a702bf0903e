"""The numbers of a tree from scratch, by example."""

import pytest

from quotatree.engine import rollup
from quotatree.units.resources import Resources

PARENTS = {"org": None, "vision": "org", "nlp": "org", "batch": "vision"}


def amounts(**cpu):
    return {name: Resources.parse({"cpu": str(value)}) for name, value in cpu.items()}


def numbers(*, hard=None, guaranteed=None, held=None, parents=None):
    found = rollup.rollup(
        parents or PARENTS,
        hard=amounts(**(hard or {})),
        guaranteed=amounts(**(guaranteed or {})),
        held=amounts(**(held or {})),
    )
    return {
        name: (it.charged.nano("cpu") // 10**9, it.available.nano("cpu") // 10**9)
        for name, it in found.items()
    }


def test_without_guarantees_a_charge_is_the_usage_of_the_subtree():
    found = numbers(hard={"org": 10}, held={"org": 1, "vision": 2, "batch": 3})
    assert found == {"org": (6, 4), "vision": (5, 4), "nlp": (0, 4), "batch": (3, 4)}


def test_the_tightest_ancestor_bounds_the_room():
    found = numbers(hard={"org": 10, "vision": 4}, held={"batch": 3, "nlp": 1})
    assert found == {"org": (4, 6), "vision": (3, 1), "nlp": (1, 6), "batch": (3, 1)}


def test_a_guarantee_takes_room_from_everybody_else_and_from_nobody_below():
    found = numbers(hard={"org": 10}, guaranteed={"vision": 6}, held={"batch": 2, "nlp": 1})
    assert found == {"org": (7, 3), "vision": (6, 7), "nlp": (1, 3), "batch": (2, 7)}


def test_guarantees_below_each_other_absorb_one_after_the_other():
    found = numbers(
        hard={"org": 10}, guaranteed={"vision": 6, "batch": 4}, held={"batch": 1, "vision": 1}
    )
    # batch: 3 inside its own guarantee, 1 inside vision's, 4 left of org.
    assert found == {"org": (6, 4), "vision": (6, 5), "nlp": (0, 4), "batch": (4, 8)}


def test_above_its_hard_nothing_is_free_but_what_a_guarantee_keeps():
    found = numbers(hard={"org": 3}, guaranteed={"vision": 4}, held={"batch": 1, "nlp": 5})
    assert found == {"org": (9, 0), "vision": (4, 3), "nlp": (5, 0), "batch": (1, 3)}


def test_only_what_is_limited_on_the_path_is_available():
    found = rollup.rollup(
        PARENTS,
        hard={"vision": Resources.parse({"pods": "5"})},
        guaranteed={},
        held=amounts(nlp=1),
    )
    assert {name: list(it.available) for name, it in found.items()} == {
        "org": [],
        "vision": ["pods"],
        "nlp": [],
        "batch": ["pods"],
    }


@pytest.mark.parametrize(
    ("parents", "want"),
    [
        ({"a": "gone"}, {"a": None}),
        ({"a": "a"}, {"a": None}),
        ({"b": "a", "a": "b"}, {"b": "a", "a": None}),
        ({"a": "c", "b": "a", "c": "b", "d": "c"}, {"a": None, "b": "a", "c": "b", "d": "c"}),
        ({"x": "y", "y": "z", "z": "y"}, {"x": "y", "y": None, "z": "y"}),
    ],
    ids=["a parent that is not there", "itself", "each other", "a ring with a tail", "into a ring"],
)
def test_what_is_no_forest_is_made_one(parents, want):
    assert rollup.acyclic(parents) == want


def test_the_order_is_by_path():
    assert rollup.parents_first(PARENTS) == ["org", "nlp", "vision", "batch"]


def test_sums_are_over_subtrees():
    sums = rollup.subtree_sums(PARENTS, amounts(org=1, batch=2))
    assert {n: s.nano("cpu") // 10**9 for n, s in sums.items()} == {
        "org": 3,
        "vision": 2,
        "nlp": 0,
        "batch": 2,
    }
