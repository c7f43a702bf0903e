"""Bursts that outlive whoever decides, and usage held against the pods that exist."""

import asyncio
import random
import time

from tests.cluster.harness import load, trees

from quotatree.cluster import paths
from quotatree.cluster.client import Client
from quotatree.model.names import Namespace
from quotatree.units.resources import Resources

TREE = "org: cpu 50, pods 170 > left: cpu 28 > l1..4; org > right: pods 90 > r1..4"
LEAVES = [f"{side}{i}" for side in "lr" for i in range(1, 5)]
SIZES = [Resources.parse({"cpu": cpu}) for cpu in ("20m", "100m", "250m", "1")]
CREATORS = 40
ASKS = 400


class Burst:
    """Creators that ask again when quotatree was not there to answer, as controllers do."""

    def __init__(self, client: Client, tree: trees.Tree, number: int) -> None:
        self._client = client
        chance = random.Random(number)
        self._left = iter(
            [
                load.Ask(
                    namespace=tree[chance.choice(LEAVES)],
                    name=f"p{number}-{i}",
                    size=chance.choice(SIZES),
                )
                for i in range(ASKS)
            ]
        )
        self.answers: list[load.Answer] = []
        self.unanswered = 0

    async def run(self) -> None:
        await asyncio.gather(*(self._creator() for _ in range(CREATORS)))

    async def _creator(self) -> None:
        end = time.monotonic() + trees.HANG
        for ask in self._left:
            while True:
                answer = await load.create(self._client, ask)
                if answer.admitted or answer.refused:
                    break
                self.unanswered += 1
                assert time.monotonic() < end, f"never decided: {answer.message}"
                await asyncio.sleep(0.1)
            self.answers.append(answer)

    async def until(self, share: float) -> None:
        """Return when this share of the requests is decided."""

        async def so() -> bool:
            return len(self.answers) >= share * ASKS

        await trees.eventually(so, what=f"{share:.0%} of the burst is decided")


async def sums(client: Client, tree: trees.Tree) -> dict[Namespace, tuple[Resources, Resources]]:
    """Return for every namespace what its quota says, and what its pods add up to."""
    quotas = await trees.used(client, tree.parents)
    pods, _ = await client.list_all(paths.PODS)
    found = {}
    for name, used in quotas.items():
        here = [charge(pod) for pod in pods if pod["metadata"]["namespace"] == name]
        zero = Resources.from_nano(dict.fromkeys(used, 0))
        found[name] = (used, sum(here, zero).mask(used))
    return found


async def uncounted(client: Client, tree: trees.Tree) -> dict[Namespace, Resources]:
    """Return where pods exist that no usage stands for: there must never be one."""
    found = await sums(client, tree)
    return {name: real.growth(used) for name, (used, real) in found.items() if real.exceeding(used)}


async def recounted(client: Client, tree: trees.Tree) -> bool:
    """Whether every managed ResourceQuota says what the pods that exist add up to."""
    return all(used == real for used, real in (await sums(client, tree)).values())


def charge(pod: dict[str, dict[str, list[dict[str, dict[str, dict[str, str]]]]]]) -> Resources:
    """Return what a quota counts for a pod of one container."""
    requests = pod["spec"]["containers"][0]["resources"]["requests"]
    return Resources.parse({**requests, "pods": "1"})
