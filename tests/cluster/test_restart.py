"""Restart: quotatree is killed in the middle of a burst, and nothing goes over or is lost."""

import asyncio

import pytest
from tests.cluster.harness import load, trees
from tests.cluster.harness.bursts import ASKS, TREE, Burst, recounted, uncounted
from tests.cluster.harness.judge import Judge
from tests.cluster.harness.rounds import ROUNDS

from quotatree import sandbox as control_plane
from quotatree.cluster.client import Client

pytestmark = [pytest.mark.cluster, pytest.mark.alone, pytest.mark.timeout(600)]


async def test_a_kill_in_the_middle_of_a_burst_lets_nothing_over_and_loses_nothing(
    admin: Client, tree_sandbox: control_plane.SandboxState
) -> None:
    tree = await trees.plant(admin, TREE)
    name = tree_sandbox.name
    for number in range(ROUNDS):
        async with Judge(admin, tree) as judge:
            burst = Burst(admin, tree, number)
            working = asyncio.create_task(burst.run())
            await burst.until(0.1)
            await asyncio.to_thread(control_plane.kill, name, "quotatree")
            await asyncio.sleep(0.3)
            await asyncio.to_thread(control_plane.restart, name, "quotatree")
            await working
            await judge.caught_up()
            told = load.told(burst.answers)
            assert burst.unanswered, "the kill came after the burst"
            assert not judge.overshoots(), told
        admitted = sum(answer.admitted for answer in burst.answers)
        refused = sum(answer.refused for answer in burst.answers)
        assert min(admitted, refused) >= ASKS / 5, told
        assert not await uncounted(admin, tree), told
        await trees.eventually(
            lambda: recounted(admin, tree), what=f"usage equals a recount: {told}"
        )
        await trees.clear(admin, tree)
    await trees.fell(admin, tree)
