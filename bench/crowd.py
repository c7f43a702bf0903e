"""Those who use the large forest while it is measured: who grow, who wait at a limit, who go on."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Final

from bench import figures
from bench.load import pod
from quotatree.cluster import paths
from quotatree.cluster.client import Client
from quotatree.errors import ClusterError

AGAIN: Final = 0.5
"""Seconds after which a refused client asks again, as a controller would at the soonest."""
PAUSE: Final = 0.05

_numbers: Final = itertools.count()


async def create(client: Client, namespace: str) -> bool:
    """Create a pod; returns whether it was let in."""
    body = pod(f"grown-{next(_numbers)}-{time.time_ns()}")
    try:
        await client.request("POST", paths.PODS.path(namespace), body=body, retry=False)
    except ClusterError:
        return False
    return True


async def keep_growing(client: Client, namespace: str, stop: asyncio.Event) -> list[float]:
    """Create pods until told to stop; returns when each that was let in was answered."""
    admitted = [0.0]
    while not stop.is_set():
        if await create(client, namespace):
            admitted.append(time.monotonic())
        await asyncio.sleep(PAUSE)
    return admitted


class Waiting:
    """One client that asks for a pod until it has it."""

    def __init__(self, client: Client, namespace: str) -> None:
        self._client = client
        self._namespace = namespace
        self.refused = False

    async def run(self) -> None:
        """Return with the pod."""
        while not await create(self._client, self._namespace):
            self.refused = True
            await asyncio.sleep(AGAIN)


def all_refused(waiting: Sequence[Waiting]) -> Callable[[], Awaitable[bool]]:
    """Return the question whether everybody was refused at least once."""

    async def ask() -> bool:
        return all(one.refused for one in waiting)

    return ask


class Users:
    """Clients whose requests have nothing to do with what is measured.

    Each makes a ConfigMap, reads and deletes it, outside of all trees, and creates a pod in the
    small tree, again and again.
    """

    def __init__(self, client: Client, namespaces: Sequence[str]) -> None:
        self._client = client
        self._namespaces = namespaces

    async def during(self, work: Coroutine[Any, Any, None]) -> float:
        """Let users go on until `work` is done; returns the p99 of their requests in seconds."""
        stop, taken = asyncio.Event(), list[float]()
        users = [asyncio.create_task(self._use(name, stop, taken)) for name in self._namespaces]
        try:
            await work
        finally:
            stop.set()
            await asyncio.gather(*users)
        return figures.quantile(sorted(taken), 0.99)

    async def _use(self, namespace: str, stop: asyncio.Event, taken: list[float]) -> None:
        name = f"user-{namespace}"
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}

        async def timed(request: Awaitable[object]) -> None:
            began = time.monotonic()
            await request
            taken.append(time.monotonic() - began)
            await asyncio.sleep(PAUSE)

        while not stop.is_set():
            await timed(self._client.create(paths.CONFIG_MAPS, body, namespace="default"))
            await timed(self._client.get(paths.CONFIG_MAPS, name, namespace="default"))
            await timed(self._client.delete(paths.CONFIG_MAPS, name, namespace="default"))
            await timed(create(self._client, namespace))
