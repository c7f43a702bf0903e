"""The scale scene: a large forest on one sandbox, and how long the controller takes for it.

The forest is made beforehand (`bench.planting`). Here the native controllers run at their default
rate, and quotatree as it is installed.
"""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

from bench import crowd, machine
from bench.engine import ROOM
from bench.forest import Forest
from bench.meter import Meter
from quotatree import sandbox as control_plane
from quotatree.cli import install
from quotatree.cluster import paths
from quotatree.cluster.client import Client
from quotatree.errors import SandboxError
from quotatree.manifests.objects import LEASE
from quotatree.manifests.settings import DEFAULT_NAMESPACE
from quotatree.model import names
from quotatree.sandbox import Progress, SandboxState
from quotatree.sandbox.state import QUOTATREE, REPLICAS
from quotatree.settings import LoopSettings

WITHIN: Final = 240.0
"""Seconds after which a step has failed."""
IDLE: Final = 15.0
"""Seconds in which nothing happens, to be measured."""
CROWD: Final = 50
NEWBORN: Final = 300

Told = Callable[[str], None]


@dataclass(kw_only=True)
class Scale:
    """A running forest that is measured; `figures` are in seconds, bytes and shares."""

    forest: Forest
    sandbox: SandboxState
    client: Client
    told: Told
    figures: dict[str, float] = field(default_factory=dict)

    async def run(self, progress: Progress) -> dict[str, float]:
        """Measure everything, the gentlest first."""
        await self._until_all_grows()
        failover = functools.partial(self._failover, progress)
        for step in (self._idle, self._restart, self._raise, self._lower, self._newborn, failover):
            known = self.figures.keys() | ()
            await step()
            for what in [it for it in self.figures if it not in known]:
                self.told(f"{what}: {self.figures[what]:.3g}")  # should it be cut off
        return self.figures

    # -- steps --------------------------------------------------------------------------------

    async def _idle(self) -> None:
        # After a start every status is looked at, so many namespaces a second; and once more since
        # the pod that showed that its tree grows has changed the room of all.
        await asyncio.sleep(10 + 2 * len(self.forest.limited) / LoopSettings().status_most)
        pid = self.sandbox.pids[QUOTATREE]
        before, began = machine.family_seconds(pid), time.monotonic()
        await asyncio.sleep(IDLE)
        used = machine.family_seconds(pid) - before
        self.figures["idle share of a core"] = used / (time.monotonic() - began)

    async def _restart(self) -> None:
        """Kill the controller and start it again: how long until it decides, and until all grow."""
        control_plane.kill(self.sandbox.name, QUOTATREE, whole=True)
        began = time.monotonic()
        self.sandbox = control_plane.restart(self.sandbox.name, QUOTATREE)
        async with Meter(self.client, self.sandbox.pids[QUOTATREE]) as meter:
            await self._until(self._decides, "quotatree decides")
            self.figures["restart to ready"] = time.monotonic() - began
            await self._regrown("restart", began)
            await asyncio.sleep(1.0)  # the objects are listed beside all that
        self.figures["memory"] = meter.memory
        self.figures["requests a second"] = meter.rate

    async def _failover(self, progress: Progress) -> None:
        """Kill the leader of two replicas: how long nothing grows."""
        self.sandbox = await asyncio.to_thread(
            install.start_in_sandbox, self.sandbox, progress, replicas=2, slices=False
        )
        await self._until_all_grows()
        lease = await self.client.get(paths.LEASES, LEASE, namespace=DEFAULT_NAMESPACE)
        holder = lease["spec"]["holderIdentity"]
        leader = next(
            it
            for it in REPLICAS
            if holder == it.replace("quotatree", f"sandbox-{self.sandbox.name}")
        )
        control_plane.kill(self.sandbox.name, leader, whole=True)
        await self._regrown("failover", time.monotonic())

    async def _regrown(self, what: str, began: float) -> None:
        async def grown(tree: str) -> None:
            grows = functools.partial(self._grows, self.forest.roots[tree])
            await self._until(grows, f"{tree} grows")
            self.figures[f"{what} until {tree} grows"] = time.monotonic() - began

        await asyncio.gather(*map(grown, self.forest.roots))

    async def _raise(self) -> None:
        """Raise a root limit at which a crowd waits."""
        await self._limit_root(await self._pods_in_org())
        leaves = self.forest.leaves[:CROWD]
        waiting = [crowd.Waiting(self.client, name) for name in leaves]
        async with asyncio.TaskGroup() as group:
            for one in waiting:
                group.create_task(one.run())
            await self._until(crowd.all_refused(waiting), "everybody was refused")
            await self._limit_root(None)
            began = time.monotonic()
        self.figures["raised limit until used"] = time.monotonic() - began

    async def _lower(self) -> None:
        """Lower a root limit below its usage while users go on elsewhere."""
        users = crowd.Users(self.client, self.forest.busy[1:9])
        before = await users.during(asyncio.sleep(8.0))
        limit = await self._pods_in_org() // 2
        stop = asyncio.Event()
        growing = [
            asyncio.create_task(crowd.keep_growing(self.client, name, stop))
            for name in self.forest.leaves[CROWD : CROWD + 4]
        ]
        await asyncio.sleep(0.5)
        meanwhile = await users.during(self._follow(limit, stop))
        last = max([max(await task) for task in growing])
        self.figures["lowered limit until growth is refused"] = max(0.0, last - self._lowered)
        self.figures["user requests p99 before"] = before
        self.figures["user requests p99 meanwhile"] = meanwhile
        await self._limit_root(None)

    async def _follow(self, limit: int, stop: asyncio.Event) -> None:
        await self._limit_root(limit)
        self._lowered = time.monotonic()
        await asyncio.sleep(2.0)
        stop.set()
        await self._until(self._told_everywhere, "every TreeQuota says so", every=1.0)
        self.figures["lowered limit until all statuses follow"] = time.monotonic() - self._lowered

    async def _newborn(self) -> None:
        """Create empty namespaces, all at once; the native controller is at its default rate."""
        count = min(NEWBORN, self.forest.namespaces)
        body = self.forest.namespace("", self.forest.roots["org"])
        body["metadata"]["labels"]["bench"] = "newborn"

        async def bear(number: int) -> None:
            metadata = {**body["metadata"], "name": f"newborn-{number:03}"}
            await self.client.create(paths.NAMESPACES, {**body, "metadata": metadata})

        async def enforced() -> bool:
            selector = f"bench=newborn,{names.LABEL_ENFORCED}=true"
            found, _ = await self.client.list_all(
                paths.NAMESPACES, label_selector=selector, each=lambda _: None
            )
            return len(found) == count

        began = time.monotonic()
        await asyncio.gather(*map(bear, range(count)))
        self.figures["newborn created"] = time.monotonic() - began
        await self._until(enforced, "all newborn are enforced", every=0.1)
        self.figures["newborn enforced"] = time.monotonic() - began

    # -- the cluster --------------------------------------------------------------------------

    async def _until(
        self, holds: Callable[[], Awaitable[bool]], what: str, *, every: float = 0.05
    ) -> None:
        deadline = time.monotonic() + WITHIN
        while not await holds():
            if time.monotonic() > deadline:
                raise SandboxError(f"not within {WITHIN:.0f} s: {what}")
            await asyncio.sleep(every)

    async def _until_all_grows(self) -> None:
        for root in self.forest.roots.values():
            await self._until(functools.partial(self._grows, root), f"{root} grows")

    async def _decides(self) -> bool:
        return await install.probe(self.client) is None

    async def _grows(self, namespace: str) -> bool:
        return await crowd.create(self.client, namespace)

    async def _pods_in_org(self) -> int:
        """Return the usage of the large tree as its root's status has it, once it is at rest."""
        seen: list[int] = []
        while len(seen) < 3 or len(set(seen[-3:])) > 1:
            quota = await self.client.get(
                paths.TREE_QUOTAS, "quota", namespace=self.forest.roots["org"]
            )
            seen.append(int(quota["status"]["used"]["pods"]))
            await asyncio.sleep(1.1)
        return seen[-1]

    async def _limit_root(self, pods: int | None) -> None:
        body = {"spec": {"hard": {"pods": ROOM["pods"] if pods is None else str(pods)}}}
        root = self.forest.roots["org"]
        await self.client.patch(paths.TREE_QUOTAS, "quota", body=body, namespace=root)

    async def _told_everywhere(self) -> bool:
        """Whether each TreeQuota below the root says that an ancestor allows less."""
        found, _ = await self.client.list_all(paths.TREE_QUOTAS, each=_looser)
        return len([it for it in found if it]) >= self.forest.namespaces // 5 - 1


def _looser(quota: dict[str, Any]) -> bool:
    conditions = quota.get("status", {}).get("conditions", ())
    return any(it["type"] == "LooserThanAncestor" and it["status"] == "True" for it in conditions)


async def measure(
    forest: Forest, sandbox: SandboxState, progress: Progress, *, told: Told
) -> dict[str, float]:
    """Return all figures of a forest in a running sandbox.

    Raises:
        QuotaTreeError: a step did not come to its end.
    """
    async with await Client.connect(str(sandbox.kubeconfig), connections=400) as client:
        scale = Scale(forest=forest, sandbox=sandbox, client=client, told=told)
        return await scale.run(progress)
