"""Churn: create and delete at full speed, and never more pods than the limit, by the pods."""

import asyncio
import os

import pytest
from tests.cluster.harness import load, trees
from tests.cluster.harness.churn import Witness, churn

from quotatree.cluster import paths
from quotatree.cluster.client import Client
from quotatree.model.names import Namespace

pytestmark = [pytest.mark.cluster, pytest.mark.alone, pytest.mark.timeout(1200)]

LIMIT = 25
ROUNDS = 10 if os.environ.get("QUOTATREE_SOAK") else 1
CLIENTS = 40
SECONDS = 10.0
AFTER = 2.0


async def test_there_are_never_more_pods_than_the_limit_however_fast_they_come_and_go(
    admin: Client,
) -> None:
    """Five siblings under one limit; the pods are counted in the order of the store.

    Beside it, for comparison only: one namespace with native quota and the same clients.
    """
    for number in range(ROUNDS):
        tree = await trees.plant(admin, f"org: pods {LIMIT} > a1..5")
        leaves = [tree[f"a{i}"] for i in range(1, 6)]
        async with Witness(admin, leaves) as witness:
            told = await churn(admin, leaves, clients=CLIENTS, seconds=SECONDS)
            await witness.caught_up()
            left = await phantoms(admin, leaves)
        native, most = await natively(admin, f"{tree.prefix}-native")
        print(
            f"round {number}: {len(told.admitted)} admitted, at most {witness.most} pods, "
            f"{told.by_second()} a second, {load.told(told.answers)}; "
            f"charged to nobody {AFTER:.0f} s later: {left}; "
            f"native: {len(native)} admitted, at most {most} pods: "
            f"ratio {len(told.admitted) / max(1, len(native)):.2f}"
        )
        assert witness.most <= LIMIT, load.told(told.answers)
        await trees.fell(admin, tree)


async def phantoms(admin: Client, leaves: list[Namespace]) -> int:
    """Return for how many pods there is still a charge a moment after the last one has gone."""
    await asyncio.sleep(AFTER)
    used = await trees.used(admin, leaves)
    return sum(amounts.nano("pods") for amounts in used.values()) // 10**9


async def natively(admin: Client, name: str) -> tuple[list[load.Answer], int]:
    """Return what native quota alone admits, and the most pods that existed."""
    namespace = Namespace(name)
    await admin.create(paths.NAMESPACES, trees.namespace(name, None))
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "native"},
        "spec": {"hard": {"pods": str(LIMIT)}},
    }
    await admin.create(paths.RESOURCE_QUOTAS, quota, namespace=name)

    async def measured() -> bool:
        found = await admin.get(paths.RESOURCE_QUOTAS, "native", namespace=name)
        accounts, _ = await admin.list_all(paths.SERVICE_ACCOUNTS, namespace=name)
        return "used" in found.get("status", {}) and bool(accounts)

    await trees.eventually(measured, what=f"native quota measures {name}")
    async with Witness(admin, [namespace]) as witness:
        told = await churn(admin, [namespace], clients=CLIENTS, seconds=SECONDS)
        await witness.caught_up()
    return told.admitted, witness.most
