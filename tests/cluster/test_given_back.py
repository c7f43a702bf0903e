"""Charges for what never came to be are given up soon, on tenants' quotas beside ours too."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable

import pytest
from tests.cluster.harness import load, trees

from quotatree.cluster import paths
from quotatree.cluster.client import Client
from quotatree.errors import ClusterError
from quotatree.units.resources import Resources

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

SIZE = Resources.parse({"cpu": "100m"})
HANG = 20.0
"""Seconds: ten times the bar of two, the figure itself is printed."""


async def within(condition: Callable[[], Awaitable[bool]], *, what: str) -> float:
    """Return after how many seconds `condition` held."""
    begun = time.monotonic()
    while not await condition():
        assert time.monotonic() - begun < HANG, what
        await asyncio.sleep(0.05)
    return time.monotonic() - begun


async def test_room_of_creations_that_failed_after_their_charge_comes_back(admin: Client):
    """Twelve ask for the same name at once: each may be charged, and one pod comes to be."""
    tree = await trees.plant(admin, "org: pods 12 > a")
    ask = load.Ask(namespace=tree["a"], name="same", size=SIZE)
    answers = await asyncio.gather(*(load.create(admin, ask) for _ in range(12)))
    assert sum(answer.admitted for answer in answers) == 1, load.told(answers)

    async def right() -> bool:
        used = await trees.used(admin, [tree["a"]])
        return used[tree["a"]].nano("pods") == 10**9

    took = await within(right, what="a charge for a pod that never came stays")
    charged = sum(a.status == 409 and "already exists" in a.message for a in answers)
    print(f"{charged} creations failed after their charge; right after {took:.2f} s")
    await trees.fell(admin, tree)


@pytest.mark.parametrize("counted", ["pods", "count/configmaps"])
async def test_a_tenants_own_quota_is_right_again_after_our_refusals(admin: Client, counted: str):
    """One kind is watched here, and of the other nobody but the native controller knows."""
    tree = await trees.plant(admin, f"org: {counted} 3 > a; org > b")
    name = tree["a"]
    mine = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "a-tenants-own"},
        "spec": {"hard": {counted: "100"}},
    }
    await admin.create(paths.RESOURCE_QUOTAS, mine, namespace=name)

    async def own(quota: str = "a-tenants-own") -> int | None:
        found = await admin.get(paths.RESOURCE_QUOTAS, quota, namespace=name)
        said = found.get("status", {}).get("used", {}).get(counted)
        return None if said is None else int(said)

    async def measured() -> bool:
        return await own() is not None

    await trees.eventually(measured, what="the tenant's quota is measured")
    before = await own()
    assert before is not None
    if counted == "pods":
        asks = [load.Ask(namespace=name, name=f"p{i}", size=SIZE) for i in range(20)]
        await asyncio.gather(*(load.create(admin, one) for one in asks))
    else:
        await asyncio.gather(*(_config_map(admin, name, f"c{i}") for i in range(20)))

    async def right() -> bool:
        plural = paths.PODS if counted == "pods" else paths.Kind("", "v1", "configmaps", True)
        there, _ = await admin.list_all(plural, namespace=name)
        return await own() == len(there) == await own("quotatree")

    took = await within(right, what="the tenant's quota stays wrong")
    print(f"{counted}: the tenant's quota was right {took:.2f} s after the last answer")

    async def as_it_was() -> bool:
        found = await admin.get(paths.RESOURCE_QUOTAS, "a-tenants-own", namespace=name)
        return bool(found["spec"]["hard"] == {counted: "100"})

    await within(as_it_was, what="the tenant's own spec is not as it was")
    await trees.fell(admin, tree)


async def _config_map(admin: Client, namespace: str, name: str) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    with contextlib.suppress(ClusterError):  # most are refused
        await admin.request("POST", path, body=body, retry=False)
