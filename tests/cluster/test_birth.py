"""Birth: a namespace holds its ancestors' limits from its first moment on."""

import asyncio
import time
from collections import Counter

import pytest
from tests.cluster.harness import load, trees
from tests.cluster.harness.rounds import ROUNDS

from quotatree.cluster import paths
from quotatree.cluster.client import Client
from quotatree.model.names import Namespace
from quotatree.units.resources import Resources

pytestmark = [pytest.mark.cluster, pytest.mark.alone, pytest.mark.timeout(600)]

LIMIT = 3
BORN = 15
CLIENTS = 2
"""In each namespace."""
SIZE = Resources.parse({"cpu": "1m"})


async def test_no_pod_escapes_the_count_while_namespaces_are_born(admin: Client) -> None:
    for number in range(ROUNDS):
        tree = await trees.plant(admin, f"org: pods {LIMIT}")
        newborn = [Namespace(f"{tree['org']}-{number}-{i}") for i in range(BORN)]
        told = await pressed(admin, newborn, parent=tree["org"])
        pods = await count(admin, newborn)
        assert pods == told["admitted"] == LIMIT, told
        assert told["refused"], told
        quotas = await trees.used(admin, newborn)
        assert sum(one.nano("pods") for one in quotas.values()) == pods * 10**9, quotas
        for name in newborn:
            await trees.delete_pods(admin, name)
        await trees.fell(admin, tree)


async def pressed(client: Client, newborn: list[Namespace], *, parent: Namespace) -> Counter[str]:
    """Give birth to namespaces while pods are created in them; return what these were told."""
    stop = asyncio.Event()
    crowds = [crowd(client, name, f"c{i}", stop) for name in newborn for i in range(CLIENTS)]
    pressing = [asyncio.create_task(one) for one in crowds]
    bodies = [trees.namespace(name, parent) for name in newborn]
    await asyncio.gather(*(client.create(paths.NAMESPACES, body) for body in bodies))
    await trees.eventually(lambda: settled(client, newborn), what="the newborn are enforced")
    await asyncio.sleep(1.0)  # whoever slipped through comes to light now
    stop.set()
    return sum(await asyncio.gather(*pressing), Counter())


async def crowd(client: Client, name: Namespace, who: str, stop: asyncio.Event) -> Counter[str]:
    """Create pods in a loop, from before the namespace is there; return what was answered."""
    told: Counter[str] = Counter()
    end = time.monotonic() + trees.HANG
    while not stop.is_set() and time.monotonic() < end:
        ask = load.Ask(namespace=name, name=f"{who}-{sum(told.values())}", size=SIZE)
        answer = await load.create(client, ask)
        kind = "admitted" if answer.admitted else "refused" if answer.refused else "not yet"
        told[kind] += 1
        await asyncio.sleep(0.005)
    return told


async def settled(client: Client, newborn: list[Namespace]) -> bool:
    """Whether all are enforced and the limit is used up."""
    selector = f"{trees.names.LABEL_ENFORCED}=true"
    found, _ = await client.list_all(paths.NAMESPACES, label_selector=selector)
    standing = {item["metadata"]["name"] for item in found}
    return standing >= set(newborn) and await count(client, newborn) >= LIMIT


async def count(client: Client, newborn: list[Namespace]) -> int:
    """Return how many pods there really are."""
    pods, _ = await client.list_all(paths.PODS)
    return sum(pod["metadata"]["namespace"] in newborn for pod in pods)
