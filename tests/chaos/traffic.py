"""The traffic: pods created and deleted all the time, over both API servers, in every corner.

Creators and deleters do not care what they are told, as controllers do not. What is deleted is
chosen among the pods that exist by the history, so a pod whose creator was never answered goes too.
"""

import asyncio
import random
import time
from itertools import count
from types import TracebackType
from typing import Self

from tests.chaos import forest
from tests.chaos.history import History, size_of
from tests.chaos.verdict import Refusal
from tests.cluster.harness import load
from tests.cluster.harness.trees import Tree

from quotatree.cluster import paths
from quotatree.cluster.client import Client
from quotatree.errors import ClusterError
from quotatree.model.names import Namespace
from quotatree.units.resources import Resources

SIZES = (20, 50, 100, 250, 600)
"""Thousandths of a cpu."""
CROWDED, CALM, DELETERS = 12, 4, 4
PACE = 0.08
"""Seconds of pause after each answer."""
DELETE_EVERY = 0.12
PATIENCE = 10.0
"""Seconds after which a creator gives an answer up; quota admission itself takes ten at most."""


class Traffic:
    """`async with Traffic(clients, tree, history=…, seed=…) as traffic`."""

    def __init__(self, clients: list[Client], tree: Tree, *, history: History, seed: int) -> None:
        self._clients = clients
        self._history = history
        self._chance = random.Random(seed)
        self.crowded = forest.leaves(tree, calm=False)
        self._calm = forest.leaves(tree, calm=True)
        self._serial = count()
        self._tasks: list[asyncio.Task[None]] = []
        self._runs = asyncio.Event()
        self._busy = 0
        self.tree = tree
        self.limits = forest.limits(tree)
        self.answers: list[load.Answer] = []
        self.deleted = 0

    async def __aenter__(self) -> Self:
        for number in range(CROWDED + CALM):
            where = self.crowded if number < CROWDED else self._calm
            client = self._clients[number % len(self._clients)]
            self._tasks.append(asyncio.create_task(self._creator(client, where), name="creator"))
        for number in range(DELETERS):
            client = self._clients[number % len(self._clients)]
            self._tasks.append(asyncio.create_task(self._deleter(client), name="deleter"))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def begin(self) -> None:
        """Forget what was answered so far."""
        self.answers, self.deleted = [], 0

    def run(self) -> None:
        """Let creators and deleters go on."""
        self._runs.set()

    async def goes_on(self, seconds: float) -> None:
        """Let time pass, unless the traffic itself is broken."""
        await asyncio.sleep(seconds)
        self._check()

    async def pause(self) -> None:
        """Stop asking, and return when everything that was asked is answered."""
        self._runs.clear()
        while self._busy:
            self._check()
            await asyncio.sleep(0.02)

    def _check(self) -> None:
        for task in self._tasks:
            if task.done():
                task.result()

    async def _creator(self, client: Client, where: list[str]) -> None:
        while True:
            await self._runs.wait()
            size = self._chance.choice(SIZES)
            ask = load.Ask(
                namespace=Namespace(self._chance.choice(where)),
                name=f"c{size}-{next(self._serial)}",
                size=Resources.parse({"cpu": f"{size}m"}),
            )
            self._busy += 1
            try:
                self.answers.append(await load.create(client, ask, timeout=PATIENCE))
            finally:
                self._busy -= 1
            await asyncio.sleep(PACE)

    async def _deleter(self, client: Client) -> None:
        while True:
            await self._runs.wait()
            found = [
                (namespace, pod)
                for namespace in (*self.crowded, *self._calm)
                for pod in self._history.pods[namespace]
            ]
            if found:
                self._busy += 1
                try:
                    await self._delete(client, *self._chance.choice(found))
                finally:
                    self._busy -= 1
            await asyncio.sleep(DELETE_EVERY)

    async def _delete(self, client: Client, namespace: str, pod: str) -> None:
        path = paths.PODS.path(namespace, pod)
        params = {"gracePeriodSeconds": "0"}
        try:
            await client.request("DELETE", path, params=params, retry=False, timeout=PATIENCE)
        except ClusterError:
            return
        self.deleted += 1

    # -- what came of it ----------------------------------------------------------------------

    def refusals(self) -> list[Refusal]:
        """Return what quotas refused."""
        return [
            Refusal(
                namespace=answer.ask.namespace,
                name=answer.ask.name,
                amounts=size_of(answer.ask.name),
                sent=answer.sent,
                answered=answer.answered,
                told=answer.message,
            )
            for answer in self.answers
            if answer.refused
        ]

    def calm_admissions(self) -> list[load.Answer]:
        """Return what was admitted where there is always room, in the order of the answers."""
        calm = set(self._calm)
        found = [a for a in self.answers if a.admitted and a.ask.namespace in calm]
        return sorted(found, key=lambda answer: answer.answered)

    async def admitted_after(self, moment: float, *, within: float) -> None:
        """Return when something was admitted in the calm corner that was sent after `moment`."""
        end = time.monotonic() + within
        while not any(answer.sent > moment for answer in self.calm_admissions()):
            self._check()
            if time.monotonic() > end:
                last = load.told(self.answers[-20:])
                raise TimeoutError(f"nothing was admitted for {within:.0f} s: {last}")
            await asyncio.sleep(0.1)
