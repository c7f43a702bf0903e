"""The terms of one replica: what ends them, and what does not."""

import asyncio
import os
import signal
import time
from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import pytest

from quotatree import app
from quotatree.cluster.live import Live
from quotatree.controller.loop import EpochPassedError
from quotatree.errors import ClusterError
from quotatree.testing import words

AWAY = ClusterError("cannot be reached", status=0)


@dataclass
class Elector:
    """Wins each time, with a higher epoch."""

    calls: list[str] = field(default_factory=list)
    epoch: int | None = 0
    continues: bool = False

    async def acquire(self, *, above: int) -> int:
        self.calls.append(f"acquire above {above}")
        self.epoch = max(self.epoch or 0, above) + 1
        return self.epoch

    async def confirm(self) -> bool:
        return True

    async def renew(self) -> None:
        await asyncio.sleep(60)

    async def release(self, *, settled: bool = False) -> None:
        self.calls.append("release, settled" if settled else "release")


class Loop:
    """Lists what carries epoch 7, and leads with a greater one only."""

    def __init__(self, _client, live, **_):
        self.live = live
        self.recorder = self.queue = SimpleNamespace(add=None)
        self.apply = self.opener = None

    async def run(self) -> None:
        world = self.live.world
        world.see_managed(replace(words.managed(world, "a", used={}, version=1), epoch=7))
        if world.ledger.epoch <= 7:
            raise EpochPassedError("there is epoch 7 already")
        raise app._LeaseLostError


def a_replica(elector: Elector) -> SimpleNamespace:
    return SimpleNamespace(
        client=None,
        elector=elector,
        settings=SimpleNamespace(timing=None, slices=None, loop=None, pod=None),
        answers=SimpleNamespace(desk=None),
        heartbeat=None,
        metrics=None,
        told=asyncio.Event(),
    )


@pytest.mark.parametrize("settled", [True, False])
async def test_who_is_told_to_stop_hands_its_epoch_on_if_nothing_is_under_way(monkeypatch, settled):
    class Ends(Loop):
        async def run(self) -> None:
            await asyncio.sleep(60)

        async def end(self) -> bool:
            return settled

    monkeypatch.setattr(app, "Controller", Ends)
    monkeypatch.setattr(app, "_direct", lambda _: None)
    elector = Elector()
    replica = a_replica(elector)
    asyncio.get_running_loop().call_later(0.05, replica.told.set)
    await app._term(replica, 0)
    assert elector.calls == ["acquire above 0", "release, settled" if settled else "release"]


async def test_a_leader_has_an_epoch_above_all_that_are_written(monkeypatch):
    """One that another cluster's backup brought shows only when everything was listed."""
    monkeypatch.setattr(app, "Controller", Loop)
    monkeypatch.setattr(app, "_direct", lambda _: None)
    elector = Elector()
    replica = a_replica(elector)
    above = await app._term(replica, 0)
    assert await app._term(replica, above) == 7
    assert elector.calls == ["acquire above 0", "release", "acquire above 7", "release"]
    assert elector.epoch == 8


async def test_who_leads_ends_its_term_when_told_to_stop():
    replica = a_replica(Elector(epoch=1))
    ended = []

    async def work() -> None:
        await replica.told.wait()
        ended.append(True)
        async with asyncio.TaskGroup():
            raise app._ToldToStopError

    asyncio.get_running_loop().call_later(0.05, os.kill, os.getpid(), signal.SIGTERM)
    await app._until_told(replica, work())
    assert ended


@pytest.mark.parametrize(("epoch", "times"), [(None, 1), (1, 2)], ids=["follows", "told twice"])
async def test_work_with_nothing_to_hand_over_is_cancelled(epoch, times):
    replica = a_replica(Elector(epoch=epoch))
    ended = []

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(True)

    for number in range(times):
        delay = 0.05 * (number + 1)
        asyncio.get_running_loop().call_later(delay, os.kill, os.getpid(), signal.SIGTERM)
    await app._until_told(replica, work())
    assert ended


async def test_an_error_of_the_work_is_not_taken_for_an_order_to_stop():
    async def work() -> None:
        raise AWAY

    with pytest.raises(ClusterError, match="cannot be reached"):
        await app._until_told(a_replica(Elector()), work())


@pytest.mark.parametrize(
    ("epoch", "leader", "want"),
    [
        (3, None, {"here": True, "leader": ""}),
        (
            None,
            SimpleNamespace(address="https://b:9443"),
            {"here": False, "leader": "https://b:9443"},
        ),
        (None, None, {"here": False, "leader": ""}),
        (None, SimpleNamespace(address=""), {"here": False, "leader": ""}),
    ],
    ids=["we lead", "another leads", "nobody leads", "another leads, nobody knows where"],
)
def test_the_acceptor_is_told_whom_to_ask(epoch, leader, want):
    told: list[dict[str, object]] = []
    counter = SimpleNamespace(tell=lambda **what: told.append(what))
    app._direct(
        SimpleNamespace(
            elector=SimpleNamespace(epoch=epoch, leader=leader),
            front=SimpleNamespace(counter=counter),
        )
    )
    assert told == [want]


async def test_a_leader_that_sees_a_later_epoch_than_its_own_steps_down(monkeypatch):
    """Else the tree of that object would wait until somebody else leads."""
    monkeypatch.setattr(app, "OUTLIVED_LOOK", 0.01)
    live = Live(clock=time.monotonic)
    live.lead(7)
    watching = asyncio.create_task(app._until_outlived(live))
    ours = words.managed(live.world, "a", used={}, version=1)
    live.world.see_managed(ours)
    await asyncio.sleep(0.05)
    assert not watching.done()
    live.world.see_managed(replace(ours, epoch=8, resource_version=2))
    live.world.see_managed(replace(ours, resource_version=3))
    with pytest.raises(app._LeaseLostError):
        await watching
