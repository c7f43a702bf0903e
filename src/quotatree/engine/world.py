"""Everything that one replica knows, brought up to date by one writer: the input of all plans."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from quotatree.engine.ledger import Ledger
from quotatree.engine.limits import Limits
from quotatree.model import names
from quotatree.model.names import Namespace
from quotatree.model.observed import ManagedQuota, ObservedNamespace
from quotatree.model.quota import Quota


class World:
    """Namespaces, managed ResourceQuotas and TreeQuotas as last seen, with ledger and limits.

    Every method that takes something in returns the namespaces whose plan may have changed.
    """

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.limits = Limits(ledger)
        self.namespaces: dict[Namespace, ObservedNamespace] = {}
        self.managed: dict[Namespace, dict[str, ManagedQuota]] = {}

    # -- taking in ----------------------------------------------------------------------------

    def see_namespace(self, seen: ObservedNamespace) -> set[Namespace]:
        """Take in a Namespace that was added or changed."""
        known = self.namespaces.get(seen.name)
        if known is not None and known.resource_version > seen.resource_version:
            return set()
        dirty = {seen.name} | self._near(seen.name)
        self.namespaces[seen.name] = seen
        if self.ledger.observe_namespace(seen):
            dirty |= set(self.ledger.forest.subtree(seen.name))
            dirty |= self._near(seen.name)
        if known is not None and known.annotations != seen.annotations:
            dirty |= self._children(seen.name)
        return dirty

    def lose_namespace(self, name: Namespace, resource_version: int) -> set[Namespace]:
        """Take in that a Namespace is gone, unless a newer one was seen since."""
        known = self.namespaces.get(name)
        if known is not None and known.resource_version > resource_version:
            return set()
        dirty = self._near(name) | set(self.ledger.forest.subtree(name))
        self.namespaces.pop(name, None)
        self.managed.pop(name, None)
        self.ledger.forget_namespace(name)
        return dirty - {name}

    def see_managed(self, seen: ManagedQuota) -> set[Namespace]:
        """Take in a managed ResourceQuota that was added or changed."""
        found = self.managed.setdefault(seen.namespace, {})
        known = found.get(seen.name)
        if known is not None and known.resource_version > seen.resource_version:
            return set()
        found[seen.name] = seen
        self.ledger.observe(seen)
        unchanged = known is not None and _shape(known) == _shape(seen)
        return set() if unchanged else {seen.namespace}

    def lose_managed(self, gone: ManagedQuota) -> set[Namespace]:
        """Take in that a managed ResourceQuota is gone, unless a newer one was seen since."""
        found = self.managed.get(gone.namespace, {})
        known = found.get(gone.name)
        if known is not None and known.uid != gone.uid:
            return set()
        found.pop(gone.name, None)
        self.ledger.quota_gone(gone.namespace, gone.scopes)
        return {gone.namespace}

    def see_quota(self, quota: Quota) -> set[Namespace]:
        """Take in a TreeQuota that was added or changed."""
        if not self.limits.put(quota):
            return set()
        return set(self.ledger.forest.subtree(quota.namespace))

    def lose_quota(self, quota: Quota) -> set[Namespace]:
        """Take in that a TreeQuota is gone."""
        if not self.limits.drop(quota):
            return set()
        return set(self.ledger.forest.subtree(quota.namespace))

    # -- questions ----------------------------------------------------------------------------

    def in_tree(self, name: Namespace) -> bool:
        """Whether a namespace has a parent, children or a TreeQuota."""
        node = self.ledger.forest.get(name)
        if node is None:
            return False
        return bool(node.declared or node.children or self.limits.quotas(name))

    def child_count(self, name: Namespace) -> int:
        """Return how many existing namespaces name this one as their parent."""
        return sum(1 for _ in self._existing_children(name))

    def owned_children(self, name: Namespace) -> Iterator[ObservedNamespace]:
        """Yield the children that have an ownerReference of ours to `name`."""
        for child in self._existing_children(name):
            if any(owner.kind == "Namespace" and owner.name == name for owner in child.owners):
                yield child

    def counted_resources(self) -> tuple[str, ...]:
        """Return every resource name that a TreeQuota limits or guarantees, sorted."""
        quotas: Iterable[Quota] = self.limits.all()
        return tuple(sorted({r for q in quotas for r in (*q.hard, *q.guaranteed)}))

    def cascades(self, name: Namespace) -> bool:
        """Whether deletion of `name` may take its owned children along."""
        seen = self.namespaces.get(name)
        return seen is not None and seen.annotations.get(names.ANNOTATION_CASCADE) == "true"

    def _existing_children(self, name: Namespace) -> Iterator[ObservedNamespace]:
        node = self.ledger.forest.get(name)
        for child in sorted(node.children) if node is not None else ():
            seen = self.namespaces.get(child)
            if seen is not None:
                yield seen

    def _children(self, name: Namespace) -> set[Namespace]:
        node = self.ledger.forest.get(name)
        return set() if node is None else set(node.children)

    def _near(self, name: Namespace) -> set[Namespace]:
        """Return the parent of a namespace: its count of children may change."""
        node = self.ledger.forest.get(name)
        return {node.parent.name} if node is not None and node.parent is not None else set()


def _shape(quota: ManagedQuota) -> tuple[object, ...]:
    """Return what a plan looks at in a managed ResourceQuota: everything but its usage."""
    return (
        quota.uid,
        quota.spec_hard,
        quota.status_hard,
        quota.measured,
        quota.ready,
        quota.epoch,
        quota.limited_by,
        quota.labelled,
        quota.terminating,
    )
