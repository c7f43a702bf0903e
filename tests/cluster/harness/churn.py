"""Churn: clients that create pods and delete them at once, and the pods that really existed.

The watch of pods has every creation and every deletion, in the order of the store; so counting
along it gives every number of pods that there ever was.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count

from tests.cluster.harness import load, trees
from tests.cluster.harness.trees import eventually

from quotatree.cluster import paths
from quotatree.cluster.client import Client
from quotatree.cluster.reflector import Changed, Deleted, Listed, Reflector
from quotatree.errors import ClusterError
from quotatree.model.names import Namespace
from quotatree.units.resources import Resources

SIZE = Resources.parse({"cpu": "100m"})
AFTER = 2.0
"""Seconds after which nothing may be charged to nobody any more."""


class Witness:
    """Counts the pods of some namespaces while they are created and deleted: `async with`."""

    def __init__(self, client: Client, namespaces: Sequence[Namespace]) -> None:
        self._client = client
        self._namespaces = frozenset(namespaces)
        self._task: asyncio.Task[None] | None = None
        self._listed = asyncio.Event()
        self.there: set[str] = set()
        self.most = 0
        self.created = 0

    async def __aenter__(self) -> "Witness":
        self._task = asyncio.create_task(self._watch(), name="witness")
        async with asyncio.timeout(60):
            await self._listed.wait()
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _watch(self) -> None:
        async for change in Reflector(self._client, paths.PODS).changes():
            match change:
                case Listed(items=items):
                    assert not self._listed.is_set(), "the witness lost a part of the history"
                    for item in items:
                        self._note(item)
                    self._listed.set()
                case Changed(object=obj):
                    self._note(obj)
                case Deleted(object=obj):
                    self.there.discard(obj["metadata"]["uid"])
                case _:
                    pass

    def _note(self, pod: dict[str, dict[str, str]]) -> None:
        metadata = pod["metadata"]
        if metadata["namespace"] in self._namespaces and metadata["uid"] not in self.there:
            self.there.add(metadata["uid"])
            self.created += 1
            self.most = max(self.most, len(self.there))

    async def caught_up(self) -> None:
        """Return when every pod that was created or deleted by now has been seen."""

        async def seen() -> bool:
            assert self._task is not None
            if self._task.done():
                self._task.result()
            items, _ = await self._client.list_all(paths.PODS)
            mine = {
                item["metadata"]["uid"]
                for item in items
                if item["metadata"]["namespace"] in self._namespaces
            }
            return mine == self.there

        await eventually(seen, what="the witness has seen everything")


@dataclass
class Told:
    """What the clients were told."""

    answers: list[load.Answer] = field(default_factory=list)
    begun: float = 0.0

    @property
    def admitted(self) -> list[load.Answer]:
        return [answer for answer in self.answers if answer.admitted]

    @property
    def conflicts(self) -> int:
        return sum(answer.status == 409 for answer in self.answers)

    def by_second(self) -> list[int]:
        """How many were admitted in each second."""
        seconds = Counter(int(answer.answered - self.begun) for answer in self.admitted)
        return [seconds[i] for i in range(max(seconds, default=-1) + 1)]


async def churn(
    client: Client, namespaces: Sequence[Namespace], *, clients: int, seconds: float
) -> Told:
    """Let each client create a pod and delete it, again and again, as fast as it can."""
    told, names = Told(begun=time.monotonic()), count()
    end = told.begun + seconds

    async def one(number: int) -> None:
        namespace = namespaces[number % len(namespaces)]
        while time.monotonic() < end:
            ask = load.Ask(namespace=namespace, name=f"c{next(names)}", size=SIZE)
            answer = await load.create(client, ask)
            told.answers.append(answer)
            if answer.admitted:
                await delete(client, ask)

    await asyncio.gather(*(one(number) for number in range(clients)))
    return told


async def phantoms(client: Client, leaves: Sequence[Namespace]) -> int:
    """Return for how many pods there is still a charge a moment after the last one has gone."""
    await asyncio.sleep(AFTER)
    used = await trees.used(client, leaves)
    return sum(amounts.nano("pods") for amounts in used.values()) // 10**9


async def natively(
    client: Client, name: str, *, limit: int, clients: int, seconds: float
) -> tuple[Told, int]:
    """Return what clients are told where native quota limits one namespace, and the most pods."""
    namespace = Namespace(name)
    await client.create(paths.NAMESPACES, trees.namespace(name, None))
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "native"},
        "spec": {"hard": {"pods": str(limit)}},
    }
    await client.create(paths.RESOURCE_QUOTAS, quota, namespace=name)

    async def measured() -> bool:
        found = await client.get(paths.RESOURCE_QUOTAS, "native", namespace=name)
        accounts, _ = await client.list_all(paths.SERVICE_ACCOUNTS, namespace=name)
        return "used" in found.get("status", {}) and bool(accounts)

    await trees.eventually(measured, what=f"native quota measures {name}")
    async with Witness(client, [namespace]) as witness:
        told = await churn(client, [namespace], clients=clients, seconds=seconds)
        await witness.caught_up()
    return told, witness.most


async def delete(client: Client, ask: load.Ask) -> None:
    path = paths.PODS.path(ask.namespace, ask.name)
    while True:
        try:
            await client.request("DELETE", path, params={"gracePeriodSeconds": "0"})
        except ClusterError as error:
            if error.status == 404:
                return
            await asyncio.sleep(0.05)
        else:
            return
