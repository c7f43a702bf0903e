"""Looks at a process and at the API server while something happens."""

from __future__ import annotations

import asyncio
import re
import time
from types import TracebackType
from typing import Final

from bench import machine
from quotatree.cluster.client import Client

EVERY: Final = 0.5
_DISPATCHED: Final = re.compile(
    r'^apiserver_flowcontrol_dispatched_requests_total\{flow_schema="quotatree",.*\} (\S+)$',
    re.MULTILINE,
)


class Meter:
    """The most memory of a process and its children, and the most requests in a second.

    The requests are those that the API server took for the controller's by its FlowSchema.
    """

    def __init__(self, client: Client, pid: int) -> None:
        self._client = client
        self._pid = pid
        self.memory = 0
        self.rate = 0.0

    async def __aenter__(self) -> Meter:
        self._task = asyncio.create_task(self._look())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _look(self) -> None:
        before: tuple[float, float] | None = None
        while True:
            self.memory = max(self.memory, machine.family_resident(self._pid))
            text = await self._client.text("/metrics")
            found = time.monotonic(), sum(float(it) for it in _DISPATCHED.findall(text))
            if before is not None and found[1] > before[1]:
                self.rate = max(self.rate, (found[1] - before[1]) / (found[0] - before[0]))
            before = found
            await asyncio.sleep(EVERY)
