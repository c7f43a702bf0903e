"""Usage that may be too high is counted again, once and when the namespace is quiet."""

from __future__ import annotations

from dataclasses import replace

import pytest

from quotatree.engine import admit, plan
from quotatree.engine.doubt import QUIET
from quotatree.engine.world import World
from quotatree.model import effect, names
from quotatree.model.names import Namespace, Uid
from quotatree.model.observed import ManagedQuota
from quotatree.model.review import UsageReview
from quotatree.model.verdict import Tighten
from quotatree.testing import words
from quotatree.testing.fake import FakeCluster
from quotatree.units.resources import Resources

A = Namespace("a")
NOW = 100.0


def settled() -> tuple[World, FakeCluster]:
    world = words.world("org: cpu 5 > a; org > b: holds cpu 3")
    cluster = FakeCluster(world)
    cluster.settle()
    return world, cluster


def see(world: World, cluster: FakeCluster, **fields: object) -> ManagedQuota:
    seen = replace(
        world.managed[A]["quotatree"], resource_version=cluster.versions.next(), **fields
    )
    world.see_managed(seen)
    return seen


def tightened(world: World, cluster: FakeCluster) -> None:
    """A batch of four pods of one cpu each, of which two fit, has made us tighten."""
    old = world.managed[A]["quotatree"]
    growth = Resources.parse({"cpu": "4", "pods": "4"})
    review = UsageReview(uid=Uid("r"), old=old, new=replace(old, used=growth), dry_run=False)
    verdict = admit.decide(world.ledger, review, now=NOW, arrived=NOW)
    assert isinstance(verdict, Tighten)
    see(world, cluster, status_hard=verdict.hard.maximum(Resources.parse({"pods": "1E"})))


def asked(effects: list[effect.Effect]) -> list[bool]:
    """For every changed spec, whether it asks for a recount."""
    return [
        names.RECOUNT in what.hard
        for what in effects
        if isinstance(what, effect.PatchManaged) and what.hard is not None
    ]


def test_a_tightening_that_a_recount_ended_is_followed_by_a_recount() -> None:
    world, cluster = settled()
    tightened(world, cluster)
    see(world, cluster, status_hard=world.managed[A]["quotatree"].spec_hard)
    world.ledger.expire(NOW + 1.5)
    world.ledger.loosen(NOW + 1.5)
    assert world.ledger.recounts(NOW + 1.5 + QUIET) == [A]
    assert asked(cluster.settle()) == [True, False]
    assert world.ledger.recounts(NOW + 100) == []


def test_a_recount_that_ends_a_tightening_of_which_nobody_makes_use_leaves_no_doubt() -> None:
    world, cluster = settled()
    tightened(world, cluster)
    world.ledger.expire(NOW + 0.6)
    see(world, cluster, status_hard=world.managed[A]["quotatree"].spec_hard)
    world.ledger.loosen(NOW + 1.5)
    assert world.ledger.recounts(NOW + 100) == []


def test_a_tightening_that_lasted_until_nobody_asked_any_more_leaves_no_doubt() -> None:
    world, cluster = settled()
    tightened(world, cluster)
    world.ledger.expire(NOW + 1.5)
    world.ledger.loosen(NOW + 1.5)
    cluster.settle()
    assert world.ledger.recounts(NOW + 100) == []


def test_a_tightening_ended_while_it_may_be_in_use_leaves_a_doubt() -> None:
    world, cluster = settled()
    tightened(world, cluster)
    world.ledger.expire(NOW + 2.9)
    world.ledger.tightenings.press((A, ()), NOW + 2.9)
    world.ledger.loosen(NOW + 2.9)
    assert world.ledger.recounts(NOW + 100) == [A]


def test_a_leader_that_finds_a_tightening_asks_for_a_recount() -> None:
    world, _ = settled()
    tight = Resources.parse({"cpu": "2", "pods": "1E"})
    found = replace(world.managed[A]["quotatree"], status_hard=tight, uid=Uid("other"))
    fresh = words.world("org: cpu 5 > b: holds cpu 3")
    fresh.see_namespace(words.namespace("a", parent="org", version=10**6))
    fresh.see_managed(found)
    assert fresh.ledger.recounts(NOW) == [A]


@pytest.mark.parametrize(
    ("since_grant", "want"),
    [
        pytest.param(QUIET / 2, [], id="busy"),
        pytest.param(QUIET, [A], id="quiet"),
    ],
)
def test_a_recount_waits_for_quiet(since_grant: float, want: list[Namespace]) -> None:
    world, cluster = settled()
    tightened(world, cluster)
    grant = Resources.parse({"cpu": "1", "pods": "1"})
    base = world.managed[A]["quotatree"].resource_version
    world.ledger.reserve((A, ()), grant.nanos(), base=base, now=NOW + 1)
    see(world, cluster, used=grant, status_hard=world.managed[A]["quotatree"].spec_hard)
    world.ledger.expire(NOW + 1.5)
    world.ledger.loosen(NOW + 1.5)
    assert world.ledger.recounts(NOW + 1 + since_grant) == want


@pytest.mark.parametrize(("limited", "want"), [("count/configmaps", [A]), ("count/secrets", [])])
def test_what_is_made_while_a_namespace_is_born_is_counted_twice(limited, want) -> None:
    world = words.world(f"org: {limited} 5 > a")
    first = world.managed[A]["quotatree"]
    world.see_managed(replace(first, uid=Uid("x"), ready=False, resource_version=10**6))
    world.see_managed(replace(first, uid=Uid("x"), ready=True, resource_version=10**6 + 1))
    found = [world.ledger.recounts(NOW + t) for t in (0, QUIET / 2, QUIET, 2 * QUIET)]
    assert found == [[], [], want, []]


def test_the_plan_of_a_doubted_namespace_does_not_close_its_gate() -> None:
    world, cluster = settled()
    world.ledger.tightenings.doubts.note((A, ()))
    world.ledger.recounts(NOW)
    while effects := plan.plan_namespace(world, A):
        assert not any(isinstance(what, effect.PatchNamespace) for what in effects)
        for what in effects:
            cluster.carry_out(what)
