"""The stage: two API servers on one etcd, three replicas, and every link between them breakable."""

import asyncio
import functools
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.chaos import forest
from tests.chaos.history import History
from tests.chaos.store import Store
from tests.chaos.traffic import Traffic
from tests.cluster.harness import load, replicas, trees
from tests.cluster.harness.trees import eventually

from quotatree import sandbox as control_plane
from quotatree.cli import install
from quotatree.cluster import paths
from quotatree.cluster.client import Client
from quotatree.errors import ClusterError
from quotatree.manifests.settings import DEFAULT_NAMESPACE
from quotatree.model.names import Namespace
from quotatree.sandbox import SandboxState, processes, state
from quotatree.units.resources import Resources

ROOT = Path(__file__).parents[2]
API_SERVERS = 2
REPLICAS = state.REPLICAS[:3]
STILL = 20
ANSWERS_WITHIN = 3.0
"""Seconds in which a replica that is asked by itself is to answer."""
WHOLE, DECIDER, ACCEPTOR = "whole", "decider", "acceptor"
"""Parts of a replica: both of its processes, or one of them."""


class Links:
    """The proxies between replicas and API servers, each replica's by its number."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        assert process.stdout
        self.ports: list[int] = json.loads(process.stdout.readline())

    def tell(self, link: int, **command: object) -> object:
        """Command one link: `mode=`, `delay=` in seconds, `cut=`; see `proxy`."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps({"link": link, **command}) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """A running sandbox and its links."""

    sandbox: SandboxState
    links: Links


@contextmanager
def ground(name: str, progress: control_plane.Progress) -> Iterator[Ground]:
    """Boot everything, and delete it at the end."""
    started: list[Links] = []
    running: list[subprocess.Popen[str]] = []

    def installed(current: SandboxState, shown: control_plane.Progress) -> SandboxState:
        targets = current.ports.all_api_servers
        through = [str(targets[i % len(targets)]) for i in range(len(REPLICAS))]
        command = [sys.executable, "-m", "tests.chaos.proxy", *through]
        process = subprocess.Popen(
            command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        running.append(process)
        started.append(Links(process))
        servers = [f"https://127.0.0.1:{port}" for port in started[0].ports]
        # Within slices growth goes on without anybody, and no gap would be seen.
        return install.into_sandbox(
            current, shown, replicas=len(REPLICAS), slices=False, servers=servers
        )

    settings = control_plane.Settings(name=name, api_servers=API_SERVERS)
    try:
        sandbox = control_plane.up(settings, progress=progress, install=installed)
        yield Ground(sandbox=sandbox, links=started[0])
    finally:
        control_plane.down(name, purge=True, progress=progress)
        for process in running:
            process.kill()
            process.communicate()


class Stage:
    """What faults are done to."""

    def __init__(
        self, where: Ground, clients: list[Client], *, history: History, store: Store
    ) -> None:
        self.sandbox = where.sandbox
        self.links = where.links
        self.clients = clients
        self.history = history
        self.store = store
        self.traffic: Traffic

    @property
    def name(self) -> str:
        return self.sandbox.name

    @property
    def still(self) -> str:
        """The namespace whose pods nobody deletes."""
        return self.traffic.tree["still-x"]

    # -- processes ----------------------------------------------------------------------------

    async def kill(self, component: str) -> None:
        """Kill a process with SIGKILL; what a replica leaves behind ends by itself."""
        await asyncio.to_thread(control_plane.kill, self.name, component)

    async def start(self, component: str) -> None:
        """Stop a component if it runs, start it as before."""
        await asyncio.to_thread(control_plane.restart, self.name, component)

    async def signal(self, component: str, number: signal.Signals, *, part: str = WHOLE) -> None:
        """Send a signal to a component, or to one part of a replica."""
        if part == ACCEPTOR:
            os.kill(self.acceptor(component), number)
            return
        whole = part == WHOLE
        await asyncio.to_thread(control_plane.kill, self.name, component, number, whole=whole)

    def acceptor(self, component: str) -> int:
        """Return the pid of a replica's acceptor: the one child of its decider."""
        decider = control_plane.find(self.name).pids[component]
        children = Path(f"/proc/{decider}/task/{decider}/children").read_text().split()
        return int(children[0])

    def alive(self, component: str) -> bool:
        known = control_plane.find(self.name).processes.get(component)
        return known is not None and processes.alive(known)

    # -- who leads ----------------------------------------------------------------------------

    async def ask(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        """Ask the first API server that answers, as administrator."""
        said: ClusterError | None = None
        for client in self.clients:
            try:
                return await client.request(method, path, timeout=3.0, retry=False, **more)
            except ClusterError as error:
                said = error
                if error.status not in {0, 500, 503, 504}:
                    raise
        assert said
        raise said

    async def lease(self) -> dict[str, Any]:
        return await self.ask("GET", paths.LEASES.path(DEFAULT_NAMESPACE, "quotatree"))

    async def leader(self) -> str:
        """Return which replica leads, by the Lease; wait until one does."""
        found: list[str] = []

        async def held() -> bool:
            found[:] = [replicas.holder(self.sandbox, await self.lease())]
            return bool(found[0])

        await eventually(held, what="somebody leads")
        return found[0]

    async def followers(self) -> list[str]:
        leads = await self.leader()
        return [component for component in REPLICAS if component != leads]

    async def other_leads(self, than: str) -> str:
        """Wait until another replica leads, and return it."""

        async def so() -> bool:
            return await self.leader() != than

        await eventually(so, what=f"another one leads than {than}")
        return await self.leader()

    async def ready(self, component: str) -> bool:
        return await replicas.is_ready(self.sandbox, component, timeout=ANSWERS_WITHIN)

    async def whole(self) -> None:
        """Wait until every process runs and every replica and API server is ready."""

        async def so() -> bool:
            ready = [await self.ready(component) for component in REPLICAS]
            for client in self.clients:
                await client.text("/readyz", timeout=3.0)
            return all(ready) and all(map(self.alive, control_plane.find(self.name).pids))

        await eventually(so, what="all of it runs again")

    async def tell(self, component: str, **command: object) -> object:
        """Command the link of a replica."""
        return await asyncio.to_thread(
            functools.partial(self.links.tell, REPLICAS.index(component), **command)
        )

    def log(self, component: str) -> int:
        """Return how long a component's log is now; what is said later begins there."""
        return self.sandbox.log(component).stat().st_size

    def said(self, component: str, since: int, words: str) -> int:
        """Return how often a component's log says `words` from `since` on."""
        with self.sandbox.log(component).open("rb") as file:
            file.seek(since)
            return file.read().count(words.encode())


@asynccontextmanager
async def staged(where: Ground, seed: int) -> AsyncIterator[Stage]:
    """Plant the tree, begin to write its history and let the traffic run."""
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(await Client.connect(str(path), connections=200))
            for path in where.sandbox.kubeconfigs
        ]
        tree = await trees.plant(clients[0], forest.WORDS)
        store = await stack.enter_async_context(Store(where.sandbox))
        history = await stack.enter_async_context(History(store, frozenset(tree.parents)))
        stage = Stage(where, clients, history=history, store=store)
        stage.traffic = Traffic(clients, tree, history=history, seed=seed)
        await stack.enter_async_context(stage.traffic)
        await still_pods(stage)
        yield stage


async def still_pods(stage: Stage) -> None:
    """Make the pods that stay, for those faults that need some."""
    size = Resources.parse({"cpu": "20m"})
    for number in range(STILL):
        ask = load.Ask(namespace=Namespace(stage.still), name=f"c20-s{number}", size=size)
        answer = await load.create(stage.clients[0], ask)
        assert answer.admitted, answer.message
