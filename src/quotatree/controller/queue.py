"""Namespaces whose plan has to be made: each once, failures later and later."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

from quotatree.model.names import Namespace

FIRST_DELAY: Final = 0.2
LONGEST_DELAY: Final = 30.0
AWAY_DELAY: Final = 1.0
"""The longest delay while the API server cannot be reached: when it can be, it can at once."""


class Queue:
    """A set in order of arrival; a namespace that is being worked on is not given out again."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._waiting: dict[Namespace, None] = {}
        self._later: dict[Namespace, float] = {}
        self._failures: dict[Namespace, int] = {}
        self._busy: set[Namespace] = set()
        self._filled = asyncio.Event()

    def add(self, names: Iterable[Namespace]) -> None:
        """Add namespaces; those that wait already keep their place."""
        for name in names:
            self._waiting[name] = None
        if self._waiting:
            self._filled.set()

    async def take(self) -> Namespace:
        """Return the next namespace; call `done` or `failed` for it afterwards."""
        while True:
            for name in self._waiting:
                if name not in self._busy:
                    del self._waiting[name]
                    self._busy.add(name)
                    return name
            self._filled.clear()
            await self._filled.wait()

    def done(self, name: Namespace) -> None:
        """End the work on a namespace."""
        self._failures.pop(name, None)
        self._release(name)

    def failed(self, name: Namespace, *, lost: bool = False, away: bool = False) -> float:
        """End the work on a namespace and plan it anew; returns the delay in seconds.

        `away`: nobody answered. A write that `lost` its compare-and-swap is no failure: the delay
        does not grow, else the busiest namespaces would wait the longest.
        """
        failures = 1 if lost else self._failures.get(name, 0) + 1
        if not lost:
            self._failures[name] = failures
        longest = AWAY_DELAY if away else LONGEST_DELAY
        delay: float = min(FIRST_DELAY * 2 ** min(failures - 1, 10), longest)
        self._later[name] = self._clock() + delay
        self._release(name)
        return delay

    def _release(self, name: Namespace) -> None:
        self._busy.discard(name)
        if name in self._waiting:
            self._filled.set()

    def wake(self) -> None:
        """Add those whose delay is over."""
        now = self._clock()
        due = [name for name, moment in self._later.items() if moment <= now]
        for name in due:
            del self._later[name]
        self.add(due)
