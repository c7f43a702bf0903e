"""What is kept with every event equals what is added up from scratch, whatever happened before.

And whose plan is another one by an event is among those that the event names.
"""

from collections.abc import Callable
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from quotatree.engine import plan
from quotatree.engine.ledger import Ledger
from quotatree.engine.status import settle_doubts, status_of
from quotatree.engine.world import World
from quotatree.model.names import Namespace
from quotatree.model.quota import FailurePolicy
from quotatree.model.scope import UNSCOPED, ScopeTerm, scope_set
from quotatree.testing import words
from quotatree.units.resources import EMPTY

NAMES = ("a", "b", "c", "d", "e")
names = st.sampled_from(NAMES)

Step = Callable[[World, int], object]


def seen(name: str, parent: str | None, uid: str) -> Step:
    def step(world: World, version: int) -> None:
        world.see_namespace(words.namespace(name, parent=parent, version=version, uid=uid))

    return step


def lost(name: str) -> Step:
    return lambda world, version: world.lose_namespace(Namespace(name), version)


def used(name: str, cpu: int, measured: bool) -> Step:
    def step(world: World, version: int) -> None:
        amounts = {"cpu": str(cpu)} if cpu else {}
        quota = words.managed(world, name, used=amounts, version=version)
        world.see_managed(quota if measured else replace(quota, status_hard=EMPTY))

    return step


def quota_gone(name: str) -> Step:
    def step(world: World, _: int) -> None:
        for quota in list(world.managed.get(Namespace(name), {}).values()):
            world.lose_managed(quota)

    return step


def limited(name: str, resource: str) -> Step:
    def step(world: World, version: int) -> None:
        world.see_quota(words.quota(name, hard={resource: "9"}, generation=version))

    return step


def unlimited(name: str) -> Step:
    return lambda world, _: world.lose_quota(words.quota(name))


steps = st.one_of(
    st.builds(seen, names, st.none() | names, st.sampled_from(["", "second"])),
    st.builds(lost, names),
    st.builds(used, names, st.integers(0, 5), st.booleans()),
    st.builds(quota_gone, names),
    st.builds(limited, names, st.sampled_from(["cpu", "pods"])),
    st.builds(unlimited, names),
)


def from_scratch(world: World, name: Namespace) -> int:
    total = 0
    for member in world.ledger.forest.subtree(name):
        account = world.ledger.account(member, UNSCOPED)
        total += account.used.get("cpu", 0) if account is not None else 0
    return total


@given(st.lists(steps, max_size=25), st.sets(st.integers(0, 24)))
def test_usage_is_that_of_the_accounts_below(history, looks):
    world = World(Ledger(epoch=1))
    for number, step in enumerate(history):
        step(world, number + 1)
        if number in looks:  # sums are added up again only when somebody asks
            world.usage.of(Namespace("a"), UNSCOPED)
    for node in world.ledger.forest.nodes():
        found = world.usage.of(node.name, UNSCOPED)
        assert found.get("cpu", 0) == from_scratch(world, node.name)


@given(st.lists(steps, max_size=25), st.sets(st.integers(0, 24)))
def test_nobody_is_taken_for_measured_who_is_not(history, looks):
    """The doubts leave out only what is measured: conditions are those of a world without them."""
    world = World(Ledger(epoch=1))
    for number, step in enumerate(history):
        step(world, number + 1)
        if number in looks:
            settle_doubts(world)
    settle_doubts(world)
    told = {quota.key: status_of(world, quota).conditions for quota in world.limits.all()}
    world.doubted = set(world.namespaces)
    assert told == {q.key: status_of(world, q).conditions for q in world.limits.all()}


@given(st.lists(steps, max_size=25))
def test_the_names_that_are_limited_are_those_of_the_limits(history):
    world = World(Ledger(epoch=1))
    for number, step in enumerate(history):
        step(world, number + 1)
    want = {r for quota in world.limits.all() for r in (*quota.hard, *quota.guaranteed)}
    assert set(world.counted_resources()) == want


quotas = st.builds(
    lambda name, hard, scoped, policy: replace(
        words.quota(name, hard=hard, scopes=scope_set(scoped)), failure_policy=policy
    ),
    names,
    st.dictionaries(st.sampled_from(["cpu", "pods"]), st.sampled_from(["1", "9"])),
    st.sampled_from([[], [ScopeTerm(scope="BestEffort")]]),
    st.sampled_from(list(FailurePolicy)),
)


@given(st.lists(steps, max_size=25), st.lists(quotas, min_size=1, max_size=6))
def test_a_plan_that_a_limit_changes_is_made_again(history, limits):
    world = World(Ledger(epoch=1))
    for number, step in enumerate(history):
        step(world, number + 1)
    for number, quota in enumerate(limits):
        changed = replace(quota, generation=100 + number)
        _holds(world, lambda changed=changed: world.see_quota(changed))
    _holds(world, lambda: world.lose_quota(limits[0]))


def _holds(world: World, event: Callable[[], set[Namespace]]) -> None:
    before = {name: plan.plan_namespace(world, name) for name in world.namespaces}
    dirty = event()
    after = {name: plan.plan_namespace(world, name) for name in world.namespaces}
    assert {name for name in after if after[name] != before[name]} <= dirty
