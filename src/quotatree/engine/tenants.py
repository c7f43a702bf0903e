"""ResourceQuotas of tenants beside ours, after refusals.

Quota admission writes the usage of one ResourceQuota of a namespace after the other, and takes none
of them back: a request that ours refuses may have been charged on a tenant's already, and that
charge stays until the native controller happens to count again. So after a refusal it is put right:
from the account of real objects where that knows the kind, else by making the native controller
count.

Only while nothing is asked for in the namespace: a request between its two charges is no phantom.
What the limits of a tenant's quota are is nobody's business here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Final

from quotatree.engine.account import Account, AccountKey
from quotatree.engine.truth import Truth
from quotatree.model import names
from quotatree.model.effect import AskRecount, PatchManagedStatus
from quotatree.model.names import Namespace
from quotatree.model.observed import ManagedQuota
from quotatree.units.resources import Resources

QUIET: Final = 0.3
"""Seconds without a growth in a namespace before its tenants' quotas are looked at."""
GIVE_UP: Final = 60.0
"""Seconds after its last refusal that a namespace is looked after."""


class Tenants:
    """The ResourceQuotas of tenants, and the namespaces in which they may be wrong."""

    def __init__(self, truth: Truth, accounts: Mapping[AccountKey, Account]) -> None:
        self._truth = truth
        self._accounts = accounts
        self._quotas: dict[Namespace, dict[str, ManagedQuota]] = {}
        self._refused: dict[Namespace, float] = {}
        self._counted: set[tuple[Namespace, str]] = set()

    def see(self, seen: ManagedQuota) -> None:
        """Take in a ResourceQuota that is not ours."""
        here = self._quotas.setdefault(seen.namespace, {})
        known = here.get(seen.name)
        if known is None or known.resource_version < seen.resource_version:
            here[seen.name] = seen
            if names.RECOUNT in seen.spec_hard:  # a leader before us may have put it in
                self._refused[seen.namespace] = math.inf

    def lose(self, namespace: Namespace, name: str) -> None:
        """Take in that one is gone."""
        here = self._quotas.get(namespace, {})
        here.pop(name, None)
        if not here:
            self._quotas.pop(namespace, None)

    def keep(self, present: set[tuple[Namespace, str]]) -> None:
        """Take in which there are; all others are gone."""
        for namespace, here in list(self._quotas.items()):
            for name in [name for name in here if (namespace, name) not in present]:
                self.lose(namespace, name)

    def refused(self, namespace: Namespace, now: float) -> None:
        """Note a refusal: who was refused may be charged on a tenant's quota."""
        if namespace in self._quotas:
            self._refused[namespace] = now
            self._counted = {key for key in self._counted if key[0] != namespace}

    def due(self, now: float) -> list[PatchManagedStatus | AskRecount]:
        """Return what is to be written now; each write's event brings the next."""
        found: list[PatchManagedStatus | AskRecount] = []
        for namespace, since in list(self._refused.items()):
            if since + GIVE_UP <= now or namespace not in self._quotas:
                del self._refused[namespace]
            elif self._is_quiet(namespace, now):
                writes = list(self._writes(namespace))
                if not writes:
                    del self._refused[namespace]
                found += writes
        return found

    def _is_quiet(self, namespace: Namespace, now: float) -> bool:
        keys = [(namespace, scopes) for scopes in self._truth.census.scope_sets(namespace)]
        accounts = [self._accounts[key] for key in keys if key in self._accounts]
        return not any(
            account.claims
            or account.reservations
            or max(account.granted_at, account.pressed_at) + QUIET > now
            for account in accounts
        )

    def _writes(self, namespace: Namespace) -> Iterator[PatchManagedStatus | AskRecount]:
        for seen in self._quotas[namespace].values():
            if seen.terminating:
                continue
            sums = self._truth.census.sums((namespace, seen.scopes))
            used = {
                r: sums.get(r, 0)
                for r, amount in seen.used.nanos().items()
                if self._truth.knows(r) and amount > sums.get(r, 0)
            }
            if (namespace, seen.scopes) not in self._accounts:
                self._truth.census.drop((namespace, seen.scopes))
            if used:
                yield PatchManagedStatus(
                    namespace=namespace,
                    quota=seen.name,
                    resource_version=seen.resource_version,
                    used=Resources.from_nano(used),
                )
            else:
                yield from self._recount(seen)

    def _recount(self, seen: ManagedQuota) -> Iterator[AskRecount]:
        """Have what we know nothing of counted: a name that no kind has goes in, and out again."""
        key, asked = (seen.namespace, seen.name), names.RECOUNT in seen.spec_hard
        unknown = [r for r in seen.used.nanos() if not self._truth.knows(r)]
        if asked or (unknown and key not in self._counted):
            self._counted.add(key)
            yield AskRecount(
                namespace=seen.namespace,
                quota=seen.name,
                resource_version=seen.resource_version,
                present=not asked,
            )
