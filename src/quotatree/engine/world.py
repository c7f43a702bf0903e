"""Everything that one replica knows, brought up to date by one writer: the input of all plans."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from quotatree.engine.account import Way
from quotatree.engine.ledger import Ledger
from quotatree.engine.limits import Limits
from quotatree.engine.usage import Usage
from quotatree.model import names
from quotatree.model.names import Namespace, QuotaName, Uid
from quotatree.model.observed import Held, Lifecycle, ManagedQuota, ObservedNamespace
from quotatree.model.quota import Quota
from quotatree.model.scope import UNSCOPED
from quotatree.model.sight import Sight
from quotatree.units.resources import Resources


class World:
    """Namespaces, managed ResourceQuotas and TreeQuotas as last seen, with ledger and limits.

    Every method that takes something in returns the namespaces whose plan may have changed. All of
    them are `doubted` (perhaps not measured in every key) until somebody has looked. `born` are
    those that had a parent, and so a closed gate, from their first moment on. `sights` are what the
    TreeQuotas that only observe would do, as far as they were counted. `outlived` says that some
    managed ResourceQuota was seen with a later epoch than the ledger's.
    """

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.limits = Limits(ledger)
        self.usage = Usage(ledger)
        self.doubted: set[Namespace] = set()
        self.outlived = False
        self.born: set[Namespace] = set()
        self.namespaces: dict[Namespace, ObservedNamespace] = {}
        self.managed: dict[Namespace, dict[str, ManagedQuota]] = {}
        self.sights: dict[tuple[Namespace, QuotaName], Sight] = {}
        self._owned: dict[Namespace, set[Namespace]] = {}
        self._named_as_owner: Counter[Uid] = Counter()
        self._cascaded: set[Uid] = set()

    # -- taking in ----------------------------------------------------------------------------

    def see_namespace(self, seen: ObservedNamespace, *, changed: bool = False) -> set[Namespace]:
        """Take in a Namespace that was added or `changed` since all of them were listed."""
        known = self.namespaces.get(seen.name)
        if known is not None and known.resource_version > seen.resource_version:
            return set()
        if changed and (known is None or known.uid != seen.uid):
            self._note_birth(seen)
        dirty = {seen.name} | self._near(seen.name)
        self.namespaces[seen.name] = seen
        dirty |= self._index_owners(seen.name, known, seen)
        uid = self.ledger.uid_of(seen.name)
        if self.ledger.observe_namespace(seen, standing=self._standing(seen.name)):
            dirty |= set(self.ledger.forest.subtree(seen.name))
            dirty |= self._near(seen.name)
        if uid is not None and uid != seen.uid:
            self._count_again(seen.name)
        for scopes, used in seen.held.items():
            self.ledger.recall(seen.name, scopes, used.nanos())
        self.usage.note(seen.name)
        if known is not None and _permission(known) != _permission(seen):
            dirty |= self._children(seen.name)
        return self._doubt(dirty)

    def _note_birth(self, seen: ObservedNamespace) -> None:
        """Note whether a Namespace had a parent from its first moment on: the watch tells of it."""
        (self.born.discard if seen.parent is None else self.born.add)(seen.name)

    def lose_namespace(self, name: Namespace, resource_version: int) -> set[Namespace]:
        """Take in that a Namespace is gone, unless a newer one was seen since."""
        known = self.namespaces.get(name)
        if known is not None and known.resource_version > resource_version:
            return set()
        dirty = self._near(name) | set(self.ledger.forest.subtree(name))
        cascaded = known is not None and known.terminating and self.cascades(name)
        if known is not None and cascaded and known.uid in self._named_as_owner:
            self._cascaded.add(known.uid)
        self.namespaces.pop(name, None)
        self.born.discard(name)
        found = self.managed.pop(name, {})
        later = {q.name: q for q in found.values() if q.resource_version > resource_version}
        if later:  # of a Namespace that bears the name by now: its own event is on the way
            self.managed[name] = later
        dirty |= self._index_owners(name, known, None)
        self.ledger.forget_namespace(name, standing=self._standing(name))
        self._count_again(name)
        return self._doubt(dirty - {name})

    def _standing(self, name: Namespace) -> frozenset[Uid]:
        return frozenset(quota.uid for quota in self.managed.get(name, {}).values())

    def _count_again(self, name: Namespace) -> None:
        """Count what stands in a Namespace that was re-created; the old one's went with it.

        The watches run apart: its ResourceQuotas may be known before it is.
        """
        for quota in self.managed.get(name, {}).values():
            self.ledger.observe(quota, way=Way.AHEAD)
        self.usage.note(name)

    def _doubt(self, dirty: set[Namespace]) -> set[Namespace]:
        self.doubted |= dirty
        return dirty

    def _index_owners(
        self, name: Namespace, old: ObservedNamespace | None, new: ObservedNamespace | None
    ) -> set[Namespace]:
        """Note which namespaces own `name`; returns those for which that is new."""
        self._named_as_owner.update(_owner_uids(new))
        for uid in _owner_uids(old):
            self._named_as_owner[uid] -= 1
            if not self._named_as_owner[uid]:
                del self._named_as_owner[uid]
                self._cascaded.discard(uid)
        before, after = _owners(old), _owners(new)
        if before == after:
            return set()
        for owner in before - after:
            self._owned[owner].discard(name)
            if not self._owned[owner]:
                del self._owned[owner]
        for owner in after - before:
            self._owned.setdefault(owner, set()).add(name)
        return before ^ after

    def see_written(self, seen: ManagedQuota, *, replaced: int) -> set[Namespace]:
        """Take in the answer to a write that replaced the resourceVersion `replaced`."""
        account = self.ledger.account(seen.namespace, seen.scopes)
        known = account is not None and account.resource_version == replaced
        return self.see_managed(seen, way=Way.REPLACED if known else Way.AHEAD)

    def see_managed(self, seen: ManagedQuota, *, way: Way = Way.WATCHED) -> set[Namespace]:
        """Take in a managed ResourceQuota that was added or changed."""
        found = self.managed.setdefault(seen.namespace, {})
        known = found.get(seen.name)
        if known is not None and known.resource_version > seen.resource_version:
            self.ledger.observe(seen, way=way)  # it may tell what became of a grant
            return set()
        found[seen.name] = seen
        self.outlived = self.outlived or (seen.epoch or 0) > self.ledger.epoch
        self.ledger.observe(seen, way=way)
        self.usage.note(seen.namespace)
        unchanged = known is not None and _shape(known) == _shape(seen)
        return set() if unchanged else self._doubt({seen.namespace})

    def lose_managed(self, gone: ManagedQuota) -> set[Namespace]:
        """Take in that a managed ResourceQuota is gone, unless a newer one was seen since."""
        found = self.managed.get(gone.namespace, {})
        known = found.get(gone.name)
        if known is not None and known.uid != gone.uid:
            return set()
        found.pop(gone.name, None)
        counted = self._counts(gone)
        self.ledger.quota_gone(gone.namespace, gone.scopes, counted=counted)
        self.usage.note(gone.namespace)
        return self._doubt({gone.namespace})

    def _counts(self, gone: ManagedQuota) -> bool:
        """Whether what a managed quota counted is still to be counted, though nobody does."""
        seen = self.namespaces.get(gone.namespace)
        if seen is not None and seen.terminating:
            return True
        path = self.ledger.forest.path(gone.namespace)
        wanted = gone.scopes == UNSCOPED or gone.scopes in self.limits.scope_sets(path)
        return wanted and self.in_tree(gone.namespace)

    def see_quota(self, quota: Quota) -> set[Namespace]:
        """Take in a TreeQuota that was added or changed."""
        before = self.limits.measures(quota.namespace)
        if not self.limits.put(quota):
            return set()
        return self._doubt(self._bound_by(quota.namespace, before))

    def lose_quota(self, quota: Quota) -> set[Namespace]:
        """Take in that a TreeQuota is gone."""
        before = self.limits.measures(quota.namespace)
        if not self.limits.drop(quota):
            return set()
        return self._bound_by(quota.namespace, before)

    def _bound_by(self, name: Namespace, before: object) -> set[Namespace]:
        """Return whose plan may be another one by the limits of a namespace.

        Amounts are in nobody's ResourceQuota but its own, which remembers them: a root limit that
        is raised or lowered writes one object, however many namespaces it holds for.
        """
        if self.limits.measures(name) == before:
            return {name}
        return set(self.ledger.forest.subtree(name))

    # -- questions ----------------------------------------------------------------------------

    def in_tree(self, name: Namespace) -> bool:
        """Whether a namespace has a parent, children or a TreeQuota."""
        node = self.ledger.forest.get(name)
        if node is None:
            return False
        return bool(node.declared or node.children or self.limits.quotas(name))

    def child_count(self, name: Namespace) -> int:
        """Return how many existing namespaces name this one as their parent.

        Those that are being deleted count only until our finalizer stands on the parent: from then
        on it can be deleted too, and waits for them. So whoever deletes a tree, children first,
        never meets a count that was right a moment ago.
        """
        seen = self.namespaces.get(name)
        if seen is not None and names.FINALIZER_PARENT in seen.finalizers:
            return self.living_children(name)
        return sum(1 for _ in self._existing_children(name))

    def living_children(self, name: Namespace) -> int:
        """Return how many of them are not being deleted."""
        return sum(1 for child in self._existing_children(name) if not child.terminating)

    def awaits_children(self, name: Namespace) -> bool:
        """Whether children of `name` are being deleted, which it is not to be gone before.

        What they hold counts above it until they are gone. Nobody waits in a circle: the forest
        cuts cycles.
        """
        return any(child.terminating for child in self._existing_children(name))

    def owned_children(self, name: Namespace) -> Iterator[ObservedNamespace]:
        """Yield the namespaces that have an ownerReference to `name`, wherever they lie now."""
        for child in sorted(self._owned.get(name, ())):
            yield self.namespaces[child]

    def wants_owner(self, name: Namespace) -> bool:
        """Whether a child of `name` asks to be owned by it, and `name` allows that."""
        return self.cascades(name) and any(
            child.lifecycle is Lifecycle.OWNED for child in self._existing_children(name)
        )

    def follows(self, child: ObservedNamespace) -> bool:
        """Whether a namespace is to go with its parent, which is going or has just gone.

        The parent was going with its permission to cascade when it was last seen; without that,
        an owner that is not there is a mistake of somebody's.
        """
        if child.lifecycle is not Lifecycle.OWNED or child.parent is None:
            return False
        parent = self.namespaces.get(child.parent)
        owners = {owner.uid for owner in child.owners if owner.kind == "Namespace"}
        if parent is not None and parent.terminating and self.cascades(parent.name):
            return owners == {parent.uid}
        return bool(owners) and owners <= self._cascaded

    def held(self, name: Namespace) -> Held:
        """Return the committed usage of a namespace by scope set; what is zero is left out."""
        node = self.ledger.forest.get(name)
        found = {}
        for scopes in node.books if node is not None else ():
            account = self.ledger.account(name, scopes)
            used = {r: a for r, a in account.used.items() if a} if account is not None else {}
            if used:
                found[scopes] = Resources.from_nano(used)
        return found

    def highest_epoch(self) -> int:
        """Return the greatest epoch that a managed ResourceQuota carries, 0 when there is none."""
        found = (q.epoch or 0 for quotas in self.managed.values() for q in quotas.values())
        return max(found, default=0)

    def counted_resources(self) -> tuple[str, ...]:
        """Return every resource name that a TreeQuota limits or guarantees, sorted."""
        return tuple(sorted(self.limits.named()))

    def cascades(self, name: Namespace) -> bool:
        """Whether deletion of `name` may take its owned children along."""
        seen = self.namespaces.get(name)
        return seen is not None and seen.annotations.get(names.ANNOTATION_CASCADE) == "true"

    def _existing_children(self, name: Namespace) -> Iterator[ObservedNamespace]:
        node = self.ledger.forest.get(name)
        for child in node.children if node is not None else ():
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


def _owners(seen: ObservedNamespace | None) -> set[Namespace]:
    if seen is None:
        return set()
    return {Namespace(owner.name) for owner in seen.owners if owner.kind == "Namespace"}


def _owner_uids(seen: ObservedNamespace | None) -> list[Uid]:
    return [owner.uid for owner in seen.owners] if seen is not None else []


def _permission(seen: ObservedNamespace) -> tuple[object, ...]:
    """Return what the plans of the children read of their parent."""
    return (seen.annotations.get(names.ANNOTATION_CASCADE), seen.finalizers, seen.terminating)


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
        quota.failure_policy,
        quota.limits,
        quota.terminating,
    )
