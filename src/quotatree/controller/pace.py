"""How fast the controller writes: a rate that it keeps to, whatever there is to do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

BURST: Final = 0.1
"""Seconds' worth of writes that may come at once after a pause."""


class Pace:
    """Gives out turns, `rate` of them in a second; first come, first served."""

    def __init__(
        self,
        rate: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._interval = 1 / rate
        self._clock = clock
        self._sleep = sleep
        self._next = clock()

    async def turn(self) -> None:
        """Return when it is one's turn."""
        now = self._clock()
        at = max(self._next, now - BURST)
        self._next = at + self._interval
        if at > now:
            await self._sleep(at - now)
