"""Extended resources are used by pods and by claims: who recounts them asks for both."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from tests.service.cluster.scripted import Script

from quotatree.cluster import recount
from quotatree.cluster.client import Client
from quotatree.model.names import Namespace, ResourceName
from quotatree.model.scope import UNSCOPED
from quotatree.units.quantity import NANO

GPU = ResourceName("requests.nvidia.com/gpu")
KEY = (Namespace("a"), UNSCOPED)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
POD = {
    "metadata": {"name": "p", "namespace": "a"},
    "spec": {"containers": [{"name": "c", "resources": {"requests": {"nvidia.com/gpu": "2"}}}]},
}
CLAIM = {
    "metadata": {"name": "c", "namespace": "a"},
    "spec": {
        "devices": {"requests": [{"name": "r", "exactly": {"deviceClassName": "gpu", "count": 3}}]}
    },
}
CLASS = {"metadata": {"name": "gpu"}, "spec": {"extendedResourceName": "nvidia.com/gpu"}}


def page(*items: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"resourceVersion": "7"}, "items": list(items)}


def paths_of(script: Script) -> list[str]:
    return [seen.path.rpartition("/")[2] for seen in script.seen]


async def gpus(api: Client) -> int:
    found = await recount.recount(api, {KEY: (GPU,)}, NOW)
    return found.used[KEY][GPU] // NANO


async def test_a_plan_counts_the_claims_of_a_class_that_stands_for_the_resource(
    api: Client, script: Script
) -> None:
    for found in (page(POD), page(CLAIM), page(CLASS)):
        script.json(found)
    assert await gpus(api) == 5
    assert paths_of(script) == ["pods", "resourceclaims", "deviceclasses"]


async def test_without_claims_nobody_asks_for_classes(api: Client, script: Script) -> None:
    script.json(page(POD))
    script.json(page())
    assert await gpus(api) == 2
    assert paths_of(script) == ["pods", "resourceclaims"]


@pytest.mark.parametrize("status", [403, 404], ids=["forbidden", "not served"])
async def test_where_claims_cannot_be_listed_pods_count(
    api: Client, script: Script, status: int
) -> None:
    script.json(page(POD))
    script.refuse(status)
    assert await gpus(api) == 2
