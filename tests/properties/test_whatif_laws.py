"""What holds of every plan, whatever the tree and whatever runs in it."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from quotatree.codec import state as state_codec
from quotatree.engine import forecast, misfit, rollup, survey, whatif
from quotatree.engine.survey import Observed
from quotatree.engine.world import World
from quotatree.model.names import Namespace, QuotaName
from quotatree.model.quota import Quota
from quotatree.model.scope import UNSCOPED
from quotatree.model.state import TreeState
from quotatree.model.treefile import TreeFile, TreeNode
from quotatree.testing import words
from quotatree.units.resources import EMPTY, Resources

NAMES = ("a", "b", "c", "d", "e")
RESOURCES = ("cpu", "pods")
amounts = st.dictionaries(st.sampled_from(RESOURCES), st.integers(0, 6), max_size=2)


@st.composite
def placed(draw: st.DrawFn) -> dict[str, str | None]:
    """Return some of the names, parents before children."""
    order = draw(st.permutations(NAMES))
    names = order[: draw(st.integers(1, len(order)))]
    return {
        name: draw(st.sampled_from([None, *names[:position]]))
        for position, name in enumerate(names)
    }


@st.composite
def seen(draw: st.DrawFn) -> Observed:
    """Return a forest with limits, guarantees in force or not, and usage within them or not."""
    parents = draw(placed())
    lines = []
    for name, parent in parents.items():
        hard, kept, used = draw(amounts), draw(amounts), draw(amounts)
        parts = [f"{r} {n}" for r, n in hard.items()]
        parts += [f"keeps {r} {min(n, hard.get(r, n))}" for r, n in kept.items()]
        parts += [f"holds {r} {n}" for r, n in used.items()]
        above = f"{parent} > " if parent else ""
        lines.append(f"{above}{name}: {', '.join(parts)}" if parts else f"{above}{name}")
    world = words.world("\n".join(lines))
    granted = draw(st.booleans())
    return Observed(
        namespaces=tuple(world.namespaces.values()),
        quotas=tuple(
            replace(q, granted=q.guaranteed if granted else EMPTY) for q in world.limits.all()
        ),
        managed=tuple(m for found in world.managed.values() for m in found.values()),
        resource_version=1,
    )


@st.composite
def trees(draw: st.DrawFn) -> TreeFile:
    nodes = []
    for name, parent in draw(placed()).items():
        hard, kept = draw(amounts), draw(amounts)
        quota = Quota(
            namespace=Namespace(name),
            name=QuotaName("quota"),
            hard=Resources.parse(hard),
            guaranteed=Resources.parse({r: min(n, hard.get(r, n)) for r, n in kept.items()}),
        )
        nodes.append(
            TreeNode(
                namespace=Namespace(name),
                parent=None if parent is None else Namespace(parent),
                quotas=(quota,) if hard or kept else (),
            )
        )
    return TreeFile(nodes=tuple(nodes))


def observed(world: World) -> Observed:
    """Return what a cluster in the state of `world` would show."""
    in_force = {
        n.name: Resources.from_nano(n.book(UNSCOPED).guaranteed)
        for n in world.ledger.forest.nodes()
    }
    return Observed(
        namespaces=tuple(world.namespaces.values()),
        quotas=tuple(replace(q, granted=in_force[q.namespace]) for q in world.limits.all()),
        managed=tuple(m for found in world.managed.values() for m in found.values()),
        resource_version=1,
    )


@given(seen(), trees())
def test_the_world_afterwards_has_the_numbers_of_a_recount(now: Observed, tree: TreeFile) -> None:
    forest = whatif.after(now, tree).world.ledger.forest
    books = {node.name: node.book(UNSCOPED) for node in forest.nodes()}
    numbers = rollup.rollup(
        {node.name: node.parent.name if node.parent else None for node in forest.nodes()},
        hard={n: Resources.from_nano(b.hard) for n, b in books.items()},
        guaranteed={n: Resources.from_nano(b.guaranteed) for n, b in books.items()},
        held={n: Resources.from_nano(b.held) for n, b in books.items()},
    )
    for name, book in books.items():
        assert {r: book.charge(r) for r in RESOURCES} == {
            r: numbers[name].charged.nano(r) for r in RESOURCES
        }


@given(seen(), trees())
def test_what_was_applied_needs_nothing_more(now: Observed, tree: TreeFile) -> None:
    outcome = whatif.after(now, tree)
    again = forecast.trial(observed(outcome.world), tree)
    if not outcome.refused:  # what was refused may fit under the limits that stand by then
        assert not again.forecast.changes
        codes = {f.item.code for f in misfit.findings(again)}
        assert codes.isdisjoint({"over-hard", "pods-must-say", "usage-not-measured"})


@given(seen(), trees())
def test_a_saved_state_foretells_what_the_cluster_foretells(now: Observed, tree: TreeFile) -> None:
    document = state_codec.to_dict(survey.survey(now))
    state = state_codec.parse(document)
    assert isinstance(state, TreeState)
    members = {node.namespace for node in state.nodes}
    now = replace(
        now,
        namespaces=tuple(n for n in now.namespaces if n.name in members),
        managed=tuple(m for m in now.managed if m.namespace in members),
    )
    live, saved = forecast.trial(now, tree), forecast.trial(whatif.revive(state), tree)
    assert saved.forecast == live.forecast
    assert [f.item for f in misfit.findings(saved)] == [f.item for f in misfit.findings(live)]


@given(seen(), trees())
def test_nothing_is_refused_but_by_a_full_level_or_below_one_that_was(
    now: Observed, tree: TreeFile
) -> None:
    refused: set[Namespace] = set()
    parents = {node.namespace: node.parent for node in tree.nodes}
    for item in whatif.after(now, tree).refused:
        assert item.limits or parents[item.namespace] in refused or "cycle" in item.reason
        assert all(limit.charged + limit.requested > limit.hard for limit in item.limits)
        refused.add(item.namespace)
