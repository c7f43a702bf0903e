"""Work that the clock must not wait for: each piece once at a time, and not too many at once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Final

from quotatree.errors import ClusterError

LOG: Final = logging.getLogger(__name__)


class Errands:
    """Sends work off and forgets it; what the API server refuses is a line in the log."""

    def __init__(self, group: asyncio.TaskGroup, *, most: int) -> None:
        self._group = group
        self._under_way: set[Hashable] = set()
        self._gate = asyncio.Semaphore(most)

    def send(self, key: Hashable, work: Callable[[], Coroutine[Any, Any, None]]) -> bool:
        """Begin `work` unless what was begun for `key` is still under way; returns whether."""
        if key in self._under_way:
            return False
        self._under_way.add(key)
        self._group.create_task(self._run(key, work), name=f"errand {key}")
        return True

    async def _run(self, key: Hashable, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            async with self._gate:
                await work()
        except ClusterError as error:
            LOG.warning("could not write", extra={"error": str(error)})
        finally:
            self._under_way.discard(key)
