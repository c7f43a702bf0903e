"""What `quotatree plan` works on: a cluster as it shows itself, a state file, or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from quotatree.cli import mistakes, observe, options, plan_apply
from quotatree.cluster import recount
from quotatree.cluster.client import Client
from quotatree.cluster.recount import Recount, Wanted
from quotatree.codec import standing
from quotatree.codec import state as state_codec
from quotatree.codec.standing import Conflict
from quotatree.engine import foresight, lint, whatif
from quotatree.engine.survey import Observed
from quotatree.errors import ClusterError, InputError
from quotatree.model.forecast import FieldChange
from quotatree.model.names import Namespace
from quotatree.model.observed import Lifecycle, ObservedNamespace
from quotatree.model.offers import Offers
from quotatree.model.state import TreeState
from quotatree.model.treefile import TreeFile, TreeNode


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """Where a tree is to be applied. `tree` is the file as it will stand there.

    `offers` is None where nobody could be asked; `unasked` then says why. `unlisted` are objects
    that nobody has measured and that may not be listed: they count as nothing.
    """

    where: str
    seen: Observed
    tree: TreeFile
    labels: Mapping[Namespace, tuple[FieldChange, ...]] = field(default_factory=dict)
    conflicts: tuple[Conflict, ...] = ()
    offers: Offers | None = None
    unasked: str = ""
    unlisted: tuple[Wanted, ...] = ()


async def live(client: Client, tree: TreeFile, *, now: datetime) -> Situation:
    """Return the situation in a cluster; nothing is written. Raises: ClusterError."""
    lists = await observe.lists(client)
    objects = {
        (item["metadata"].get("namespace", ""), item["metadata"]["name"]): item
        for item in (*lists.namespaces, *lists.quotas)
    }
    merged = standing.standing(tree, plan_apply.roots(tree), objects)
    seen = lists.observed()
    counted = await _counted(client, seen, merged.tree, now=now)
    offers, unasked = await _offers(client, tree)
    return Situation(
        where=client.server,
        seen=whatif.measured(seen, counted.used) if counted.used else seen,
        tree=merged.tree,
        labels=merged.labels,
        conflicts=merged.conflicts,
        offers=offers,
        unasked=unasked,
        unlisted=counted.unlisted,
    )


async def _counted(client: Client, seen: Observed, tree: TreeFile, *, now: datetime) -> Recount:
    """Return the usage that the tree would measure for the first time, or observe."""
    unmeasured = whatif.after(seen, foresight.enforced(tree)).unmeasured
    return await recount.recount(client, unmeasured, now)


async def _offers(client: Client, tree: TreeFile) -> tuple[Offers | None, str]:
    if not any(lint.is_device(name) for name in resources(tree)):
        return Offers(), ""
    try:
        return await observe.offers(client), ""
    except ClusterError as error:
        if error.status != 403:
            raise
        return None, "nodes and DeviceClasses may not be listed with these credentials"


def resources(tree: TreeFile) -> set[str]:
    """Return all names of resources in a tree."""
    quotas = [quota for node in tree.nodes for quota in node.quotas]
    return {name for quota in quotas for name in (*quota.hard, *quota.guaranteed)}


def offline(tree: TreeFile, state: TreeState | None, *, where: str) -> Situation:
    """Return the situation that a state file shows; without one, that of an empty cluster.

    A state says nothing of labels, annotations and devices.
    """
    seen = Observed() if state is None else whatif.revive(state)
    known = {namespace.name: namespace for namespace in seen.namespaces}
    nodes = tuple(_kept(node, known.get(node.namespace)) for node in tree.nodes)
    return Situation(
        where=where,
        seen=seen,
        tree=TreeFile(nodes=nodes),
        unasked="there is no cluster to ask",
    )


def _kept(node: TreeNode, old: ObservedNamespace | None) -> TreeNode:
    """Return a node with what applying leaves alone: what others than `apply` set on it."""
    if old is None or old.labels:  # the one label that a state remembers is that of `apply`
        return node
    parent = old.parent if node.parent is None else node.parent
    stays = node.lifecycle is Lifecycle.INDEPENDENT
    return replace(node, parent=parent, lifecycle=old.lifecycle if stays else node.lifecycle)


def state_file(filename: str) -> TreeState:
    """Return the state that a file holds, as `quotatree tree -o json` printed it.

    Raises:
        InputError: it cannot be read, or is no such document.
    """
    found = state_codec.read(options.read_bytes(filename, state_codec.MAX_BYTES))
    if isinstance(found, TreeState):
        return found
    name = "<stdin>" if filename == "-" else filename
    more = f" (and {len(found) - 1} more mistakes)" if len(found) > 1 else ""
    raise InputError(f"{mistakes.problem_line(name, found[0])}{more}")
