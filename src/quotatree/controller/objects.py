"""The watches of the counted kinds: the real objects into the account (`engine.truth`)."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from quotatree.cluster import paths
from quotatree.cluster.client import Client, resource_version
from quotatree.cluster.live import Live
from quotatree.cluster.reflector import Change, Changed, Deleted, Listed, Progress, Reflector
from quotatree.codec import fields, sightings
from quotatree.controller.errands import Errands
from quotatree.controller.events import Recorder
from quotatree.engine.account import AccountKey
from quotatree.model.names import Namespace, Uid
from quotatree.model.sighting import Sighting
from quotatree.units import resource_names

LOG: Final = logging.getLogger(__name__)

WATCHED: Final = {kind.plural: kind for kind in (paths.PODS, paths.CLAIMS, paths.SERVICES)}
"""The kinds that are watched where a tree limits what they are counted under."""
LOOK_EVERY: Final = 1.0
"""Seconds between two looks for the objects of one namespace's old claims."""


class Objects:
    """Keeps the account of real objects."""

    def __init__(
        self, client: Client, live: Live, recorder: Recorder, *, wall: Callable[[], float]
    ) -> None:
        self._client = client
        self._live = live
        self._recorder = recorder
        self._wall = wall
        self._group: asyncio.TaskGroup | None = None
        self._followed: set[str] = set()
        self._said: tuple[int, ...] = ()
        self._look_again: dict[AccountKey, float] = {}

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
        async for change in Reflector(self._client, kind, each=each).changes():
            await self.take(resource, change)

    async def take(self, resource: str, change: Change) -> None:
        """Take in a change of a kind; a list in steps, for there may be many objects."""
        truth = self._live.world.ledger.truth
        match change:
            case Listed(items=items, resource_version=version):
                for _ in truth.relisting(resource, items, version):
                    await asyncio.sleep(0)
            case Changed(object=obj):
                truth.see(resource, self._seen(resource, obj))
            case Deleted(object=obj, resource_version=version):
                truth.lose(resource, self._seen(resource, obj), version)
            case Progress(resource_version=version):
                truth.reach_position(resource, version)
                return
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
        late, old = self._live.world.ledger.truth.pass_time(now)
        for key in old:
            if self._look_again.get(key, now) <= now:
                self._look_again[key] = now + LOOK_EVERY
                errands.send(("lapse", key), functools.partial(self._lapse, key))
        self._look_again = {key: at for key, at in self._look_again.items() if at > now}
        return late

    async def _lapse(self, key: AccountKey) -> None:
        """Look whether objects exist for claims that are old, and let them lapse if there are none.

        The read comes after the moment at which they were old: their requests have committed by
        then, or never will.
        """
        now, found = self._live.clock(), {}
        # A kind that may not be listed has no claims, and must not keep those of others.
        for resource in sorted(self._followed & self._live.world.ledger.truth.listed):
            items, _ = await self._client.list_all(
                WATCHED[resource], namespace=key[0], each=_identity
            )
            found[resource] = dict(items)
        if self._live.world.ledger.truth.lapse(key, found, now=now):
            for quota in self._live.world.managed.get(key[0], {}).values():
                if quota.scopes == key[1]:
                    self._recorder.lapsed(quota)

    def report(self) -> None:
        """Say in the log how often counters were wrong, when it has become more often."""
        drift = self._live.world.ledger.truth.drift
        found = (drift.low, drift.high, drift.late)
        if found != self._said and any(found):
            extra = {"too_low": drift.low, "too_high": drift.high, "appeared_late": drift.late}
            LOG.info("quotatree_drift_total", extra=extra)
        self._said = found


def _identity(obj: dict[str, Any]) -> tuple[Uid, int]:
    return Uid(fields.text(obj["metadata"], "uid")), resource_version(obj)
