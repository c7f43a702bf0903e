"""The kind TreeQuota disappears and comes back: the last limits stay in between."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.cluster.harness.trees import Tree, plant
from tests.cluster.lifecycle_fixtures import (
    fill,
    fits,
    grow,
    holds,
    limit,
    measures,
    restarted,
    soon,
    status,
)

from quotatree import sandbox as control_plane
from quotatree.cluster import paths
from quotatree.cluster.client import Client
from quotatree.manifests import crd
from quotatree.manifests.settings import InstallSettings
from quotatree.sandbox import SandboxState

pytestmark = pytest.mark.cluster


@pytest.fixture
async def client(tree_sandbox: SandboxState) -> AsyncIterator[Client]:
    """Return a client; whatever happens, the kind is there again afterwards."""
    async with await Client.connect(str(tree_sandbox.kubeconfig)) as connected:
        yield connected
        await bring_back(connected)


async def take_away(client: Client) -> None:
    await client.delete(paths.CRDS, crd.CRD_NAME)

    async def gone() -> bool:
        return await client.find(paths.CRDS, crd.CRD_NAME) is None

    await soon(gone, what="the kind is gone")


async def bring_back(client: Client) -> None:
    manifest = crd.tree_quotas(InstallSettings(version="test", webhook_url="https://unused"))
    await client.apply(manifest, field_manager="quotatree-install", force=True)

    async def served() -> bool:
        await client.list_all(paths.TREE_QUOTAS)
        return True

    await soon(served, what="the kind is served")


async def nothing_is_loosened(client: Client, tree: Tree) -> None:
    for name in tree.parents.values():
        if name is not None:
            await measures(client, name, "pods")


async def test_without_its_kind_the_last_limits_stay_and_can_be_changed_again(client):
    tree = await plant(client, "org: pods 2 > a; org > b")
    await fill(client, tree["a"], "a1")
    await take_away(client)
    await asyncio.sleep(1.0)
    await nothing_is_loosened(client, tree)
    answers = [await grow(client, tree["b"], f"b{n}") for n in range(3)]
    assert [answer.admitted for answer in answers] == [True, False, False]
    assert f"exceeded quota: {tree['org']}" in answers[1].message
    await bring_back(client)
    await asyncio.sleep(1.0)
    await nothing_is_loosened(client, tree)
    await limit(client, tree["org"], hard={"pods": "3"})
    await status(client, tree["org"], that=lambda s: s["used"] == {"pods": "2"})
    await fits(client, tree["b"], "b9")
    assert not (await grow(client, tree["b"], "b10")).admitted
    await client.delete(paths.TREE_QUOTAS, "limit", namespace=tree["org"])
    await measures(client, tree["b"])


async def test_a_controller_that_starts_without_the_kind_goes_by_the_last_limits(
    client, tree_sandbox
):
    tree = await plant(client, "org: pods 2 > a; org > b")
    await fill(client, tree["a"], "a1")
    await take_away(client)
    await restarted(client, tree_sandbox.name)
    await nothing_is_loosened(client, tree)
    answers = [await grow(client, tree["b"], f"b{n}") for n in range(3)]
    assert [answer.admitted for answer in answers] == [True, False, False]
    assert f"exceeded quota: {tree['org']}" in answers[1].message
    await bring_back(client)
    await restarted(client, tree_sandbox.name)
    await nothing_is_loosened(client, tree)
    assert not (await grow(client, tree["b"], "b9")).admitted
    await limit(client, tree["org"], hard={"pods": "3"})
    await status(client, tree["org"], that=holds("Ready"))
    await fits(client, tree["b"], "b10")
    assert not (await grow(client, tree["b"], "b11")).admitted


async def test_a_limit_that_is_deleted_while_nobody_looks_is_gone(client, tree_sandbox):
    tree = await plant(client, "org: pods 1 > a")
    await fill(client, tree["a"], "a1")
    await asyncio.to_thread(control_plane.kill, tree_sandbox.name, "quotatree")
    await client.delete(paths.TREE_QUOTAS, "limit", namespace=tree["org"])
    await asyncio.to_thread(control_plane.restart, tree_sandbox.name, "quotatree")
    await fits(client, tree["a"], "a2")
