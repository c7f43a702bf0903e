"""TreeQuotas to limits in force: ceilings at once, guarantees when every ancestor has room.

Several TreeQuotas on one namespace count as one: the least hard, the greatest guarantee. A
guarantee takes effect all at once or not at all; until then what was in force before stays, as
far as it is still asked for. A TreeQuota that only observes puts nothing in force.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

from quotatree.engine import room
from quotatree.engine.account import AccountKey
from quotatree.engine.forest import Amounts
from quotatree.engine.ledger import Ledger
from quotatree.model.names import Namespace, QuotaName
from quotatree.model.quota import FailurePolicy, Quota, QuotaStatus
from quotatree.model.scope import ScopeSet
from quotatree.model.verdict import Limit


class Limits:
    """The TreeQuotas of the forest, and which of their guarantees still wait.

    `observed` grows whenever another thing is to be observed.
    """

    def __init__(self, ledger: Ledger) -> None:
        self.observed = 0
        self._ledger = ledger
        self._quotas: dict[Namespace, dict[QuotaName, Quota]] = {}
        self._waiting: dict[AccountKey, Amounts] = {}
        self._named: Counter[str] = Counter()
        self._observing: dict[tuple[Namespace, QuotaName], Quota] = {}

    def quotas(self, name: Namespace) -> tuple[Quota, ...]:
        """Return the TreeQuotas of a namespace, by name."""
        found = self._quotas.get(name, {})
        return tuple(found[key] for key in sorted(found))

    def bears(self, name: Namespace) -> bool:
        """Whether a namespace has any TreeQuota."""
        return name in self._quotas

    def enforced(self, name: Namespace) -> tuple[Quota, ...]:
        """Return those of them that limit or reserve anything."""
        return tuple(quota for quota in self.quotas(name) if quota.enforced)

    def observes(self) -> bool:
        """Whether any TreeQuota only observes."""
        return bool(self._observing)

    def observing(self) -> tuple[Quota, ...]:
        """Return the TreeQuotas that only observe, by namespace and name."""
        return tuple(self._observing[key] for key in sorted(self._observing))

    def all(self) -> Iterable[Quota]:
        """Return all TreeQuotas."""
        return (quota for found in self._quotas.values() for quota in found.values())

    def named(self) -> Iterable[str]:
        """Return every resource name that is limited or guaranteed anywhere."""
        return self._named.keys()

    def find(self, key: tuple[Namespace, QuotaName]) -> Quota | None:
        """Return one TreeQuota as it was last taken in."""
        return self._quotas.get(key[0], {}).get(key[1])

    def answered(self, quota: Quota, status: QuotaStatus | None) -> None:
        """Note the status of a TreeQuota, unless another one has taken its place."""
        known = self.find(quota.key)
        if known is not None and known.uid == quota.uid:
            version = max(known.resource_version, quota.resource_version)
            self._keep(replace(known, status=status, resource_version=version))

    def _keep(self, quota: Quota) -> None:
        self._quotas.setdefault(quota.namespace, {})[quota.name] = quota
        if quota.enforced:
            self._observing.pop(quota.key, None)
        else:
            self._observing[quota.key] = quota

    def measures(self, name: Namespace) -> frozenset[tuple[object, ...]]:
        """Return what the managed ResourceQuotas below have of the limits of a namespace.

        That is which names are measured, and what happens while nobody answers: never an amount.
        """
        return frozenset((q.scopes, _names(q), q.failure_policy) for q in self.enforced(name))

    def put(self, quota: Quota) -> bool:
        """Take in a TreeQuota; returns whether its spec is news."""
        known = self._quotas.get(quota.namespace, {}).get(quota.name)
        self._keep(quota)
        self._count_names(known, quota)
        if known is not None and known.uid == quota.uid and known.generation == quota.generation:
            return False
        self.observed += not all(q.enforced for q in (quota, known or quota))
        scopes = {quota.scopes} if known is None else {quota.scopes, known.scopes}
        self._apply(quota.namespace, scopes, first=known is None)
        return True

    def drop(self, quota: Quota) -> bool:
        """Take in that a TreeQuota is gone; returns whether it was known."""
        found = self._quotas.get(quota.namespace, {})
        known = found.pop(quota.name, None)
        if known is None:
            return False
        if not found:
            del self._quotas[quota.namespace]
        self._observing.pop(quota.key, None)
        self.observed += not known.enforced
        self._count_names(known, None)
        self._apply(quota.namespace, {known.scopes}, first=False)
        return True

    def _count_names(self, old: Quota | None, new: Quota | None) -> None:
        before, after = _names(old), _names(new)
        if before != after:
            self._named.update(after)
            self._named.subtract(before)
            self._named = +self._named  # without those that nobody names any more

    def _apply(self, name: Namespace, scope_sets: Iterable[ScopeSet], *, first: bool) -> None:
        for scopes in scope_sets:
            quotas = [q for q in self.enforced(name) if q.scopes == scopes]
            hard = least(q.hard.nanos() for q in quotas)
            wanted = greatest(q.guaranteed.nanos() for q in quotas)
            force: Mapping[str, int] = self._ledger.forest.node(name).book(scopes).guaranteed
            if first:
                force = greatest([force, *(q.granted.nanos() for q in quotas)])
            kept = {r: min(a, force[r]) for r, a in wanted.items() if force.get(r)}
            self._ledger.set_limits(name, scopes, hard=hard, guaranteed=kept)
            if kept == wanted:
                self._waiting.pop((name, scopes), None)
            else:
                self._waiting[name, scopes] = wanted

    def settle(self) -> list[AccountKey]:
        """Put every waiting guarantee in force that fits now; returns whose did.

        In the order in which they were asked for, so that equal histories end equal. Not before
        their tree is fenced: growth that an earlier leader let pass may still take the room.
        """
        granted = []
        for key, wanted in list(self._waiting.items()):
            if not self._ledger.fenced(*key):
                continue
            node = self._ledger.forest.node(key[0])
            if limits := room.guarantee_obstacles(node, key[1], wanted):
                self._make_way(key, wanted, limits)
            else:
                hard = node.book(key[1]).hard
                self._ledger.set_limits(*key, hard=hard, guaranteed=wanted)
                del self._waiting[key]
                granted.append(key)
        return granted

    def _make_way(self, key: AccountKey, wanted: Mapping[str, int], limits: list[Limit]) -> None:
        """Have slices taken back if a guarantee fits without them."""
        lessor, node = self._ledger.lessor, self._ledger.forest.node(key[0])
        if not lessor.without(key, lambda: room.guarantee_obstacles(node, key[1], wanted)):
            lessor.press(limits, key)

    def obstacles(self, name: Namespace, scopes: ScopeSet) -> list[Limit]:
        """Return who is in the way of the guarantee of `name`, nothing when none waits."""
        wanted = self._waiting.get((name, scopes))
        if wanted is None:
            return []
        node = self._ledger.forest.node(name)
        return room.guarantee_obstacles(node, scopes, wanted)

    def waits(self, name: Namespace, scopes: ScopeSet) -> bool:
        """Whether a guarantee of `name` is not in force yet."""
        return (name, scopes) in self._waiting

    def scope_sets(self, path: Iterable[Namespace]) -> set[ScopeSet]:
        """Return the scope sets of what is in force on `path`."""
        return {quota.scopes for name in path for quota in self.enforced(name)}

    def failure_policy(self, path: Iterable[Namespace], scopes: ScopeSet) -> FailurePolicy:
        """Return what happens to growth under `path` while nobody answers.

        It passes only where every limit that bounds it says so: one that says `Fail` is kept.
        """
        bounding = [q for name in path for q in self.enforced(name) if q.scopes == scopes]
        lenient = bounding and all(q.failure_policy is FailurePolicy.IGNORE for q in bounding)
        return FailurePolicy.IGNORE if lenient else FailurePolicy.FAIL


def _names(quota: Quota | None) -> frozenset[str]:
    if quota is None or not quota.enforced:
        return frozenset()
    return frozenset((*quota.hard, *quota.guaranteed))


def least(lists: Iterable[Mapping[str, int]]) -> Amounts:
    """Return the least amount of each resource over those lists that name it."""
    found: Amounts = {}
    for amounts in lists:
        for resource, amount in amounts.items():
            found[resource] = min(amount, found.get(resource, amount))
    return found


def greatest(lists: Iterable[Mapping[str, int]]) -> Amounts:
    """Return the greatest amount of each resource."""
    found: Amounts = {}
    for amounts in lists:
        for resource, amount in amounts.items():
            found[resource] = max(amount, found.get(resource, amount))
    return found
