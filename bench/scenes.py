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
FULL: Final = 50
"""Pods that fill the limit of a full scene: more than there are creators, so that none of their
batches is refused for its size alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Namespaces of one kind. `quota` is the ResourceQuota that measures each, empty for none.

    `depth` is the level on which they stand in a tree with a ceiling on each level; 0 is no tree.
    Where it is `full` every pod is refused: by what the namespace itself has, or in a tree by what
    another namespace below the root has.
    """

    name: str
    label: str
    quota: str = ""
    depth: int = 0
    width: int = 1
    full: bool = False

    @property
    def namespaces(self) -> list[str]:
        """The namespaces that pods are created in."""
        return [f"bench-{self.name}-{number}" for number in range(self.width)]

    @property
    def chain(self) -> list[str]:
        """The ancestors of those, the root first."""
        return [f"bench-{self.name}-level-{level}" for level in range(1, self.depth)]

    @property
    def filled(self) -> list[str]:
        """The namespaces whose pods fill the limit."""
        if not self.full:
            return []
        return [f"bench-{self.name}-taken"] if self.depth else self.namespaces

    @property
    def room(self) -> dict[str, str]:
        """The limit that is full, or nothing near it."""
        return {**ROOM, "pods": str(FULL)} if self.full else ROOM


def without(width: int) -> Scene:
    """Return namespaces without any quota."""
    return Scene(name=f"none-{width}", label="no quota", width=width)


def native(width: int, *, full: bool = False) -> Scene:
    """Return namespaces with a native ResourceQuota of their own each."""
    return Scene(
        name=_named(f"native-{width}", full=full),
        label="native ResourceQuota",
        quota=NATIVE,
        width=width,
        full=full,
    )


def tree(depth: int, width: int, *, full: bool = False) -> Scene:
    """Return namespaces (siblings where there are several) on level `depth` of a tree."""
    return Scene(
        name=_named(f"depth{depth}-{width}", full=full),
        label=f"quotatree, depth {depth}",
        quota=names.MANAGED_QUOTA,
        depth=depth,
        width=width,
        full=full,
    )


def _named(name: str, *, full: bool) -> str:
    return f"{name}-full" if full else name


def inside(width: int) -> tuple[Scene, Scene]:
    """Return namespaces to be grown in within slices, on level 4, and native ones beside them."""
    granted = replace(tree(4, width), name=f"slices-{width}", label="quotatree, within slices")
    return replace(native(width), name=f"beside-{granted.name}"), granted


def shared(width: int) -> tuple[Scene, Scene]:
    """Return the same for growth that comes through several API servers at once."""
    below = replace(tree(4, width), name=f"servers-{width}")
    alone = replace(native(width), name=f"beside-{below.name}")
    return _through_two(alone), _through_two(below)


def _through_two(scene: Scene) -> Scene:
    return replace(scene, label=f"{scene.label}, two API servers")


async def put_up(client: Client, scene: Scene) -> None:
    """Make the namespaces of a scene and its quotas, and wait until they are enforced.

    Raises:
        ClusterError: something was refused, or is not enforced in time.
    """
    above: str | None = None
    for name in scene.chain:
        await _namespace(client, name, above, hard=ROOM if above else scene.room)
        above = name
    for name in scene.namespaces:
        await _namespace(client, name, above, hard=ROOM if scene.depth else None)
        if scene.quota == NATIVE:
            body = {"metadata": {"name": NATIVE}, "spec": {"hard": scene.room}}
            await client.create(
                paths.RESOURCE_QUOTAS, _whole("ResourceQuota", body), namespace=name
            )
    for name in scene.filled:
        if name not in scene.namespaces:
            await _namespace(client, name, scene.chain[0], hard=ROOM)
    for name in {*scene.namespaces, *scene.filled}:
        await _until_admitted(client, name)
    await until_settled(client, scene)
    for name in scene.filled:
        for number in range(FULL):
            path = paths.PODS.path(name)
            await client.request("POST", path, body=pod(f"taken-{number}"))


async def _namespace(
    client: Client, name: str, parent: str | None, *, hard: dict[str, str] | None
) -> None:
    labels = {} if parent is None else {names.LABEL_PARENT: parent}
    await client.create(
        paths.NAMESPACES, _whole("Namespace", {"metadata": {"name": name, "labels": labels}})
    )
    if hard is not None:
        body = {
            "apiVersion": names.API_VERSION,
            "kind": "TreeQuota",
            "metadata": {"name": "quota"},
            "spec": {"hard": hard},
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
