"""Committed usage of every subtree, guarantees left out: what people read as `used`.

Kept with every change of a managed ResourceQuota and with every namespace that gets another parent,
at the cost of the depth.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from quotatree.engine.forest import NOTHING, Amounts, Node
from quotatree.engine.ledger import Ledger
from quotatree.model.names import Namespace
from quotatree.model.scope import ScopeSet

Books = dict[ScopeSet, Mapping[str, int]]


class Usage:
    """The sums of the accounts of a ledger; `note` is to be called when an account changed."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._own: dict[Namespace, Books] = {}
        self._sums: dict[Namespace, dict[ScopeSet, Amounts]] = {}
        ledger.forest.on_link(self._linked)

    def of(self, name: Namespace, scopes: ScopeSet) -> Mapping[str, int]:
        """Return the committed usage of a subtree (10⁻⁹ by resource name)."""
        return self._sums.get(name, {}).get(scopes, NOTHING)

    def note(self, name: Namespace) -> None:
        """Bring what a namespace uses now into its sum and those of its ancestors."""
        before, after = self._own.get(name, {}), self._books(name)
        if before == after:
            return
        self._own[name] = after
        path = self._ledger.forest.path(name) or (name,)
        for scopes in {**before, **after}:
            old, new = before.get(scopes, NOTHING), after.get(scopes, NOTHING)
            deltas = {r: new.get(r, 0) - old.get(r, 0) for r in {**old, **new}}
            self._add(path, scopes, deltas)
        if not after and self._ledger.forest.get(name) is None:
            del self._own[name]
            self._sums.pop(name, None)

    def _linked(self, node: Node, upper: Node, sign: int) -> None:
        """Bring the sums of a subtree above `upper`, or take them away, as it is put there."""
        path = self._ledger.forest.path(upper.name)
        for scopes, amounts in self._sums.get(node.name, {}).items():
            self._add(path, scopes, {r: sign * amount for r, amount in amounts.items()})

    def _add(self, path: Iterable[Namespace], scopes: ScopeSet, deltas: Mapping[str, int]) -> None:
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
