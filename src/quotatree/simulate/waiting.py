"""Who waits, in which order, and for what.

Every namespace has one queue, and only its head is ever tried: those behind it wait, whatever they
ask for. One namespace's queue never holds up another's. A head is filed under the level and the
resource that refused it, by how much it needs there; when room comes back at that level, those
whose need is within it are tried, the first in order first. A head whose path holds a guarantee of
that resource is filed under a need of zero: the guarantee may absorb a part of it.

It is exact: a head can fit only after the charge of its obstacle has fallen, or the slack of a
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
_Candidate = tuple[Order, Namespace, Obstacle | None, int]


class _File:
    """Heads that one obstacle keeps, by need."""

    __slots__ = ("by_need", "needs")

    def __init__(self) -> None:
        self.needs: list[int] = []
        self.by_need: dict[int, list[_Entry]] = {}

    def put(self, need: int, entry: _Entry) -> None:
        if need not in self.by_need:
            insort(self.needs, need)
            self.by_need[need] = []
        heapq.heappush(self.by_need[need], entry)

    def drop(self, need: int) -> None:
        del self.by_need[need]
        self.needs.remove(need)


class Waiting:
    """All queues."""

    def __init__(self) -> None:
        self._queues: dict[Namespace, list[Order]] = {}
        self._files: dict[Obstacle, _File] = {}
        self._filed: dict[Namespace, tuple[Obstacle, int, Order]] = {}

    def for_room_at(self, obstacle: Obstacle) -> bool:
        """Whether somebody may wait for room there."""
        return obstacle in self._files

    def join(self, name: Namespace, order: Order) -> None:
        """Put a workload into the queue of its namespace."""
        heapq.heappush(self._queues.setdefault(name, []), order)

    def head(self, name: Namespace) -> Order | None:
        """Return who is to be tried for a namespace, None when nobody waits there."""
        queue = self._queues.get(name)
        return queue[0] if queue else None

    def obstacle(self, name: Namespace) -> Obstacle:
        """Return what keeps the head of a queue."""
        return self._filed[name][0]

    def leave(self, name: Namespace) -> None:
        """Take the head of a queue out: it was admitted."""
        queue = self._queues[name]
        heapq.heappop(queue)
        if not queue:
            del self._queues[name]

    def file(self, name: Namespace, obstacle: Obstacle, need: int) -> None:
        """Note what keeps the head of a queue, in place of what kept it or its predecessor."""
        order = self._queues[name][0]
        self._filed[name] = (obstacle, need, order)
        self._files.setdefault(obstacle, _File()).put(need, (order, name))

    def retry(
        self,
        freed: Iterable[Obstacle],
        *,
        room: Callable[[Obstacle], int],
        attempt: Callable[[Namespace], tuple[Obstacle, int] | None],
    ) -> None:
        """Try the heads that the freed room may let in.

        `attempt` tries the head of a namespace: None says that it was let in and has left,
        otherwise it says what keeps it. In one round room only shrinks: nobody is tried twice.
        """
        ready: list[_Candidate] = []
        for obstacle in freed:
            file = self._files.get(obstacle)
            if file is not None:
                for need in file.needs[: bisect_right(file.needs, room(obstacle))]:
                    self._offer(ready, obstacle, need)
        kept: list[tuple[Namespace, Obstacle, int]] = []
        while ready:
            _, name, obstacle_, need = heapq.heappop(ready)
            if obstacle_ is not None:
                if need > room(obstacle_):
                    continue  # it stays filed, and so do those behind it
                self._take(name, obstacle_, need)
                self._offer(ready, obstacle_, need)
            found = attempt(name)
            if found is not None:
                kept.append((name, *found))
            elif (order := self.head(name)) is not None:
                heapq.heappush(ready, (order, name, None, 0))
        for name, obstacle, need in kept:
            self.file(name, obstacle, need)

    def _offer(self, ready: list[_Candidate], obstacle: Obstacle, need: int) -> None:
        """Add the first that is still filed under a need to those that may be tried."""
        file = self._files.get(obstacle)
        entries = file.by_need.get(need) if file is not None else None
        if file is None or entries is None:
            return
        while entries and self._filed.get(entries[0][1]) != (obstacle, need, entries[0][0]):
            heapq.heappop(entries)
        if entries:
            order, name = entries[0]
            heapq.heappush(ready, (order, name, obstacle, need))
        else:
            file.drop(need)

    def _take(self, name: Namespace, obstacle: Obstacle, need: int) -> None:
        file = self._files[obstacle]
        heapq.heappop(file.by_need[need])
        del self._filed[name]
