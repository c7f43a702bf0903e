"""What if: a world made of what was observed, to be changed and asked without a cluster.

It is the very engine that the webhook decides with: the same charges, guarantees and answers.
`after` does to it what `quotatree apply` would do to the cluster, in the same order: Namespaces
first, parents before children, each move judged by the limits in force then; TreeQuotas after
that; removals last, and none after a refusal. `hold` lets a namespace grow, for questions about
one workload after another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from quotatree.engine import attach, plan, rollup, room
from quotatree.engine.account import AccountKey
from quotatree.engine.ledger import Ledger
from quotatree.engine.survey import Observed
from quotatree.engine.world import World
from quotatree.model import names, scope
from quotatree.model.names import Namespace, QuotaName, ResourceName, Uid
from quotatree.model.observed import ManagedQuota, ObservedNamespace
from quotatree.model.quota import Quota
from quotatree.model.review import NamespaceReview
from quotatree.model.scope import UNSCOPED, ScopeSet
from quotatree.model.state import Figures, NodeState, TreeState
from quotatree.model.treefile import TreeFile, TreeNode
from quotatree.model.verdict import Admit, Limit, Refuse, TryLater
from quotatree.units import resource_names
from quotatree.units.quantity import NANO
from quotatree.units.resources import EMPTY, Resources

_EPOCH: Final = 1
# kube-controller-manager puts the root CA and the default ServiceAccount into every namespace.
_AT_BIRTH: Final = {"count/configmaps": NANO, "count/serviceaccounts": NANO}
_FIRST: Final = 1
"""resourceVersion and generation of what no API server has numbered."""
_LAST: Final = 2**63 - 1
"""resourceVersion of an end: above that of all that goes with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Removals:
    """What goes: TreeQuotas, parent labels, whole Namespaces; each from the leaves up."""

    quotas: tuple[tuple[Namespace, QuotaName], ...] = ()
    detach: tuple[Namespace, ...] = ()
    namespaces: tuple[Namespace, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A step that would be refused, with all that depends on it; `limits` where numbers did it."""

    namespace: Namespace
    reason: str
    limits: tuple[Limit, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The world afterwards.

    `unmeasured` are the resources that are limited now and whose usage nobody has measured yet:
    they count as unused there.
    """

    world: World
    refused: tuple[Refused, ...] = ()
    unmeasured: Mapping[AccountKey, tuple[ResourceName, ...]] = field(default_factory=dict)


# -- from a state to a world ----------------------------------------------------------------


def revive(state: TreeState) -> Observed:
    """Return objects that show `state`: what a file holds of a cluster, as if it were there."""
    parents = rollup.acyclic({node.namespace: node.parent for node in state.nodes})
    below: dict[Namespace | None, list[NodeState]] = {}
    for node in state.nodes:
        below.setdefault(parents[node.namespace], []).append(node)
    return Observed(
        namespaces=tuple(_namespace(node) for node in state.nodes),
        quotas=tuple(quota for node in state.nodes for quota in node.quotas),
        managed=tuple(
            _managed(node, scopes, below.get(node.namespace, ()))
            for node in state.nodes
            for scopes in (UNSCOPED, *(item.scopes for item in node.scoped))
        ),
        resource_version=state.resource_version,
    )


def _namespace(node: NodeState) -> ObservedNamespace:
    return ObservedNamespace(
        name=node.namespace,
        uid=_uid(node.namespace),
        resource_version=_FIRST,
        parent=node.parent,
        lifecycle=node.lifecycle,
        terminating=node.terminating,
        labels={names.LABEL_APPLIED: node.applied} if node.applied else {},
    )


def _managed(node: NodeState, scopes: ScopeSet, children: Iterable[NodeState]) -> ManagedQuota:
    """Return the measurement of one namespace: what its subtree uses less what is below it."""
    figures = _figures(node, scopes)
    below = EMPTY
    for child in children:
        below += _figures(child, scopes).used
    own = figures.used - below
    used = {r: max(0, own.nano(r)) for r in figures.held}
    return _measurement(node.namespace, scopes, used, held=figures.held, ready=node.enforced)


def _measurement(
    name: Namespace,
    scopes: ScopeSet,
    used: Mapping[str, int],
    *,
    held: Resources = EMPTY,
    ready: bool = True,
) -> ManagedQuota:
    return ManagedQuota(
        namespace=name,
        name=scope.managed_name(scopes),
        uid=_uid(name),
        resource_version=_FIRST,
        scopes=scopes,
        spec_hard=plan.wide(used),
        status_hard=plan.wide(used),
        used=Resources.from_nano(used),
        slice=held.mask([r for r, amount in held.nanos().items() if amount > used[r]]),
        epoch=_EPOCH,
        ready=ready,
    )


def _figures(node: NodeState, scopes: ScopeSet) -> Figures:
    if scopes == UNSCOPED:
        return node.figures
    return next((item.figures for item in node.scoped if item.scopes == scopes), Figures())


def _uid(name: Namespace) -> Uid:
    return Uid(f"uid-of-{name}")


def world(seen: Observed, *, epoch: int | None = None) -> World:
    """Return the world that shows what was observed, guarantees in force as far as granted.

    It is that of the leader of `epoch`; without one all that was measured is taken for its own.
    Slices are left out: where they are in the way of what is asked, they are taken back.
    """
    found = World(Ledger(epoch=_EPOCH if epoch is None else epoch))
    for namespace in seen.namespaces:
        found.see_namespace(namespace)
    # In the order of a list: guarantees that wait are granted in the order of their coming.
    for quota in sorted(seen.quotas, key=lambda quota: quota.key):
        found.see_quota(quota)
    for managed in seen.managed:
        as_seen = replace(managed, slice=EMPTY)
        found.see_managed(replace(as_seen, epoch=_EPOCH) if epoch is None else as_seen)
    return found


def measured(seen: Observed, found: Mapping[AccountKey, Mapping[str, int]]) -> Observed:
    """Return what was observed, with figures from elsewhere for what nobody had measured."""
    known = {(quota.namespace, quota.scopes): quota for quota in seen.managed}
    for key, used in found.items():
        quota = known.get(key)
        if quota is None:
            known[key] = _measurement(*key, used)
        else:
            more = Resources.from_nano(used).without(quota.used)
            known[key] = replace(
                quota,
                used=quota.used + more,
                spec_hard=quota.spec_hard + plan.wide(more),
                status_hard=quota.status_hard + plan.wide(more),
            )
    return replace(seen, managed=tuple(known.values()))


# -- questions about growth -----------------------------------------------------------------


def obstacles(found: World, key: AccountKey, growth: Mapping[str, int]) -> list[Limit]:
    """Return every level that would refuse this growth of a namespace, nearest first.

    Empty means that it fits; so it does in a namespace of no tree.
    """
    if found.ledger.account(*key) is None:
        node = found.ledger.forest.get(key[0])
        return [] if node is None else room.obstacles(node, key[1], growth)
    return found.ledger.obstacles(key, _grown(found, key, growth))


def hold(found: World, key: AccountKey, growth: Mapping[str, int]) -> None:
    """Count this growth as committed usage of a namespace from now on."""
    name, scopes = key
    used = _grown(found, key, growth)
    known = found.managed.get(name, {}).get(scope.managed_name(scopes))
    if known is None:
        found.see_managed(_measurement(name, scopes, used))
        return
    version = known.resource_version + 1
    found.see_managed(replace(known, used=Resources.from_nano(used), resource_version=version))


def _grown(found: World, key: AccountKey, growth: Mapping[str, int]) -> dict[str, int]:
    account = found.ledger.account(*key)
    used = dict(account.used) if account is not None else {}
    for resource, amount in growth.items():
        used[resource] = used.get(resource, 0) + amount
    return used


# -- applying a tree ------------------------------------------------------------------------


def after(seen: Observed, tree: TreeFile, removals: Removals | None = None) -> Outcome:
    """Return what `quotatree apply` of `tree` would lead to, starting from what was observed."""
    found = world(seen)
    existing = frozenset(found.namespaces)
    refused = _apply(found, tree)
    if not refused and removals is not None:
        _remove(found, removals)
    found.limits.settle()
    return Outcome(world=found, refused=refused, unmeasured=_measure(found, existing))


def _apply(found: World, tree: TreeFile) -> tuple[Refused, ...]:
    refused: dict[Namespace, Refused] = {}
    for node in tree.nodes:
        reason = _place(found, node, refused)
        if reason is not None:
            refused[node.namespace] = reason
    for node in tree.nodes:
        if node.namespace not in refused:
            for quota in node.quotas:
                _put(found, quota)
    return tuple(refused.values())


def _place(found: World, node: TreeNode, refused: Mapping[Namespace, Refused]) -> Refused | None:
    """Put a namespace where the file has it, unless that is refused."""
    if node.parent in refused:
        return Refused(namespace=node.namespace, reason=f"its parent {node.parent} failed")
    old = found.namespaces.get(node.namespace)
    new = _desired(node, old)
    review = NamespaceReview(uid=new.uid, old=old, new=new, dry_run=True)
    limits = tuple(_move_obstacles(found, review))
    # Nothing is in flight here, so there is nothing to wait for: `arrived` is long ago.
    verdict = attach.decide(found.ledger, review, now=0.0, arrived=float("-inf"))
    match verdict:
        case Admit():
            found.see_namespace(new)
            return None
        case Refuse(message=reason) | TryLater(reason=reason):
            return Refused(namespace=node.namespace, reason=reason, limits=limits)
        case _:
            raise AssertionError(f"a move is never answered by {verdict}")


def _move_obstacles(found: World, review: NamespaceReview) -> list[Limit]:
    parent = review.new.parent
    if parent is None or (review.old is not None and review.old.parent == parent):
        return []
    forest = found.ledger.forest
    node, target = forest.node(review.new.name), forest.node(parent)
    return [] if node in forest.above(target) else attach.obstacles(found.ledger, node, target)


def _desired(node: TreeNode, old: ObservedNamespace | None) -> ObservedNamespace:
    if old is None:
        old = ObservedNamespace(name=node.namespace, uid=_uid(node.namespace), resource_version=0)
    cascade = node.annotations.get(names.ANNOTATION_CASCADE)
    own = {} if cascade is None else {names.ANNOTATION_CASCADE: cascade}
    return replace(
        old,
        parent=node.parent,
        lifecycle=node.lifecycle,
        annotations={**old.annotations, **own},
        resource_version=old.resource_version + 1,
    )


def _put(found: World, quota: Quota) -> None:
    known = found.limits.find(quota.key)
    if known is None:
        found.see_quota(replace(quota, generation=_FIRST))
    else:
        generation = known.generation + 1
        found.see_quota(replace(quota, uid=known.uid, generation=generation, granted=known.granted))


def _remove(found: World, removals: Removals) -> None:
    for key in removals.quotas:
        quota = found.limits.find(key)
        if quota is not None:
            found.lose_quota(quota)
    for name in removals.detach:
        known = found.namespaces.get(name)
        if known is not None:
            version = known.resource_version + 1
            found.see_namespace(replace(known, parent=None, resource_version=version))
    for name in removals.namespaces:
        for quota in found.limits.quotas(name):
            found.lose_quota(quota)
        known = found.namespaces.get(name)
        if known is not None:
            found.lose_namespace(name, _LAST)


def _measure(
    found: World, existing: frozenset[Namespace]
) -> dict[AccountKey, tuple[ResourceName, ...]]:
    """Give every namespace a measurement of what is limited now; return what nobody knows.

    What was created a moment ago holds what every namespace is born with. What has been measured
    under another name of the same resource (`requests.cpu` is `cpu`) is known.
    """
    unknown: dict[AccountKey, tuple[ResourceName, ...]] = {}
    for name in sorted(filter(found.in_tree, found.namespaces)):
        path = found.ledger.forest.path(name)
        for scopes in sorted({UNSCOPED} | found.limits.scope_sets(path)):
            born = name not in existing
            missing = _measure_one(found, name, scopes, known=_AT_BIRTH if born else {})
            if missing and not born:
                unknown[name, scopes] = missing
    return unknown


def _measure_one(
    found: World, name: Namespace, scopes: ScopeSet, *, known: Mapping[str, int]
) -> tuple[ResourceName, ...]:
    account = found.ledger.account(name, scopes)
    used = account.used if account is not None else {}
    same = {**known, **{resource_names.equivalent(r): amount for r, amount in used.items()}}
    wanted = room.ceilings(found.ledger.forest.get(name), scopes)
    new = [r for r in sorted(wanted) if r not in used]
    growth = {r: same.get(resource_names.equivalent(r), 0) for r in new}
    if growth or account is None:
        hold(found, (name, scopes), growth)
    return tuple(ResourceName(r) for r in new if resource_names.equivalent(r) not in same)
