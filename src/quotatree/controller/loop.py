"""The loop: changes in, plans made, effects carried out, time told to the ledger."""

from __future__ import annotations

import asyncio
import functools
import gc
import logging
from collections.abc import Callable, Coroutine, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from quotatree.cluster import apply, paths
from quotatree.cluster.client import Client
from quotatree.cluster.heartbeat import Heartbeat
from quotatree.cluster.live import Live
from quotatree.cluster.opener import Confirm, Opener
from quotatree.cluster.reflector import Change, Changed, Deleted, Listed, Progress, Reflector
from quotatree.codec import managed, namespaces
from quotatree.controller import counts
from quotatree.controller.due import Due
from quotatree.controller.ending import Ending
from quotatree.controller.errands import Errands
from quotatree.controller.events import Recorder
from quotatree.controller.intake import Dirty, Intake
from quotatree.controller.kind import KIND_LOOK, Kind
from quotatree.controller.lag import Lag
from quotatree.controller.newborn import Newborn
from quotatree.controller.objects import Objects
from quotatree.controller.observer import Observer
from quotatree.controller.pace import Pace
from quotatree.controller.queue import Queue
from quotatree.controller.reporter import Reporter
from quotatree.controller.slicer import Slicer
from quotatree.controller.touch import Toucher
from quotatree.engine import fence, openings, plan
from quotatree.engine.account import Way
from quotatree.errors import ClusterError
from quotatree.metrics import Metrics
from quotatree.model import effect, names
from quotatree.model.names import Namespace
from quotatree.model.observed import ManagedQuota
from quotatree.settings import LoopSettings

LOG: Final = logging.getLogger(__name__)

MOST_ROUNDS: Final = 5
"""Plans made for one namespace in a row; what is left after them waits for events."""
LOST: Final = frozenset({404, 409})
"""Answers to a write that was decided on an old state: its event brings a new plan."""
LANDS: Final = 0.1
"""Seconds that a term which ends waits for what it granted; then all of it is touched."""
ENDS: Final = 0.5
"""Seconds that it takes for that at the most. Longer: a grant whose write is slow is settled more
often, and else growth waits for nothing."""
REST_EVERY: Final = 30.0
"""Seconds between looks for accounts to be closed."""


class EpochPassedError(Exception):
    """Something carries a greater epoch than ours: with this one nothing can be granted there."""


class Controller:
    """One replica's loop over one cluster."""

    def __init__(
        self,
        client: Client,
        live: Live,
        *,
        settings: LoopSettings,
        heartbeat: Heartbeat,
        wall: Callable[[], float],
        confirm: Confirm,
        metrics: Metrics | None = None,
    ) -> None:
        self._client = client
        self._live = live
        self._settings = settings
        self._wall = wall
        self._metrics = metrics or Metrics()
        self._lag = Lag(self._metrics, live.clock)
        self.intake = Intake(live)
        self.queue = Queue(live.clock)
        self.recorder = Recorder(live.world, repeat_after=settings.event_every)
        self._objects = Objects(
            client,
            live,
            self.recorder,
            heartbeat=heartbeat,
            wall=wall,
            replan=self.queue.add,
            metrics=self._metrics,
        )
        self._unlisted = {paths.NAMESPACES, paths.RESOURCE_QUOTAS, paths.TREE_QUOTAS}
        self._pace = Pace(settings.writes)
        self._due = Due(live.world.ledger.forest, bears=live.world.limits.bears)
        self._toucher = Toucher(live, self._lose_quietly)
        self._observer = Observer(client, live, settings=settings, wall=wall, metrics=self._metrics)
        self.opener = Opener(live, self.apply, confirm)
        self._slicer = Slicer(client, live, self.apply, opener=self.opener)
        self._newborn = Newborn(client, live)
        self._reporter = Reporter(
            self, live, due=self._due, pace=self._pace, most=settings.status_most
        )
        self._ending = Ending(live)
        self._kind = Kind(client)
        self._gated: tuple[str, ...] | None = None
        self._gate_again = 0.0
        self._rest_again = 0.0

    async def run(self) -> None:
        """Run until cancelled."""
        handlers = {
            paths.NAMESPACES: self.intake.namespaces,
            paths.RESOURCE_QUOTAS: self.intake.managed,
            paths.TREE_QUOTAS: self.intake.quotas,
        }
        async with asyncio.TaskGroup() as group:
            self._objects.begin(group)
            for kind, handler in handlers.items():
                group.create_task(self._follow(kind, handler), name=f"watch {kind.plural}")
            for number in range(self._settings.workers):
                group.create_task(self._work(), name=f"worker {number}")
            errands = Errands(group, most=self._settings.workers)
            tick = functools.partial(self._tick, errands)
            group.create_task(self._every(self._settings.tick, tick), name="tick")
            group.create_task(self._every(self._settings.status_every, self._report), name="status")
            group.create_task(self._do_without_the_kind(), name="kind")
            group.create_task(self._observer.run(self.recorder, self._due), name="observer")

    # -- in -----------------------------------------------------------------------------------

    async def _follow(self, kind: paths.Kind, handler: Callable[[Change], Dirty]) -> None:
        watch = Reflector(self._client, kind)
        self._live.watches.append(watch)
        async for change in watch.changes():
            dirty = handler(change)
            if isinstance(change, Listed | Changed | Deleted | Progress):
                self._lag.saw(kind, change.resource_version)
            if isinstance(change, Listed):
                self._metrics.lists.labels(kind.plural).inc()
            if kind is paths.TREE_QUOTAS:
                self._objects.follow()
            if isinstance(change, Listed) and kind in self._unlisted:
                self._unlisted.discard(kind)
                await self._load_perhaps()
            self._mark(dirty)
            if isinstance(change, Changed | Deleted):
                self._look_again(kind, change)

    def _look_again(self, kind: paths.Kind, change: Changed | Deleted) -> None:
        """Note whose status may be another one by a change; of a Namespace its plan says so."""
        name = Namespace(change.object.get("metadata", {}).get("namespace", ""))
        if kind is paths.RESOURCE_QUOTAS:
            self._due.changed([name])
        elif kind is paths.TREE_QUOTAS:
            self._due.again(name)

    async def _do_without_the_kind(self) -> None:
        """Lead by what was remembered where the kind TreeQuota is not there to be listed."""
        while paths.TREE_QUOTAS in self._unlisted:
            await asyncio.sleep(KIND_LOOK)
            if self._unlisted == {paths.TREE_QUOTAS} and await self._kind.since() is None:
                LOG.warning("there is no kind TreeQuota: going by the limits that were remembered")
                self._unlisted.discard(paths.TREE_QUOTAS)
                await self._load_perhaps()

    async def _load_perhaps(self) -> None:
        """Begin to decide when everything was listed, or is known to be gone."""
        if self._unlisted or self._live.loaded:
            return
        above, epoch = self._live.world.highest_epoch(), self._live.world.ledger.epoch
        # Who handed our epoch on has written it; else nobody has, yet.
        if above > epoch or (above == epoch and not self._live.continues):
            raise EpochPassedError(f"there is epoch {above} already, and ours is {epoch}")
        if self.intake.remembered():
            self.intake.recall(kind_since=await self._kind.since())
            self._objects.follow()
        self._live.loaded = True
        self._rest_again = self._live.clock() + openings.REST
        gc.unfreeze()  # what an earlier term knew goes
        gc.collect()
        gc.freeze()  # what was listed stays: full collections would stop the webhook for it
        self._mark(self._in_order_of_fencing())
        LOG.info("everything listed", extra={"namespaces": len(self._live.world.namespaces)})

    def _in_order_of_fencing(self) -> list[Namespace]:
        world = self._live.world
        pods = {
            name: sum(q.used.nano("pods") for q in world.managed.get(name, {}).values())
            for name in world.namespaces
        }
        return fence.order(world.ledger.forest, pods)

    def _mark(self, dirty: Dirty | list[Namespace]) -> None:
        if dirty and self._live.loaded:
            self.queue.add(dirty if isinstance(dirty, list) else sorted(dirty))
            self._due.changed(dirty)

    # -- out ----------------------------------------------------------------------------------

    async def _work(self) -> None:
        while True:
            name = await self.queue.take()
            try:
                await self._bring_about(name)
            except ClusterError as error:
                lost = error.status in LOST
                if not lost:
                    LOG.warning("could not write", extra={"namespace": name, "error": str(error)})
                self.queue.failed(name, lost=lost, away=error.status == 0)
            else:
                self.queue.done(name)
            await asyncio.sleep(0)  # an empty plan waits for nothing, and reviews must not wait

    async def _bring_about(self, name: Namespace) -> None:
        """Write until the plan is empty: every answer is taken in, so the next plan knows it."""
        for _ in range(MOST_ROUNDS):
            effects = plan.plan_namespace(self._live.world, name)
            effects = effects or await self._newborn.effects(name)
            if not effects:
                return
            for what in effects:
                if not _fences(what):
                    await self._pace.turn()
                await self.apply(what)

    async def apply(self, what: effect.Effect) -> dict[str, Any]:
        """Carry an effect out; what is answered is taken in at once, ahead of the watch."""
        conditions: tuple[Mapping[str, Any], ...] = ()
        if isinstance(what, effect.WriteStatus):
            conditions = tuple(self.intake.conditions.get((what.namespace, what.quota), ()))
        await self._ending.turn(what)
        before = self._managed(what)
        try:
            with self._ending.writing():
                written = await apply.carry_out(
                    self._client, what, now=self._now(), conditions=conditions
                )
        except ClusterError as error:
            counts.failed(self._metrics, what, error)
            raise
        counts.done(self._metrics, what, before)
        if isinstance(what, effect.PatchManagedStatus) and before and counts.lowers(what, before):
            self.recorder.lowered(before, what.used)
        self._lag.wrote(what, written)
        self._take_in(what, written)
        return written

    def _take_in(self, what: effect.Effect, written: dict[str, Any]) -> None:
        world = self._live.world
        match what:
            case effect.AskRecount():
                world.ledger.tenants.see(managed.parse(written))
            case effect.PatchManagedStatus() if not managed.is_managed(written):
                world.ledger.tenants.see(managed.parse(written))
            case effect.CreateManaged():
                seen = managed.parse(written)
                self._mark(world.see_managed(seen, way=Way.AHEAD) - {what.namespace})
            case effect.PatchManaged() | effect.PatchManagedStatus() | effect.WriteSlice():
                seen, replaced = managed.parse(written), what.resource_version
                self._mark(world.see_written(seen, replaced=replaced) - {what.namespace})
            case (
                effect.PatchNamespace()
                | effect.Remember()
                | effect.SetOwner()
                | effect.SetFinalizer()
            ):
                self._mark(world.see_namespace(namespaces.parse(written)) - {what.namespace})
            case effect.DeleteManaged():
                gone = world.managed.get(what.namespace, {}).get(what.quota)
                if gone is not None and gone.uid == what.uid:
                    world.lose_managed(gone)
            case _:
                pass

    def _managed(self, what: effect.Effect) -> ManagedQuota | None:
        """Return the managed ResourceQuota whose figures an effect changes, as it is known."""
        if not isinstance(what, effect.PatchManagedStatus | effect.WriteSlice):
            return None
        return self._live.world.managed.get(what.namespace, {}).get(what.quota)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._wall(), tz=UTC)

    # -- time ---------------------------------------------------------------------------------

    async def _every(self, seconds: float, act: Callable[[], Coroutine[Any, Any, None]]) -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                await act()
            except ClusterError as error:
                LOG.warning("could not write", extra={"error": str(error)})

    async def _tick(self, errands: Errands) -> None:
        """Tell the ledger the time; what takes its time is sent off, and not waited for."""
        live, now = self._live, self._live.clock()
        if not live.loaded or live.ending:
            return
        self.queue.add(self._objects.pass_time(errands, now))
        self._toucher.send(errands, now)
        self._slicer.send(errands, now)
        for what in live.world.ledger.tenants.due(now):
            errands.send(
                ("tenant", what.quota, what.namespace), functools.partial(self._put_right, what)
            )
        self.queue.add(live.world.ledger.loosen(now))
        self.queue.add(live.world.ledger.recounts(now))
        self.queue.wake()
        if live.freed:
            live.freed = False
            granted = live.world.limits.settle()
            self._mark({name for name, _ in granted})
        if self.intake.departed:
            # A tuple: touches have the names of namespaces as keys, and one may be called so.
            errands.send(("bury",), self._bury)

    async def _put_right(self, what: effect.Effect) -> None:
        await self._lose_quietly(what)

    async def _bury(self) -> None:
        departed = tuple(self.intake.departed)  # what departs while we ask is asked for again
        by_hand = await self._kind.find() is not None
        self._mark(self.intake.bury(departed, by_hand=by_hand))

    async def _lose_quietly(self, what: effect.Effect) -> dict[str, Any] | None:
        """Carry an effect out; None when it lost, for its event brings a new plan."""
        try:
            return await self.apply(what)
        except ClusterError as error:
            if error.status not in LOST:
                raise
            return None

    async def end(self) -> bool:
        """Grant and write nothing any more; returns whether nothing of this term is under way."""
        live = self._live
        live.ending = True
        begun = live.clock()
        if await self._ending.settled(until=begun + LANDS):
            return True
        try:
            async with asyncio.timeout(ENDS - LANDS), asyncio.TaskGroup() as group:
                errands = Errands(group, most=self._settings.workers)
                self._toucher.send(errands, live.clock() + live.world.ledger.timing.touch_after)
        except TimeoutError:
            return False
        return await self._ending.settled(until=begun + ENDS)

    # -- status -------------------------------------------------------------------------------

    async def _report(self) -> None:
        if not self._live.loaded or self._live.ending:
            return
        self._objects.report()
        self._lag.tell()
        self._rest()
        await self._keep_gate()
        await self._reporter.report()

    def _rest(self) -> None:
        """Have what has not grown for long closed: the next leader has that much less to fence."""
        now, ledger = self._live.clock(), self._live.world.ledger
        if now >= self._rest_again:
            self._rest_again = now + REST_EVERY
            self.queue.add(ledger.openings.rest(epoch=ledger.epoch, since=now - openings.REST))

    async def _keep_gate(self) -> None:
        """Gate what is counted; a failure is no reason to report nothing."""
        try:
            await self._gate()
        except ClusterError as error:
            LOG.warning("gate not written", extra={"error": str(error)})

    async def _gate(self) -> None:
        """Gate the kinds that are counted, and again after a while: manifests are re-applied."""
        counted, now = self._live.world.counted_resources(), self._live.clock()
        if counted != self._gated or now >= self._gate_again:
            await self._lose_quietly(effect.GateKinds(resources=counted))
            self._gated, self._gate_again = counted, now + self._settings.gate_every


def _fences(what: effect.Effect) -> bool:
    """Whether requests wait for a write: nothing grows in a tree before all of it is fenced."""
    return isinstance(what, effect.PatchManaged) and bool(
        what.annotations.get(names.ANNOTATION_EPOCH)
    )
