"""A workload as quota sees it: what is created because of one manifest, and how much at a time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from quotatree.model.charge import Charge
from quotatree.model.names import Namespace
from quotatree.model.problem import Problem
from quotatree.model.scope import ScopeSet
from quotatree.units.resources import Resources

_EVER: Final = "count/"
"""Objects count by these names until they are deleted, whether they still run or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Equal objects of a workload, e.g. its workers.

    `count` of them exist or run at the same time, `total` are created over the workload's life.
    Parts of different phases never run at the same time; phase 0 lasts through all of them.
    """

    role: str
    charge: Charge
    count: int = 1
    total: int = 1
    phase: int = 0

    @property
    def is_pods(self) -> bool:
        """Whether these are pods."""
        return self.charge.resource == "pods"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """One object of a manifest with everything that is created because of it.

    `at_most` bounds how many of its pods run at once. `notes` say what was assumed: where a bound
    takes the place of a number, it is the upper one. `unknown` says what is not counted at all.
    `problems` are amounts that the API server would refuse to read.
    """

    kind: str
    name: str
    namespace: Namespace | None = None
    parts: tuple[Part, ...] = ()
    at_most: int | None = None
    notes: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def label(self) -> str:
        """Return e.g. `job/train`, as on a command line."""
        return f"{self.kind.lower()}/{self.name}"

    @property
    def pods(self) -> int:
        """Return how many pods run at the same time."""
        lasting, phases = 0, dict[int, int]()
        for part in self.parts:
            if part.is_pods and part.phase:
                phases[part.phase] = phases.get(part.phase, 0) + part.count
            elif part.is_pods:
                lasting += part.count
        most = lasting + max(phases.values(), default=0)
        return most if self.at_most is None else min(most, self.at_most)

    def cost(self, scopes: ScopeSet, names: Iterable[str]) -> Resources:
        """Return what all of it costs a quota with this scope set and these names.

        Of phases it is the dearest, and where only some pods run at once the dearest of them,
        resource by resource: nothing that the controller may choose costs more.
        """
        counted = [part for part in self.parts if part.charge.matches(scopes)]
        nanos: dict[str, int] = {}
        for name in names:
            parts = [part for part in counted if name in part.charge.amounts]
            if parts:
                nanos[name] = (
                    _ever(parts, name) if name.startswith(_EVER) else self._now(parts, name)
                )
        return Resources.from_nano(nanos)

    def _now(self, parts: Iterable[Part], name: str) -> int:
        by_phase: dict[int, list[Part]] = {}
        for part in parts:
            by_phase.setdefault(part.phase, []).append(part)
        lasting = by_phase.pop(0, [])
        phases = list(by_phase.values()) or [[]]
        return max(_dearest([*lasting, *phase], name, self.at_most) for phase in phases)


def _ever(parts: Iterable[Part], name: str) -> int:
    return sum(part.charge.amounts.nano(name) * part.total for part in parts)


def _dearest(parts: Iterable[Part], name: str, most: int | None) -> int:
    """Return the cost of the dearest `most` pods of these parts, and of everything else in them."""
    total, left = 0, most
    for part in sorted(parts, key=lambda p: p.charge.amounts.nano(name), reverse=True):
        taken = part.count
        if part.is_pods and left is not None:
            taken = min(taken, left)
            left -= taken
        total += taken * part.charge.amounts.nano(name)
    return total
