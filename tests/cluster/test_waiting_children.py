"""What happens while nobody looks, and to children whose parent comes back, ends as it should."""

import asyncio

import pytest
from tests.cluster.harness.trees import plant
from tests.cluster.lifecycle_fixtures import (
    decided,
    deletable,
    fill,
    fits,
    free,
    gone,
    grow,
    measures,
    permit,
    soon,
    status,
)

from quotatree import sandbox as control_plane
from quotatree.cluster import paths
from quotatree.model import names

pytestmark = pytest.mark.cluster

ROUNDS = 4


def parent_of(name, above):
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": {names.LABEL_PARENT: above}},
    }


async def used(client, namespace):
    found = await client.find(paths.RESOURCE_QUOTAS, names.MANAGED_QUOTA, namespace=namespace)
    return int(((found or {}).get("status") or {}).get("used", {}).get("pods", "0"))


async def test_a_parent_that_comes_back_above_children_takes_no_more_than_there_is(admin):
    tree = await plant(admin, "org: pods 5 > t > a: pods 9; org > b")
    await fill(admin, tree["a"], "a1", "a2", "a3")
    for number in range(ROUNDS):
        await permit(admin, tree["t"])
        await deletable(admin, tree["t"])
        await gone(admin, tree["t"])
        # What waits counts nowhere above: b may take all of it before t is back, or t comes first.
        body = parent_of(tree["t"], tree["org"])
        told, *answers = await asyncio.gather(
            decided(lambda: admin.create(paths.NAMESPACES, body)),  # noqa: B023 - awaited here
            *(grow(admin, tree["b"], f"b{number}-{n}") for n in range(5)),
        )
        admitted = sum(answer.admitted for answer in answers)
        assert admitted <= (5 if told else 2), (told, answers)
        assert not told or "brings 3" in told
        await free(admin, tree["b"], *(f"b{number}-{n}" for n in range(5)))

        async def back() -> bool:
            return not await decided(lambda: admin.create(paths.NAMESPACES, body))  # noqa: B023

        if told:
            await soon(back, what="there is room for the parent")

        async def recounted() -> bool:
            return await used(admin, tree["b"]) == 0

        await soon(recounted, what="b is empty")
    await fits(admin, tree["b"], "c1")
    await fits(admin, tree["b"], "c2")
    assert not (await grow(admin, tree["b"], "c3")).admitted


async def test_what_happened_while_the_controller_was_dead_is_made_up_for(admin, tree_sandbox):
    tree = await plant(admin, "org: pods 4 > a; org > b: pods 1; org > c")
    await fill(admin, tree["a"], "a1", "a2")
    await fill(admin, tree["b"], "b1")
    await asyncio.to_thread(control_plane.kill, tree_sandbox.name, "quotatree")
    await admin.delete(paths.NAMESPACES, tree["a"])
    await admin.delete(paths.TREE_QUOTAS, "limit", namespace=tree["b"])
    manager = {"metadata": {"annotations": {names.ANNOTATION_READY: None}}}
    await admin.patch(paths.RESOURCE_QUOTAS, names.MANAGED_QUOTA, body=manager, namespace=tree["c"])
    await asyncio.to_thread(control_plane.restart, tree_sandbox.name, "quotatree")
    await gone(admin, tree["a"])
    await status(admin, tree["org"], that=lambda s: s["used"] == {"pods": "1"})
    await fits(admin, tree["b"], "b2")
    for name in ("c1", "c2"):
        await fits(admin, tree["c"], name)
    assert not (await grow(admin, tree["b"], "b3")).admitted
    await measures(admin, tree["b"], "pods")
