"""What was seen, in whatever order the watches bring it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from quotatree.engine.world import World
from quotatree.model.names import Namespace
from quotatree.model.scope import UNSCOPED
from quotatree.testing import words
from quotatree.units.resources import Resources

A = Namespace("a")


def charged(world: World, name: str = "org") -> int:
    return world.ledger.forest.node(Namespace(name)).book(UNSCOPED).charge("cpu") // 10**9


def recreated(*, used: str, version: int) -> World:
    """A world that knows the ResourceQuota of a new `a`, and of the Namespace only the old one."""
    world = words.world("org: cpu 9 > a: holds cpu 5")
    seen = words.managed(world, "a", used={"cpu": used}, version=version)
    world.see_managed(replace(seen, uid=seen.uid.__class__("another")))
    return world


def test_the_late_end_of_a_namespace_takes_nothing_from_the_next_of_its_name() -> None:
    world = recreated(used="2", version=900)
    world.lose_namespace(A, 800)
    world.see_namespace(words.namespace("a", parent="org", version=850, uid="second"))
    assert charged(world) == 2
    assert A in world.managed


def test_the_late_beginning_of_a_namespace_takes_nothing_from_it() -> None:
    world = recreated(used="2", version=800)
    world.see_namespace(words.namespace("a", parent="org", version=850, uid="second"))
    assert charged(world) == 2


@pytest.mark.parametrize("end_seen", [True, False])
def test_a_grant_to_the_new_namespace_survives_the_late_news_of_it(end_seen) -> None:
    world = recreated(used="2", version=900)
    world.ledger.reserve((A, UNSCOPED), {"cpu": 4 * 10**9}, base=900, now=0.0)
    if end_seen:
        world.lose_namespace(A, 800)
    world.see_namespace(words.namespace("a", parent="org", version=850, uid="second"))
    assert charged(world) == 4
    world.ledger.expire(2.0)
    assert charged(world) == 4
    world.see_managed(
        replace(
            world.managed[A]["quotatree"], resource_version=901, used=Resources.parse({"cpu": "3"})
        )
    )
    assert charged(world) == 3


def test_the_end_of_a_namespace_takes_all_that_was_its() -> None:
    world = words.world("org: cpu 9 > a: holds cpu 5")
    world.lose_namespace(A, 800)
    assert (charged(world), world.managed.get(A)) == (0, None)


def test_a_guarantee_waits_until_its_whole_tree_is_fenced() -> None:
    """Growth that an earlier leader let pass may still take the room."""
    world = words.world("org: cpu 9 > a: holds cpu 1; org > b")
    b = world.managed[Namespace("b")]["quotatree"]
    world.see_managed(replace(b, epoch=0, resource_version=800))
    world.see_quota(words.quota("a", guaranteed={"cpu": "5"}))
    assert world.limits.settle() == []
    landed = replace(b, epoch=1, used=words.managed(world, "b", used={"cpu": "5"}, version=1).used)
    world.see_managed(replace(landed, resource_version=801))
    assert world.limits.settle() == []
    world.see_managed(replace(b, epoch=1, resource_version=802))
    assert world.limits.settle() == [(A, UNSCOPED)]


def test_after_a_re_creation_nothing_of_the_old_one_counts() -> None:
    world = words.world("org: cpu 9 > a: holds cpu 5")
    world.lose_namespace(A, 800)
    world.see_namespace(words.namespace("a", parent="org", version=850, uid="second"))
    world.see_managed(words.managed(world, "a", used={"cpu": "1"}, version=900))
    assert (charged(world), world.usage.of(Namespace("org"), UNSCOPED)["cpu"]) == (1, 10**9)
