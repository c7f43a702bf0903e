"""No namespace is ever deleted that no one deleted; and what is meant to cascade does.

The real garbage collector runs. It takes an owner with another UID for absent and deletes the child
within seconds: so every test that expects nothing to happen waits longer than that, all of them at
the same time.
"""

import asyncio
import copy
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import pytest
from tests.cluster.harness.trees import Tree, plant
from tests.cluster.lifecycle_fixtures import (
    Document,
    deletable,
    enforced,
    gone,
    label,
    metadata,
    permit,
    said,
    soon,
)

from quotatree import sandbox as control_plane
from quotatree.cluster import paths
from quotatree.cluster.client import Client
from quotatree.model.names import Namespace
from quotatree.sandbox import SandboxState

pytestmark = pytest.mark.cluster

COLLECTED_WITHIN = 8.0
"""Seconds; the garbage collector was seen to take 6 for a child whose owner was re-created."""

FORM = "org: pods 9 > team > app; org > side"


@pytest.fixture
async def client(tree_sandbox: SandboxState) -> AsyncIterator[Client]:
    async with await Client.connect(str(tree_sandbox.kubeconfig)) as connected:
        yield connected


# -- steps ------------------------------------------------------------------------------------


async def backup(client: Client, *namespaces: Namespace) -> list[Document]:
    """Export namespaces as `kubectl get -o yaml` does, with all that the server adds."""
    return [await client.get(paths.NAMESPACES, name) for name in namespaces]


def restorable(exported: Mapping[str, Any]) -> Document:
    """Take away what a server never takes back: version, UID, times. All else stays."""
    kept = copy.deepcopy(dict(exported))
    for field in ("resourceVersion", "uid", "creationTimestamp", "deletionTimestamp"):
        kept["metadata"].pop(field, None)
    return {key: value for key, value in kept.items() if key != "status"}


async def restore(client: Client, exported: Mapping[str, Any]) -> str:
    """Create a namespace from its export; returns why not."""
    return await said(client.create(paths.NAMESPACES, restorable(exported)))


async def restore_all(client: Client, exported: list[Document]) -> None:
    """Restore in this order, again and again what was refused, as backup tools do."""
    left = exported

    async def done() -> bool:
        nonlocal left
        left = [one for one in left if await restore(client, one)]
        return not left

    await soon(done, what="everything is restored")


async def take_down(client: Client, tree: Tree) -> None:
    """Delete a whole tree at once, parents by permission."""
    for name in tree.parents:
        await permit(client, name)
    for name in tree.parents:
        await client.delete(paths.NAMESPACES, name)
    for name in tree.parents:
        await gone(client, name)


async def own(client: Client, tree: Tree, *shorts: str) -> None:
    """Make namespaces Owned by their parents, and wait for the reference."""
    for short in shorts:
        parent = tree.parents[tree[short]]
        assert parent is not None
        await permit(client, parent)
        await label(client, tree[short], lifecycle="Owned")
        await owned_by(client, tree[short], parent)


async def owned_by(client: Client, child: Namespace, parent: Namespace | None) -> None:
    async def so() -> bool:
        owners = [
            owner["name"] for owner in (await metadata(client, child)).get("ownerReferences", ())
        ]
        return owners == ([] if parent is None else [parent])

    await soon(so, what=f"{child} is owned by {parent}")


def adopt_stale(uid: str, owner: str) -> Document:
    """Return a patch with the ownerReference that an export carries."""
    reference = {"apiVersion": "v1", "kind": "Namespace", "name": owner, "uid": uid}
    return {"metadata": {"ownerReferences": [reference]}}


# -- the table --------------------------------------------------------------------------------


async def parent_is_created_again(client: Client, tree: Tree) -> set[str]:
    """The parent goes by permission and comes back with another UID."""
    (exported,) = await backup(client, tree["team"])
    await permit(client, tree["team"])
    await client.delete(paths.NAMESPACES, tree["team"])
    await gone(client, tree["team"])
    await restore_all(client, [exported])
    return set()


async def parent_without_cascade(client: Client, tree: Tree) -> set[str]:
    """A parent that does not allow it is not deleted, its Owned children stay too."""
    await label(client, tree["app"], lifecycle="Owned")
    why = await said(client.delete(paths.NAMESPACES, tree["team"]))
    assert "has 1 namespaces under it" in why
    return set()


async def child_with_a_stale_reference(client: Client, tree: Tree) -> set[str]:
    """A child is re-created from an export that names an owner of long ago: refused."""
    exported = restorable((await backup(client, tree["app"]))[0])
    stale = adopt_stale("11111111-2222-3333-4444-555555555555", tree["team"])
    await deletable(client, tree["app"])
    await gone(client, tree["app"])
    exported["metadata"] |= stale["metadata"]
    why = await said(client.create(paths.NAMESPACES, exported))
    assert "remove metadata.ownerReferences" in why
    del exported["metadata"]["ownerReferences"]
    await restore_all(client, [exported])
    return set()


async def stale_reference_is_applied(client: Client, tree: Tree) -> set[str]:
    """The export is applied over the living child: refused, whatever the verb."""
    stale = adopt_stale("11111111-2222-3333-4444-555555555555", tree["team"])
    why = await said(client.patch(paths.NAMESPACES, tree["app"], body=stale))
    assert "names another Namespace as its owner" in why
    manifest = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": tree["app"], **stale["metadata"]},
    }
    why = await said(client.apply(manifest, field_manager="restore", force=True))
    assert "names another Namespace as its owner" in why
    return set()


async def living_owner_is_written_by_hand(client: Client, tree: Tree) -> set[str]:
    """Even the right UID is refused from hands: it would be stale after the next restore."""
    right = adopt_stale((await metadata(client, tree["team"]))["uid"], tree["team"])
    assert await said(client.patch(paths.NAMESPACES, tree["app"], body=right))
    return set()


async def lifecycle_is_changed_back(client: Client, tree: Tree) -> set[str]:
    """A child that was Owned is Independent again when its parent goes."""
    await own(client, tree, "app")
    await label(client, tree["app"], lifecycle=None)
    await client.delete(paths.NAMESPACES, tree["team"])
    await gone(client, tree["team"])
    return {"team"}


async def permission_is_taken_back(client: Client, tree: Tree) -> set[str]:
    """The parent stops to allow the cascade: the reference goes, and the parent is protected."""
    await own(client, tree, "app")
    await permit(client, tree["team"], None)
    await owned_by(client, tree["app"], None)
    assert await said(client.delete(paths.NAMESPACES, tree["team"]))
    return set()


async def owned_child_moves_away(client: Client, tree: Tree) -> set[str]:
    """An Owned child is moved, and its old parent deleted in the same breath."""
    await own(client, tree, "app")
    await label(client, tree["app"], parent=tree["side"])
    await client.delete(paths.NAMESPACES, tree["team"])
    await gone(client, tree["team"])
    return {"team"}


async def owned_children_and_a_new_parent(client: Client, tree: Tree) -> set[str]:
    """The children were made independent for a restore of their parent, then Owned again."""
    await own(client, tree, "app")
    (exported,) = await backup(client, tree["team"])
    await label(client, tree["app"], lifecycle=None)
    await owned_by(client, tree["app"], None)
    await client.delete(paths.NAMESPACES, tree["team"])
    await gone(client, tree["team"])
    await label(client, tree["app"], lifecycle="Owned")
    await restore_all(client, [exported])
    await owned_by(client, tree["app"], tree["team"])
    return set()


async def parent_is_orphaned(client: Client, tree: Tree) -> set[str]:
    """`kubectl delete --cascade=orphan`: the children are to stay, and they do."""
    await own(client, tree, "app")
    path = paths.NAMESPACES.path(None, tree["team"])
    options = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Orphan"}
    await client.request("DELETE", path, body=options)
    await gone(client, tree["team"])
    return {"team"}


async def owned_while_the_parent_is_going(client: Client, tree: Tree) -> set[str]:
    """The label Owned comes when the parent is terminating already: too late to follow."""
    finalizer = {"metadata": {"finalizers": ["example.com/stays"]}}
    await client.patch(paths.NAMESPACES, tree["team"], body=finalizer)
    await permit(client, tree["team"])
    await client.delete(paths.NAMESPACES, tree["team"])
    await label(client, tree["app"], lifecycle="Owned")
    await asyncio.sleep(0.5)
    await client.patch(paths.NAMESPACES, tree["team"], body={"metadata": {"finalizers": None}})
    await gone(client, tree["team"])
    return {"team"}


async def owned_children_follow_two_levels_deep(client: Client, tree: Tree) -> set[str]:
    """What is meant to cascade does: the Owned ones go with their parents, nobody else."""
    await own(client, tree, "team", "app")
    await client.delete(paths.NAMESPACES, tree["org"])
    for short in ("org", "team", "app"):
        await gone(client, tree[short])
    return {"org", "team", "app"}


SCENES: list[Callable[[Client, Tree], Awaitable[set[str]]]] = [
    parent_is_created_again,
    parent_without_cascade,
    child_with_a_stale_reference,
    stale_reference_is_applied,
    living_owner_is_written_by_hand,
    lifecycle_is_changed_back,
    permission_is_taken_back,
    owned_child_moves_away,
    owned_children_and_a_new_parent,
    parent_is_orphaned,
    owned_while_the_parent_is_going,
    owned_children_follow_two_levels_deep,
]


def backup_in_order(order: tuple[str, ...]) -> Callable[[Client, Tree], Awaitable[set[str]]]:
    """Everything is exported, deleted, and restored in this order."""

    async def scene(client: Client, tree: Tree) -> set[str]:
        by_name = dict(
            zip(
                ("org", "team", "app"),
                await backup(client, tree["org"], tree["team"], tree["app"]),
                strict=True,
            )
        )
        await take_down(client, tree)
        await restore_all(client, [by_name[name] for name in order])
        await enforced(client, *(tree[name] for name in order))
        return {"side"}

    return scene


async def test_nobody_is_deleted_whom_no_one_deleted(client):
    """The table, each scene in a tree of its own, all at once; then the collector has its time."""
    orders = itertools.permutations(("org", "team", "app"))
    scenes = {scene.__name__: scene for scene in SCENES}
    scenes |= {f"restored: {', '.join(order)}": backup_in_order(order) for order in orders}
    gate = asyncio.Semaphore(9)

    async def play(
        scene: Callable[[Client, Tree], Awaitable[set[str]]],
    ) -> tuple[Tree, set[str], dict[str, str]]:
        async with gate:
            tree = await plant(client, FORM)
            deleted = await scene(client, tree)
            return tree, deleted, await living(client, tree)

    played = dict(zip(scenes, await asyncio.gather(*map(play, scenes.values())), strict=True))
    await asyncio.sleep(COLLECTED_WITHIN)
    for name, (tree, deleted, before) in played.items():
        after = await living(client, tree)
        assert after == before, name
        assert set(after) == {"org", "team", "app", "side"} - deleted, name


async def living(client: Client, tree: Tree) -> dict[str, str]:
    """Return short name → UID of every namespace of a tree that lives."""
    found, _ = await client.list_all(paths.NAMESPACES)
    seen = {
        item["metadata"]["name"]: item["metadata"]["uid"]
        for item in found
        if not item["metadata"].get("deletionTimestamp")
    }
    prefix = f"{tree.prefix}-"
    return {n.removeprefix(prefix): seen[n] for n in tree.parents if n in seen}


async def test_a_dead_controller_holds_a_cascade_up_and_loses_nobody(client, tree_sandbox):
    tree = await plant(client, "org: pods 9 > team > app")
    await own(client, tree, "team")  # what is below stays: nobody asked for it
    await asyncio.to_thread(control_plane.kill, tree_sandbox.name, "quotatree")
    await client.delete(paths.NAMESPACES, tree["org"])
    await asyncio.to_thread(control_plane.restart, tree_sandbox.name, "quotatree")
    for short in ("org", "team"):
        await gone(client, tree[short])
    assert not (await metadata(client, tree["app"])).get("deletionTimestamp")


def test_an_export_keeps_its_owner_references():
    """Else the table would prove nothing."""
    exported = {"metadata": {"name": "a", "uid": "1", "ownerReferences": [{"name": "b"}]}}
    assert restorable(exported)["metadata"] == {"name": "a", "ownerReferences": [{"name": "b"}]}
