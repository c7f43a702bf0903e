"""Writes of slices: decided anew on what beat them, and left for later where that is no use."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from quotatree.cluster.live import Live
from quotatree.cluster.opener import Opener
from quotatree.controller.errands import Errands
from quotatree.controller.slicer import MOST_TRIES, Slicer
from quotatree.engine.slices import SliceSettings
from quotatree.errors import ClusterError
from quotatree.model import effect
from quotatree.model.names import Namespace
from quotatree.model.scope import UNSCOPED
from quotatree.testing import words
from quotatree.units.resources import Resources

A = Namespace("a")


class Cluster:
    """The managed ResourceQuota of `a`; a write to an old one loses, or is answered `status`."""

    def __init__(self, live: Live, *, status: int = 409, grows: int = 0) -> None:
        self.live, self.status, self.grows = live, status, grows
        self.asked: list[effect.WriteSlice] = []
        self.version = live.world.managed[A]["quotatree"].resource_version

    async def apply(self, what: effect.Effect) -> dict[str, Any]:
        assert isinstance(what, effect.WriteSlice)
        self.asked.append(what)
        if self.grows:
            self.grows -= 1
            self.version += 1
        if what.resource_version != self.version:
            raise ClusterError("lost", status=self.status)
        self.version += 1
        known = self.live.world.managed[A]["quotatree"]
        self.live.world.see_managed(replace(known, resource_version=self.version, slice=what.slice))
        return {}

    async def confirm(self) -> bool:
        return True

    async def find(self, _kind: object, name: str, *, namespace: str) -> dict[str, Any]:
        metadata = {
            "name": name,
            "namespace": namespace,
            "uid": f"uid-managed-{namespace}",
            "resourceVersion": str(self.version),
            "annotations": {"quotatree.dev/epoch": "1", "quotatree.dev/ready": "true"},
        }
        return {"metadata": metadata, "status": {"used": {"cpu": "2"}}}


async def written(cluster: Cluster) -> str:
    """Let `a` be offered a slice, and return the one it has when all is written."""
    live = cluster.live
    live.world.ledger.lessor.asked(
        (A, UNSCOPED), Resources(), Resources.parse({"cpu": "1"}), now=0.0
    )
    opener = Opener(live, cluster.apply, cluster.confirm)
    slicer = Slicer(cluster, live, cluster.apply, opener=opener)  # type: ignore[arg-type]
    async with asyncio.TaskGroup() as group:
        slicer.send(Errands(group, most=8), 1.0)
    return str(live.world.managed[A]["quotatree"].slice)


def living() -> Live:
    live = Live(clock=lambda: 1.0, slices=SliceSettings(enabled=True))
    live.lead(1)
    words.world("org: cpu 100 > a: holds cpu 1", into=live.world)
    return live


async def test_a_write_that_lost_is_decided_anew_on_what_it_lost_to() -> None:
    cluster = Cluster(living(), grows=2)
    first = cluster.version
    assert await written(cluster) == "cpu=6"
    assert [(what.resource_version, str(what.slice)) for what in cluster.asked] == [
        (first, "cpu=5"),
        (first + 1, "cpu=6"),
        (first + 2, "cpu=6"),
    ]


@pytest.mark.parametrize(
    ("status", "grows", "tries"),
    [
        pytest.param(409, 99, MOST_TRIES, id="always beaten"),
        pytest.param(404, 1, 1, id="no such quota"),
        pytest.param(500, 1, 1, id="refused"),
    ],
)
async def test_what_cannot_be_written_is_left_for_later(
    status: int, grows: int, tries: int
) -> None:
    cluster = Cluster(living(), status=status, grows=grows)
    assert await written(cluster) == ""
    assert len(cluster.asked) == tries
