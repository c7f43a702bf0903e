"""The world that a tree file makes: every namespace there, every limit in force, nothing used."""

from __future__ import annotations

from collections.abc import Iterator

from quotatree.engine.ledger import Ledger
from quotatree.engine.world import World
from quotatree.model.names import Namespace, Uid
from quotatree.model.observed import ObservedNamespace
from quotatree.model.scope import UNSCOPED, ScopeSet
from quotatree.model.treefile import TreeFile


def plant(tree: TreeFile) -> World:
    """Return a world as the controller would have it right after the tree was applied.

    Guarantees come in the order of the file; one without room waits, as in a cluster.
    """
    world = World(Ledger(epoch=1))
    for node in tree.nodes:
        uid = Uid(f"uid-{node.namespace}")
        world.see_namespace(
            ObservedNamespace(name=node.namespace, uid=uid, resource_version=1, parent=node.parent)
        )
    for node in tree.nodes:
        for quota in node.quotas:
            world.see_quota(quota)
    world.limits.settle()
    return world


def scope_sets(world: World, name: Namespace) -> Iterator[ScopeSet]:
    """Yield the scope sets that count workloads of a namespace, the unscoped one first."""
    found = world.limits.scope_sets(world.ledger.forest.path(name))
    yield UNSCOPED
    yield from sorted(found - {UNSCOPED})
