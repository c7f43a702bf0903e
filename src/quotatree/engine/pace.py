"""The pace: how fast levels have been filling lately, by the growth that was asked for.

Where a tree fills quickly its room is about to be needed, and nothing of it is to stand idle. Each
level above a namespace that asks remembers its charge of one or two moments ago; the pace is the
steepest line from there to what is charged now.

No I/O, no clock: moments are seconds of the caller's monotonic clock, amounts integers of 10⁻⁹.
"""

from __future__ import annotations

from typing import Final

from quotatree.engine.account import AccountKey
from quotatree.engine.forest import Amounts, Forest, Node
from quotatree.model.names import Namespace
from quotatree.model.scope import ScopeSet

BETWEEN: Final = 1.0
"""Seconds between two marks of a level, and the shortest time that a pace is taken over."""
FORGOTTEN: Final = 3.0
"""Seconds after which a mark says nothing any more: what was fast then is over."""

_Mark = tuple[float, Amounts]


class Pace:
    """Marks of the levels above those that asked in the last seconds."""

    def __init__(self, forest: Forest) -> None:
        self._forest = forest
        self._marks: dict[tuple[Namespace, ScopeSet], list[_Mark]] = {}

    def note(self, key: AccountKey, now: float) -> None:
        """Mark the levels above (and with) a namespace, before what it asks for is counted."""
        node: Node | None = self._forest.node(key[0])
        while node is not None:
            book = node.books.get(key[1])
            if book is not None and book.hard:
                marks = self._marks.setdefault((node.name, key[1]), [])
                if not marks or marks[-1][0] + BETWEEN <= now:
                    marks.append((now, {r: book.charge(r) for r in book.hard}))
                    del marks[:-2]
            node = node.parent

    def of(self, level: Namespace, scopes: ScopeSet, resource: str, *, now: float) -> int:
        """Return how much a level is charged more in a second; 0 where it does not fill."""
        marks = self._marks.get((level, scopes), ())
        charge = self._forest.node(level).book(scopes).charge(resource) if marks else 0
        return max((_slope(mark, resource, charge, now=now) for mark in marks), default=0)

    def forget(self, now: float) -> None:
        """Drop the marks that say nothing any more."""
        self._marks = {
            level: marks for level, marks in self._marks.items() if marks[-1][0] + FORGOTTEN > now
        }


def _slope(mark: _Mark, resource: str, charge: int, *, now: float) -> int:
    since, charges = mark
    passed = max(BETWEEN, now - since)
    grown = charge - charges.get(resource, charge)
    return max(0, grown * 1000 // int(1000 * passed)) if passed <= FORGOTTEN else 0
