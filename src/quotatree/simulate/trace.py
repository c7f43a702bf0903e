"""A trace as values: who asked for what, when, and for how long.

Time is in whole microseconds since any beginning, so that sums over it are exact.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from quotatree.model.names import Namespace
from quotatree.model.scope import ScopeSet, ScopeTerm
from quotatree.units import resource_names

SECOND: Final = 10**6
"""Microseconds."""

_COMPUTE: Final = frozenset({"cpu", "memory", "limits.cpu", "limits.memory"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a workload adds to the usage of its namespace; equal rows share one.

    `amounts` are in 10⁻⁹, by the one name that stands for all of one measure
    (`resource_names.equivalent`), none of them zero.
    """

    amounts: Mapping[str, int]
    priority_class: str = ""

    @property
    def best_effort(self) -> bool:
        """Whether it asks for neither cpu nor memory."""
        return not self.amounts.keys() & _COMPUTE

    def cost(self, measured: Mapping[str, object]) -> dict[str, int]:
        """Return what it adds under each of the names that a namespace has measured."""
        found = {name: self.amounts.get(resource_names.equivalent(name), 0) for name in measured}
        return {name: amount for name, amount in found.items() if amount}

    def counts_in(self, scopes: ScopeSet) -> bool:
        """Whether quotas of these scopes count it; a trace knows of no deadlines and affinities."""
        return all(self._matches(term) for term in scopes)

    def _matches(self, term: ScopeTerm) -> bool:
        match term.scope:
            case "BestEffort":
                return self.best_effort
            case "NotBestEffort":
                return not self.best_effort
            case "NotTerminating":
                return True
            case "PriorityClass":
                return self._has_class(term)
            case _:  # Terminating, CrossNamespacePodAffinity, and what a later version brings
                return False

    def _has_class(self, term: ScopeTerm) -> bool:
        match term.operator:
            case "Exists":
                return self.priority_class != ""
            case "DoesNotExist":
                return self.priority_class == ""
            case "In":
                return self.priority_class in term.values
            case _:
                return self.priority_class not in term.values


@dataclass(frozen=True, slots=True)
class Workload:
    """One row of a trace. `duration` counts from its admission; None stays for good."""

    name: str
    namespace: Namespace
    arrival: int
    duration: int | None
    ask: Ask
    priority: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """All workloads in the order of the file, and what there is to say about their reading."""

    source: str
    workloads: tuple[Workload, ...]
    notes: tuple[str, ...] = ()

    @property
    def start(self) -> int:
        """When the first workload arrives."""
        return min(w.arrival for w in self.workloads)

    @property
    def end(self) -> int:
        """When the last one would have gone, had nobody waited."""
        return max(w.arrival + (w.duration or 0) for w in self.workloads)
