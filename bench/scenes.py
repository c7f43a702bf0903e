"""The namespaces that pods are created in: without quota, with a native one, below trees."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from typing import Any, Final

from bench.engine import ROOM
from bench.load import pod
from quotatree.cluster import paths
from quotatree.cluster.client import Client
from quotatree.errors import ClusterError
from quotatree.model import names

WITHIN: Final = 60.0
"""Seconds until a scene has to stand, or to be empty again."""
NATIVE: Final = "bench"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Namespaces of one kind. `quota` is the ResourceQuota that measures each, empty for none.

    `depth` is the level on which they stand in a tree with a ceiling on each level; 0 is no tree.
    """

    name: str
    label: str
    quota: str = ""
    depth: int = 0
    width: int = 1

    @property
    def namespaces(self) -> list[str]:
        """The namespaces that pods are created in."""
        return [f"bench-{self.name}-{number}" for number in range(self.width)]

    @property
    def chain(self) -> list[str]:
        """The ancestors of those, the root first."""
        return [f"bench-{self.name}-level-{level}" for level in range(1, self.depth)]


def without(width: int) -> Scene:
    """Return namespaces without any quota."""
    return Scene(name=f"none-{width}", label="no quota", width=width)


def native(width: int) -> Scene:
    """Return namespaces with a native ResourceQuota of their own each."""
    return Scene(name=f"native-{width}", label="native ResourceQuota", quota=NATIVE, width=width)


def tree(depth: int, width: int) -> Scene:
    """Return namespaces (siblings where there are several) on level `depth` of a tree."""
    return Scene(
        name=f"depth{depth}-{width}",
        label=f"quotatree, depth {depth}",
        quota=names.MANAGED_QUOTA,
        depth=depth,
        width=width,
    )


def inside(width: int) -> tuple[Scene, Scene]:
    """Return namespaces to be grown in within slices, on level 4, and native ones beside them."""
    granted = replace(tree(4, width), name=f"slices-{width}", label="quotatree, within slices")
    return replace(native(width), name=f"beside-{granted.name}"), granted


async def put_up(client: Client, scene: Scene) -> None:
    """Make the namespaces of a scene and its quotas, and wait until they are enforced.

    Raises:
        ClusterError: something was refused, or is not enforced in time.
    """
    above: str | None = None
    for name in scene.chain:
        await _namespace(client, name, above, limited=True)
        above = name
    for name in scene.namespaces:
        await _namespace(client, name, above, limited=scene.depth > 0)
        if scene.quota == NATIVE:
            body = {"metadata": {"name": NATIVE}, "spec": {"hard": ROOM}}
            await client.create(
                paths.RESOURCE_QUOTAS, _whole("ResourceQuota", body), namespace=name
            )
    for name in scene.namespaces:
        await _until_admitted(client, name)
    await until_settled(client, scene)


async def _namespace(client: Client, name: str, parent: str | None, *, limited: bool) -> None:
    labels = {} if parent is None else {names.LABEL_PARENT: parent}
    await client.create(
        paths.NAMESPACES, _whole("Namespace", {"metadata": {"name": name, "labels": labels}})
    )
    if limited:
        body = {
            "apiVersion": names.API_VERSION,
            "kind": "TreeQuota",
            "metadata": {"name": "quota"},
            "spec": {"hard": ROOM},
        }
        await client.create(paths.TREE_QUOTAS, body, namespace=name)


def _whole(kind: str, body: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, **body}


async def _until_admitted(client: Client, namespace: str) -> None:
    """Wait until a pod would be let in: its ServiceAccount is there and the gate is open."""
    deadline = time.monotonic() + WITHIN
    while True:
        try:
            path = paths.PODS.path(namespace)
            await client.request("POST", path, body=pod("probe"), params={"dryRun": "All"})
        except ClusterError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.1)
        else:
            return


async def clear(client: Client, scene: Scene) -> None:
    """Delete the pods of a scene and wait until its quotas have noticed.

    Raises:
        ClusterError: they have not in time.
    """
    for name in scene.namespaces:
        # One request for all; the pods were never on a node, so they are gone at once.
        params = {"gracePeriodSeconds": "0"}
        await client.request("DELETE", paths.PODS.path(name), params=params, timeout=WITHIN)
    await until_settled(client, scene)


async def until_settled(client: Client, scene: Scene) -> None:
    """Wait until no quota of a scene counts a pod: recounts must not run into the next sample.

    Raises:
        ClusterError: they still do when the time is over.
    """
    deadline = time.monotonic() + WITHIN
    while scene.quota and not await _settled(client, scene):
        if time.monotonic() > deadline:
            raise ClusterError(f"the quotas of {scene.label} do not get to 0 in {WITHIN:.0f} s")
        await asyncio.sleep(0.1)


async def _settled(client: Client, scene: Scene) -> bool:
    found = [
        await client.find(paths.RESOURCE_QUOTAS, scene.quota, namespace=name)
        for name in scene.namespaces
    ]
    return all(
        quota is not None and quota.get("status", {}).get("used", {}).get("pods") == "0"
        for quota in found
    )
