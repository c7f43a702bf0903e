"""What is done to replicas, one thing after the other, and what creators of pods see of it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from bench import figures
from bench.bars import Bar
from bench.creators import OUTSIDE, WITHIN, Creators, Seen
from quotatree import sandbox as control_plane
from quotatree.cli import install
from quotatree.cluster import paths
from quotatree.cluster.client import Client
from quotatree.codec import leases
from quotatree.errors import ClusterError
from quotatree.manifests.settings import DEFAULT_NAMESPACE
from quotatree.sandbox import SandboxState, readiness, state

REPLICAS: Final = state.REPLICAS[:3]
BESIDE: Final = 4
"""Creators in the namespace without a quota: enough for a 99th percentile."""
HANG, SETTLED = 10.0, 3.0
"""Seconds that something is frozen, and those after which everything is to be normal."""


@dataclass(kw_only=True)
class Figures:
    """What was measured, in seconds; `ratio` is that of two 99th percentiles."""

    namespaces: int
    kill: float = 0.0
    stop: float = 0.0
    rolling: float = 0.0
    refusal: float = 0.0
    outside_before: float = 0.0
    outside_hung: float = 0.0
    frozen_first: float = 0.0
    frozen_queued: float = 0.0
    frozen_later: float = 0.0
    frozen_leads: float = 0.0

    @property
    def ratio(self) -> float:
        """How much longer creations without a quota take while the decider hangs."""
        return self.outside_hung / max(self.outside_before, 1e-9)

    @property
    def bars(self) -> list[Bar]:
        """The figures beside what they have to be."""
        of = f"{self.namespaces:,} namespaces"
        rows = (
            (f"no admissions after kill -9 of the leader, {of}", self.kill, 17.0, " s"),
            (f"no admissions after a clean stop of the leader, {of}", self.stop, 2.0, " s"),
            (f"no admissions in a rolling update, {of}", self.rolling, 2.0, " s"),
            ("a refusal while the decider hangs", self.refusal, 1.2, " s"),
            ("p99 without a quota while the decider hangs, of that before", self.ratio, 1.5, " ×"),
            ("frozen leader: who is on its connections", self.frozen_first, 4.5, " s"),
            ("frozen leader: who is queued behind", self.frozen_queued, 10.0, " s"),
            ("frozen follower: new requests after 3 s", self.frozen_later, 1.0, " s"),
            ("frozen leader: until another one leads", self.frozen_leads, 17.0, " s"),
        )
        return [Bar(what=w, figure=f, bar=b, unit=unit) for w, f, b, unit in rows]


class Failing:
    """What is done to the replicas, one thing after the other."""

    def __init__(self, sandbox: SandboxState, client: Client, growing: list[str]) -> None:
        self._sandbox = sandbox
        self._client = client
        self._growing = growing

    async def hung(self, found: Figures) -> None:
        """Freeze the leader's decider alone while ten namespaces grow."""
        async with self._creators() as creators:
            await asyncio.sleep(HANG)
            leads, began = await self._leader(), time.monotonic()
            async with self._frozen(leads, whole=False):
                await asyncio.sleep(HANG)
                ended = time.monotonic()
            await creators.again(time.monotonic())
        # Every creator has one request under way; the first one of each met the hang in the middle.
        inside = [s for s in creators.seen if began <= s.sent <= ended - 1.0]
        found.refusal = max(s.took for s in inside if s.namespace != OUTSIDE)
        found.outside_before = _p99(s for s in creators.seen if s.answered < began)
        found.outside_hung = _p99(iter(inside))

    async def stopped(self, found: Figures) -> None:
        """Stop the leader cleanly; then all of them, one after the other."""
        async with self._creators() as creators:
            began = time.monotonic()
            await self._restart(await self._leader())
            await self.whole()
            found.stop = await _gap(creators, began)
            for component in REPLICAS:
                began = time.monotonic()
                await self._restart(component)
                await self.whole()
                found.rolling = max(found.rolling, await _gap(creators, began))

    async def frozen_follower(self, found: Figures) -> None:
        """Freeze a whole replica that does not lead."""
        leads = await self._leader()
        other = next(component for component in REPLICAS if component != leads)
        async with self._creators() as creators:
            began = time.monotonic()
            async with self._frozen(other, whole=True):
                await asyncio.sleep(HANG)
                ended = time.monotonic()
        later = [s for s in creators.seen if began + SETTLED <= s.sent <= ended - 1.0]
        normal = [s.took for s in later if s.status == 201]
        found.frozen_later = max(normal) if len(normal) == len(later) else WITHIN

    async def frozen(self, found: Figures) -> None:
        """Freeze the whole leader: two requests in each of three namespaces, then until another."""
        async with self._creators(idle=True) as creators:
            for name in self._growing:  # connections stand, and every account is fenced
                await creators.one(name)
            leads, began = await self._leader(), time.monotonic()
            async with self._frozen(leads, whole=True):
                rounds = [self._pair(creators, name) for name in self._growing[:3]]
                for first, queued in await asyncio.gather(*rounds):
                    found.frozen_first = max(found.frozen_first, first.took)
                    found.frozen_queued = max(found.frozen_queued, queued.took)
                while await self._leader() == leads:
                    await asyncio.sleep(0.1)
                found.frozen_leads = time.monotonic() - began

    async def _pair(self, creators: Creators, name: str) -> tuple[Seen, Seen]:
        first = asyncio.create_task(creators.one(name))
        await asyncio.sleep(0.3)
        return await asyncio.gather(first, creators.one(name))

    async def killed(self, found: Figures) -> None:
        """Kill the leader; it stays away until another one leads."""
        async with self._creators() as creators:
            leads, began = await self._leader(), time.monotonic()
            await asyncio.to_thread(control_plane.kill, self._sandbox.name, leads)
            while await self._leader() == leads:
                await asyncio.sleep(0.2)
            found.kill = await _gap(creators, began)
        await self._restart(leads)

    @asynccontextmanager
    async def _creators(self, *, idle: bool = False) -> AsyncIterator[Creators]:
        asked = [] if idle else [*self._growing, *[OUTSIDE] * BESIDE]
        async with Creators(self._client, asked) as creators:
            await asyncio.sleep(0.0 if idle else 2.0)
            yield creators

    @asynccontextmanager
    async def _frozen(self, component: str, *, whole: bool) -> AsyncIterator[None]:
        async def send(number: signal.Signals) -> None:
            name = self._sandbox.name
            await asyncio.to_thread(control_plane.kill, name, component, number, whole=whole)

        await send(signal.SIGSTOP)
        try:
            yield
        finally:
            await send(signal.SIGCONT)

    async def _restart(self, component: str) -> None:
        await asyncio.to_thread(control_plane.restart, self._sandbox.name, component)

    async def _leader(self) -> str:
        while True:
            with contextlib.suppress(ClusterError):
                found = await self._client.get(
                    paths.LEASES, "quotatree", namespace=DEFAULT_NAMESPACE
                )
                seen = leases.parse(found)
                if seen.holder:
                    return install.component_of(self._sandbox, seen.holder)
            await asyncio.sleep(0.1)

    async def whole(self) -> None:
        """Wait until every replica listens and the tree grows."""
        probe = Creators(self._client, [])
        for port in control_plane.find(self._sandbox.name).ports.replicas:
            while not await asyncio.to_thread(readiness.listening, port):
                await asyncio.sleep(0.1)
        while any([(await probe.one(name)).status != 201 for name in self._growing]):
            await asyncio.sleep(0.2)


async def _gap(creators: Creators, began: float) -> float:
    await creators.again(time.monotonic())
    admitted = creators.admitted()
    return max(b - a for a, b in itertools.pairwise(admitted) if b > began)


def _p99(seen: Iterator[Seen]) -> float:
    took = sorted(one.took for one in seen if one.namespace == OUTSIDE and one.status == 201)
    return figures.quantile(took, 0.99)
