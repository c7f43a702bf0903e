"""Usage that nobody has counted yet: growth beside it is put off, and nothing else is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from quotatree.engine import admit
from quotatree.engine.world import World
from quotatree.model import names
from quotatree.model.names import Namespace, Uid
from quotatree.model.review import UsageReview
from quotatree.model.verdict import Admit, Deny, TryLater, Verdict
from quotatree.testing import words
from quotatree.units.resources import Resources

A, B = Namespace("a"), Namespace("b")
TREE = "org: pods 50 > team > a: holds pods 1; team > b: holds pods 1; other: cpu 9, pods 9 > c"


def limited_anew(hard: dict[str, str] | None = None, *, at: str = "org") -> World:
    """The tree in which `at` has just got another limit; nobody has been measured in it."""
    world = words.world(TREE)
    world.see_quota(words.quota(at, hard=hard or {"pods": "50", "cpu": "12"}, generation=2))
    return world


def measure(world: World, name: Namespace, used: dict[str, str]) -> None:
    seen = world.managed[name]["quotatree"]
    hard = Resources.parse(dict.fromkeys(used, "1E"))
    version = seen.resource_version + 1000
    world.see_managed(
        replace(
            seen,
            resource_version=version,
            spec_hard=hard,
            status_hard=hard,
            used=Resources.parse(used),
        )
    )


def ask(world: World, name: Namespace, growth: dict[str, str]) -> Verdict:
    old = world.managed[name]["quotatree"]
    review = UsageReview(
        uid=Uid("r"),
        old=old,
        new=replace(old, used=old.used + Resources.parse(growth)),
        dry_run=False,
    )
    return admit.decide(world.ledger, review, now=10.0, arrived=10.0)


def test_beside_usage_that_is_not_counted_yet_growth_is_put_off() -> None:
    world = limited_anew()
    for name in ("org", "team", "a"):
        measure(world, Namespace(name), {"pods": "1", "cpu": "1"})
    verdict = ask(world, A, {"cpu": "1"})
    assert isinstance(verdict, TryLater)
    assert "org limits cpu" in verdict.reason
    assert "namespace b" in verdict.reason


def test_growth_in_what_is_counted_everywhere_goes_on() -> None:
    assert isinstance(ask(limited_anew(), A, {"pods": "1"}), Admit)


def test_another_tree_does_not_wait() -> None:
    assert isinstance(ask(limited_anew(), Namespace("c"), {"cpu": "1"}), Admit)


def test_when_all_are_counted_growth_is_judged() -> None:
    world = limited_anew()
    for name in ("org", "team", "a", "b"):
        measure(world, Namespace(name), {"pods": "1", "cpu": "3"})
    assert isinstance(ask(world, A, {"cpu": "1", "pods": "1"}), Deny)
    assert not world.ledger.unmeasured


@pytest.mark.parametrize("closed", [pytest.param(n, id=n) for n in ("org", "team", "a", "b")])
def test_a_namespace_whose_gate_is_closed_holds_nothing_up(closed: str) -> None:
    world = words.world(TREE)
    for name in ("org", "team", "a", "b"):
        measure(world, Namespace(name), {"pods": "1", "cpu": "0"})
    seen = world.managed[Namespace(closed)]["quotatree"]
    version = seen.resource_version + 1
    world.see_managed(replace(seen, resource_version=version, ready=False, used=Resources()))
    world.see_quota(words.quota("org", hard={"pods": "50", "cpu": "12"}, generation=2))
    asking = A if closed != "a" else B
    assert isinstance(ask(world, asking, {"cpu": "1"}), Admit)


def test_a_limit_that_is_taken_back_holds_nothing_up() -> None:
    world = limited_anew()
    world.see_quota(words.quota("org", hard={"pods": "50"}, generation=3))
    assert not world.ledger.unmeasured


def test_a_subtree_that_moves_below_a_limit_of_another_name_is_counted_first() -> None:
    world = words.world(TREE)
    seen = world.namespaces[Namespace("team")]
    world.see_namespace(replace(seen, parent=Namespace("other"), resource_version=10**6))
    verdict = ask(world, Namespace("c"), {"cpu": "1"})
    assert isinstance(verdict, TryLater)
    assert "other limits cpu" in verdict.reason


def test_a_namespace_that_is_gone_holds_nothing_up() -> None:
    world = limited_anew()
    for name in ("org", "team", "a"):
        measure(world, Namespace(name), {"pods": "1", "cpu": "0"})
    world.lose_namespace(B, 10**9)
    assert isinstance(ask(world, A, {"cpu": "1"}), Admit)


def test_what_only_asks_for_a_recount_is_never_missing() -> None:
    world = words.world(TREE)
    seen = world.managed[A]["quotatree"]
    spec = seen.spec_hard + Resources.parse({names.RECOUNT: "1"})
    changed = replace(seen, spec_hard=spec, resource_version=10**6)
    assert changed.measured
