"""The watches of counted kinds into the account: changes in, old claims looked after."""

import asyncio
import re
from dataclasses import replace
from typing import Any

from quotatree.cluster.live import Live
from quotatree.cluster.reflector import Changed, Deleted, Forbidden, Listed, Progress
from quotatree.codec import sightings
from quotatree.controller.errands import Errands
from quotatree.controller.events import Recorder
from quotatree.controller.objects import Objects
from quotatree.engine.claims import Claim
from quotatree.engine.tally import Tally
from quotatree.model.names import Namespace
from quotatree.testing import words
from quotatree.units.resources import Resources

A = Namespace("a")
ORG = "org: pods 9 > a: holds pods 2"


class Group:
    """Begins no watch, and remembers which there would be."""

    def __init__(self) -> None:
        self.begun: list[str] = []

    def create_task(self, work, name):
        work.close()
        self.begun.append(name)


class Silent:
    """There is no API server that could be asked for a heartbeat."""

    servers = ()


class Cluster:
    """Has these pods, and remembers where they were asked for."""

    def __init__(self, *pods: dict[str, Any]) -> None:
        self.pods = pods
        self.asked: list[str | None] = []

    async def list_all(self, kind, *, namespace, each):
        self.asked.append(namespace)
        return list(map(each, self.pods)) if kind.plural == "pods" else [], 99


def pod(name: str, version: int) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "a", "uid": name, "resourceVersion": str(version)}
    return {"metadata": metadata, "spec": {"containers": [{"name": "c"}]}}


def ground(cluster: Cluster, *, now: float = 0.0) -> tuple[Live, Recorder, Objects]:
    live = Live(clock=lambda: now)
    words.world(ORG, into=live.world)
    recorder = Recorder(live.world, repeat_after=1.0)
    return (
        live,
        recorder,
        Objects(
            cluster, live, recorder, heartbeat=Silent(), wall=lambda: now, replan=lambda _: None
        ),
    )


def seen(live: Live) -> int:
    return live.world.ledger.truth.census.sums((A, ())).get("pods", 0) // 10**9


async def test_what_is_listed_changed_and_deleted_is_counted():
    live, _, objects = ground(Cluster())
    first = [sightings.parse("pods", pod(name, 10), shift=0.0) for name in ("p1", "p2")]
    counts = []
    for change in (
        Listed(items=tuple(first), resource_version=20),
        Changed(object=pod("p3", 21), resource_version=21),
        Changed(object=pod("p3", 22), resource_version=22),
        Progress(resource_version=30),
        Deleted(object=pod("p1", 31), resource_version=31),
        Listed(items=(), resource_version=40),
    ):
        await objects.take("pods", change)
        counts.append(seen(live))
    assert counts == [2, 3, 3, 3, 2, 0]


async def test_a_kind_that_may_not_be_read_any_more_is_as_if_it_were_not_watched(caplog):
    """Pods that go unseen would else hold their room for ever."""
    live, _, objects = ground(Cluster())
    ledger = live.world.ledger
    pods = [sightings.parse("pods", pod(name, 10), shift=0.0) for name in ("p1", "p2")]
    known = live.world.managed[A]["quotatree"]
    fewer = replace(known, used=Resources.parse({"pods": "1"}))
    held = []
    for step, change in enumerate(
        (
            Listed(items=tuple(pods), resource_version=20),
            Forbidden(),
            Listed(items=tuple(pods), resource_version=90),
        )
    ):
        await objects.take("pods", change)
        live.world.see_managed(replace(fewer, resource_version=known.resource_version + 1 + step))
        held.append(ledger.forest.node(A).book(()).held["pods"] // 10**9)
    assert held == [2, 1, 2]
    assert "pods may not be read any more" in caplog.text


async def test_what_is_said_of_a_pod_that_has_ended_is_no_growth():
    """Else it would take the claim of a pod that is still to come."""
    live, _, objects = ground(Cluster(), now=100.0)
    ended = pod("old", 10)
    ended["metadata"] |= {
        "deletionTimestamp": "1970-01-01T00:00:10Z",
        "deletionGracePeriodSeconds": 0,
        "finalizers": ["example.com/kept"],
    }
    await objects.take("pods", Changed(object=ended, resource_version=10))
    ended["metadata"]["resourceVersion"] = "11"
    await objects.take("pods", Changed(object=ended, resource_version=11))
    assert seen(live) == 0


async def test_only_kinds_that_a_tree_limits_are_watched_and_each_once():
    live, _, objects = ground(Cluster())
    group = Group()
    objects.begin(group)
    objects.follow()
    live.world.see_quota(words.quota("a", hard={"services": "1", "requests.cpu": "1"}))
    objects.follow()
    assert group.begun == ["watch pods", "watch services"]


async def test_an_old_claim_lapses_after_a_live_read_and_that_is_said():
    cluster = Cluster(pod("p1", 10))
    live, recorder, objects = ground(cluster, now=100.0)
    objects.begin(Group())
    objects.follow()
    await objects.take("pods", Listed(items=(), resource_version=20))
    account = live.world.ledger.account(A, ())
    account.claims = [Claim(amounts={"pods": 2 * 10**9}, since=0.0)]
    async with asyncio.TaskGroup() as group:
        objects.pass_time(Errands(group, most=1), 100.0)
    assert cluster.asked == ["a"]
    assert not account.claims
    assert [event.reason for event in recorder.take(100.0)] == ["UsageCorrected"]


async def test_a_claim_stays_while_the_watch_has_yet_to_tell_of_an_object():
    live, recorder, objects = ground(Cluster(pod("p1", 21)), now=100.0)
    objects.begin(Group())
    objects.follow()
    await objects.take("pods", Listed(items=(), resource_version=20))
    account = live.world.ledger.account(A, ())
    account.claims = [Claim(amounts={"pods": 2 * 10**9}, since=0.0)]
    async with asyncio.TaskGroup() as group:
        objects.pass_time(Errands(group, most=1), 100.0)
    assert account.claims
    assert recorder.take(100.0) == []


async def test_drift_is_counted_once_however_often_it_is_looked_at():
    live, _, objects = ground(Cluster())
    counted = []
    for low, high, late in ((2, 1, 0), (2, 1, 0), (3, 4, 1)):
        drift = live.world.ledger.truth.drift
        drift.low, drift.high, drift.late = low, high, late
        objects.report()
        text = objects.metrics.text(Tally(), leads=True, loaded=True).decode()
        found = re.findall(r"^quotatree_(?:drift|phantoms_\w+)_total\S* (\d+)", text, re.MULTILINE)
        counted.append([int(value) for value in found])
    assert counted == [[2, 1, 0], [2, 1, 0], [3, 4, 1]]


async def test_each_list_of_a_kind_is_counted():
    _, _, objects = ground(Cluster())
    for version in (20, 40):
        await objects.take("pods", Listed(items=(), resource_version=version))
    text = objects.metrics.text(Tally(), leads=True, loaded=True).decode()
    assert 'quotatree_watch_lists_total{resource="pods"} 2.0' in text
