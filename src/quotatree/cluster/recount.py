"""Usage that no ResourceQuota measures yet, counted from the objects themselves.

A resource that nobody has limited before, one that is only observed, and a namespace that comes
into a tree with what runs in it, have no figures. Their objects tell: each costs what native quota
would charge for it. They are read in pages of which only the sums are kept.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from quotatree.cluster import paths
from quotatree.cluster.client import LIST_RESTARTS, PAGE, Client
from quotatree.codec import charges, defaults, fields
from quotatree.codec.defaults import Defaults
from quotatree.engine.account import AccountKey
from quotatree.errors import ClusterError
from quotatree.model.names import Namespace, ResourceName
from quotatree.units import resource_names

Unmeasured = Mapping[AccountKey, tuple[ResourceName, ...]]
Objects = Iterable[Mapping[str, Any]]
Sums = dict[AccountKey, dict[str, int]]

_LISTED_ONE_BY_ONE: Final = 8
"""Namespaces up to which each is listed by itself; above, the whole cluster is."""

_FORBIDDEN: Final = 403
_UNSERVED: Final = 404
_EXPIRED: Final = 410


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast objects are read: so many at a time, with a pause (seconds) after each page."""

    page: int = PAGE
    pause: float = 0.0


AT_ONCE: Final = Pace()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be counted in the objects of one kind, `<plural>[.<group>]`."""

    resource: str
    names: Mapping[AccountKey, tuple[ResourceName, ...]]

    @property
    def namespaces(self) -> list[Namespace]:
        """Return where, without repetition."""
        return sorted({key[0] for key in self.names})

    @property
    def extended(self) -> bool:
        """Whether claims are to be counted as the extended resources that their classes offer."""
        return self.resource == resource_names.DEVICE_CLAIMS and any(
            resource_names.is_extended(name) for names in self.names.values() for name in names
        )

    @property
    def kind(self) -> paths.Kind:
        """Return where the objects are listed: all built-in kinds are served in v1."""
        plural, _, group = self.resource.partition(".")
        return paths.Kind(group, "v1", plural, True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recount:
    """What is used of what was not measured, and what could not be counted for want of rights."""

    used: Mapping[AccountKey, Mapping[str, int]]
    unlisted: tuple[Wanted, ...] = ()


def wanted(unmeasured: Unmeasured) -> tuple[Wanted, ...]:
    """Return what can be counted of what is not measured: all but custom resources."""
    found: dict[str, dict[AccountKey, tuple[ResourceName, ...]]] = {}
    for key, names in unmeasured.items():
        for name in names:
            for resource in filter(_built_in, resource_names.sources(name)):
                here = found.setdefault(resource, {})
                here[key] = (*here.get(key, ()), name)
    return tuple(Wanted(resource=r, names=names) for r, names in sorted(found.items()))


def _built_in(resource: str) -> bool:
    plural, _, group = resource.partition(".")
    return plural in resource_names.KINDS.get(group, ())


class Tally:
    """What objects cost, in each account that is asked about; nothing is nothing."""

    def __init__(self, what: Wanted) -> None:
        self._what = what
        self._by_namespace: dict[str, list[AccountKey]] = {}
        for key in what.names:
            self._by_namespace.setdefault(key[0], []).append(key)
        self.sums: Sums = {key: dict.fromkeys(names, 0) for key, names in what.names.items()}

    def add(
        self, objects: Objects, now: datetime | None, *, known: Defaults = defaults.NONE
    ) -> None:
        """Count some objects."""
        what = self._what
        for obj in objects:
            namespace = fields.text(fields.mapping(obj, "metadata"), "namespace")
            keys = self._by_namespace.get(namespace, ())
            if not keys:
                continue
            charge = charges.of_resource(what.resource, obj, defaults=known, now=now)
            for key in keys:
                for name, amount in charge.within(key[1], what.names[key]).nanos().items():
                    self.sums[key][name] += amount


async def recount(
    client: Client, unmeasured: Unmeasured, now: datetime, *, pace: Pace = AT_ONCE
) -> Recount:
    """Return what is used of what is not measured; a kind that is not served has no objects.

    Of an extended resource, what pods ask for counts also where claims may not be listed.

    Raises:
        ClusterError: the API server cannot be asked.
    """
    sums: Sums = {}
    unlisted: list[Wanted] = []
    for what in wanted(unmeasured):
        try:
            found = await _counted(client, what, now, pace=pace)
        except ClusterError as error:
            if error.status == _FORBIDDEN:
                unlisted.append(what)
            elif error.status != _UNSERVED:
                raise
            continue
        _add(sums, found)
    return Recount(used=sums, unlisted=tuple(unlisted))


async def _counted(client: Client, what: Wanted, now: datetime, *, pace: Pace) -> Sums:
    """Return what the objects of one kind cost, in each place as they stood at one moment."""
    spaces: list[Namespace] | list[None] = what.namespaces
    if len(spaces) > _LISTED_ONE_BY_ONE:
        spaces = [None]
    reading = _Reading(client, what, now=now, pace=pace)
    sums: Sums = {}
    for space in spaces:
        _add(sums, await reading.sums(space))
    return sums


def _add(sums: Sums, more: Mapping[AccountKey, Mapping[str, int]]) -> None:
    for key, amounts in more.items():
        here = sums.setdefault(key, {})
        for name, amount in amounts.items():
            here[name] = here.get(name, 0) + amount


class _Reading:
    """Objects of one kind, read page by page; of each page only the sums stay."""

    def __init__(self, client: Client, what: Wanted, *, now: datetime, pace: Pace) -> None:
        self._client = client
        self._what = what
        self._now = now
        self._pace = pace
        self._known: Defaults | None = None if what.extended else defaults.NONE

    async def sums(self, space: Namespace | None) -> Sums:
        """Return them for one namespace, or for all; a snapshot that expires is read again."""
        for _ in range(LIST_RESTARTS):
            try:
                return await self._read(space)
            except ClusterError as error:
                if error.status != _EXPIRED:
                    raise
        return await self._read(space)

    async def _read(self, space: Namespace | None) -> Sums:
        tally = Tally(self._what)
        pages = self._client.pages(self._what.kind, namespace=space, size=self._pace.page)
        async with contextlib.aclosing(pages):
            async for page in pages:
                if page and self._known is None:
                    self._known = await _devices(self._client)
                known = self._known or defaults.NONE
                tally.add(page, self._now, known=known)
                if self._pace.pause:
                    await asyncio.sleep(self._pace.pause)
        return tally.sums


async def _devices(client: Client) -> Defaults:
    return defaults.gather(device_classes=await device_classes(client))


async def device_classes(client: Client) -> list[dict[str, Any]]:
    """Return the DeviceClasses, none where the cluster has no such kind. Raises: ClusterError."""
    for kind in paths.DEVICE_CLASSES:
        try:
            return (await client.list_all(kind))[0]
        except ClusterError as error:
            if error.status != _UNSERVED:
                raise
    return []
