"""The watches of the counted kinds: the real objects into the account (`engine.truth`)."""

from __future__ import annotations

import asyncio
import functools
import gc
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from quotatree.cluster import paths
from quotatree.cluster.client import Client, resource_version
from quotatree.cluster.heartbeat import Heartbeat
from quotatree.cluster.live import Live
from quotatree.cluster.reflector import (
    Change,
    Changed,
    Deleted,
    Forbidden,
    Listed,
    Progress,
    Reflector,
)
from quotatree.codec import fields, sightings
from quotatree.controller.errands import Errands
from quotatree.controller.events import Recorder
from quotatree.engine.account import AccountKey
from quotatree.engine.drift import Drift
from quotatree.metrics import Metrics
from quotatree.model.names import Namespace, Uid
from quotatree.model.sighting import Sighting
from quotatree.units import resource_names

LOG: Final = logging.getLogger(__name__)

WATCHED: Final = {kind.plural: kind for kind in (paths.PODS, paths.CLAIMS, paths.SERVICES)}
"""The kinds that are watched where a tree limits what they are counted under."""
BEAT_EVERY: Final = 0.15
"""Seconds between two heartbeats through one API server."""
LOOK_EVERY: Final = 0.3
"""Seconds between two looks for the objects of one namespace's old claims."""


class Objects:
    """Keeps the account of real objects."""

    def __init__(
        self,
        client: Client,
        live: Live,
        recorder: Recorder,
        *,
        heartbeat: Heartbeat,
        wall: Callable[[], float],
        replan: Callable[[list[Namespace]], None],
        metrics: Metrics | None = None,
    ) -> None:
        self._client = client
        self._live = live
        self._recorder = recorder
        self._wall = wall
        self._replan = replan
        self.metrics = metrics or Metrics()
        self._group: asyncio.TaskGroup | None = None
        self._followed: set[str] = set()
        self._said = Drift()
        self._look_again: dict[AccountKey, float] = {}
        self._heartbeat = heartbeat
        self._beat_again: dict[str, float] = {}

    # -- in -----------------------------------------------------------------------------------

    def begin(self, group: asyncio.TaskGroup) -> None:
        """Run the watches in `group`."""
        self._group = group

    def follow(self) -> None:
        """Begin to watch the kinds that a tree has come to limit; once begun, a watch stays."""
        for name in self._live.world.counted_resources():
            for resource in resource_names.sources(name):
                if self._group is not None and resource in WATCHED.keys() - self._followed:
                    self._followed.add(resource)
                    watch = self._watch(resource, WATCHED[resource])
                    self._group.create_task(watch, name=f"watch {resource}")

    async def _watch(self, resource: str, kind: paths.Kind) -> None:
        each = functools.partial(self._seen, resource)
        watch = Reflector(self._client, kind, each=each)
        self._live.watches.append(watch)
        async for change in watch.changes():
            await self.take(resource, change)
            if isinstance(change, Listed):
                gc.freeze()  # what was listed stays: full collections would stop the webhook for it

    async def take(self, resource: str, change: Change) -> None:
        """Take in a change of a kind; a list in steps, for there may be many objects."""
        truth = self._live.world.ledger.truth
        match change:
            case Listed(items=items, resource_version=version):
                self.metrics.lists.labels(resource).inc()
                for _ in truth.relisting(resource, items, version):
                    await asyncio.sleep(0)
            case Changed(object=obj):
                truth.see(resource, self._seen(resource, obj))
            case Deleted(object=obj, resource_version=version):
                truth.lose(resource, self._seen(resource, obj), version)
            case Progress(resource_version=version):
                truth.reach_position(resource, version)
                return
            case Forbidden():
                text = "%s may not be read any more: going by what native quota counts of them"
                LOG.warning(text, resource)
                truth.lose_sight(resource)
        self._live.ring()

    def _seen(self, resource: str, obj: dict[str, Any]) -> Sighting:
        now = self._live.clock()
        seen = sightings.parse(resource, obj, shift=now - self._wall())
        if seen.until is not None and seen.after is not None and seen.until < now:
            # It ended before this was said of it: to count it whole again would look like growth.
            return replace(seen, charge=seen.after, until=None, after=None)
        return seen

    # -- time ---------------------------------------------------------------------------------

    def pass_time(self, errands: Errands, now: float) -> list[Namespace]:
        """Let time happen to the account; returns where a counter is to be put right."""
        truth = self._live.world.ledger.truth
        late, old = truth.pass_time(now)
        self._pulse(errands, now)
        for key in old:
            if self._look_again.get(key, now) <= now:
                self._look_again[key] = now + LOOK_EVERY
                errands.send(("lapse", key), functools.partial(self._lapse, key))
        self._look_again = {key: at for key, at in self._look_again.items() if at > now}
        return [*late, *truth.surplus.take_wanted()]

    def _pulse(self, errands: Errands, now: float) -> None:
        """Have each API server prove that it works on, while somebody asks for that."""
        truth = self._live.world.ledger.truth
        if not truth.waits(now):
            return
        truth.progress.expect(self._heartbeat.servers)
        for server in self._heartbeat.servers:
            if self._beat_again.get(server, now) <= now:
                self._beat_again[server] = now + BEAT_EVERY
                errands.send(("beat", server), functools.partial(self._beat, server))

    async def _beat(self, server: str) -> None:
        sent, answered = await self._heartbeat.beat(server)
        self._live.world.ledger.truth.progress.beat(server, sent=sent, answered=answered)

    async def _lapse(self, key: AccountKey) -> None:
        """Look whether objects exist for claims that are old, and let them lapse if there are none.

        The read comes after the moment at which they were old: their requests have committed by
        then, or never will.
        """
        truth, found = self._live.world.ledger.truth, {}
        claims = truth.old(key, now=self._live.clock())
        # A kind that may not be listed has no claims, and must not keep those of others.
        for resource in sorted(self._followed & truth.listed):
            items, _ = await self._client.list_all(
                WATCHED[resource], namespace=key[0], each=_identity
            )
            found[resource] = dict(items)
        if truth.lapse(key, claims, found):
            for quota in self._live.world.managed.get(key[0], {}).values():
                if quota.scopes == key[1]:
                    self._recorder.lapsed(quota)
        self._replan(truth.surplus.take_wanted())

    def report(self) -> None:
        """Count how often counters were wrong since this was last called."""
        drift, said = self._live.world.ledger.truth.drift, self._said
        self.metrics.drift.labels("low").inc(drift.low - said.low)
        self.metrics.phantoms_released.inc(drift.high - said.high)
        self.metrics.phantoms_appeared.inc(drift.late - said.late)
        self._said = replace(drift)


def _identity(obj: dict[str, Any]) -> tuple[Uid, int]:
    return Uid(fields.text(obj["metadata"], "uid")), resource_version(obj)
