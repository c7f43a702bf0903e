"""What `quotatree apply` has to do, decided before anything is done. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from quotatree.engine import lint, rollup
from quotatree.engine.survey import Observed
from quotatree.model import names
from quotatree.model.names import Namespace, QuotaName, Uid
from quotatree.model.quota import Quota
from quotatree.model.state import NodeState, TreeState
from quotatree.model.treefile import TreeFile, TreeNode


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """A live object that an earlier apply wrote: `root` is the root of its tree then."""

    namespace: Namespace
    uid: Uid
    root: Namespace
    quota: QuotaName | None = None
    parent: Namespace | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """What the plan has to know: which namespaces there are, and what earlier applies wrote."""

    namespaces: Mapping[Namespace, Namespace | None]
    marked: tuple[Marked, ...] = ()


def cluster_of(seen: Observed) -> Cluster:
    """Return what was observed as the plan has to know it."""
    spaces = [
        Marked(namespace=ns.name, uid=ns.uid, root=Namespace(root), parent=ns.parent)
        for ns in seen.namespaces
        if (root := ns.labels.get(names.LABEL_APPLIED))
    ]
    limits = [
        Marked(namespace=q.namespace, uid=q.uid, root=Namespace(q.applied), quota=q.name)
        for q in seen.quotas
        if q.applied
    ]
    return Cluster(
        namespaces={ns.name: ns.parent for ns in seen.namespaces}, marked=(*spaces, *limits)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyNamespace:
    """Create or configure a Namespace. `blind`: the server cannot judge it in a dry run yet."""

    node: TreeNode
    root: Namespace
    blind: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyQuota:
    """Create or configure a TreeQuota; `blind` as above."""

    quota: Quota
    root: Namespace
    blind: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All steps, in their order."""

    namespaces: tuple[ApplyNamespace, ...]
    quotas: tuple[ApplyQuota, ...]
    delete_quotas: tuple[Marked, ...] = ()
    detach: tuple[Marked, ...] = ()
    delete_namespaces: tuple[Marked, ...] = ()


def plan(
    tree: TreeFile, cluster: Cluster, *, prune: bool = False, delete_namespaces: bool = False
) -> Plan:
    """Return the steps that bring the cluster in line with the file.

    Namespaces come first, parents before children, so that each parent is there when its child
    names it. Removals come last and from the leaves up: a namespace with children cannot be
    deleted, and a limit must not go before what replaces it stands. Deleting a Namespace takes its
    TreeQuotas with it, so nothing else is done to it.
    """
    root_of = roots(tree)
    gone = _unnamed(tree, cluster, frozenset(root_of.values())) if prune else ()
    spaces = tuple(item for item in gone if item.quota is None)
    doomed = spaces if delete_namespaces else ()
    doomed_names = {item.namespace for item in doomed}
    return Plan(
        namespaces=tuple(
            ApplyNamespace(
                node=node,
                root=root_of[node.namespace],
                blind=node.parent is not None and node.parent not in cluster.namespaces,
            )
            for node in tree.nodes
        ),
        quotas=tuple(
            ApplyQuota(
                quota=quota,
                root=root_of[node.namespace],
                blind=node.namespace not in cluster.namespaces,
            )
            for node in tree.nodes
            for quota in node.quotas
        ),
        delete_quotas=tuple(
            item for item in gone if item.quota is not None and item.namespace not in doomed_names
        ),
        detach=tuple(item for item in spaces if item.parent is not None and not delete_namespaces),
        delete_namespaces=doomed,
    )


def roots(tree: TreeFile) -> dict[Namespace, Namespace]:
    """Return the root of each node's tree in the file."""
    found: dict[Namespace, Namespace] = {}
    for node in tree.nodes:
        found[node.namespace] = node.namespace if node.parent is None else found[node.parent]
    return found


def _unnamed(tree: TreeFile, cluster: Cluster, roots: frozenset[Namespace]) -> tuple[Marked, ...]:
    """Return what was applied under a root of the file and is not in it, leaves first."""
    named = {(node.namespace, q.name) for node in tree.nodes for q in node.quotas}
    named_spaces = {node.namespace for node in tree.nodes}
    order = {
        name: position
        for position, name in enumerate(reversed(rollup.parents_first(_forest(cluster))))
    }
    left = [
        item
        for item in cluster.marked
        if item.root in roots
        and (
            (item.namespace, item.quota) not in named
            if item.quota is not None
            else item.namespace not in named_spaces
        )
    ]
    return tuple(sorted(left, key=lambda item: (order.get(item.namespace, 0), item.quota or "")))


def _forest(cluster: Cluster) -> dict[Namespace, Namespace | None]:
    return rollup.acyclic(cluster.namespaces)


def waiting(tree: TreeFile, state: TreeState) -> dict[Namespace, str]:
    """Return the namespaces of the file that are not enforced yet, each with the reason."""
    seen = {node.namespace: node for node in state.nodes}
    found: dict[Namespace, str] = {}
    for node in tree.nodes:
        reason = next(_reasons(node, seen.get(node.namespace)), None)
        if reason is not None:
            found[node.namespace] = reason
    return found


def _reasons(node: TreeNode, seen: NodeState | None) -> Iterator[str]:
    if seen is None:
        yield "the controller has not seen it yet"
        return
    live = {quota.name: quota for quota in seen.quotas}
    for wanted in node.quotas:
        quota = live.get(wanted.name)
        if quota is None or quota.status is None:
            yield f"TreeQuota {wanted.name} has no status yet"
        elif quota.status.observed_generation < quota.generation:
            yield f"TreeQuota {wanted.name} was changed and is not taken in yet"
        else:
            yield from (
                f"TreeQuota {wanted.name}: {condition.message}"
                for condition in quota.status.conditions
                if condition.type == "Ready" and not condition.status
            )
    if not seen.enforced:
        yield "its ResourceQuota is not measured yet"


def _unowned(tree: TreeFile) -> list[str]:
    items = [finding.item for finding in lint.unowned(tree)]
    return [f"namespace {item.namespace}: {item.message}; {item.remedy}" for item in items]


def warnings(tree: TreeFile, state: TreeState) -> list[str]:
    """Return what stands but not as one may think: exceeded limits, pending guarantees."""
    notable = {"Exceeded": True, "GuaranteeGranted": False, "LooserThanAncestor": True}
    named = {node.namespace for node in tree.nodes}
    return _unowned(tree) + [
        f"treequota {node.namespace}/{quota.name}: {condition.message}"
        for node in state.nodes
        if node.namespace in named
        for quota in node.quotas
        for condition in (quota.status.conditions if quota.status is not None else ())
        if notable.get(condition.type) is condition.status
    ]
