"""Capacity returns: what one branch gives back, another one can use."""

import asyncio
import time

import pytest
from tests.cluster.harness import load, trees
from tests.cluster.harness.judge import Judge
from tests.cluster.harness.rounds import ROUNDS

from quotatree.cluster.client import Client
from quotatree.units.resources import Resources

pytestmark = [pytest.mark.cluster, pytest.mark.alone, pytest.mark.timeout(600)]

SIZE = Resources.parse({"cpu": "100m"})
FULL = 20
FREED_WITHIN = 10.0
"""Seconds after the recount in which the room has to be usable: ten times the bar."""


def some(namespace: str, name: str, count: int) -> list[load.Ask]:
    return [
        load.Ask(namespace=trees.Namespace(namespace), name=f"{name}-{i}", size=SIZE)
        for i in range(count)
    ]


async def test_room_freed_in_one_branch_is_used_in_another(admin: Client) -> None:
    tree = await trees.plant(admin, "org: cpu 2, pods 1000 > left > a; org > right > b")
    a, b = tree["a"], tree["b"]
    for number in range(ROUNDS):
        filled = await load.burst(admin, some(a, f"a{number}", FULL), creators=FULL)
        assert all(answer.admitted for answer in filled), load.told(filled)
        async with Judge(admin, tree) as judge:
            # The other branch is pressing, so that its quota is tightened when room comes back.
            pressing = await load.burst(admin, some(b, f"b{number}", 10), creators=10)
            assert all(answer.refused for answer in pressing), load.told(pressing)
            await trees.delete_pods(admin, a)
            await trees.eventually(lambda: empty(judge, a), what="the recount of the freed branch")
            recounted = judge.commits[-1].received
            first = await until_admitted(admin, b, number)
            assert first.answered - recounted < FREED_WITHIN
            after = await load.burst(admin, some(b, f"c{number}", FULL + 9), creators=FULL + 9)
            await judge.caught_up()
            told = load.told(after)
            assert sum(answer.admitted for answer in after) == FULL - 1, told
            assert not judge.overshoots(), told
            assert not judge.wrong_refusals(after), told
        await trees.clear(admin, tree, "b")
    await trees.fell(admin, tree)


async def empty(judge: Judge, namespace: trees.Namespace) -> bool:
    return not any(judge.final()[namespace].nanos().values())


async def until_admitted(client: Client, namespace: trees.Namespace, number: int) -> load.Answer:
    """Ask again and again, as a controller does, and return the answer that says yes."""
    end = time.monotonic() + trees.HANG
    for i in range(10**6):
        answer = await load.create(client, some(namespace, f"d{number}-{i}", 1)[0])
        if answer.admitted:
            return answer
        assert answer.refused, answer
        assert time.monotonic() < end, "freed room was never usable"
        await asyncio.sleep(0.02)
    raise AssertionError
