"""Usage that no ResourceQuota measures yet, counted from the objects themselves.

A resource that nobody has limited before, and a namespace that comes into a tree with what runs in
it, have no figures. Their objects tell: each costs what native quota would charge for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from quotatree.cli import observe
from quotatree.cluster import paths, together
from quotatree.cluster.client import Client
from quotatree.codec import charges, defaults, fields
from quotatree.codec.defaults import Defaults
from quotatree.engine.account import AccountKey
from quotatree.errors import ClusterError
from quotatree.model.names import Namespace, ResourceName
from quotatree.units import resource_names

Unmeasured = Mapping[AccountKey, tuple[ResourceName, ...]]
Objects = Iterable[Mapping[str, Any]]

_LISTED_ONE_BY_ONE: Final = 8
"""Namespaces up to which each is listed by itself; above, the whole cluster is."""

_FORBIDDEN: Final = 403
_UNSERVED: Final = 404


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


def counted(
    what: Wanted, objects: Objects, now: datetime | None, *, known: Defaults = defaults.NONE
) -> dict[AccountKey, dict[str, int]]:
    """Return what the objects cost, in each account that is asked about; nothing is nothing."""
    sums: dict[AccountKey, dict[str, int]] = {
        key: dict.fromkeys(names, 0) for key, names in what.names.items()
    }
    by_namespace: dict[str, list[AccountKey]] = {}
    for key in sums:
        by_namespace.setdefault(key[0], []).append(key)
    for obj in objects:
        keys = by_namespace.get(fields.text(fields.mapping(obj, "metadata"), "namespace"), ())
        if not keys:
            continue
        charge = charges.of_resource(what.resource, obj, defaults=known, now=now)
        for key in keys:
            for name, amount in charge.within(key[1], what.names[key]).nanos().items():
                sums[key][name] += amount
    return sums


async def recount(client: Client, unmeasured: Unmeasured, now: datetime) -> Recount:
    """Return what is used of what is not measured; a kind that is not served has no objects.

    Of an extended resource, what pods ask for counts also where claims may not be listed.

    Raises:
        ClusterError: the API server cannot be asked.
    """
    sums: dict[AccountKey, dict[str, int]] = {}
    unlisted: list[Wanted] = []
    for what in wanted(unmeasured):
        try:
            objects = await _objects(client, what)
            known = await _devices(client) if objects and what.extended else defaults.NONE
        except ClusterError as error:
            if error.status == _FORBIDDEN:
                unlisted.append(what)
            elif error.status != _UNSERVED:
                raise
            continue
        for key, amounts in counted(what, objects, now, known=known).items():
            here = sums.setdefault(key, {})
            for name, amount in amounts.items():
                here[name] = here.get(name, 0) + amount
    return Recount(used=sums, unlisted=tuple(unlisted))


async def _devices(client: Client) -> Defaults:
    return defaults.gather(device_classes=await observe.device_classes(client))


async def _objects(client: Client, what: Wanted) -> list[dict[str, Any]]:
    spaces: list[Namespace] | list[None] = what.namespaces
    if len(spaces) > _LISTED_ONE_BY_ONE:
        spaces = [None]
    pages = await together.all_of(*(client.list_all(what.kind, namespace=name) for name in spaces))
    return [item for items, _ in pages for item in items]
