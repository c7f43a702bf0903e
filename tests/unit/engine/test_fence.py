"""The fence is counted by tree, whatever moves while a leader works through it."""

from __future__ import annotations

from quotatree.engine.fence import Fence, order
from quotatree.engine.forest import Forest
from quotatree.model.names import Namespace
from quotatree.model.scope import ScopeTerm, scope_set

ORG, TEAM, A, OTHER = (Namespace(n) for n in ("org", "team", "a", "other"))
BEST_EFFORT = scope_set([ScopeTerm(scope="BestEffort")])


def forest() -> Forest:
    found = Forest()
    for name, parent in ((ORG, None), (TEAM, ORG), (A, TEAM), (OTHER, None)):
        found.declare(name, parent)
    return found


def test_one_open_place_keeps_its_whole_tree_and_no_other() -> None:
    fence = Fence(forest())
    fence.note((A, ()), fenced=False)
    assert [fence.stands(n, ()) for n in (ORG, TEAM, A, OTHER)] == [False, False, False, True]
    assert fence.stands(ORG, BEST_EFFORT)


def test_the_last_one_closes_it_however_often_each_is_seen() -> None:
    fence = Fence(forest())
    for name in (TEAM, A, A, TEAM):
        fence.note((name, ()), fenced=False)
    assert not fence.note((A, ()), fenced=True)
    assert not fence.note((A, ()), fenced=True)
    assert not fence.stands(ORG, ())
    fence.drop((TEAM, ()))
    assert fence.stands(ORG, ())


def test_an_open_place_that_moves_takes_its_gap_along() -> None:
    trees = forest()
    fence = Fence(trees)
    fence.note((A, ()), fenced=False)
    trees.declare(TEAM, OTHER)
    assert (fence.stands(ORG, ()), fence.stands(OTHER, ())) == (True, False)
    fence.note((A, ()), fenced=True)
    assert fence.stands(OTHER, ())


def test_a_namespace_that_nobody_named_is_a_tree_of_its_own() -> None:
    fence = Fence(forest())
    fence.note((Namespace("new"), ()), fenced=False)
    assert not fence.stands(Namespace("new"), ())
    assert fence.stands(ORG, ())


def test_trees_are_fenced_one_after_the_other_the_busiest_for_its_size_first() -> None:
    trees = Forest()
    for name, parent in {
        "big": None,
        "b1": "big",
        "b2": "big",
        "small": None,
        "s1": "small",
    }.items():
        trees.declare(Namespace(name), parent and Namespace(parent))
    pods = {
        Namespace(n): amount
        for n, amount in {"b1": 5, "s1": 4, "big": 0, "stranger": 1, "b2": 0, "small": 0}.items()
    }
    assert order(trees, pods) == ["s1", "small", "b1", "big", "b2", "stranger"]
