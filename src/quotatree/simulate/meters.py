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

    @property
    def plain(self) -> bool:
        """Whether no guarantee in the subtree parts what is used from what is charged."""
        return self.charged is None


class Route:
    """What one workload touches when it comes to an account or goes: the same for equal ones.

    `own` has the series of the account and its amounts; `plain` and `kept` the series of each
    resource and each level up to the root, without guarantees below and with them.
    """

    __slots__ = ("kept", "own", "plain")

    def __init__(self, name: Namespace, lines: Iterable[tuple[Line, Book, int]]) -> None:
        found = list(lines)
        self.own = tuple((line.used, amount) for line, _, amount in found if line.namespace == name)
        self.plain = tuple((ln.used, bk.gross, ln.resource) for ln, bk, _ in found if ln.plain)
        self.kept = tuple(part for part in found if not part[0].plain)


class Meters:
    """The recorder of a run, and what every account is to it.

    Two things need no work at every level of every event. What a subtree without guarantees uses is
    its gross in the forest, and is read there. And areas add up: an event changes that of its own
    account alone, and before an interval is closed they are passed on to the levels above.
    """

    def __init__(self, world: World, *, start: int, end: int) -> None:
        scales = [NANO] * len(COUNTS)
        self.lines = list(_lines(world, scales))
        self.recorder = Recorder(scales, start=start, end=end)
        self._areas = [0] * len(scales)  # of the open interval, what was not passed on yet
        self._forest = world.ledger.forest
        self._by_key = {(li.namespace, li.scopes, li.resource): li for li in self.lines}
        self._rising = tuple(self._rise())
        for line in self.lines:
            self._follow(line, self._book(line), start)

    def _book(self, line: Line) -> Book:
        return self._forest.node(line.namespace).book(line.scopes)

    def _rise(self) -> Iterator[tuple[Line, Book, int | None]]:
        """Yield all lines, children before parents, with the series that its area is passed to."""
        for line in reversed(self.lines):
            parent = self._forest.node(line.namespace).parent
            key = None if parent is None else (parent.name, line.scopes, line.resource)
            above = None if key is None else self._by_key.get(key)
            yield line, self._book(line), None if above is None else above.used

    def route(self, key: AccountKey, cost: Mapping[str, int]) -> Route:
        """Return what `cost` at an account touches."""
        name, scopes = key
        return Route(
            name,
            (
                (line, self._forest.node(level).book(scopes), amount)
                for resource, amount in cost.items()
                for level in self._forest.path(name)
                if (line := self._by_key.get((level, scopes, resource))) is not None
            ),
        )

    def reach(self, moment: int) -> None:
        """Let time pass up to `moment`."""
        if moment >= self.recorder.closes:
            self._pass_on()
            self.recorder.reach(moment)

    def _pass_on(self) -> None:
        """Bring the recorder up to date, children before parents."""
        values, areas, own = self.recorder.values, self.recorder.areas, self._areas
        for line, book, above in self._rising:
            number = line.used
            area = own[number]
            if area:
                own[number] = 0
                areas[number] += area
                if above is not None:
                    own[above] += area
            if line.plain:
                values[number] = book.gross.get(line.resource, 0)

    def count(self, what: int) -> None:
        """Count one more of the first three of `COUNTS`."""
        self.recorder.values[what] += NANO

    def queue(self, delta: int, moment: int) -> None:
        """Note that more or fewer wait."""
        self.recorder.add(WAITING, delta * NANO, moment)

    def grow(self, route: Route, moment: int) -> None:
        """Take in that a workload has come; the forest knows already. In the inmost loop."""
        peaks = self.recorder.peaks
        for series, gross, resource in route.plain:
            value = gross[resource]
            if value > peaks[series]:  # noqa: PLR1730 - a call costs four times as much
                peaks[series] = value
        left = self.recorder.closes - moment
        areas = self._areas
        for series, amount in route.own:
            areas[series] += amount * left
        for line, book, amount in route.kept:
            value = self.recorder.values[line.used] = self.recorder.values[line.used] + amount
            if value > peaks[line.used]:  # noqa: PLR1730 - likewise
                peaks[line.used] = value
            self._follow(line, book, moment)

    def shrink(self, route: Route, moment: int) -> None:
        """Take in that a workload has gone: no peak can rise by that."""
        left = self.recorder.closes - moment
        areas = self._areas
        for series, amount in route.own:
            areas[series] -= amount * left
        for line, book, amount in route.kept:
            self.recorder.values[line.used] -= amount
            self._follow(line, book, moment)

    def _follow(self, line: Line, book: Book, moment: int) -> None:
        """Bring what depends on guarantees in line with what is used."""
        recorder = self.recorder
        if line.charged is not None:
            change = book.charge(line.resource) - recorder.values[line.charged]
            if change:
                recorder.add(line.charged, change, moment)
        if line.borrowed is not None:
            beyond = max(0, recorder.values[line.used] - line.guaranteed)
            change = beyond - recorder.values[line.borrowed]
            if change:
                recorder.add(line.borrowed, change, moment)

    def finish(self, moment: int) -> list[Curve]:
        """Return all series."""
        self.reach(moment)
        self._pass_on()
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
