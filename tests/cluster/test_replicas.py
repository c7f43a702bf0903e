"""Several replicas: whichever of them dies, stands still or leaves, nothing is over or lost."""

import asyncio
import itertools
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from types import TracebackType
from typing import Any, Self

import pytest
from tests.cluster.harness import load, replicas, trees
from tests.cluster.harness.bursts import TREE, Burst, recounted, uncounted
from tests.cluster.harness.judge import Judge

from quotatree import sandbox as control_plane
from quotatree.cli import install
from quotatree.cluster import paths
from quotatree.cluster.client import Client
from quotatree.manifests.settings import DEFAULT_NAMESPACE
from quotatree.sandbox import state
from quotatree.units.resources import Resources

pytestmark = [pytest.mark.cluster, pytest.mark.alone, pytest.mark.timeout(600)]

REPLICAS = 3
LEASE = 15.0
SMALL = Resources.parse({"cpu": "10m"})
WIDE = "org: pods 100000 > left > l1..3; org > right > r1..3"
WIDE_LEAVES = [f"{side}{i}" for side in "lr" for i in range(1, 4)]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[control_plane.SandboxState]:
    """A control plane with three replicas in front of it."""
    name = f"test-{os.getpid()}-replicas"
    progress = control_plane.Plain(sys.__stderr__ or sys.stderr)

    def several(current: control_plane.SandboxState, shown: Any) -> control_plane.SandboxState:
        # Within slices growth would go on without anybody, and no gap would be seen.
        return install.into_sandbox(current, shown, replicas=REPLICAS, slices=False)

    try:
        settings = control_plane.Settings(name=name)
        yield control_plane.up(settings, progress=progress, install=several)
    finally:
        control_plane.down(name, purge=True)


@pytest.fixture
async def admin(sandbox: control_plane.SandboxState) -> AsyncIterator[Client]:
    async with await Client.connect(str(sandbox.kubeconfig), connections=400) as client:
        yield client


class Flow:
    """Creators that go on whatever they are told: `async with Flow(client, tree) as flow`."""

    CREATORS = 8
    PACE = 0.05

    def __init__(self, client: Client, tree: trees.Tree) -> None:
        self._client = client
        self._tree = tree
        self._told_to_stop = False
        self._tasks: list[asyncio.Task[None]] = []
        self.answers: list[load.Answer] = []

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._creator(i)) for i in range(self.CREATORS)]
        await asyncio.sleep(2.0)
        assert any(answer.admitted for answer in self.answers), load.told(self.answers)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._told_to_stop = True
        await asyncio.gather(*self._tasks)

    async def _creator(self, number: int) -> None:
        namespace = self._tree[WIDE_LEAVES[number % len(WIDE_LEAVES)]]
        serial = 0
        while not self._told_to_stop:
            serial += 1
            name = f"f{number}-{serial}-{time.monotonic_ns()}"
            ask = load.Ask(namespace=namespace, name=name, size=SMALL)
            self.answers.append(await load.create(self._client, ask))
            await asyncio.sleep(self.PACE)

    async def admitted_since(self, moment: float) -> None:
        """Return when something that was asked for after `moment` was admitted."""

        async def so() -> bool:
            return any(answer.admitted and answer.sent > moment for answer in self.answers)

        await trees.eventually(so, what="something is admitted again")
        await asyncio.sleep(1.0)

    def gap(self, since: float) -> float:
        """Return the longest time without an admission that ended after `since`, in seconds."""
        moments = sorted(answer.answered for answer in self.answers if answer.admitted)
        pairs = itertools.pairwise(moments)
        return max(later - earlier for earlier, later in pairs if later > since)


async def leader(client: Client, sandbox: control_plane.SandboxState) -> str:
    """Return which component leads, by the Lease."""
    found: list[str] = []

    async def held() -> bool:
        found[:] = [replicas.holder(sandbox, await lease(client))]
        return bool(found[0])

    await trees.eventually(held, what="somebody leads")
    return found[0]


async def lease(client: Client) -> dict[str, Any]:
    return await client.get(paths.LEASES, "quotatree", namespace=DEFAULT_NAMESPACE)


async def kill(
    sandbox: control_plane.SandboxState, component: str, number: signal.Signals, *, whole: bool
) -> None:
    await asyncio.to_thread(control_plane.kill, sandbox.name, component, number, whole=whole)


async def restart(sandbox: control_plane.SandboxState, component: str) -> None:
    await asyncio.to_thread(control_plane.restart, sandbox.name, component)


# -- killed -----------------------------------------------------------------------------------


async def test_a_killed_leader_lets_nothing_over_and_another_leads_after_the_lease(admin, sandbox):
    tree = await trees.plant(admin, TREE)
    async with Judge(admin, tree) as judge:
        burst = Burst(admin, tree, 0)
        working = asyncio.create_task(burst.run())
        await burst.until(0.1)
        dead, began = await leader(admin, sandbox), time.monotonic()
        await kill(sandbox, dead, signal.SIGKILL, whole=False)
        await working
        await judge.caught_up()
    answered = sorted(a.answered for a in burst.answers if a.admitted)
    gap = max(b - a for a, b in itertools.pairwise(answered) if b > began)
    print(f"time without admissions after a kill: {gap:.2f} s")
    told = load.told(burst.answers)
    assert not judge.overshoots(), told
    assert not await uncounted(admin, tree), told
    assert gap <= LEASE + 2.0
    assert await leader(admin, sandbox) != dead
    await trees.eventually(lambda: recounted(admin, tree), what=f"usage equals a recount: {told}")
    await restart(sandbox, dead)
    await trees.fell(admin, tree)


# -- stopped ----------------------------------------------------------------------------------


async def test_a_rolling_update_costs_two_seconds_at_most(admin, sandbox):
    tree = await trees.plant(admin, WIDE)
    async with Judge(admin, tree) as judge, Flow(admin, tree) as flow:
        for component in state.REPLICAS[:REPLICAS]:
            leads, began = await leader(admin, sandbox) == component, time.monotonic()
            await restart(sandbox, component)
            await flow.admitted_since(time.monotonic())
            gap = flow.gap(began)
            print(f"time without admissions, {'leader' if leads else 'other'}: {gap:.2f} s")
            assert gap <= 2.0, load.told(flow.answers)
            await ready(sandbox, component)
    assert not judge.overshoots()
    assert not await uncounted(admin, tree)
    await trees.fell(admin, tree)


async def test_leaders_that_stop_in_a_burst_hand_over_and_nothing_is_over(admin, sandbox):
    tree = await trees.plant(admin, TREE)
    async with Judge(admin, tree) as judge:
        burst = Burst(admin, tree, 1)
        working = asyncio.create_task(burst.run())
        for share in (0.1, 0.3, 0.5):
            await burst.until(share)
            leads = await leader(admin, sandbox)
            await restart(sandbox, leads)
        await working
        await judge.caught_up()
    told = load.told(burst.answers)
    assert not judge.overshoots(), told
    assert not await uncounted(admin, tree), told
    await trees.eventually(lambda: recounted(admin, tree), what=f"usage equals a recount: {told}")
    await trees.fell(admin, tree)


async def test_a_leader_that_stops_with_nothing_under_way_hands_its_epoch_on(admin, sandbox):
    """Nothing is fenced again, so growth waits for nobody's thousand writes."""
    tree = await trees.plant(admin, WIDE)
    ask = load.Ask(namespace=tree["l1"], name="before", size=SMALL)
    assert (await load.create(admin, ask)).admitted
    before = await epochs(admin, tree)
    leads = await leader(admin, sandbox)
    await restart(sandbox, leads)
    assert await leader(admin, sandbox) != leads
    ask = load.Ask(namespace=tree["r1"], name="after", size=SMALL)

    async def grows() -> bool:
        return (await load.create(admin, ask)).admitted

    await trees.eventually(grows, what="the next leader decides")
    (epoch,) = before.values()
    assert before == {tree["l1"]: epoch}, "nobody else has grown"
    assert await epochs(admin, tree) == {tree["l1"]: epoch, tree["r1"]: epoch}
    annotations = (await lease(admin))["metadata"]["annotations"]
    assert "quotatree.dev/settled" not in annotations
    await trees.fell(admin, tree)


async def epochs(client: Client, tree: trees.Tree) -> dict[str, str]:
    """Return the epochs that the open accounts of a tree carry."""
    found = await trees.managed(client)
    annotations = {name: found[name]["metadata"].get("annotations", {}) for name in tree.parents}
    key = "quotatree.dev/epoch"
    return {name: its[key] for name, its in annotations.items() if key in its}


async def ready(sandbox: control_plane.SandboxState, component: str) -> None:
    """Wait until a replica says that it is ready."""

    async def so() -> bool:
        return await replicas.is_ready(sandbox, component)

    await trees.eventually(so, what=f"{component} is ready")


async def test_status_knows_every_process_and_each_replica_is_ready(admin, sandbox):
    found = await asyncio.to_thread(control_plane.status, sandbox.name)
    running = {one.process.component for one in found.components if one.running}
    assert running >= {*state.REPLICAS[:REPLICAS], state.FRONT}
    for component in state.REPLICAS[:REPLICAS]:
        await ready(sandbox, component)


async def test_a_frozen_replica_that_does_not_lead_is_out_of_the_way_in_three_seconds(
    admin, sandbox
):
    tree = await trees.plant(admin, WIDE)
    leads = await leader(admin, sandbox)
    other = next(it for it in state.REPLICAS[:REPLICAS] if it != leads)
    async with Flow(admin, tree) as flow:
        began = time.monotonic()
        await kill(sandbox, other, signal.SIGSTOP, whole=True)
        await asyncio.sleep(8.0)
        ended = time.monotonic()
        await kill(sandbox, other, signal.SIGCONT, whole=True)
    late = [a for a in flow.answers if began + 3.0 <= a.sent <= ended - 1.0]
    slowest = max(a.answered - a.sent for a in late)
    print(f"time without admissions, other frozen: {flow.gap(began):.2f} s; then {slowest:.2f} s")
    assert all(answer.admitted for answer in late), load.told(late)
    assert slowest < 1.0
    await ready(sandbox, other)
    await trees.fell(admin, tree)


# -- frozen -----------------------------------------------------------------------------------


async def test_a_leader_frozen_for_longer_than_its_lease_grants_nothing_when_it_wakes(
    admin, sandbox
):
    tree = await trees.plant(admin, WIDE)
    leaf = tree["l1"]
    async with Judge(admin, tree) as judge, Flow(admin, tree) as flow:
        old, epoch = await leader(admin, sandbox), (await lease(admin))["spec"]["leaseTransitions"]
        began = time.monotonic()
        await kill(sandbox, old, signal.SIGSTOP, whole=True)
        await asyncio.sleep(LEASE + 3.0)
        await flow.admitted_since(time.monotonic())
        print(f"time without admissions, leader frozen: {flow.gap(began):.2f} s")
        await kill(sandbox, old, signal.SIGCONT, whole=True)
        asked = [
            await replicas.ask_directly(admin, sandbox, old, leaf, pods="100") for _ in range(40)
        ]
        await flow.admitted_since(time.monotonic())
        await judge.caught_up()
    granted = [version for version, allowed in asked if allowed]
    now = (await trees.managed(admin))[leaf]["metadata"]
    assert (await lease(admin))["spec"]["leaseTransitions"] > epoch
    assert await leader(admin, sandbox) != old
    # What it grants on an object that has moved on since cannot be committed.
    assert all(version < int(now["resourceVersion"]) for version in granted), asked
    assert not granted, "it granted on the newest object that there was"
    assert not judge.overshoots()
    await ready(sandbox, old)
    assert not await uncounted(admin, tree)
    await trees.eventually(lambda: recounted(admin, tree), what="usage equals a recount")
    await trees.fell(admin, tree)
