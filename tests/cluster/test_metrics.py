"""`/metrics` of a controller at work, read over its webhook's port."""

from __future__ import annotations

import ssl
import urllib.request

import pytest
from prometheus_client import parser
from tests.cluster.harness.trees import plant
from tests.cluster.lifecycle_fixtures import fill, grow

pytestmark = pytest.mark.cluster


def metrics(sandbox):
    trust = ssl._create_unverified_context()  # the authority is a Secret of the controller's
    with urllib.request.urlopen(f"{sandbox.webhook_url}/metrics", context=trust) as answer:
        text = answer.read().decode()
    return {
        (sample.name.removeprefix("quotatree_"), *sample.labels.values()): sample.value
        for family in parser.text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_what_a_controller_does_is_counted(tree_sandbox, admin):
    before = metrics(tree_sandbox)
    tree = await plant(admin, "org: pods 2 > a; org > b")
    await fill(admin, tree["a"], "a1", "a2")
    assert not (await grow(admin, tree["b"], "b1")).admitted
    after = metrics(tree_sandbox)

    def more(*key: str) -> float:
        return after.get(key, 0.0) - before.get(key, 0.0)

    assert more("reviews_total", "admit", "", "usage") >= 1
    assert more("refusals_total", tree["org"]) >= 1
    assert more("decision_seconds_count", "usage") >= 2
    assert more("acceptor_review_seconds_count", "own") >= 2
    assert more("writes_total", "managed-create", "done") == 3
    assert more("watch_lag_seconds_count", "resourcequotas") >= 3
    assert after["watch_lists_total", "pods"] >= 1
    assert (after["leader",], after["decider_up",], after["fenced_ratio",]) == (1, 1, 1)
    assert after["epoch",] > 0
    assert after["process_resident_memory_bytes",] > 10**7
