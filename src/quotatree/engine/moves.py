"""Changes of parent that were granted and are not committed yet: charged in both places.

A move is a grant whose object is the Namespace: an event above its base settles it, and where none
comes the Namespace is touched (`engine.reservation`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from quotatree.engine.account import Move
from quotatree.engine.forest import Forest
from quotatree.engine.reservation import Reservation, State, Timing
from quotatree.model.names import Namespace
from quotatree.model.scope import ScopeSet


class Moves:
    """The pending moves of the forest, by the namespace that moves."""

    def __init__(self, forest: Forest, timing: Timing) -> None:
        self._forest = forest
        self._timing = timing
        self._pending: dict[Namespace, list[Move]] = {}

    def __iter__(self) -> Iterator[Namespace]:
        return iter(self._pending)

    def __len__(self) -> int:
        return len(self._pending)

    def reserve(self, name: Namespace, target: Namespace, *, base: int, now: float) -> None:
        """Charge `name` to `target` too, until an event shows whether the move was committed."""
        deadline = now + self._timing.touch_after
        grant = Reservation(State.PENDING, base=base, used={}, deadline=deadline)
        move = Move(target=target, reservation=grant, since=now)
        self._pending.setdefault(name, []).append(move)
        self._forest.ghost(self._forest.node(name), self._forest.node(target))

    def settle(self, name: Namespace, resource_version: int) -> bool:
        """Take in a committed state of `name`; returns whether that decided a move."""
        moves = self._pending.get(name, [])
        left = [m for m in moves if m.reservation.base >= resource_version]
        return self._keep(name, left)

    def overdue(self, name: Namespace) -> tuple[Move, ...]:
        """Return the moves that a touch of `name` sent now is for."""
        pending = self._pending.get(name, ())
        return tuple(m for m in pending if m.reservation.state is State.OVERDUE)

    def touched(self, name: Namespace, resource_version: int, *, asked: Collection[Move]) -> None:
        """Take in that a touch of `name` was committed: of what it was `asked` for, all is decided.

        A base that is not below the touch was never the object's: no API server asked about it.
        What was granted since may be based on the touch itself, and still land.
        """
        self._keep(
            name,
            [
                m
                for m in self._pending.get(name, [])
                if m.reservation.base < resource_version or not any(m is one for one in asked)
            ],
        )

    def lapse(self, name: Namespace, now: float) -> None:
        """Give up the moves of a Namespace that does not exist, once they cannot commit any more.

        Nothing can touch what is yet to be created; the API server ends each request in time.
        """
        until = now - self._timing.lost_after
        self._keep(name, [m for m in self._pending.get(name, []) if m.since > until])

    def forget(self, name: Namespace) -> None:
        """Drop the moves of a Namespace that is gone; its node is unlinked by whoever says so."""
        self._pending.pop(name, None)

    def pass_time(self, now: float) -> list[Namespace]:
        """Let time happen; returns the namespaces to touch."""
        again = self._timing.touch_after
        return [
            name
            for name, moves in self._pending.items()
            if sum(m.reservation.pass_time(now, again=again) for m in moves)
        ]

    def charge_above(self, level: Namespace, scopes: ScopeSet, resource: str) -> int:
        """Return how much of what a level is charged for belongs to moves that may lose."""
        total = 0
        for name, moves in self._pending.items():
            book = self._forest.node(name).books.get(scopes)
            for move in moves if book is not None else ():
                if book and self._forest.is_charged_to(move.target, {level}):
                    total += book.charge(resource)
        return total

    def _keep(self, name: Namespace, left: list[Move]) -> bool:
        """Let only these moves of `name` charge it elsewhere; returns whether any is dropped."""
        if len(left) == len(self._pending.get(name, [])):
            return False
        node = self._forest.node(name)
        self._forest.unghost(node)
        if left:
            self._pending[name] = left
            for move in left:
                self._forest.ghost(node, self._forest.node(move.target))
        else:
            del self._pending[name]
        return True
