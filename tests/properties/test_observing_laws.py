"""A limit that only observes says what it would say if it were in force, and is in nobody's way."""

from collections.abc import Iterator
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from quotatree.engine import observing
from quotatree.engine.ledger import Ledger
from quotatree.engine.observing import Counted
from quotatree.engine.status import status_of
from quotatree.engine.world import World
from quotatree.model.names import Namespace
from quotatree.model.quota import Mode
from quotatree.model.scope import UNSCOPED
from quotatree.testing import words
from quotatree.testing.words import Versions

NAMES = ("a", "b", "c", "d")
FIGURES = ("used", "charged", "available")

RESOURCES = ("cpu", "pods")

amounts = st.dictionaries(st.sampled_from(RESOURCES), st.integers(0, 12).map(str))
limits = st.tuples(amounts, amounts, st.sampled_from(Mode))


@st.composite
def forests(draw):
    """Return parents, limits and usage of a few namespaces."""
    parents = {n: draw(st.sampled_from(NAMES[:i])) if i else None for i, n in enumerate(NAMES)}
    quotas = draw(st.dictionaries(st.sampled_from(NAMES), limits, min_size=2))
    used = {n: {r: str(draw(st.integers(0, 5))) for r in RESOURCES} for n in NAMES}
    return parents, quotas, used


def planted(parents, versions: Versions) -> World:
    world = World(Ledger(epoch=1))
    for name, parent in parents.items():
        world.see_namespace(words.namespace(name, parent=parent, version=versions.next()))
    return world


def limited(world: World, quotas, versions: Versions, used) -> None:
    """Bring the limits in, and a measurement of what those in force name and of nothing else."""
    for name, (hard, guaranteed, mode) in sorted(quotas.items()):
        world.see_quota(replace(words.quota(name, hard=hard, guaranteed=guaranteed), mode=mode))
    for name, amounts in used.items():
        found = words.managed(world, name, used=amounts, version=versions.next())
        world.see_managed(replace(found, used=found.used.mask(found.spec_hard)))
    world.limits.settle()


def enforced(world: World, versions: Versions, used) -> None:
    """Measure all that is used, and let everything that only observes limit from now on."""
    for name, amounts in used.items():
        world.see_managed(words.managed(world, name, used=amounts, version=versions.next()))
    for quota in world.limits.observing():
        world.see_quota(replace(quota, generation=quota.generation + 1, mode=Mode.ENFORCE))
    world.limits.settle()


def finished(steps):
    """Take all steps of a work, and return what comes of it."""

    def taken() -> Iterator[None]:
        result.append((yield from steps))

    result: list = []
    list(taken())
    return result[0]


@given(forests())
def test_the_figures_are_those_of_the_limit_in_force(forest):
    parents, quotas, used = forest
    versions = Versions()
    world = planted(parents, versions)
    limited(world, quotas, versions, used)
    order = finished(observing.order(world))
    counted = {
        (name, scopes): {r: int(used[name][r]) * 10**9 for r in resources}
        for (name, scopes), resources in order.wanted.items()
    }
    sights = finished(observing.look(world, Counted(order=order, used=counted), Counted()))
    observing_now = world.limits.observing()
    world.sights = sights
    said = {q.key: status_of(world, q) for q in observing_now}
    enforced(world, versions, used)
    in_force = {q.key: status_of(world, q) for q in world.limits.all()}
    for key, status in said.items():
        for figure in FIGURES:
            assert getattr(status, figure) == getattr(in_force[key], figure), (key, figure)


@given(forests())
def test_what_only_observes_changes_no_charge_and_no_room(forest):
    parents, quotas, used = forest
    without = {n: q for n, q in quotas.items() if q[2] is Mode.ENFORCE}
    books = []
    for some in (quotas, without):
        versions = Versions()
        world = planted(parents, versions)
        limited(world, some, versions, used)
        nodes = [world.ledger.forest.node(Namespace(n)).book(UNSCOPED) for n in NAMES]
        books.append([(dict(b.hard), dict(b.guaranteed), b.charges()) for b in nodes])
    assert books[0] == books[1]
