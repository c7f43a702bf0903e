"""Churn: create and delete at full speed, and never more pods than the limit, by the pods."""

import os
from collections.abc import Sequence

import pytest
from tests.cluster.harness import load, trees
from tests.cluster.harness.churn import Witness, churn, phantoms

from quotatree.cluster import paths
from quotatree.cluster.client import Client
from quotatree.model.names import ANNOTATION_TOUCHED, MANAGED_QUOTA, Namespace

pytestmark = [pytest.mark.cluster, pytest.mark.alone, pytest.mark.timeout(1200)]

LIMIT = 25
ROUNDS = 10 if os.environ.get("QUOTATREE_SOAK") else 1
CLIENTS = 40
SECONDS = 40.0 if os.environ.get("QUOTATREE_SOAK") else 10.0


async def said_what_was_gone(admin: Client, leaves: Sequence[Namespace]) -> bool:
    """Whether a growth has put usage right in its own write; each of those leaves its mark."""
    found = [await admin.get(paths.RESOURCE_QUOTAS, MANAGED_QUOTA, namespace=it) for it in leaves]
    return any(ANNOTATION_TOUCHED in it["metadata"]["annotations"] for it in found)


async def test_there_are_never_more_pods_than_the_limit_however_fast_they_come_and_go(
    admin: Client,
) -> None:
    """Five siblings under one limit; the pods are counted in the order of the store.

    Beside native quota it is measured by `python -m bench.churn`.
    """
    for number in range(ROUNDS):
        tree = await trees.plant(admin, f"org: pods {LIMIT} > a1..5")
        leaves = [tree[f"a{i}"] for i in range(1, 6)]
        async with Witness(admin, leaves) as witness:
            told = await churn(admin, leaves, clients=CLIENTS, seconds=SECONDS)
            await witness.caught_up()
            left = await phantoms(admin, leaves)
        print(
            f"round {number}: {len(told.admitted)} admitted, at most {witness.most} pods, "
            f"{told.by_second()} a second, {load.told(told.answers)}; "
            f"charged to nobody two seconds later: {left}"
        )
        assert witness.most <= LIMIT, load.told(told.answers)
        assert told.admitted, load.told(told.answers)
        assert await said_what_was_gone(admin, leaves)
        await trees.fell(admin, tree)
