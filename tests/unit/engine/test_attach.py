"""Moves: where a namespace may go, and how long it is charged in two places."""

from __future__ import annotations

from dataclasses import replace

import pytest

from quotatree.engine import attach
from quotatree.engine import room as rooms
from quotatree.engine.world import World
from quotatree.model.names import Namespace, Uid
from quotatree.model.review import NamespaceReview
from quotatree.model.scope import UNSCOPED
from quotatree.model.verdict import Admit, Refuse, Verdict, Wait
from quotatree.testing import words

NOW = 100.0


def ask(world: World, child: str, parent: str, *, dry_run: bool = False) -> Verdict:
    old = world.namespaces[Namespace(child)]
    new = replace(old, parent=Namespace(parent))
    review = NamespaceReview(uid=Uid("m"), old=old, new=new, dry_run=dry_run)
    return attach.decide(world.ledger, review, now=NOW, arrived=NOW - 9)


def room(world: World, name: str) -> int | None:
    node = world.ledger.forest.node(Namespace(name))
    found = rooms.available(node, UNSCOPED, "cpu")
    return None if found is None else found // 10**9


@pytest.mark.parametrize(
    ("tree", "child", "parent", "want_in_message"),
    [
        ("org > a", "a", "a", "cannot be its own parent"),
        ("org > a > b", "org", "b", "which would make a cycle"),
        ("org > a", "a", "nowhere", "which does not exist"),
        ("org > a: holds cpu 4; other: cpu 3", "a", "other", "a brings 4, other has 0 of 3 in use"),
    ],
)
def test_a_place_that_cannot_be_taken_is_refused_with_the_reason(
    tree: str, child: str, parent: str, want_in_message: str
) -> None:
    verdict = ask(words.world(tree), child, parent)
    assert isinstance(verdict, Refuse)
    assert want_in_message in verdict.message


def test_a_move_inside_a_full_organisation_changes_nothing_for_it() -> None:
    world = words.world("org: cpu 4 > t > a: holds cpu 4; org > u")
    assert isinstance(ask(world, "a", "u"), Admit)


def test_a_move_is_charged_in_both_places_until_it_is_seen() -> None:
    world = words.world("org: cpu 4 > a: holds cpu 3; other: cpu 4")
    assert isinstance(ask(world, "a", "other"), Admit)
    assert (room(world, "org"), room(world, "other")) == (1, 1)
    moved = words.namespace("a", parent="other", version=1000)
    world.see_namespace(moved)
    assert (room(world, "org"), room(world, "other")) == (4, 1)


def test_an_event_no_newer_than_its_base_does_not_settle_a_move() -> None:
    world = words.world("org: cpu 4 > a: holds cpu 3; other: cpu 4")
    known = world.namespaces[Namespace("a")]
    base = replace(known, resource_version=1000)
    new = replace(base, parent=Namespace("other"))
    review = NamespaceReview(uid=Uid("m"), old=base, new=new, dry_run=False)
    assert isinstance(attach.decide(world.ledger, review, now=NOW, arrived=NOW), Admit)
    world.see_namespace(base)
    assert room(world, "other") == 1


def test_a_move_that_lost_gives_its_room_back_when_the_touch_is_seen() -> None:
    world = words.world("org: cpu 4 > a: holds cpu 3; other: cpu 4")
    ask(world, "a", "other")
    _, touched = world.ledger.expire(NOW + 1)
    assert touched == ["a"]
    known = world.namespaces[Namespace("a")]
    world.see_namespace(replace(known, resource_version=1000))
    assert room(world, "other") == 4


def test_a_touch_settles_only_the_moves_that_it_was_sent_for() -> None:
    """Its answer may be late, and what was granted on the touched state is still to land."""
    world = words.world("org: cpu 4 > a: holds cpu 3; other: cpu 4; third: cpu 4")
    ask(world, "a", "other")
    world.ledger.expire(NOW + 1)
    asked = world.ledger.moves.overdue(Namespace("a"))
    world.see_namespace(replace(world.namespaces[Namespace("a")], resource_version=1000))
    assert isinstance(ask(world, "a", "third"), Admit)
    world.ledger.expire(NOW + 2)
    world.ledger.moves.touched(Namespace("a"), 1000, asked=asked)
    assert (room(world, "other"), room(world, "third")) == (4, 1)


def test_a_move_on_a_base_that_never_was_ends_with_the_touch() -> None:
    """Nobody but the API server should ask, and a forged review must not take room for ever."""
    world = words.world("org: cpu 4 > a: holds cpu 3; other: cpu 4")
    base = replace(world.namespaces[Namespace("a")], resource_version=10**15)
    new = replace(base, parent=Namespace("other"))
    review = NamespaceReview(uid=Uid("m"), old=base, new=new, dry_run=False)
    attach.decide(world.ledger, review, now=NOW, arrived=NOW)
    world.ledger.expire(NOW + 1)
    moves = world.ledger.moves
    moves.touched(Namespace("a"), 1000, asked=moves.overdue(Namespace("a")))
    assert room(world, "other") == 4


def test_a_dry_run_reserves_no_move() -> None:
    world = words.world("org: cpu 4 > a: holds cpu 3; other: cpu 4")
    assert ask(world, "a", "other", dry_run=True) == Admit(reserved=False)
    assert room(world, "other") == 4


def create(world: World, name: str, parent: str, *, dry_run: bool = False) -> Verdict:
    new = words.namespace(name, parent=parent, version=0)
    review = NamespaceReview(uid=Uid("c"), old=None, new=new, dry_run=dry_run)
    return attach.decide(world.ledger, review, now=NOW, arrived=NOW)


WAITING = "org: cpu 4; t > a: holds cpu 3"


def waiting() -> World:
    """A world whose namespace `t` is gone, with a child that waits for it."""
    world = words.world(WAITING)
    world.lose_namespace(Namespace("t"), 1000)
    return world


def test_a_parent_that_is_created_above_waiting_children_reserves_what_they_hold() -> None:
    world = waiting()
    assert create(world, "t", "org") == Admit(reserved=True)
    assert room(world, "org") == 1
    world.see_namespace(words.namespace("t", parent="org", version=1001, uid="second"))
    assert room(world, "org") == 1
    assert not world.ledger.moves


def test_two_creations_of_one_parent_are_settled_by_one_event() -> None:
    world = waiting()
    create(world, "t", "org")
    create(world, "t", "org")
    world.see_namespace(words.namespace("t", parent="org", version=1001, uid="second"))
    assert (room(world, "org"), list(world.ledger.moves)) == (1, [])


def test_a_creation_that_lost_gives_its_room_back_when_it_is_given_up() -> None:
    world = waiting()
    create(world, "t", "org")
    assert world.ledger.expire(NOW + 1)[1] == ["t"]
    world.ledger.moves.lapse(Namespace("t"), NOW + world.ledger.timing.lost_after)
    assert (room(world, "org"), list(world.ledger.moves)) == (4, [])


@pytest.mark.parametrize(
    ("name", "dry_run"), [("t", True), ("new", False)], ids=["a dry run", "nobody waits for it"]
)
def test_a_creation_reserves_nothing_where(name: str, dry_run: bool) -> None:
    world = waiting()
    assert create(world, name, "org", dry_run=dry_run) == Admit(reserved=False)
    assert room(world, "org") == 4


def test_a_creation_that_is_refused_leaves_no_trace() -> None:
    world = waiting()
    before = {node.name for node in world.ledger.forest.nodes()}
    assert isinstance(create(world, "new", "nowhere"), Wait)
    assert isinstance(create(world, "new", "org"), Admit)
    assert {node.name for node in world.ledger.forest.nodes()} == before


def test_a_parent_is_not_judged_by_the_one_before_it_whose_end_is_yet_to_be_seen() -> None:
    world = words.world("org: cpu 4 > t > a: holds cpu 3")
    assert isinstance(create(world, "t", "org"), Wait)
    world.lose_namespace(Namespace("t"), 1000)
    assert create(world, "t", "org") == Admit(reserved=True)
