"""Who creates pods while replicas fail: in namespaces of one large tree, and in one outside."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bench.load import pod
from quotatree.cluster import paths
from quotatree.cluster.client import Client
from quotatree.errors import ClusterError
from quotatree.model import names

ROOT: Final = "bench-org"
OUTSIDE: Final = "bench-outside"
GROWING: Final = 10
"""Namespaces of the tree that pods are created in; the others only have to be led."""
TEAMS: Final = 30
PACE: Final = 0.05
"""Seconds of pause between an answer and the next request of a creator."""
AT_ONCE: Final = 32
WITHIN: Final = 300.0
"""Seconds until the tree is enforced, or something is admitted again: an end for what hangs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One request: when it was sent, how long the answer took (seconds), and what it was."""

    namespace: str
    sent: float
    took: float
    status: int

    @property
    def answered(self) -> float:
        """When the answer was there."""
        return self.sent + self.took


class Creators:
    """Who creates pods all the time: `async with Creators(client, namespaces) as creators`."""

    def __init__(self, client: Client, namespaces: Sequence[str]) -> None:
        self._client = client
        self._namespaces = namespaces
        self._tasks: list[asyncio.Task[None]] = []
        self._serial = itertools.count()
        self.seen: list[Seen] = []

    async def __aenter__(self) -> Creators:
        self._tasks = [asyncio.create_task(self._create(name)) for name in self._namespaces]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _create(self, namespace: str) -> None:
        while True:
            await self.one(namespace)
            await asyncio.sleep(PACE)

    async def one(self, namespace: str) -> Seen:
        """Ask once."""
        body = pod(f"p{time.monotonic_ns()}-{next(self._serial)}")
        sent, status = time.monotonic(), 201
        try:
            await self._client.request(
                "POST", paths.PODS.path(namespace), body=body, retry=False, timeout=30.0
            )
        except ClusterError as error:
            status = error.status
        seen = Seen(namespace=namespace, sent=sent, took=time.monotonic() - sent, status=status)
        self.seen.append(seen)
        return seen

    def admitted(self) -> list[float]:
        """Return when pods of the tree were admitted, in order."""
        inside = (s for s in self.seen if s.status == 201 and s.namespace != OUTSIDE)
        return sorted(seen.answered for seen in inside)

    async def again(self, since: float) -> None:
        """Wait until something that was sent after `since` was admitted, and a moment longer.

        Raises:
            ClusterError: there is none for too long.
        """
        end = time.monotonic() + WITHIN
        while not any(
            s.sent > since and s.status == 201 and s.namespace != OUTSIDE for s in self.seen
        ):
            if time.monotonic() > end:
                raise ClusterError(f"nothing is admitted for {WITHIN:.0f} s")
            await asyncio.sleep(0.05)
        await asyncio.sleep(1.0)


async def plant(client: Client, count: int) -> list[str]:
    """Make a tree of so many namespaces on three levels; return those that pods go to."""
    teams = [f"bench-team-{number}" for number in range(TEAMS)]
    leaves = [f"bench-leaf-{number}" for number in range(count - TEAMS - 1)]
    await client.create(paths.NAMESPACES, _namespace(OUTSIDE, None))
    await client.create(paths.NAMESPACES, _namespace(ROOT, None))
    quota = {
        "apiVersion": names.API_VERSION,
        "kind": "TreeQuota",
        "metadata": {"name": "limit"},
        "spec": {"hard": {"pods": "1M", "cpu": "1M"}},
    }
    await client.create(paths.TREE_QUOTAS, quota, namespace=ROOT)
    await _make(client, [(name, ROOT) for name in teams])
    await _make(client, [(name, teams[i % TEAMS]) for i, name in enumerate(leaves)])
    await _until_enforced(client, count)
    return leaves[:GROWING]


async def _make(client: Client, pairs: list[tuple[str, str]]) -> None:
    left = iter(pairs)

    async def make() -> None:
        for name, parent in left:
            await client.create(paths.NAMESPACES, _namespace(name, parent))

    await asyncio.gather(*(make() for _ in range(AT_ONCE)))


def _namespace(name: str, parent: str | None) -> dict[str, object]:
    labels = {} if parent is None else {names.LABEL_PARENT: parent}
    metadata = {"name": name, "labels": labels}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


async def _until_enforced(client: Client, count: int) -> None:
    end = time.monotonic() + WITHIN
    while True:
        spaces, _ = await client.list_all(
            paths.NAMESPACES, label_selector=f"{names.LABEL_ENFORCED}=true", each=lambda _: None
        )
        accounts, _ = await client.list_all(paths.SERVICE_ACCOUNTS, each=lambda _: None)
        if len(spaces) >= count and len(accounts) > count:
            return
        if time.monotonic() > end:
            raise ClusterError(f"{len(spaces)} of {count} namespaces enforced in {WITHIN:.0f} s")
        await asyncio.sleep(1.0)
