"""Who waits, in which order, and for what.

Every namespace has one queue, and only its head is ever tried: those behind it wait, whatever they
ask for. One namespace's queue never holds up another's. A head is filed at the place that refused
it, which is a level and a resource, by how much it needs there; when room comes back at that place,
those whose need is within it are tried, the first in order first. A head whose path holds a
guarantee of that resource is filed under a need of zero: the guarantee may absorb a part of it.

It is exact: a head can fit only after the charge at its place has fallen, or the slack of a
guarantee below has grown, and either takes a departure that frees this resource at this level.
"""

from __future__ import annotations

import heapq
from bisect import bisect_right, insort
from collections.abc import Callable, Iterable

from quotatree.model.names import Namespace
from quotatree.model.scope import ScopeSet

Order = tuple[int, int, int]
"""Least first: priority (negative; 0 for all in a fifo), arrival, number of the workload."""

Obstacle = tuple[ScopeSet, Namespace, str]
"""A level that refused, by scope set, namespace and resource."""

_Entry = tuple[Order, Namespace]


class Place:
    """Where somebody may have to wait, and the heads that do, by need.

    `room` is asked how much is free there; `needs` are sorted, and nobody waits where there are
    none.
    """

    __slots__ = ("by_need", "needs", "obstacle", "room")

    def __init__(self, obstacle: Obstacle, room: Callable[[], int]) -> None:
        self.obstacle = obstacle
        self.room = room
        self.needs: list[int] = []
        self.by_need: dict[int, list[_Entry]] = {}

    def put(self, need: int, entry: _Entry) -> None:
        """File a head."""
        if need not in self.by_need:
            insort(self.needs, need)
            self.by_need[need] = []
        heapq.heappush(self.by_need[need], entry)

    def drop(self, need: int) -> None:
        """Forget a need that nobody has any more."""
        del self.by_need[need]
        self.needs.remove(need)


Attempt = Callable[[Namespace, Order], tuple[Place, int] | None]
"""Tries the head of a namespace; returns what keeps it, None when it was let in and has left."""

_Candidate = tuple[Order, Namespace, Place | None, int]


class Waiting:
    """All queues."""

    def __init__(self) -> None:
        self._queues: dict[Namespace, list[Order]] = {}
        self._filed: dict[Namespace, tuple[Place, int, Order]] = {}

    def join(self, name: Namespace, order: Order, kept: tuple[Place, int] | None) -> None:
        """Put a workload into the queue of its namespace; `kept` by what, if it is the head."""
        heapq.heappush(self._queues.setdefault(name, []), order)
        if kept is not None:
            self._file(name, *kept)

    def head(self, name: Namespace) -> Order | None:
        """Return who is to be tried for a namespace, None when nobody waits there."""
        queue = self._queues.get(name)
        return queue[0] if queue else None

    def place(self, name: Namespace) -> Place:
        """Return where the head of a queue is filed."""
        return self._filed[name][0]

    def leave(self, name: Namespace) -> None:
        """Take the head of a queue out: it was admitted."""
        queue = self._queues[name]
        heapq.heappop(queue)
        if not queue:
            del self._queues[name]

    def _file(self, name: Namespace, place: Place, need: int) -> None:
        """Note what keeps the head of a queue, instead of what kept it or its predecessor."""
        order = self._queues[name][0]
        self._filed[name] = (place, need, order)
        place.put(need, (order, name))

    def retry(self, freed: Iterable[Place], attempt: Attempt) -> None:
        """Try the heads that the freed room may let in.

        In one round room only shrinks: nobody is tried twice.
        """
        ready: list[_Candidate] = []
        for place in freed:
            for need in place.needs[: bisect_right(place.needs, place.room())]:
                self._offer(ready, place, need)
        kept: list[tuple[Namespace, Place, int]] = []
        while ready:
            order, name, filed, need = heapq.heappop(ready)
            if filed is not None:
                if need > filed.room():
                    continue  # it stays filed, and so do those behind it
                heapq.heappop(filed.by_need[need])
                del self._filed[name]
                self._offer(ready, filed, need)
            found = attempt(name, order)
            if found is not None:
                kept.append((name, *found))
            elif (following := self.head(name)) is not None:
                heapq.heappush(ready, (following, name, None, 0))
        for name, place, need in kept:
            self._file(name, place, need)

    def _offer(self, ready: list[_Candidate], place: Place, need: int) -> None:
        """Add the first that is still filed under a need to those that may be tried."""
        entries = place.by_need.get(need)
        if entries is None:
            return
        while entries and self._filed.get(entries[0][1]) != (place, need, entries[0][0]):
            heapq.heappop(entries)
        if entries:
            order, name = entries[0]
            heapq.heappush(ready, (order, name, place, need))
        else:
            place.drop(need)
