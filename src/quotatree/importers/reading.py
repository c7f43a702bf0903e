"""The other tools' objects as a cluster holds them. Reads only."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from quotatree.cluster import paths, together
from quotatree.cluster.client import Client
from quotatree.codec import fields
from quotatree.errors import ClusterError
from quotatree.importers import objects
from quotatree.importers.kinds import FOREIGN, Foreign
from quotatree.importers.objects import Objects

Versions = Mapping[str, tuple[str, ...]]
"""API group → its versions, the preferred one first."""


async def read(client: Client, tools: Collection[str] = ()) -> Objects:
    """Return the objects of the tools that the cluster knows. Raises: ClusterError."""
    served = await versions(client)
    wanted = [
        kind for tool, kinds in FOREIGN.items() if not tools or tool in tools for kind in kinds
    ]
    native = [paths.NAMESPACES]
    if not tools or "resourcequota" in tools:
        native.append(paths.RESOURCE_QUOTAS)
    lists = await together.all_of(
        *(_listed(client, kind) for kind in native),
        *(foreign(client, kind, served) for kind in wanted),
    )
    return objects.of(obj for found in lists for obj in found)


async def versions(client: Client) -> Versions:
    """Return the API groups of the cluster. Raises: ClusterError."""
    found: dict[str, tuple[str, ...]] = {}
    for group in fields.items(await client.request("GET", "/apis"), "groups"):
        preferred = fields.text(fields.mapping(group, "preferredVersion"), "version")
        others = [fields.text(item, "version") for item in fields.items(group, "versions")]
        ordered = dict.fromkeys((preferred, *others))
        found[fields.text(group, "name")] = tuple(v for v in ordered if v)
    return found


async def foreign(client: Client, kind: Foreign, served: Versions) -> list[dict[str, Any]]:
    """Return all objects of a kind, none where the cluster does not know it."""
    for version in served.get(kind.group, ()):
        path = paths.Kind(kind.group, version, kind.plural, kind.namespaced, kind.kind)
        try:
            return await _listed(client, path)
        except ClusterError as error:
            # A group may serve this kind in another of its versions only.
            if error.status != 404:
                raise
    return []


async def _listed(client: Client, kind: paths.Kind) -> list[dict[str, Any]]:
    found, _ = await client.list_all(kind)
    # The objects of a list do not say what they are.
    return [{**obj, "apiVersion": kind.api_version, "kind": kind.kind} for obj in found]
