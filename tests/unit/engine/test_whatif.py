"""What if: a state brought back to life, and what applying a tree does to it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from quotatree.codec import treefile
from quotatree.engine import survey, whatif
from quotatree.engine.survey import Observed
from quotatree.engine.world import World
from quotatree.model.names import Namespace
from quotatree.model.scope import UNSCOPED
from quotatree.model.treefile import TreeFile
from quotatree.testing import words
from quotatree.units.resources import Resources


def observed(text: str) -> Observed:
    world = words.world(text)
    return Observed(
        namespaces=tuple(world.namespaces.values()),
        quotas=tuple(world.limits.all()),
        managed=tuple(m for found in world.managed.values() for m in found.values()),
        resource_version=7,
    )


def tree(text: str) -> TreeFile:
    head = "apiVersion: quotatree.dev/v1alpha1\nkind: Tree\ntree:\n"
    found = treefile.parse((head + text).encode())
    assert isinstance(found, TreeFile), found
    return found


def nanos(**amounts: str) -> dict[str, int]:
    return dict(Resources.parse(amounts).nanos())


def charged(world: World, name: str, resource: str = "cpu") -> int:
    return world.ledger.forest.node(Namespace(name)).book(UNSCOPED).charge(resource) // 10**9


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("org: cpu 9 > a: holds cpu 2; org > b: holds cpu 3", id="usage below"),
        pytest.param("org: cpu 9, holds cpu 1 > a: keeps cpu 4, holds cpu 2", id="a guarantee"),
        pytest.param("org: cpu 1 > a: holds cpu 2", id="already over"),
        pytest.param("org: cpu 9 > a; lone: pods 3, holds pods 1", id="two trees"),
    ],
)
def test_a_state_brought_back_to_life_shows_the_same_state(text: str) -> None:
    state = survey.survey(observed(text))
    assert survey.survey(whatif.revive(state)) == state


def test_growth_is_refused_by_the_level_that_the_webhook_would_name() -> None:
    world = whatif.world(observed("org: cpu 5 > a: cpu 9, holds cpu 2; org > b: holds cpu 2"))
    key = (Namespace("a"), UNSCOPED)
    assert whatif.obstacles(world, key, nanos(cpu="1")) == []
    (limit,) = whatif.obstacles(world, key, nanos(cpu="2"))
    assert (limit.ancestor, limit.charged // 10**9, limit.hard // 10**9) == ("org", 4, 5)


def test_what_is_held_counts_for_the_next_question() -> None:
    world = whatif.world(observed("org: cpu 5 > a: holds cpu 2; org > b"))
    whatif.hold(world, (Namespace("a"), UNSCOPED), nanos(cpu="3"))
    assert charged(world, "org") == 5
    assert whatif.obstacles(world, (Namespace("b"), UNSCOPED), nanos(cpu="1"))


def test_applying_to_nothing_gives_the_tree_of_the_file() -> None:
    outcome = whatif.after(Observed(), tree("  org: {hard: {cpu: 9}, children: {a: {}}}"))
    key = (Namespace("a"), UNSCOPED)
    assert outcome.refused == ()
    assert outcome.unmeasured == {}
    assert not whatif.obstacles(outcome.world, key, nanos(cpu="9"))
    assert whatif.obstacles(outcome.world, key, nanos(cpu="10"))


def test_a_new_namespace_holds_what_every_namespace_is_born_with() -> None:
    wanted = tree("  org: {hard: {configmaps: 2, pods: 2}, children: {a: {}}}")
    outcome = whatif.after(Observed(), wanted)
    assert (charged(outcome.world, "org", "configmaps"), charged(outcome.world, "a")) == (2, 0)


def test_a_move_is_judged_by_the_limits_that_stand_before_it() -> None:
    wanted = tree("  new: {hard: {cpu: 8}, children: {a: {}}}\n  org: {hard: {cpu: 9}}")
    outcome = whatif.after(observed("org: cpu 9 > a: holds cpu 4; new: cpu 3"), wanted)
    (refused,) = outcome.refused
    assert refused.namespace == "a"
    assert "does not fit under new" in refused.reason
    assert [limit.ancestor for limit in refused.limits] == ["new"]
    assert charged(outcome.world, "org") == 4


def test_what_hangs_from_a_refused_namespace_is_left_out_too() -> None:
    wanted = tree("  new: {children: {a: {children: {b: {hard: {cpu: 1}}}}}}")
    outcome = whatif.after(observed("org > a: holds cpu 4; new: cpu 3"), wanted)
    assert [r.namespace for r in outcome.refused] == ["a", "b"]
    assert outcome.world.ledger.forest.get(Namespace("b")) is None


def test_a_guarantee_waits_where_usage_is_in_its_way() -> None:
    wanted = tree("  org: {hard: {cpu: 5}, children: {a: {guaranteed: {cpu: 3}}, b: {}}}")
    outcome = whatif.after(observed("org: cpu 9 > a; org > b: holds cpu 4"), wanted)
    (limit,) = outcome.world.limits.obstacles(Namespace("a"), UNSCOPED)
    assert (limit.ancestor, limit.requested // 10**9) == ("org", 3)


def test_a_guarantee_in_force_survives_as_far_as_it_is_still_asked_for() -> None:
    seen = observed("org: cpu 5 > a: keeps cpu 4; org > b: holds cpu 3")
    seen = replace(seen, quotas=tuple(replace(q, granted=q.guaranteed) for q in seen.quotas))
    wanted = tree("  org: {hard: {cpu: 5}, children: {a: {guaranteed: {cpu: 3}}, b: {}}}")
    outcome = whatif.after(whatif.revive(survey.survey(seen)), wanted)
    assert charged(outcome.world, "org") == 6
    assert not outcome.world.limits.obstacles(Namespace("a"), UNSCOPED)


def test_removals_come_last_and_not_after_a_refusal() -> None:
    seen = observed("org: cpu 5 > a: holds cpu 4; other: cpu 1")
    gone = whatif.Removals(quotas=((Namespace("org"), "quota"),))
    fine = whatif.after(seen, tree("  org: {}"), gone)
    assert fine.world.limits.quotas(Namespace("org")) == ()
    refused = whatif.after(seen, tree("  org: {}\n  other: {children: {a: {}}}"), gone)
    assert refused.refused
    assert refused.world.limits.quotas(Namespace("org"))


def test_a_deleted_namespace_takes_its_usage_and_its_limits_along() -> None:
    seen = observed("org: cpu 5 > a: cpu 4, holds cpu 4")
    gone = whatif.Removals(namespaces=(Namespace("a"),))
    outcome = whatif.after(seen, tree("  org: {hard: {cpu: 5}}"), gone)
    assert charged(outcome.world, "org") == 0
    assert outcome.world.ledger.forest.get(Namespace("a")) is None


def test_what_nobody_has_measured_yet_is_said_and_the_same_under_another_name_is_known() -> None:
    wanted = tree("  org: {hard: {requests.cpu: 9, memory: 1Gi}, children: {a: {}, new: {}}}")
    outcome = whatif.after(observed("org: cpu 9 > a: holds cpu 4"), wanted)
    assert charged(outcome.world, "org", "requests.cpu") == 4
    names = {key[0]: resources for key, resources in outcome.unmeasured.items()}
    assert names == {"org": ("memory",), "a": ("memory",)}
