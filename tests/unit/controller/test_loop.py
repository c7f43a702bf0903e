"""The loop's own errands, beside those that have the names of namespaces."""

import asyncio
from dataclasses import replace

import pytest

from quotatree.cluster.live import Live
from quotatree.controller.errands import Errands
from quotatree.controller.loop import Controller, EpochPassedError
from quotatree.model.names import Namespace
from quotatree.settings import LoopSettings
from quotatree.testing import words


class Cluster:
    """Has nothing, and remembers what it was asked for."""

    def __init__(self):
        self.asked = []

    async def find(self, _kind, name):
        self.asked.append(name)


async def leads():
    return True


async def test_no_name_of_a_namespace_keeps_quotas_that_went_from_being_looked_after():
    live, cluster = Live(clock=lambda: 0.0), Cluster()
    live.loaded = True
    loop = Controller(
        cluster, live, settings=LoopSettings(), heartbeat=None, wall=lambda: 0.0, confirm=leads
    )
    gone = words.quota("org", hard={"cpu": "1"})
    loop.intake.departed[gone.key] = gone
    end = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        errands = Errands(group, most=8)
        errands.send(Namespace("departed"), end.wait)
        await loop._tick(errands)
        await asyncio.sleep(0)
        end.set()
    assert cluster.asked == ["treequotas.quotatree.dev"]


@pytest.mark.parametrize(("carried", "want"), [(4, True), (5, False), (6, False)])
async def test_nobody_decides_who_finds_an_epoch_that_is_not_below_its_own(carried, want):
    live = Live(clock=lambda: 0.0)
    live.lead(5)
    quota = words.managed(live.world, "a", used={}, version=1)
    live.world.see_managed(replace(quota, epoch=carried))
    loop = Controller(
        Cluster(), live, settings=LoopSettings(), heartbeat=None, wall=lambda: 0.0, confirm=leads
    )
    loop._unlisted.clear()
    if want:
        await loop._load_perhaps()
    else:
        with pytest.raises(EpochPassedError, match="ours is 5"):
            await loop._load_perhaps()
    assert live.loaded == want
