"""Says how TreeQuotas stand: their status, and the Events that were noted."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final, Protocol

from quotatree.cluster.live import Live
from quotatree.codec import quotas
from quotatree.controller.due import Due
from quotatree.controller.events import Recorder
from quotatree.controller.intake import Intake
from quotatree.controller.pace import Pace
from quotatree.engine.status import settling_doubts, status_of
from quotatree.errors import ClusterError
from quotatree.model import effect
from quotatree.model.quota import Quota

LOG: Final = logging.getLogger(__name__)

LOST: Final = frozenset({404, 409, 422})
"""Answers to a status that was decided on an old state; 422 is that of a JSON patch whose test of
the object's version fails."""


class Writer(Protocol):
    """What the reporter needs of the loop."""

    intake: Intake
    recorder: Recorder

    async def apply(self, what: effect.Effect) -> dict[str, Any]:
        """Carry an effect out."""


class Reporter:
    """Writes the status of TreeQuotas, at most `most` namespaces of them in a round."""

    def __init__(self, writer: Writer, live: Live, *, due: Due, pace: Pace, most: int) -> None:
        self._writer = writer
        self._live = live
        self._due = due
        self._pace = pace
        self._most = most

    async def report(self) -> None:
        """Write what has changed since the last round."""
        for _ in settling_doubts(self._live.world):
            await asyncio.sleep(0)
        for name in self._due.take(self._most):
            for quota in self._live.world.limits.quotas(name):  # as it is now: writing took time
                await self._report_on(quota)
            await asyncio.sleep(0)  # what is as it was waits for nothing, and reviews must not wait
        for event in self._writer.recorder.take(self._live.clock()):
            await self._say(event)

    async def _report_on(self, quota: Quota) -> None:
        if quota.key in self._writer.intake.orphaned:
            return
        if status_of(self._live.world, quota) == quota.status:
            return
        await self._pace.turn()
        await self._write(quota)

    async def _say(self, event: effect.Emit) -> None:
        """Record an Event; one that cannot be written (a terminating namespace) is not missed."""
        await self._pace.turn()
        try:
            await self._writer.apply(event)
        except ClusterError as error:
            LOG.debug("event not recorded", extra={"error": str(error)})

    async def _write(self, quota: Quota) -> None:
        """Write how it stands now: no time passes between the look and its being known as said."""
        limits, status = self._live.world.limits, status_of(self._live.world, quota)
        self._writer.recorder.conditions(quota, status)
        limits.answered(quota, status)
        try:
            written = await self._writer.apply(
                effect.WriteStatus(
                    namespace=quota.namespace,
                    quota=quota.name,
                    uid=quota.uid,
                    resource_version=quota.resource_version,
                    status=status,
                )
            )
        except ClusterError as error:
            limits.answered(quota, quota.status)
            self._due.again(quota.namespace)
            if error.status not in LOST:
                LOG.warning("status not written", extra={"error": str(error)})
        else:
            limits.answered(quotas.parse(written), status)
