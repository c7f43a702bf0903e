"""Status: when a limit is said to be exact, and when not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from quotatree.engine.status import STEP, settle_doubts, settling_doubts, status_of
from quotatree.engine.world import World
from quotatree.model.names import Namespace
from quotatree.testing import words
from quotatree.units.resources import EMPTY

TREE = "org: cpu 9 > team > a; team > b"


def ready(world: World) -> tuple[bool, str]:
    settle_doubts(world)
    (quota,) = world.limits.quotas(Namespace("org"))
    found = next(c for c in status_of(world, quota).conditions if c.type == "Ready")
    return found.status, found.message


def test_a_limit_is_exact_when_every_namespace_below_is_measured() -> None:
    assert ready(words.world(TREE)) == (
        True,
        "every namespace of the subtree is measured and held to this quota",
    )


def unmeasured(world: World) -> None:
    quota = world.managed[Namespace("a")]["quotatree"]
    version = quota.resource_version + 100
    world.see_managed(replace(quota, status_hard=EMPTY, resource_version=version))


def gone(world: World) -> None:
    world.lose_managed(world.managed[Namespace("a")]["quotatree"])


def another(world: World) -> None:
    world.lose_namespace(Namespace("a"), 900)
    world.see_namespace(words.namespace("a", parent="team", version=901, uid="second"))


@pytest.mark.parametrize("change", [unmeasured, gone, another])
def test_a_namespace_that_is_not_measured_any_more_is_named(
    change: Callable[[World], None],
) -> None:
    world = words.world(TREE)
    assert ready(world)[0]
    change(world)
    status, message = ready(world)
    assert not status
    assert "1 namespaces are not measured yet: a;" in message


def test_a_key_that_is_added_is_measured_by_nobody_at_first() -> None:
    world = words.world(TREE)
    assert ready(world)[0]
    world.see_quota(words.quota("org", hard={"cpu": "9", "pods": "1"}, generation=2))
    assert "4 namespaces are not measured yet: a, b, org, team;" in ready(world)[1]


def test_a_namespace_that_moves_in_is_doubted() -> None:
    world = words.world(TREE + "; other")
    assert ready(world)[0]
    world.see_namespace(words.namespace("other", parent="team", version=900))
    assert "1 namespaces are not measured yet: other;" in ready(world)[1]


def test_a_limit_above_is_looser_whichever_name_it_has() -> None:
    world = words.world("org: cpu 10 > team: requests.cpu 20 > a")
    (quota,) = world.limits.quotas(Namespace("team"))
    found = [
        c.message for c in status_of(world, quota).conditions if c.type == "LooserThanAncestor"
    ]
    assert found == [
        "an ancestor allows less, and the tightest wins: requests.cpu: 20 here, 10 above"
    ]


def test_many_doubts_are_settled_by_steps():
    world = words.world("; ".join(f"org > a{number}" for number in range(2 * STEP + 1)))
    assert len(list(settling_doubts(world))) == 2
    assert not world.doubted
