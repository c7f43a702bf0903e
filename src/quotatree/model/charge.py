"""What one object costs in native quota: under which names, and which scoped quotas count it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from quotatree.model.scope import ScopeSet, ScopeTerm
from quotatree.units.resources import EMPTY, Resources


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """The cost of one object.

    `resource` is what is created, `<plural>[.<group>]`. `amounts` has every name that native quota
    could count it under; a quota counts those of them that it names. `traits` are the scopes of
    yes or no that hold (`BestEffort`, `NotTerminating`, …), `valued` the scopes that ask for a
    value, with the object's values; a scope that is a key of neither never matches. `unspecified`
    has those cpu and memory names of a quota that some containers of a pod do not ask for, with
    these containers: native admission refuses such a pod whatever is free ("must specify …").
    """

    resource: str
    amounts: Resources
    traits: frozenset[str] = frozenset()
    valued: Mapping[str, frozenset[str]] = field(default_factory=dict)
    unspecified: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def matches(self, scopes: ScopeSet) -> bool:
        """Whether a quota with this scope set counts the object."""
        return all(self._matches(term) for term in scopes)

    def within(self, scopes: ScopeSet, names: Iterable[str]) -> Resources:
        """Return what a quota with this scope set and these names is charged."""
        return self.amounts.mask(names) if self.matches(scopes) else EMPTY

    def _matches(self, term: ScopeTerm) -> bool:
        # Kubernetes 1.36, podMatchesScopeFunc and pvcMatchesScopeFunc: a label selector over the
        # one "label" that is the scope; a claim may have several values, one of them is enough.
        if term.scope not in self.valued:
            return term.scope in self.traits
        found = self.valued[term.scope]
        if term.operator == "Exists":
            return bool(found)
        if term.operator == "DoesNotExist":
            return not found
        if term.operator == "In":
            return any(value in term.values for value in found)
        return not found or any(value not in term.values for value in found)
