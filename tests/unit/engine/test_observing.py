"""TreeQuotas that only observe: in nobody's way, and right about what they would refuse."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar, cast

import pytest

from quotatree.engine import observing, plan, sighted, status
from quotatree.engine.observing import Counted, Steps
from quotatree.engine.world import World
from quotatree.model.names import Namespace
from quotatree.model.quota import Condition, FailurePolicy, Mode, Quota, QuotaStatus
from quotatree.model.scope import UNSCOPED
from quotatree.testing import words
from quotatree.testing.fake import FakeCluster
from quotatree.units.resources import Resources

_T = TypeVar("_T")

ORG = "org: pods 9 > team > a; team > b; org > c"


def observe(world: World, name: str, *, generation: int = 1, **amounts: dict[str, str]) -> Quota:
    """Put a TreeQuota that only observes on a namespace, in place of the one that it has."""
    found = words.quota(name, generation=generation, **amounts)
    found = replace(found, mode=Mode.OBSERVE)
    world.see_quota(found)
    return found


def done(steps: Steps[_T]) -> _T:
    """Take all steps at once."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return cast("_T", end.value)


def counted(world: World, **used: str) -> Counted:
    """Return a count in which each namespace uses what is said of it (`a="pods 3"`), else zero."""
    order = done(observing.order(world))
    amounts = {}
    for (name, scopes), names in order.wanted.items():
        pairs = [part.split() for part in used.get(name, "").split(",") if part]
        said = Resources.parse(dict(pairs)).nanos()
        amounts[name, scopes] = {**dict.fromkeys(names, 0), **said}
    return Counted(order=order, used=amounts)


def look(world: World, now: Counted, before: Counted | None = None) -> None:
    world.sights = done(observing.look(world, now, before or Counted()))


def condition(found: QuotaStatus, kind: str) -> Condition:
    return next(c for c in found.conditions if c.type == kind)


# -- in nobody's way --------------------------------------------------------------------------


def test_what_is_observed_is_in_no_managed_quota_and_limits_nobody() -> None:
    world = words.world(ORG)
    observe(world, "team", hard={"cpu": "1"}, guaranteed={"memory": "1Gi"})
    FakeCluster(world).settle()
    assert str(world.managed[Namespace("a")]["quotatree"].spec_hard) == "pods=1E"
    assert world.counted_resources() == ("pods",)
    book = world.ledger.forest.node(Namespace("team")).book(UNSCOPED)
    assert not book.hard
    assert not book.guaranteed


def test_a_tree_that_only_observes_has_a_managed_quota_that_measures_nothing() -> None:
    world = words.world("org > a")
    observe(world, "org", hard={"cpu": "1", "count/jobs.batch": "1"})
    FakeCluster(world).settle()
    gate = world.managed[Namespace("a")]["quotatree"]
    assert (str(gate.spec_hard), gate.ready) == ("", True)
    assert world.counted_resources() == ()


def test_what_observes_says_nothing_of_growth_while_nobody_answers() -> None:
    world = words.world("org: pods 9 > a")
    (limit,) = world.limits.quotas(Namespace("org"))
    world.see_quota(replace(limit, generation=2, failure_policy=FailurePolicy.IGNORE))
    observe(world, "a", hard={"pods": "1"})
    assert world.limits.failure_policy((Namespace("a"), Namespace("org")), UNSCOPED) is (
        FailurePolicy.IGNORE
    )


def test_the_mode_is_switched_to_and_fro() -> None:
    world = words.world("org: pods 1 > a: holds pods 1")
    cluster = FakeCluster(world)
    cluster.settle()
    node = world.ledger.forest.node(Namespace("org"))
    observe(world, "org", hard={"pods": "1"}, generation=2)
    cluster.settle()
    assert not node.book(UNSCOPED).hard
    assert not world.managed[Namespace("a")]["quotatree"].spec_hard
    world.see_quota(words.quota("org", hard={"pods": "1"}, generation=3))
    cluster.settle()
    assert node.book(UNSCOPED).hard == {"pods": 10**9}
    assert "pods" in world.managed[Namespace("a")]["quotatree"].spec_hard
    assert world.limits.observing() == ()


def test_a_quota_that_goes_is_not_counted_for_any_more() -> None:
    world = words.world("org > a")
    quota = observe(world, "org", hard={"pods": "1"})
    world.lose_quota(quota)
    assert done(observing.order(world)).wanted == {}


# -- what it would refuse ---------------------------------------------------------------------


def test_every_namespace_below_is_counted_in_every_observed_name() -> None:
    world = words.world(ORG)
    observe(world, "team", hard={"cpu": "1"}, guaranteed={"memory": "1Gi"})
    found = {key[0]: names for key, names in done(observing.order(world)).wanted.items()}
    assert found == dict.fromkeys(("team", "a", "b"), ("cpu", "memory"))


def test_until_it_is_counted_it_says_so_and_no_figures() -> None:
    world = words.world("org > a")
    quota = observe(world, "org", hard={"pods": "1"})
    found = status.status_of(world, quota)
    assert (condition(found, "Ready").status, condition(found, "Ready").reason) == (
        False,
        "Counting",
    )
    assert not found.used


def test_figures_of_another_spec_are_not_shown() -> None:
    world = words.world("org > a")
    observe(world, "org", hard={"pods": "1"})
    look(world, counted(world, a="pods 3"))
    changed = observe(world, "org", hard={"pods": "5"}, generation=2)
    assert condition(status.status_of(world, changed), "Ready").reason == "Counting"


def test_what_was_counted_before_a_restart_stands_until_the_next_count() -> None:
    world = words.world("org > a")
    quota = observe(world, "org", hard={"pods": "1"})
    look(world, counted(world, a="pods 3"))
    written = replace(quota, status=status.status_of(world, quota))
    after = words.world("org > a")
    assert status.status_of(after, written) == written.status
    changed = replace(written, generation=2)
    assert condition(status.status_of(after, changed), "Ready").reason == "Counting"


def test_one_that_was_changed_while_it_was_counted_has_no_sight() -> None:
    world = words.world("org > a")
    observe(world, "org", hard={"pods": "1"})
    found = counted(world, a="pods 3")
    observe(world, "org", hard={"services": "5"}, generation=2)
    assert done(observing.look(world, found, Counted())) == {}


def test_its_numbers_are_those_of_a_limit_in_force() -> None:
    world = words.world("org: pods 9 > team > a; team > b; org > c: holds pods 2")
    quota = observe(world, "team", hard={"pods": "5"})
    look(world, counted(world, a="pods 3", b="pods 1"))
    found = status.status_of(world, quota)
    assert (str(found.used), str(found.charged), str(found.available)) == (
        "pods=4",
        "pods=4",
        "pods=1",
    )
    assert condition(found, "Ready").reason == "Observed"
    assert condition(found, "Exceeded").status is False


def test_an_ancestor_in_force_counts_too() -> None:
    world = words.world("org: pods 6 > team > a; org > c: holds pods 2")
    quota = observe(world, "team", hard={"pods": "50"})
    look(world, counted(world, a="pods 3"))
    found = status.status_of(world, quota)
    assert str(found.available) == "pods=1"
    assert condition(found, "LooserThanAncestor").status


def test_guarantees_below_are_charged_as_in_earnest() -> None:
    world = words.world("org > team: keeps pods 8 > a; org > c")
    quota = observe(world, "org", hard={"pods": "10"})
    look(world, counted(world, a="pods 1", c="pods 3"))
    found = status.status_of(world, quota)
    assert (str(found.used), str(found.charged)) == ("pods=4", "pods=11")
    assert "charged 11, hard 10" in condition(found, "Exceeded").message


@pytest.mark.parametrize(
    ("free", "want"),
    [
        pytest.param("pods 3", "every ancestor would have room", id="room"),
        pytest.param("pods 8", "it would wait, since org has no room for it", id="no room"),
    ],
)
def test_a_guarantee_is_not_kept_and_said_whether_it_would_be(free: str, want: str) -> None:
    world = words.world("org: pods 10 > team > a; org > c")
    world.see_managed(words.managed(world, "c", used={"pods": free.split()[1]}, version=99))
    quota = observe(world, "team", guaranteed={"pods": "4"})
    look(world, counted(world))
    found = status.status_of(world, quota)
    said = condition(found, "GuaranteeGranted")
    assert (said.status, said.reason) == (False, "Observed")
    assert want in said.message
    assert not found.guaranteed


def test_usage_above_the_limit_is_said_and_refuses_nothing() -> None:
    world = words.world("org > a; org > b")
    quota = observe(world, "org", hard={"pods": "2"})
    look(world, counted(world, a="pods 3", b="pods 1"))
    said = condition(status.status_of(world, quota), "Exceeded")
    assert said.status
    assert said.message.startswith("pods: charged 4, hard 2; it only observes: enforced, growth")
    assert not world.ledger.forest.node(Namespace("org")).book(UNSCOPED).hard


# -- who grew ---------------------------------------------------------------------------------


def grown(now: dict[str, str], before: dict[str, str]) -> str:
    world = words.world("org > a; org > b; org > c; org > d; org > e")
    quota = observe(world, "org", hard={"pods": "5"})
    first = counted(world, **before)
    look(world, first)
    look(world, counted(world, **now), first)
    return sighted.growth(world.sights[quota.key])


@pytest.mark.parametrize(
    ("before", "now", "want"),
    [
        pytest.param({"a": "pods 1"}, {"a": "pods 5"}, "", id="within the limit"),
        pytest.param({"a": "pods 9"}, {"a": "pods 8"}, "", id="above it, and shrinking"),
        pytest.param({"a": "pods 9"}, {"a": "pods 9"}, "", id="above it, and nothing new"),
        pytest.param(
            {"a": "pods 4"},
            {"a": "pods 4", "b": "pods 3"},
            "pods: charged 7, hard 5; grown since the last count: b by 3; "
            "2 of it would have been refused",
            id="some of it would have fitted",
        ),
        pytest.param(
            {"a": "pods 9"},
            {"a": "pods 6", "b": "pods 1"},
            "pods: charged 7, hard 5; grown since the last count: b by 1; "
            "1 of it would have been refused",
            id="less in all, and some growth",
        ),
        pytest.param(
            {},
            {"a": "pods 1", "b": "pods 2", "c": "pods 3", "d": "pods 4", "e": "pods 5"},
            "pods: charged 15, hard 5; grown since the last count: e by 5, d by 4, c by 3, "
            "2 others; 10 of it would have been refused",
            id="the greatest first",
        ),
    ],
)
def test_growth_beyond_the_limit_names_who_grew(before, now, want) -> None:
    assert grown(now, before) == want


def test_the_first_count_knows_of_no_growth() -> None:
    world = words.world("org > a")
    quota = observe(world, "org", hard={"pods": "1"})
    look(world, counted(world, a="pods 3"))
    assert sighted.growth(world.sights[quota.key]) == ""


def test_a_namespace_hears_which_levels_it_would_have_asked_in_vain() -> None:
    world = words.world("org > team > a; org > b")
    observe(world, "org", hard={"pods": "1", "cpu": "1"})
    observe(world, "team", hard={"pods": "1"})
    first = counted(world)
    look(world, first)
    look(world, counted(world, a="pods 2,cpu 2"), first)
    assert observing.refusals(world.sights.values()) == {
        "a": {"org": ["cpu", "pods"], "team": ["pods"]}
    }


# -- beside everything else -------------------------------------------------------------------


def test_a_quota_that_is_known_before_its_namespace_is_looked_at() -> None:
    world = words.world("org > a")
    quota = observe(world, "later", hard={"pods": "1"})
    look(world, counted(world))
    assert str(status.status_of(world, quota).used) == "pods=0"


def test_what_could_not_be_counted_is_named() -> None:
    world = words.world("org > a")
    quota = observe(world, "org", hard={"pods": "1", "count/secrets": "1"})
    why = {"count/secrets": "quotatree may not list secrets"}
    look(world, replace(counted(world, a="pods 1"), uncounted=why))
    found = status.status_of(world, quota)
    assert condition(found, "Ready").reason == "NotCounted"
    assert "count/secrets (quotatree may not list secrets)" in condition(found, "Ready").message
    assert str(found.used) == "pods=1"


def test_two_that_observe_the_same_count_as_one() -> None:
    world = words.world("org > a")
    observe(world, "org", hard={"pods": "5"})
    other = replace(words.quota("org", hard={"pods": "3"}), name="other", mode=Mode.OBSERVE)
    world.see_quota(other)
    look(world, counted(world, a="pods 1"))
    assert str(status.status_of(world, other).available) == "pods=2"


def test_a_sight_gives_the_controller_nothing_to_write() -> None:
    world = words.world(ORG)
    observe(world, "team", hard={"cpu": "1"})
    FakeCluster(world).settle()
    look(world, counted(world, a="cpu 7"))
    assert all(plan.plan_namespace(world, name) == () for name in world.namespaces)
