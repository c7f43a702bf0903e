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
from quotatree.errors import ClusterError
from quotatree.testing import words


@dataclass
class Elector:
    """Wins each time, with a higher epoch."""

    calls: list[str] = field(default_factory=list)
    epoch: int = 0

    async def acquire(self, *, above: int) -> int:
        self.calls.append(f"acquire above {above}")
        self.epoch = max(self.epoch, above) + 1
        return self.epoch

    async def release(self) -> None:
        self.calls.append("release")


@dataclass
class Api:
    """Lists ResourceQuotas; an error is raised instead."""

    answers: list[int | ClusterError]

    async def list_all(self, _kind: object) -> tuple[list[dict[str, object]], int]:
        answer = self.answers.pop(0)
        if isinstance(answer, ClusterError):
            raise answer
        annotations = {"quotatree.dev/epoch": str(answer)}
        metadata = {"name": "quotatree", "namespace": "a", "annotations": annotations}
        return [{"metadata": metadata}], 1


AWAY = ClusterError("cannot be reached", status=0)


@pytest.mark.parametrize(
    ("answers", "want_epoch", "want_calls"),
    [
        ([0], 1, ["acquire above 0"]),
        ([7, 7], 8, ["acquire above 0", "release", "acquire above 7"]),
        ([AWAY, 0], 2, ["acquire above 0", "release", "acquire above 0"]),
        ([7, AWAY, 7], 9, ["acquire above 0", "release", "acquire above 7", "release"]),
    ],
    ids=["at once", "epochs of another cluster", "the API server is away", "both"],
)
async def test_a_leader_has_an_epoch_above_all_that_are_written(
    monkeypatch, answers, want_epoch, want_calls
):
    monkeypatch.setattr(app, "AGAIN_AFTER", 0.0)
    elector = Elector()
    parts = SimpleNamespace(elector=elector, client=Api(answers))
    assert await app._win(parts) == want_epoch
    assert elector.calls[: len(want_calls)] == want_calls


async def test_work_that_is_told_to_stop_ends_its_own_way():
    ended = []

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(True)

    asyncio.get_running_loop().call_later(0.05, os.kill, os.getpid(), signal.SIGTERM)
    await app._until_told(work())
    assert ended


async def test_an_error_of_the_work_is_not_taken_for_an_order_to_stop():
    async def work() -> None:
        raise AWAY

    with pytest.raises(ClusterError, match="cannot be reached"):
        await app._until_told(work())


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
