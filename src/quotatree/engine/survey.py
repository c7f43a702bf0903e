"""Objects as observed to the state of the tree: who belongs to it, and all its numbers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from quotatree.engine import rollup
from quotatree.errors import InputError
from quotatree.model.names import LABEL_APPLIED, Namespace
from quotatree.model.observed import ManagedQuota, ObservedNamespace
from quotatree.model.quota import Quota
from quotatree.model.scope import UNSCOPED, ScopeSet
from quotatree.model.state import Figures, NodeState, ScopedFigures, TreeState
from quotatree.units.resources import EMPTY, Resources

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """Everything that was read, and the revision up to which it is complete."""

    namespaces: tuple[ObservedNamespace, ...] = ()
    quotas: tuple[Quota, ...] = ()
    managed: tuple[ManagedQuota, ...] = ()
    resource_version: int = 0


def survey(seen: Observed) -> TreeState:
    """Return the state of the tree that the objects show.

    A namespace belongs to a tree if it names a parent, is named as one, or has a quota.
    """
    members = _members(seen)
    parents = {ns.name: ns.parent for ns in members}
    forest = rollup.acyclic(parents)
    quotas = _by_namespace(seen.quotas, lambda q: q.namespace)
    managed = _by_namespace(seen.managed, lambda m: m.namespace)
    scope_sets = sorted(
        {q.scopes for q in seen.quotas if q.enforced} | {m.scopes for m in seen.managed}
    )
    figures = {
        scopes: _figures(forest, scopes, quotas=quotas, managed=managed) for scopes in scope_sets
    }
    by_name = {ns.name: ns for ns in members}
    return TreeState(
        resource_version=seen.resource_version,
        nodes=tuple(
            NodeState(
                namespace=name,
                parent=parents[name],
                enforced=_enforced(managed.get(name, [])),
                terminating=by_name[name].terminating,
                lifecycle=by_name[name].lifecycle,
                applied=by_name[name].labels.get(LABEL_APPLIED, ""),
                figures=figures.get(UNSCOPED, {}).get(name, Figures()),
                scoped=tuple(
                    ScopedFigures(scopes=scopes, figures=of[name])
                    for scopes, of in figures.items()
                    if scopes != UNSCOPED and of[name] != Figures()
                ),
                quotas=tuple(sorted(quotas.get(name, []), key=lambda q: q.name)),
            )
            for name in rollup.parents_first(forest)
        ),
    )


def _members(seen: Observed) -> list[ObservedNamespace]:
    named = {ns.parent for ns in seen.namespaces}
    holding = {q.namespace for q in seen.quotas} | {m.namespace for m in seen.managed}
    return [
        ns
        for ns in seen.namespaces
        if ns.parent is not None or ns.name in named or ns.name in holding
    ]


def _by_namespace(items: Iterable[_T], key: Callable[[_T], Namespace]) -> dict[Namespace, list[_T]]:
    found: dict[Namespace, list[_T]] = {}
    for item in items:
        found.setdefault(key(item), []).append(item)
    return found


def _enforced(managed: list[ManagedQuota]) -> bool:
    """Whether every quota of a namespace is measured, and the gate at its birth is open."""
    return bool(managed) and all(
        quota.measured and (quota.ready or quota.scopes != UNSCOPED) for quota in managed
    )


def _figures(
    forest: Mapping[Namespace, Namespace | None],
    scopes: ScopeSet,
    *,
    quotas: Mapping[Namespace, list[Quota]],
    managed: Mapping[Namespace, list[ManagedQuota]],
) -> dict[Namespace, Figures]:
    hard: dict[Namespace, Resources] = {}
    guaranteed: dict[Namespace, Resources] = {}
    for name in forest:
        for quota in (q for q in quotas.get(name, []) if q.enforced and q.scopes == scopes):
            hard[name] = hard.get(name, EMPTY).minimum(quota.hard)
            in_force = quota.guaranteed.minimum(quota.granted).mask(
                [r for r in quota.guaranteed if r in quota.granted]
            )
            guaranteed[name] = guaranteed.get(name, EMPTY).maximum(in_force)
    measured = {
        name: next((m for m in managed.get(name, []) if m.scopes == scopes), None)
        for name in forest
    }
    held = {n: m.used.maximum(m.slice) for n, m in measured.items() if m is not None}
    solid = {n: m.used for n, m in measured.items() if m is not None}
    used = rollup.subtree_sums(forest, solid)
    # Slices that nobody uses are taken back for whoever needs the room.
    numbers = rollup.rollup(forest, hard=hard, guaranteed=guaranteed, held=solid)
    return {
        name: Figures(
            held=held.get(name, EMPTY),
            used=used[name],
            charged=numbers[name].charged,
            available=numbers[name].available,
            hard=hard.get(name, EMPTY),
            guaranteed=guaranteed.get(name, EMPTY),
        )
        for name in forest
    }


def only(
    state: TreeState, *, namespace: str | None = None, resources: Collection[str] = ()
) -> TreeState:
    """Return the part of `state` below `namespace` (all of it by default) in these resources.

    Raises:
        InputError: no namespace of that name is in a tree.
    """
    nodes = state.nodes if namespace is None else _below(state, namespace)
    if resources:
        nodes = tuple(_in_resources(node, resources) for node in nodes)
    return replace(state, nodes=nodes)


def _below(state: TreeState, namespace: str) -> tuple[NodeState, ...]:
    parents = rollup.acyclic({node.namespace: node.parent for node in state.nodes})
    if Namespace(namespace) not in parents:
        raise InputError(
            f"namespace {namespace} is in no tree: it has no parent, no children and no TreeQuota; "
            "quotatree tree shows those that are"
        )
    return tuple(n for n in state.nodes if namespace in rollup.path_up(parents, n.namespace))


def _in_resources(node: NodeState, resources: Collection[str]) -> NodeState:
    return replace(
        node,
        figures=_masked(node.figures, resources),
        scoped=tuple(
            replace(item, figures=_masked(item.figures, resources)) for item in node.scoped
        ),
        quotas=tuple(
            replace(
                quota,
                hard=quota.hard.mask(resources),
                guaranteed=quota.guaranteed.mask(resources),
            )
            for quota in node.quotas
        ),
    )


def _masked(figures: Figures, resources: Collection[str]) -> Figures:
    return Figures(
        held=figures.held.mask(resources),
        used=figures.used.mask(resources),
        charged=figures.charged.mask(resources),
        available=figures.available.mask(resources),
        hard=figures.hard.mask(resources),
        guaranteed=figures.guaranteed.mask(resources),
    )
