"""The paths that a large forest takes, on a small one; `bench --only scale` has the times."""

import asyncio
import re
import time
from typing import Any

import pytest
from tests.cluster.harness import load, trees

from quotatree import sandbox as control_plane
from quotatree.cluster import paths
from quotatree.cluster.client import Client
from quotatree.model import names
from quotatree.model.names import Namespace
from quotatree.units.resources import Resources

pytestmark = [pytest.mark.cluster, pytest.mark.alone, pytest.mark.timeout(300)]

BORN = 100
SIZE = Resources.parse({"cpu": "1m"})


async def test_many_newborn_are_measured_at_once_and_a_root_limit_holds_for_all_of_them(
    admin: Client, tree_sandbox: control_plane.SandboxState
) -> None:
    tree = await trees.plant(admin, "org: pods 500")
    root = tree["org"]
    newborn = [Namespace(f"{root}-{number}") for number in range(BORN)]
    bodies = [trees.namespace(name, root) for name in newborn]
    await asyncio.gather(*(admin.create(paths.NAMESPACES, body) for body in bodies))
    await trees.eventually(lambda: enforced(admin, newborn), what="the newborn are enforced")
    quotas = await trees.managed(admin)
    ours = [name for name in newborn if is_measured_by_us(quotas[name])]
    assert len(ours) > BORN / 2  # the native controller has its turn too

    await limit(admin, root, pods=0)
    await trees.eventually(lambda: all_refused(admin, newborn[:3]), what="growth is refused")
    after = await trees.managed(admin)
    written = [n for n in newborn[3:] if version(after[n]) != version(quotas[n])]
    assert not written, "a root limit is written below it"

    await limit(admin, root, pods=500)
    await asyncio.to_thread(control_plane.kill, tree_sandbox.name, "quotatree", whole=True)
    await asyncio.to_thread(control_plane.restart, tree_sandbox.name, "quotatree")
    await trees.eventually(lambda: all_grow(admin, newborn[:3]), what="all grow after a restart")
    metrics = await admin.text("/metrics")
    assert re.search(r'dispatched_requests_total\{flow_schema="quotatree",.*\} [1-9]', metrics)
    await trees.fell(admin, tree)


async def enforced(client: Client, wanted: list[Namespace]) -> bool:
    """Whether all are enforced, and have the account that a pod needs."""
    selector = f"{names.LABEL_ENFORCED}=true"
    found, _ = await client.list_all(paths.NAMESPACES, label_selector=selector)
    served, _ = await client.list_all(paths.SERVICE_ACCOUNTS)
    standing = {item["metadata"]["name"] for item in found}
    return standing & {item["metadata"]["namespace"] for item in served} >= set(wanted)


def is_measured_by_us(quota: dict[str, Any]) -> bool:
    """Whether quotatree wrote the first status: it was the only one who could."""
    return any(
        entry.get("subresource") == "status" and entry["manager"].startswith("quotatree")
        for entry in quota["metadata"]["managedFields"]
    )


def version(quota: dict[str, Any]) -> str:
    return str(quota["metadata"]["resourceVersion"])


async def limit(client: Client, root: Namespace, *, pods: int) -> None:
    body = {"spec": {"hard": {"pods": str(pods)}}}
    await client.patch(paths.TREE_QUOTAS, "limit", body=body, namespace=root)


async def ask(client: Client, where: list[Namespace]) -> list[load.Answer]:
    asks = [load.Ask(namespace=name, name=f"p{time.time_ns()}", size=SIZE) for name in where]
    return list(await asyncio.gather(*(load.create(client, one) for one in asks)))


async def all_refused(client: Client, where: list[Namespace]) -> bool:
    return all(answer.refused for answer in await ask(client, where))


async def all_grow(client: Client, where: list[Namespace]) -> bool:
    return all(answer.admitted for answer in await ask(client, where))
