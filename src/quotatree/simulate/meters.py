"""Which numbers of which namespace are recorded, and how an event changes them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from quotatree.engine import room
from quotatree.engine.account import AccountKey
from quotatree.engine.forest import Book, Node
from quotatree.engine.world import World
from quotatree.model.names import Namespace
from quotatree.model.scope import ScopeSet
from quotatree.simulate import ground
from quotatree.simulate.recorder import Curve, Recorder
from quotatree.units import resource_names
from quotatree.units.quantity import NANO

ARRIVED, ADMITTED, REFUSED, WAITING = range(4)
COUNTS: Final = ("arrived", "admitted", "refused", "waiting")
"""Series 0 to 3: how many workloads so far, and how many wait at the moment."""

_MILLI: Final = 10**6


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One resource of one namespace in one scope set, with the numbers of its series.

    `used` is that of the subtree, `charged` the same with what guarantees keep idle (None where
    there are none in the subtree), `borrowed` what is used beyond the own guarantee (None without).
    """

    namespace: Namespace
    scopes: ScopeSet
    resource: str
    hard: int | None
    guaranteed: int
    used: int
    charged: int | None
    borrowed: int | None


class Route:
    """What one workload touches when it comes to an account or goes: the same for equal ones.

    `used` has a series and an amount for each resource and each level up to the root.
    """

    __slots__ = ("guarded", "used")

    def __init__(self, lines: Iterable[tuple[Line, Book, int]]) -> None:
        found = list(lines)
        self.used = tuple((line.used, amount) for line, _, amount in found)
        self.guarded = tuple((line, book) for line, book, _ in found if line.charged is not None)


class Meters:
    """The recorder of a run, and what every account is to it."""

    def __init__(self, world: World, *, start: int, end: int) -> None:
        scales = [NANO] * len(COUNTS)
        self.lines = list(_lines(world, scales))
        self.recorder = Recorder(scales, start=start, end=end)
        self._forest = world.ledger.forest
        self._by_key = {(li.namespace, li.scopes, li.resource): li for li in self.lines}
        for line in self.lines:
            self._follow(line, self._forest.node(line.namespace).book(line.scopes), start)

    def route(self, key: AccountKey, cost: Mapping[str, int]) -> Route:
        """Return what `cost` at an account touches."""
        name, scopes = key
        return Route(
            (line, self._forest.node(level).book(scopes), amount)
            for resource, amount in cost.items()
            for level in self._forest.path(name)
            if (line := self._by_key.get((level, scopes, resource))) is not None
        )

    def count(self, what: int) -> None:
        """Count one more of the first three of `COUNTS`."""
        self.recorder.values[what] += NANO

    def queue(self, delta: int, moment: int) -> None:
        """Note that more or fewer wait."""
        self.recorder.add(WAITING, delta * NANO, moment)

    def grow(self, route: Route, moment: int) -> None:
        """Take in that a workload has come. As `Recorder.add`, in the inmost loop of a replay."""
        recorder = self.recorder
        values, areas, peaks = recorder.values, recorder.areas, recorder.peaks
        left = recorder.closes - moment
        for series, amount in route.used:
            values[series] = value = values[series] + amount
            areas[series] += amount * left
            if value > peaks[series]:  # noqa: PLR1730 - a call costs four times as much
                peaks[series] = value
        for line, book in route.guarded:
            self._follow(line, book, moment)

    def shrink(self, route: Route, moment: int) -> None:
        """Take in that a workload has gone: no peak can rise by that."""
        recorder = self.recorder
        values, areas = recorder.values, recorder.areas
        left = recorder.closes - moment
        for series, amount in route.used:
            values[series] -= amount
            areas[series] -= amount * left
        for line, book in route.guarded:
            self._follow(line, book, moment)

    def _follow(self, line: Line, book: Book, moment: int) -> None:
        """Bring what depends on guarantees in line with what is used."""
        recorder = self.recorder
        if line.charged is not None:
            change = book.charge(line.resource) - recorder.values[line.charged]
            recorder.add(line.charged, change, moment)
        if line.borrowed is not None:
            beyond = max(0, recorder.values[line.used] - line.guaranteed)
            recorder.add(line.borrowed, beyond - recorder.values[line.borrowed], moment)

    def finish(self, moment: int) -> list[Curve]:
        """Return all series."""
        return self.recorder.finish(moment)


def _lines(world: World, scales: list[int]) -> Iterator[Line]:
    """Yield what is recorded, in the order of the tree; appends a scale for each series."""
    forest = world.ledger.forest
    roots = [node.name for node in forest.nodes() if node.parent is None]
    for name in (name for root in roots for name in forest.subtree(root)):
        for scopes in ground.scope_sets(world, name):
            node = forest.node(name)
            for resource in sorted(room.ceilings(node, scopes)):
                yield _line(world, node, scopes, resource=resource, scales=scales)


def _line(world: World, node: Node, scopes: ScopeSet, *, resource: str, scales: list[int]) -> Line:
    book = node.book(scopes)
    guaranteed = book.guaranteed.get(resource, 0)
    scale = NANO if resource_names.is_binary(resource) else _MILLI
    below = (world.ledger.forest.node(n) for n in world.ledger.forest.subtree(node.name))
    kept = any(resource in n.books[scopes].guaranteed for n in below if scopes in n.books)

    def series(wanted: bool) -> int | None:
        if not wanted:
            return None
        scales.append(scale)
        return len(scales) - 1

    used = series(True)
    assert used is not None
    return Line(
        namespace=node.name,
        scopes=scopes,
        resource=resource,
        hard=book.hard.get(resource),
        guaranteed=guaranteed,
        used=used,
        charged=series(kept),
        borrowed=series(guaranteed > 0),
    )
