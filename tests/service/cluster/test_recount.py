"""Counting what nobody measured, against a scripted server: what it refuses is not passed over."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from tests.service.cluster.scripted import Script

from quotatree.cluster import recount
from quotatree.cluster.client import Client
from quotatree.errors import ClusterError
from quotatree.model.names import Namespace, ResourceName
from quotatree.model.scope import UNSCOPED
from quotatree.units.quantity import NANO

KEY = (Namespace("a"), UNSCOPED)
UNMEASURED = {KEY: (ResourceName("pods"), ResourceName("services"))}
NOW = datetime(2026, 1, 1, tzinfo=UTC)
SERVICES = {
    "metadata": {"resourceVersion": "7"},
    "items": [{"metadata": {"name": "s", "namespace": "a"}}],
}


@pytest.mark.parametrize(
    ("status", "unlisted"), [(403, ["pods"]), (404, [])], ids=["forbidden", "not served"]
)
async def test_what_may_not_be_listed_is_named_and_the_rest_is_counted(
    api: Client, script: Script, status: int, unlisted: list[str]
) -> None:
    script.refuse(status)
    script.json(SERVICES)
    found = await recount.recount(api, UNMEASURED, NOW)
    assert found.used == {KEY: {"services": NANO}}
    assert [what.resource for what in found.unlisted] == unlisted


async def test_a_broken_server_is_no_want_of_rights(api: Client, script: Script) -> None:
    script.refuse(400)
    with pytest.raises(ClusterError):
        await recount.recount(api, UNMEASURED, NOW)
