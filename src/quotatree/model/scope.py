"""Scope sets: which pods a quota counts. Quotas of one scope set form their own tree of numbers.

The terms are those of native ResourceQuota (`spec.scopes`, `spec.scopeSelector`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from quotatree.model import names


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class ScopeTerm:
    """One requirement: `scope` (e.g. `BestEffort`), `operator` and, for `In`/`NotIn`, `values`."""

    scope: str
    operator: str = "Exists"
    values: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.operator == "Exists":
            return self.scope
        return f"{self.scope} {self.operator} ({', '.join(self.values)})".replace(" ()", "")


ScopeSet = tuple[ScopeTerm, ...]
"""Sorted and without repetition; the empty set is "everything"."""

UNSCOPED: Final[ScopeSet] = ()


def scope_set(terms: Iterable[ScopeTerm]) -> ScopeSet:
    """Return `terms` in the one order in which equal sets are equal values."""
    return tuple(sorted(set(terms)))


def managed_name(scopes: ScopeSet) -> str:
    """Return the name of the managed ResourceQuota of a scope set: stable, a valid object name."""
    if not scopes:
        return names.MANAGED_QUOTA
    if len(scopes) == 1 and scopes[0].operator == "Exists":
        return f"{names.managed_prefix()}{scopes[0].scope.lower()}"
    text = ";".join(f"{t.scope}/{t.operator}/{','.join(t.values)}" for t in scopes)
    digest = hashlib.sha256(text.encode()).hexdigest()[:10]
    return f"{names.managed_prefix()}{digest}"


def label(resource: str, scopes: ScopeSet) -> str:
    """Return a resource with the scope set in which it is counted, e.g. `pods [BestEffort]`."""
    return f"{resource} [{describe(scopes)}]" if scopes else resource


def describe(scopes: ScopeSet) -> str:
    """Return the scope set for people, empty for the unscoped one."""
    return ", ".join(str(term) for term in scopes)
