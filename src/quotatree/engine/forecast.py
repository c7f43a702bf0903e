"""What applying a tree would do, step by step and node by node. Numbers only: `misfit` judges."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from quotatree.engine import rollup, room, whatif
from quotatree.engine.forest import Book
from quotatree.engine.survey import Observed
from quotatree.engine.whatif import Outcome, Removals
from quotatree.engine.world import World
from quotatree.model import scope
from quotatree.model.forecast import Change, FieldChange, Forecast, NodeForecast, Row, Step
from quotatree.model.names import Namespace
from quotatree.model.observed import ObservedNamespace
from quotatree.model.quota import Mode, Quota
from quotatree.model.scope import ScopeSet
from quotatree.model.treefile import TreeFile, TreeNode
from quotatree.units.resources import Resources

Labels = Mapping[Namespace, tuple[FieldChange, ...]]
"""What changes of the user's own labels and annotations, which the engine does not know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A tree tried out: the world before, the outcome, and the forecast made of both."""

    before: World
    outcome: Outcome
    forecast: Forecast
    tree: TreeFile
    removals: Removals
    by_name: Mapping[Namespace, TreeNode]


def trial(
    seen: Observed,
    tree: TreeFile,
    *,
    removals: Removals | None = None,
    labels: Labels | None = None,
) -> Trial:
    """Try a tree out on what was observed."""
    removals = removals or Removals()
    pair = _Pair(
        before=whatif.world(seen),
        outcome=whatif.after(seen, tree, removals),
        tree=tree,
        removals=removals,
        labels=labels or {},
    )
    steps = tuple(pair.steps())
    return Trial(
        before=pair.before,
        outcome=pair.outcome,
        forecast=Forecast(steps=steps, nodes=tuple(pair.nodes(steps))),
        tree=tree,
        removals=removals,
        by_name={node.namespace: node for node in tree.nodes},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pair:
    """The world before and after."""

    before: World
    outcome: Outcome
    tree: TreeFile
    removals: Removals
    labels: Labels = field(default_factory=dict)

    @property
    def after(self) -> World:
        return self.outcome.world

    # -- steps ------------------------------------------------------------------------------

    def steps(self) -> Iterator[Step]:
        refused = {item.namespace for item in self.outcome.refused}
        removals = self.removals
        for node in self.tree.nodes:
            yield self._namespace(node, refused=node.namespace in refused)
        for node in self.tree.nodes:
            for quota in node.quotas:
                yield self._quota(quota, refused=node.namespace in refused)
        gone = Change.REFUSED if refused else Change.REMOVE
        for name, quota_name in removals.quotas:
            yield Step(namespace=name, quota=quota_name, change=gone)
        for name in removals.detach:
            parent = self.before.namespaces[name].parent
            fields = (FieldChange(field="parent", before=parent or ""),)
            change = Change.REFUSED if refused else Change.MOVE
            yield Step(namespace=name, change=change, fields=fields)
        for name in removals.namespaces:
            yield Step(namespace=name, change=gone)

    def _namespace(self, node: TreeNode, *, refused: bool) -> Step:
        old = self.before.namespaces.get(node.namespace)
        fields = (*_namespace_fields(node, old), *self.labels.get(node.namespace, ()))
        moved = old is not None and old.parent != node.parent
        change = Change.CREATE if old is None else Change.MOVE if moved else _changed(fields)
        return Step(
            namespace=node.namespace, change=Change.REFUSED if refused else change, fields=fields
        )

    def _quota(self, quota: Quota, *, refused: bool) -> Step:
        old = self.before.limits.find(quota.key)
        fields = tuple(_quota_fields(quota, old))
        change = Change.CREATE if old is None else _changed(fields)
        return Step(
            namespace=quota.namespace,
            quota=quota.name,
            change=Change.REFUSED if refused else change,
            fields=fields,
        )

    # -- nodes ------------------------------------------------------------------------------

    def nodes(self, steps: tuple[Step, ...]) -> Iterator[NodeForecast]:
        changes = {step.namespace: step.change for step in steps if step.quota is None}
        for name in self._concerned():
            yield NodeForecast(
                namespace=name,
                parent_before=_parent(self.before, name),
                parent=_parent(self.after, name),
                change=changes.get(name, Change.NOTHING),
                rows=tuple(self._rows(name)),
            )

    def _concerned(self) -> list[Namespace]:
        """Return the namespaces of every tree that the file has a part in, by path.

        What is deleted has its old place; what is refused and does not exist yet has none.
        """
        parents = {n: _parent(self.before, n) for n in self.before.namespaces}
        parents |= {n: _parent(self.after, n) for n in self.after.namespaces}
        forest = rollup.acyclic(parents)
        named = {node.namespace for node in self.tree.nodes}
        named |= {*self.removals.detach, *self.removals.namespaces}
        touched = {name for name in named if name in forest}
        roots = {rollup.path_up(forest, name)[-1] for name in touched}
        old = {
            self.before.ledger.forest.path(n)[-1] for n in touched if n in self.before.namespaces
        }
        concerned = {
            n: p for n, p in forest.items() if rollup.path_up(forest, n)[-1] in roots | old
        }
        return rollup.parents_first(concerned)

    def _rows(self, name: Namespace) -> Iterator[Row]:
        pairs = {
            (scopes, resource)
            for world in (self.before, self.after)
            for scopes, book in _books(world, name).items()
            for resource in (*book.hard, *book.guaranteed)
        }
        for world in (self.before, self.after):
            for quota in world.limits.enforced(name):
                pairs |= {(quota.scopes, resource) for resource in quota.guaranteed}
        for scopes, resource in sorted(pairs):
            yield self._row(name, scopes, resource)

    def _row(self, name: Namespace, scopes: ScopeSet, resource: str) -> Row:
        old = _books(self.before, name).get(scopes, Book())
        new = _books(self.after, name).get(scopes, Book())
        node = self.after.ledger.forest.get(name)
        used = self.after.usage.of(name, scopes)
        return Row(
            resource=resource,
            scopes=scopes,
            hard_before=old.hard.get(resource),
            hard=new.hard.get(resource),
            kept_before=_asked(self.before, name, scopes, resource=resource),
            kept=_asked(self.after, name, scopes, resource=resource),
            in_force=new.guaranteed.get(resource, 0),
            used=used.get(resource, 0),
            charged_before=old.charge(resource),
            charged=new.charge(resource),
            available=room.available(node, scopes, resource) if node is not None else None,
            unmeasured=self._is_unmeasured(name, scopes, resource),
        )

    def _is_unmeasured(self, name: Namespace, scopes: ScopeSet, resource: str) -> bool:
        unknown = self.outcome.unmeasured
        if not unknown:
            return False
        return any(
            resource in unknown.get((member, scopes), ())
            for member in self.after.ledger.forest.subtree(name)
        )


def _books(world: World, name: Namespace) -> Mapping[ScopeSet, Book]:
    node = world.ledger.forest.get(name)
    return {} if node is None else node.books


def _parent(world: World, name: Namespace) -> Namespace | None:
    seen = world.namespaces.get(name)
    return None if seen is None else seen.parent


def _asked(world: World, name: Namespace, scopes: ScopeSet, *, resource: str) -> int:
    """Return the guarantee that is asked for, in force or not."""
    asked = (q.guaranteed.nano(resource) for q in world.limits.enforced(name) if q.scopes == scopes)
    return max(asked, default=0)


def _changed(fields: tuple[FieldChange, ...]) -> Change:
    return Change.CHANGE if fields else Change.NOTHING


def _namespace_fields(node: TreeNode, old: ObservedNamespace | None) -> Iterator[FieldChange]:
    before = (old.parent or "", old.lifecycle.value) if old is not None else ("", "")
    if (parent := node.parent or "") != before[0]:
        yield FieldChange(field="parent", before=before[0], after=parent)
    if old is not None and node.lifecycle.value != before[1]:
        yield FieldChange(field="lifecycle", before=before[1], after=node.lifecycle.value)


def _quota_fields(new: Quota, old: Quota | None) -> Iterator[FieldChange]:
    none = Resources()
    for name, before, after in (
        ("hard", old.hard if old else none, new.hard),
        ("guaranteed", old.guaranteed if old else none, new.guaranteed),
    ):
        texts = before.to_strings(), after.to_strings()
        for resource in sorted({*before, *after}):
            if (
                resource not in before
                or resource not in after
                or before[resource] != after[resource]
            ):
                yield FieldChange(
                    field=f"{name}[{resource}]",
                    before=texts[0].get(resource, ""),
                    after=texts[1].get(resource, ""),
                )
    if old is not None and old.failure_policy is not new.failure_policy:
        yield FieldChange(
            field="failurePolicy", before=old.failure_policy.value, after=new.failure_policy.value
        )
    if new.mode is not (old.mode if old is not None else Mode.ENFORCE):
        was = old.mode.value if old is not None else ""
        yield FieldChange(field="mode", before=was, after=new.mode.value)
    if old is not None and old.scopes != new.scopes:
        yield FieldChange(
            field="scopes", before=scope.describe(old.scopes), after=scope.describe(new.scopes)
        )
