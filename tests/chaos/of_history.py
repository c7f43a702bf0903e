"""Faults of the history: watches that cannot go on, full lists, and very much at once.

A flood alone closes no watch with 410: watch caches grow until they hold 75 s of changes
(`DefaultEventFreshDuration` in apiserver's `pkg/storage/cacher`).
"""

import asyncio
import random
import time

from tests.chaos.faults import fault
from tests.chaos.stage import Stage
from tests.chaos.store import PODS

from quotatree.sandbox import state

EVENTS = 10_000
WRITERS = 16


@fault("flood-behind-a-stall")
async def flood_behind_a_stall(stage: Stage, chance: random.Random) -> str:
    """The leader's link stands while 10,000 pods change; then its connections are reset."""
    leads = await stage.leader()
    since = stage.log(leads)
    await stage.tell(leads, mode="stall")
    try:
        await flood(stage, EVENTS)
        await stage.tell(leads, cut="reset")
    finally:
        await stage.tell(leads, mode="pass")
    await asyncio.sleep(3.0)
    return f"{leads}, listed again {stage.said(leads, since, 'listing again')} times"


@fault("compacted")
async def compacted(stage: Stage, chance: random.Random) -> str:
    """etcd forgets its history, both API servers are restarted: 410, and all list everything."""
    leads = await stage.leader()
    since = stage.log(leads)
    await stage.history.caught_up()
    await stage.store.compact(await stage.store.revision() - 1)
    for server in state.API_SERVERS[:2]:
        await stage.start(server)
    await asyncio.sleep(3.0)
    return f"{leads}, listed again {stage.said(leads, since, 'listing again')} times"


@fault("ten-thousand-events")
async def ten_thousand_events(stage: Stage, chance: random.Random) -> str:
    """10,000 changes of pods of the tree, as fast as the store takes them."""
    seconds = await flood(stage, EVENTS)
    return f"{EVENTS:,} changes in {seconds:.1f} s"


async def flood(stage: Stage, count: int) -> float:
    """Write the still pods of the tree again and again; return how many seconds that took.

    A write of the store itself is a change like any other to whoever watches.
    """
    prefix = PODS + f"{stage.still}/".encode()
    pods, _ = await stage.store.read(prefix)
    assert pods, "there are no still pods"
    left = iter(range(count))
    began = time.monotonic()

    async def writer() -> None:
        for number in left:
            pod = pods[number % len(pods)]
            assert pod.value is not None
            await stage.store.write(pod.key, pod.value)

    await asyncio.gather(*(writer() for _ in range(WRITERS)))
    return time.monotonic() - began
