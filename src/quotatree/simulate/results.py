"""What came of a replay, as values; figures are computed from them, never stored beside them."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Final

from quotatree.model.names import Namespace
from quotatree.model.scope import ScopeSet, describe
from quotatree.simulate.meters import COUNTS, Line
from quotatree.simulate.recorder import Curve
from quotatree.simulate.trace import SECOND, Trace
from quotatree.simulate.waiting import Obstacle


class Policy(Enum):
    """What becomes of a workload that does not fit."""

    REFUSE = "refuse"
    FIFO = "fifo"
    PRIORITY = "priority"


class Outcome(Enum):
    """What became of a workload."""

    ADMITTED = "admitted"
    REFUSED = "refused"
    NEVER = "never fits"
    WAITING = "still waiting"


OUTCOMES: Final = tuple(Outcome)

WAITS: Final = (
    ("at once", 0),
    ("up to 1 min", 60),
    ("to 10 min", 600),
    ("to 1 h", 3_600),
    ("to 6 h", 6 * 3_600),
    ("to 1 d", 86_400),
    ("to 1 week", 7 * 86_400),
    ("longer", None),
)
"""Classes of waiting times, by their greatest in seconds."""


class Fates:
    """The outcome of every workload of a trace, in its order, in few bytes each.

    `admitted` is when (meaningless for others), `by` the number of its first obstacle in
    `obstacles`, -1 where there was none.
    """

    def __init__(self, count: int) -> None:
        self.outcomes = bytearray([OUTCOMES.index(Outcome.WAITING)]) * count
        self.admitted = array("q", bytes(8 * count))
        self.by = array("i", [-1]) * count
        self.obstacles: list[Obstacle] = []
        self._numbers: dict[Obstacle, int] = {}

    def admit(self, index: int, moment: int) -> None:
        """Note that a workload was let in."""
        self.outcomes[index] = 0
        self.admitted[index] = moment

    def end(self, index: int, outcome: Outcome) -> None:
        """Note how it ended for a workload that was not let in."""
        self.outcomes[index] = OUTCOMES.index(outcome)

    def blame(self, index: int, obstacle: Obstacle) -> None:
        """Note who kept a workload out first."""
        number = self._numbers.get(obstacle)
        if number is None:
            number = self._numbers[obstacle] = len(self.obstacles)
            self.obstacles.append(obstacle)
        self.by[index] = number

    def outcome(self, index: int) -> Outcome:
        """Return what became of a workload."""
        return OUTCOMES[self.outcomes[index]]

    def obstacle(self, index: int) -> Obstacle | None:
        """Return who kept a workload out first, None for one that never was."""
        number = self.by[index]
        return None if number < 0 else self.obstacles[number]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What became of some workloads. `waits` are of those admitted, in µs, sorted."""

    outcomes: Counter[Outcome]
    waits: Sequence[int]

    @property
    def asked(self) -> int:
        """How many there were."""
        return self.outcomes.total()

    def wait(self, percent: int) -> int:
        """Return the waiting time, in µs, that `percent` of the admitted do not exceed."""
        if not self.waits:
            return 0
        rank = -(-len(self.waits) * percent // 100)
        return self.waits[max(0, rank - 1)]

    def histogram(self) -> list[tuple[str, int]]:
        """Return the waiting times by the classes of `WAITS`."""
        found = []
        below = 0
        for label, greatest in WAITS:
            reach = len(self.waits)
            if greatest is not None:
                reach = bisect_right(self.waits, greatest * SECOND)
            found.append((label, reach - below))
            below = reach
        return found


@dataclass(frozen=True, kw_only=True)
class Run:
    """One replay of `trace` against the tree in the file `tree`.

    `curves` are by the numbers in `lines` and `COUNTS`; each of their intervals is `length` µs long
    but the last, which ends at `end`.
    """

    tree: str
    policy: Policy
    trace: Trace
    fates: Fates
    lines: Sequence[Line]
    curves: Sequence[Curve]
    start: int
    end: int
    length: int
    depths: dict[Namespace, int]
    notes: tuple[str, ...] = ()

    @cached_property
    def total(self) -> Tally:
        """All workloads."""
        return self._tally(range(len(self.trace.workloads)))

    @cached_property
    def by_namespace(self) -> dict[Namespace, Tally]:
        """The workloads of each namespace that asked for something, in the order of the tree."""
        found: dict[Namespace, list[int]] = {}
        for index, workload in enumerate(self.trace.workloads):
            found.setdefault(workload.namespace, []).append(index)
        return {name: self._tally(found[name]) for name in self.depths if name in found}

    def blamed(self) -> list[tuple[str, int]]:
        """Return who kept how many out (first), the most first: `namespace: resource`."""
        counts = Counter(number for number in self.fates.by if number >= 0)
        named = [(obstacle_text(self.fates.obstacles[n]), count) for n, count in counts.items()]
        return sorted(named, key=lambda pair: (-pair[1], pair[0]))

    def counted(self, what: str) -> Curve:
        """Return one of `COUNTS`."""
        return self.curves[COUNTS.index(what)]

    def _tally(self, indexes: Sequence[int]) -> Tally:
        fates, workloads = self.fates, self.trace.workloads
        outcomes = Counter(OUTCOMES[fates.outcomes[index]] for index in indexes)
        waits = [
            fates.admitted[i] - workloads[i].arrival for i in indexes if fates.outcomes[i] == 0
        ]
        return Tally(outcomes=outcomes, waits=array("q", sorted(waits)))


def obstacle_text(obstacle: Obstacle) -> str:
    """Return e.g. `vision: cpu`."""
    scopes, name, resource = obstacle
    return f"{name}: {resource_text(scopes, resource)}"


def resource_text(scopes: ScopeSet, resource: str) -> str:
    """Return the resource with the scopes in which it is counted."""
    return f"{resource} [{describe(scopes)}]" if scopes else resource
