"""Committed usage of every subtree, guarantees left out: what people read as `used`.

Kept with every change of a managed ResourceQuota, at the cost of its depth. A namespace that comes,
goes or moves makes all sums be added up again, when they are next asked for.
"""

from __future__ import annotations

from collections.abc import Mapping

from quotatree.engine.forest import NOTHING, Amounts
from quotatree.engine.ledger import Ledger
from quotatree.model.names import Namespace
from quotatree.model.scope import ScopeSet

Books = dict[ScopeSet, Mapping[str, int]]


class Usage:
    """The sums of the accounts of a ledger; `note` is to be called when an account changed."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._shape = ledger.forest.shape
        self._own: dict[Namespace, Books] = {}
        self._sums: dict[Namespace, dict[ScopeSet, Amounts]] = {}

    def of(self, name: Namespace, scopes: ScopeSet) -> Mapping[str, int]:
        """Return the committed usage of a subtree (10⁻⁹ by resource name)."""
        if self._shape != self._ledger.forest.shape:
            self._shape = self._ledger.forest.shape
            self._own, self._sums = {}, {}
            for node in self._ledger.forest.nodes():
                self.note(node.name)
        return self._sums.get(name, {}).get(scopes, NOTHING)

    def note(self, name: Namespace) -> None:
        """Bring what a namespace uses now into its sum and those of its ancestors."""
        if self._shape != self._ledger.forest.shape:
            return
        before, after = self._own.get(name, {}), self._books(name)
        if before == after:
            return
        self._own[name] = after
        path = self._ledger.forest.path(name) or (name,)
        for scopes in {**before, **after}:
            old, new = before.get(scopes, NOTHING), after.get(scopes, NOTHING)
            deltas = {r: new.get(r, 0) - old.get(r, 0) for r in {**old, **new}}
            for upper in path:
                total = self._sums.setdefault(upper, {}).setdefault(scopes, {})
                for resource, delta in deltas.items():
                    total[resource] = total.get(resource, 0) + delta

    def _books(self, name: Namespace) -> Books:
        node = self._ledger.forest.get(name)
        found: Books = {}
        for scopes in node.books if node is not None else ():
            account = self._ledger.account(name, scopes)
            if account is not None and account.used:
                found[scopes] = account.used
        return found
