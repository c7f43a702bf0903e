"""Pods beside native ResourceQuota, created and refused: pairs of samples in turn, one sandbox."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from bench import figures, machine, scenes
from bench.load import Order, Outcome
from bench.scenes import Scene
from quotatree.cluster.client import Client
from quotatree.errors import SandboxError
from quotatree.sandbox import SandboxState

DEPTHS: Final = (1, 4, 8)
SPREAD: Final = 8
"""Namespaces of the spread scenes. Native admission batches the requests of one namespace, so that
spreading the same load makes more status writes, and each of them a call of the webhook."""
MOST_WARM: Final = 10
"""Samples that are taken at the most until slices are large enough for one."""
OFFERED_AFTER: Final = 2.0
"""Seconds in which a namespace that had to ask has its slice."""

_CALLS: Final = re.compile(
    r'^apiserver_admission_webhook_admission_duration_seconds_(count|sum)\{.*name="usage\.'
    r".* (\S+)$",
    re.MULTILINE,
)


class Part(StrEnum):
    """What is measured together, on control planes that are set up alike."""

    CREATION = "creation"
    SLICES = "slices"
    SERVERS = "servers"

    @property
    def words(self) -> str:
        """How pods are created in it."""
        return {
            Part.CREATION: "through the webhook",
            Part.SLICES: "within slices",
            Part.SERVERS: "through two API servers",
        }[self]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is measured; `chosen` are names of scenes, none for all.

    A sample takes longer than a collection of the API server's garbage: else what one sample leaves
    behind is paid for by another, or not at all.
    """

    pods: int = 2000
    creators: int = 32
    pairs: int = 5
    spread: int = SPREAD
    chosen: tuple[str, ...] = ()
    part: Part = Part.CREATION


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One run of creators in one scene. Times in seconds; `busy` is processor time by component.

    `calls` is how often the API server asked the webhook, `called` for how long in all. In a `full`
    scene every request is refused, and `statuses` says by which HTTP status.
    """

    scene: str
    label: str
    width: int
    pods: int
    seconds: float
    latencies: list[float]
    busy: dict[str, float]
    calls: int
    called: float
    machine_load: float
    full: bool = False
    statuses: dict[str, int] = field(default_factory=dict)

    @property
    def refused(self) -> float:
        """The share of the requests that got a plain refusal, and were not told to ask again."""
        return self.statuses.get("403", 0) / self.pods

    @property
    def conflicts(self) -> float:
        """The share of the requests that were answered 409."""
        return self.statuses.get("409", 0) / self.pods

    @property
    def per_second(self) -> float:
        """Pods created in a second, or requests answered where all are refused."""
        return (self.pods if self.full else self.statuses["201"]) / self.seconds

    def latency(self, share: float) -> float:
        """Return a quantile of the time of one creation, in seconds."""
        return figures.quantile(sorted(self.latencies), share)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A sample with native quota and the sample that was taken right before or after it."""

    native: Sample
    other: Sample


@dataclass(slots=True, kw_only=True)
class Bench:
    """A sandbox with scenes and a load generator; `clients` are those of its API servers."""

    sandbox: SandboxState
    clients: Sequence[Client]
    generator: asyncio.subprocess.Process
    plan: Plan
    told: Callable[[str, float], None]
    _taken: int = field(default=0)

    async def pairs(self) -> list[Pair]:
        """Return all pairs, in the order in which they were taken."""
        against = self._against()
        for scene in {scene.name: scene for both in against for scene in both}.values():
            self.told(f"setting up: {scene.label}", 0.0)
            await scenes.put_up(self.clients[0], scene)
            await self._sample(scene, pods=self.plan.creators)  # caches and connections get warm
            if self.plan.part is Part.SLICES and scene.depth:
                await self._until_slices_stand(scene)
        found: list[Pair] = []
        total = self.plan.pairs * len(against)
        for number in range(self.plan.pairs):
            for native, other in against:
                self.told(f"pair {number + 1}: {_title(other)}", len(found) / total)
                # Now one first, now the other: what the first leaves behind harms both the same.
                order = (native, other) if number % 2 == 0 else (other, native)
                taken = {scene.name: await self._sample(scene) for scene in order}
                found.append(Pair(native=taken[native.name], other=taken[other.name]))
        return found

    def _against(self) -> Sequence[tuple[Scene, Scene]]:
        """Return which scene is compared with which."""
        chosen = self.plan.chosen
        return [both for both in self._all() if not chosen or both[1].name in chosen]

    def _all(self) -> list[tuple[Scene, Scene]]:
        widths = (1, self.plan.spread)
        if self.plan.part is Part.SLICES:
            return [scenes.inside(width) for width in widths]
        if self.plan.part is Part.SERVERS:
            return [scenes.shared(width) for width in widths]
        return self._outside()

    def _outside(self) -> list[tuple[Scene, Scene]]:
        native, others = scenes.native(1), [scenes.without(1)]
        others += [scenes.tree(depth, 1) for depth in DEPTHS]
        wide = (scenes.native(self.plan.spread), scenes.tree(4, self.plan.spread))
        widths = (1, self.plan.spread)
        tight = [(scenes.native(w, full=True), scenes.tree(4, w, full=True)) for w in widths]
        return [*((native, other) for other in others), wide, *tight]

    async def _until_slices_stand(self, scene: Scene) -> None:
        """Let a scene grow until a whole sample of it asks nobody.

        Raises:
            SandboxError: it still does after many samples.
        """
        for _ in range(MOST_WARM):
            if not (await self._sample(scene)).calls:
                return
            await asyncio.sleep(OFFERED_AFTER)
        raise SandboxError(f"{scene.label}: the webhook is asked all the same")

    async def _sample(self, scene: Scene, *, pods: int | None = None) -> Sample:
        pods = pods or self.plan.pods
        self._taken += 1
        order = Order(
            namespaces=scene.namespaces,
            prefix=f"pod-{self._taken}",
            pods=pods,
            creators=self.plan.creators,
        )
        load, calls, busy = machine.load(), await self._calls(), self._busy()
        outcome = await self._ordered(order, full=scene.full)
        after, total = self._busy(), await self._calls()
        if not scene.full:
            await scenes.clear(self.clients[0], scene)
        return Sample(
            scene=scene.name,
            label=scene.label,
            width=scene.width,
            pods=pods,
            seconds=outcome.seconds,
            latencies=outcome.latencies,
            busy={name: seconds - busy[name] for name, seconds in after.items()},
            calls=round(total["count"] - calls["count"]),
            called=total["sum"] - calls["sum"],
            machine_load=load,
            full=scene.full,
            statuses=outcome.statuses,
        )

    async def _ordered(self, order: Order, *, full: bool) -> Outcome:
        """Let the generator carry out an order.

        Raises:
            SandboxError: not every pod was created, or one was where there is no room, so the
                figures would mean nothing.
        """
        assert self.generator.stdin is not None
        assert self.generator.stdout is not None
        line = {
            "namespaces": order.namespaces,
            "prefix": order.prefix,
            "pods": order.pods,
            "creators": order.creators,
        }
        self.generator.stdin.write(json.dumps(line).encode() + b"\n")
        answer = await self.generator.stdout.readline()
        if not answer:
            raise SandboxError("the load generator ended; its message is above")
        outcome = Outcome(**json.loads(answer))
        created, wanted = outcome.statuses.get("201", 0), 0 if full else order.pods
        if self.plan.part is Part.SERVERS:  # each one's quota admission may give up for the other
            wanted -= outcome.statuses.get("409", 0)
        if created != wanted:
            raise SandboxError(
                f"{order.namespaces[0]}: {created} pods were created, HTTP {outcome.statuses}; "
                f"next: look at {self.sandbox.log('quotatree')}"
            )
        return outcome

    async def _calls(self) -> dict[str, float]:
        found = {"count": 0.0, "sum": 0.0}
        for client in self.clients:
            for kind, value in _CALLS.findall(await client.text("/metrics")):
                found[kind] += float(value)
        return found

    def _busy(self) -> dict[str, float]:
        pids = {**self.sandbox.pids, "load generator": self.generator.pid}
        return {name: machine.family_seconds(pid) for name, pid in pids.items()}


def _title(scene: Scene) -> str:
    where = f" in {scene.width} namespaces" if scene.width > 1 else ""
    return f"{scene.label}{where}{', full' if scene.full else ''}"


async def measure(
    sandbox: SandboxState, plan: Plan, *, told: Callable[[str, float], None]
) -> list[Pair]:
    """Return all pairs, measured on a running sandbox with quotatree.

    Raises:
        QuotaTreeError: the sandbox does not do its work, or a pod was refused.
    """
    generator = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.load", "--kubeconfig", str(sandbox.kubeconfig)),
        *(it for url in sandbox.servers for it in ("--server", url)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=2**24,
        cwd=Path(__file__).parents[1],
    )
    try:
        async with AsyncExitStack() as stack:
            clients = [
                await stack.enter_async_context(await Client.connect(str(path)))
                for path in sandbox.kubeconfigs
            ]
            bench = Bench(
                sandbox=sandbox, clients=clients, generator=generator, plan=plan, told=told
            )
            return await bench.pairs()
    finally:
        if generator.returncode is None:
            generator.terminate()
        await generator.wait()


def by_scene(pairs: Sequence[Pair]) -> dict[str, list[Pair]]:
    """Return the pairs of each scene that was compared with native quota."""
    found: dict[str, list[Pair]] = {}
    for pair in pairs:
        found.setdefault(pair.other.scene, []).append(pair)
    return found


def summary(pairs: Sequence[Pair]) -> dict[str, Any]:
    """Return the medians and the ratios to native quota of the pairs of one scene."""
    other = [pair.other for pair in pairs]
    both = [(pair.native, pair.other) for pair in pairs]
    return {
        "label": other[0].label,
        "namespaces": other[0].width,
        "pods_per_second": figures.Spread.of(s.per_second for s in other),
        "p50": figures.Spread.of(s.latency(0.5) for s in other),
        "p99": figures.Spread.of(s.latency(0.99) for s in other),
        "refused": figures.Spread.of(s.refused for s in other),
        "conflicts": figures.Spread.of(s.conflicts for s in other),
        "calls_per_pod": figures.Spread.of(s.calls / s.pods for s in other),
        "seconds_per_call": figures.Spread.of(s.called / s.calls if s.calls else 0 for s in other),
        "ratio_pods_per_second": figures.Spread.of(figures.ratios(both, lambda s: s.per_second)),
        "ratio_p50": figures.Spread.of(figures.ratios(both, lambda s: s.latency(0.5))),
        "ratio_p99": figures.Spread.of(figures.ratios(both, lambda s: s.latency(0.99))),
        "ratio_processor_time": figures.Spread.of(
            figures.ratios(both, lambda s: sum(s.busy.values()))
        ),
    }
