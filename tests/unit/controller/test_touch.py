"""Touches: one at a time for each object, and an end for what can never be touched."""

import asyncio

from quotatree.cluster.live import Live
from quotatree.controller.errands import Errands
from quotatree.controller.touch import Toucher
from quotatree.model import effect
from quotatree.model.names import Namespace
from quotatree.model.scope import UNSCOPED
from quotatree.testing import words


def living(tree: str) -> Live:
    live = Live(clock=lambda: 0.0)
    live.lead(1)
    words.world(tree, into=live.world)
    return live


async def test_a_touch_that_hangs_is_not_sent_twice_and_holds_nobody_up():
    live = living("org: cpu 9 > a; org > b")
    for name in ("a", "b"):
        key = (Namespace(name), UNSCOPED)
        live.world.ledger.reserve(key, {"cpu": 10**9}, base=10**6, now=0.0)
    touched: list[Namespace] = []

    async def write(what: effect.Effect) -> None:
        assert isinstance(what, effect.PatchManaged)
        touched.append(what.namespace)
        if what.namespace == "a":
            await asyncio.Event().wait()

    async def tick(errands: Errands, now: float) -> None:
        toucher.send(errands, now)
        for _ in range(5):
            await asyncio.sleep(0)

    toucher = Toucher(live, write)
    async with asyncio.TaskGroup() as group:
        errands = Errands(group, most=8)
        work = group.create_task(asyncio.sleep(0))
        await work
        for now in (1.0, 2.0, 3.0):
            await asyncio.wait_for(tick(errands, now), timeout=1)
        assert sorted(touched) == ["a", "b", "b", "b"]
        for task in asyncio.all_tasks():
            if task is not asyncio.current_task() and task.get_name().startswith("errand"):
                task.cancel()


def given_up(live: Live, *moments: float) -> list[bool]:
    """Whether no creation is waited for any more after each of these ticks."""
    toucher = Toucher(live, lambda _: asyncio.sleep(0))
    seen = []
    for now in moments:
        toucher.send(None, now)  # nothing is sent off for what does not exist
        seen.append(not live.world.ledger.moves)
    return seen


def awaiting() -> Live:
    live = living("org: cpu 9; new > a: holds cpu 1")
    live.world.lose_namespace(Namespace("new"), 1000)
    return live


def expected(live: Live, *, now: float) -> None:
    live.world.ledger.moves.reserve(Namespace("new"), Namespace("org"), base=0, now=now)


def test_a_creation_is_waited_for_as_long_as_the_api_server_may_take():
    live = awaiting()
    expected(live, now=0.0)
    moments = [float(second) for second in range(1, 44)]
    want = [now >= live.world.ledger.timing.lost_after for now in moments]
    assert given_up(live, *moments) == want
    assert any(want)


def test_a_second_creation_of_the_same_name_has_a_time_of_its_own():
    live = awaiting()
    expected(live, now=0.0)
    expected(live, now=30.0)
    seen = given_up(live, *(float(second) for second in range(1, 72)))
    assert seen.index(True) + 1 == 30 + live.world.ledger.timing.lost_after
