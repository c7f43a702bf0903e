"""Counting for TreeQuotas that only observe: now and then, gently, and aside from everything else.

Who is refused never depends on it: when a count fails, figures are old and that is all.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Final, TypeVar, cast

from quotatree.cluster import recount
from quotatree.cluster.client import Client
from quotatree.cluster.live import Live
from quotatree.cluster.recount import Pace
from quotatree.controller.due import Due
from quotatree.controller.events import Recorder
from quotatree.engine import observing, tally
from quotatree.engine.observing import Counted, Steps, Wanted
from quotatree.errors import ClusterError
from quotatree.metrics import Metrics
from quotatree.settings import LoopSettings

LOG: Final = logging.getLogger(__name__)

LOOK: Final = 1.0
"""Seconds between looks whether there is anything to count: a new TreeQuota need not wait long."""
REST: Final = 4.0
"""How many times as long as a count took there is none after it: many objects, rarer counts."""

_T = TypeVar("_T")


class Observer:
    """Keeps the sights of a world up to date."""

    def __init__(
        self,
        client: Client,
        live: Live,
        *,
        settings: LoopSettings,
        wall: Callable[[], float],
        metrics: Metrics | None = None,
    ) -> None:
        self._client = client
        self._live = live
        self._every = settings.observe_every
        self._pace = Pace(page=settings.observe_page, pause=settings.observe_pause)
        self._wall = wall
        self._metrics = metrics or Metrics()
        self._again = 0.0
        self._failed = False
        self._ordered = 0
        self._last = Counted()

    async def run(self, recorder: Recorder, due: Due) -> None:
        """Run until cancelled."""
        while True:
            await asyncio.sleep(LOOK)
            if not self._live.loaded or not self.is_due():
                continue
            began, failed = self._live.clock(), True
            try:
                await self.count(recorder, due)
                failed = False
            except ClusterError as error:
                LOG.warning("not counted", extra={"error": str(error)})
            except Exception:  # those who decide must not end for what is only observed
                LOG.exception("not counted, for a fault of ours")
            self.rest(self._live.clock() - began, failed=failed)

    def rest(self, took: float, *, failed: bool) -> None:
        """Let some time pass after a count that took so many seconds.

        After one that failed, what is new waits too.
        """
        self._failed = failed
        self._again = self._live.clock() + max(self._every, REST * took)

    def is_due(self) -> bool:
        """Whether there is something new to observe, or something that was not counted for long."""
        limits = self._live.world.limits
        if limits.observed != self._ordered and not self._failed:
            return True
        return limits.observes() and self._live.clock() >= self._again

    async def count(self, recorder: Recorder, due: Due) -> None:
        """Count once, and say what came of it; what is asked for meanwhile is counted next."""
        world = self._live.world
        self._ordered = world.limits.observed
        order = await _in_steps(observing.order(world))
        now = datetime.fromtimestamp(self._wall(), tz=UTC)
        found = await recount.recount(self._client, order.wanted, now, pace=self._pace)
        reasons = uncounted(order.wanted, found.unlisted)
        counted = Counted(order=order, used=found.used, uncounted=reasons)
        world.sights = await _in_steps(observing.look(world, counted, self._last))
        self._last = counted
        recorder.would_refuse(world.sights.values())
        for name in observing.refusals(world.sights.values()):
            tree = self._metrics.tree(tally.root(world, name))
            self._metrics.would_refuse.labels(tree).inc()
        for namespace, _ in world.sights:
            due.again(namespace)


async def _in_steps(steps: Steps[_T]) -> _T:
    """Take the steps one by one, with everything else that waits in between."""
    while True:
        try:
            next(steps)
        except StopIteration as done:
            return cast("_T", done.value)
        await asyncio.sleep(0)


def uncounted(wanted: Wanted, unlisted: Iterable[recount.Wanted]) -> dict[str, str]:
    """Return why some of the names that are wanted could not be counted."""
    every = {name for names in wanted.values() for name in names}
    counted = {n for what in recount.wanted(wanted) for names in what.names.values() for n in names}
    found = dict.fromkeys(every - counted, "custom kinds are not counted")
    for what in unlisted:
        names = {name for names in what.names.values() for name in names}
        found |= dict.fromkeys(names, f"quotatree may not list {what.resource}")
    return {str(name): why for name, why in sorted(found.items())}
