"""Counting for TreeQuotas that only observe, against a scripted server: gently, and never in the
way."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.service.cluster.scripted import Script

from quotatree.cluster.client import Client
from quotatree.cluster.live import Live
from quotatree.controller import observer
from quotatree.controller.due import Due
from quotatree.controller.events import Recorder
from quotatree.controller.observer import Observer
from quotatree.engine import tally
from quotatree.errors import ClusterError
from quotatree.metrics import Metrics
from quotatree.model.names import Namespace, QuotaName, ResourceName
from quotatree.model.quota import Mode
from quotatree.model.scope import UNSCOPED
from quotatree.settings import LoopSettings
from quotatree.testing import words
from quotatree.units.quantity import NANO

KEY = (Namespace("org"), QuotaName("quota"))
PACE = LoopSettings(observe_page=2, observe_pause=0.0)


def pods(*namespaces: str, more: str = "") -> dict[str, Any]:
    """Return a page of a list."""
    items = [{"metadata": {"name": f"p{i}", "namespace": n}} for i, n in enumerate(namespaces)]
    return {"metadata": {"resourceVersion": "7", "continue": more}, "items": items}


class Bench:
    """An observer of `org > a; org > b` that observes two pods, and whom it tells."""

    def __init__(self, api: Client, **hard: str) -> None:
        self.now = 100.0
        self.live = Live(clock=lambda: self.now)
        self.world = self.live.world
        words.world("org > a; org > b", into=self.world)
        self.recorder = Recorder(self.world, repeat_after=0.0)
        self.due = Due(self.world.ledger.forest, bears=self.world.limits.bears)
        self.metrics = Metrics()
        self.observer = Observer(
            api, self.live, settings=PACE, wall=lambda: 0.0, metrics=self.metrics
        )
        quota = words.quota("org", hard=hard or {"pods": "2"})
        self.world.see_quota(replace(quota, mode=Mode.OBSERVE))

    async def count(self) -> dict[str, int]:
        """Count once; returns the usage."""
        await self.observer.count(self.recorder, self.due)
        return dict(self.world.sights[KEY].used)


def empty(script: Script, times: int) -> None:
    for _ in range(times):
        script.json(pods())


async def test_every_namespace_below_is_read_page_by_page(api: Client, script: Script) -> None:
    bench = Bench(api)
    script.json(pods("a", "a", more="next"))
    script.json(pods("a"))
    script.json(pods("b"))
    script.json(pods())
    assert await bench.count() == {"pods": 4 * NANO}
    assert [seen.path for seen in script.seen] == [
        f"/api/v1/namespaces/{name}/pods" for name in ("a", "a", "b", "org")
    ]
    assert [seen.query.get("limit") for seen in script.seen] == ["2"] * 4
    assert script.seen[1].query["continue"] == "next"
    assert "org" in bench.due.take(0)


async def test_a_moment_that_is_too_long_ago_is_read_anew_and_nothing_counts_twice(
    api: Client, script: Script
) -> None:
    bench = Bench(api)
    script.json(pods("a", "a", more="next"))
    script.refuse(410, "Expired")
    script.json(pods("a"))
    empty(script, 2)
    assert await bench.count() == {"pods": NANO}


async def test_growth_beyond_the_limit_is_told_to_both_sides(api: Client, script: Script) -> None:
    bench = Bench(api)
    empty(script, 3)
    await bench.count()
    assert not bench.recorder.take(0.0)
    script.json(pods("a", "a", "a"))
    empty(script, 2)
    await bench.count()
    said = {(e.namespace, e.kind, e.reason): e.message for e in bench.recorder.take(0.0)}
    assert said == {
        ("org", "TreeQuota", "WouldRefuse"): "pods: charged 3, hard 2; grown since the last count: "
        "a by 3; 1 of it would have been refused",
        ("a", "ResourceQuota", "WouldExceedTreeQuota"): "enforced, growth would have been refused "
        "by org: pods",
    }
    text = bench.metrics.text(tally.of(bench.world), leads=True, loaded=True).decode()
    assert 'quotatree_would_refuse_total{tree="org"} 1.0' in text
    assert "quotatree_observed_over 1.0" in text


async def test_what_may_not_be_listed_is_named_and_the_rest_is_counted(
    api: Client, script: Script
) -> None:
    bench = Bench(api, **{"pods": "2", "count/secrets": "1"})
    script.json(pods("a"))
    empty(script, 2)
    script.refuse(403)
    assert await bench.count() == {"pods": NANO}
    why = bench.world.sights[KEY].uncounted
    assert why == {"count/secrets": "quotatree may not list secrets"}


async def test_a_count_that_fails_leaves_the_figures_as_they_were(
    api: Client, script: Script
) -> None:
    bench = Bench(api)
    script.json(pods("a"))
    empty(script, 2)
    await bench.count()
    script.refuse(400)
    with pytest.raises(ClusterError):
        await bench.count()
    assert bench.world.sights[KEY].used == {"pods": NANO}


async def test_it_counts_when_there_is_news_and_then_only_now_and_then(
    api: Client, script: Script
) -> None:
    bench = Bench(api)
    assert bench.observer.is_due()
    empty(script, 3)
    await bench.count()
    bench.observer.rest(1.0, failed=False)
    assert not bench.observer.is_due()
    bench.now += PACE.observe_every
    assert bench.observer.is_due()
    bench.observer.rest(1.0, failed=False)
    (known,) = bench.world.limits.observing()
    bench.world.see_quota(replace(known, generation=2, hard=known.hard + known.hard))
    assert bench.observer.is_due()
    bench.observer.rest(1.0, failed=True)
    assert not bench.observer.is_due()
    bench.world.lose_quota(known)
    bench.now += PACE.observe_every
    assert not bench.observer.is_due()


async def test_the_longer_a_count_takes_the_longer_is_the_rest_after_it(api: Client) -> None:
    bench = Bench(api)
    bench.observer.rest(PACE.observe_every, failed=True)
    bench.now += 3 * PACE.observe_every
    assert not bench.observer.is_due()
    bench.now += PACE.observe_every
    assert bench.observer.is_due()


def test_custom_kinds_are_not_counted_and_said_so() -> None:
    name = ResourceName("count/widgets.example.com")
    wanted = {(Namespace("org"), UNSCOPED): (name, ResourceName("pods"))}
    assert observer.uncounted(wanted, ()) == {name: "custom kinds are not counted"}
