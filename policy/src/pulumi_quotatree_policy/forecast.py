"""The tree as it will be: the state of the cluster with the program's namespaces and quotas in it.

Made and asked with the engine of the webhook (`engine.whatif`). Namespaces that neither the program
nor the state knows are taken for roots without limits, and remembered as `strangers`: whatever lies
below one of them can be refused by somebody that is not seen here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace

from pulumi_quotatree_policy.planned import Plan
from quotatree.codec import quotas
from quotatree.engine import rollup, room, whatif
from quotatree.engine.account import AccountKey
from quotatree.engine.whatif import Refused
from quotatree.engine.world import World
from quotatree.model.names import Namespace, ResourceName, Uid
from quotatree.model.observed import ObservedNamespace
from quotatree.model.quota import Quota
from quotatree.model.scope import UNSCOPED, ScopeSet
from quotatree.model.state import NodeState, TreeState
from quotatree.model.treefile import TreeFile, TreeNode
from quotatree.units.resources import EMPTY


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """A world to ask; `complete` says that it shows the whole cluster, not the program alone.

    `unmeasured` is limited by the program for the first time: what runs there counts as nothing.
    """

    world: World
    complete: bool
    unmeasured: Mapping[AccountKey, tuple[ResourceName, ...]] = field(default_factory=dict)
    refused: tuple[Refused, ...] = ()
    strangers: frozenset[Namespace] = frozenset()
    wanted: Mapping[Namespace, Namespace | None] = field(default_factory=dict)

    def circle(self, name: Namespace) -> tuple[Namespace, ...]:
        """Return the way down from a namespace to itself, empty where there is none."""
        way = [name]
        while (parent := self.wanted.get(way[-1])) is not None and parent not in way:
            way.append(parent)
        return (name, *reversed(way)) if parent == name else ()

    def path(self, name: Namespace) -> tuple[Namespace, ...]:
        """Return the namespace and its ancestors, the root last."""
        return self.world.ledger.forest.path(name) or (name,)

    def stranger_above(self, name: Namespace) -> Namespace | None:
        """Return the namespace on the path of which nothing is known."""
        known = self.complete or self.world.ledger.forest.get(name) is not None
        unknown = self.strangers if known else {*self.strangers, name}
        return next((it for it in self.path(name) if it in unknown), None)

    def scope_sets(self, name: Namespace) -> list[ScopeSet]:
        """Return the scope sets in which a namespace is limited."""
        return sorted({UNSCOPED} | self.world.limits.scope_sets(self.path(name)))

    def limited(self, name: Namespace, scopes: ScopeSet) -> tuple[str, ...]:
        """Return the resources that a namespace or one of its ancestors limits."""
        found = room.ceilings(self.world.ledger.forest.get(name), scopes)
        return tuple(sorted(resource for resource, hard in found.items() if hard is not None))

    def uncounted(
        self, name: Namespace, scopes: ScopeSet, growing: Collection[str]
    ) -> dict[Namespace, tuple[str, ...]]:
        """Return who shares a limit with a namespace and has usage that nobody has measured."""
        levels = {it: self._limits_at(it, scopes, growing) for it in self.path(name)}
        found: dict[Namespace, tuple[str, ...]] = {}
        for (other, where), resources in self.unmeasured.items():
            if where == scopes:
                shared = {r for level in self.path(other) for r in levels.get(level, ())}
                if missing := tuple(r for r in resources if r in shared):
                    found[other] = missing
        return found

    def _limits_at(
        self, level: Namespace, scopes: ScopeSet, resources: Collection[str]
    ) -> frozenset[str]:
        node = self.world.ledger.forest.get(level)
        book = node.books.get(scopes) if node is not None else None
        return frozenset() if book is None else frozenset(resources) & book.hard.keys()

    def used(self, name: Namespace, scopes: ScopeSet, resource: str) -> int:
        """Return what a namespace itself uses, in 10⁻⁹."""
        account = self.world.ledger.account(name, scopes)
        return account.used.get(resource, 0) if account is not None else 0


def make(plan: Plan, state: TreeState | None) -> Forecast:
    """Return the forecast of a program, on the state of the cluster where there is one."""
    nodes = {node.namespace: node for node in state.nodes} if state is not None else {}
    wanted = _wanted(plan, nodes)
    parents = {parent for parent in wanted.values() if parent is not None}
    strangers = frozenset(parents - wanted.keys() - nodes.keys())
    seen = whatif.revive(state or TreeState())
    stubs = tuple(_stub(name) for name in sorted(strangers))
    seen = replace(seen, namespaces=(*seen.namespaces, *stubs))
    outcome = whatif.after(seen, _file(wanted, list(_quotas(plan))))
    # With a state, a namespace that is in it or in the program hides nothing.
    return Forecast(
        world=outcome.world,
        complete=state is not None,
        unmeasured=outcome.unmeasured,
        refused=outcome.refused,
        strangers=strangers | (_unseen(plan, wanted) if state is None else frozenset()),
        wanted=wanted,
    )


def _wanted(plan: Plan, nodes: dict[Namespace, NodeState]) -> dict[Namespace, Namespace | None]:
    """Return the namespaces that the program speaks of, each with its parent to be.

    Where the program does not name a parent, the one that there is stays.
    """
    wanted: dict[Namespace, Namespace | None] = {}
    for name, said in plan.named_namespaces().items():
        named = next((it.parent for it in said if it.parent), "")
        wanted[name] = Namespace(named) if named else _parent(nodes, name)
    for quota in _quotas(plan):
        if quota.namespace not in wanted:
            wanted[quota.namespace] = _parent(nodes, quota.namespace)
    return wanted


def _parent(nodes: dict[Namespace, NodeState], name: Namespace) -> Namespace | None:
    node = nodes.get(name)
    return node.parent if node is not None else None


def _unseen(plan: Plan, wanted: dict[Namespace, Namespace | None]) -> frozenset[Namespace]:
    """Return the namespaces that only a quota names: what is above them nobody says."""
    return frozenset(wanted.keys() - plan.named_namespaces().keys())


def _quotas(plan: Plan) -> Iterator[Quota]:
    for it in plan.tree_quotas():
        if it.namespace is not None and it.name:
            # Planned is what is asked for: what was granted to another object says nothing.
            yield replace(quotas.parse(it.obj), namespace=it.namespace, granted=EMPTY)


def _file(wanted: dict[Namespace, Namespace | None], found: list[Quota]) -> TreeFile:
    return TreeFile(
        nodes=tuple(
            TreeNode(
                namespace=name,
                parent=wanted[name],
                quotas=tuple(quota for quota in found if quota.namespace == name),
            )
            for name in rollup.parents_first(rollup.acyclic(wanted))
        )
    )


def _stub(name: Namespace) -> ObservedNamespace:
    return ObservedNamespace(name=name, uid=Uid(f"uid-of-{name}"), resource_version=1)
