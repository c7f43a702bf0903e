"""The API server goes away for longer than the lease lasts: quotatree waits, and goes on."""

import asyncio

import pytest
from tests.cluster.harness.trees import plant
from tests.cluster.lifecycle_fixtures import deciding, fill, fits, free, grow

from quotatree import sandbox as control_plane
from quotatree.cluster import lease
from quotatree.sandbox import SandboxState

pytestmark = pytest.mark.cluster

API_SERVER, NATIVE = "kube-apiserver", "kube-controller-manager"
LONGER = lease.DURATION + 2.0


async def test_an_outage_longer_than_the_lease_ends_nothing(admin, tree_sandbox: SandboxState):
    tree = await plant(admin, "org: pods 3 > a; org > b")
    await fill(admin, tree["a"], "a1", "a2")
    before = control_plane.find(tree_sandbox.name).pids["quotatree"]
    await asyncio.to_thread(control_plane.kill, tree_sandbox.name, API_SERVER)
    await asyncio.sleep(LONGER)
    await asyncio.to_thread(control_plane.restart, tree_sandbox.name, API_SERVER)
    # Its watches would be tried again later and later, for half a minute.
    await asyncio.to_thread(control_plane.restart, tree_sandbox.name, NATIVE)
    await deciding(admin)
    found = control_plane.status(tree_sandbox.name)
    assert found.running
    assert found.state.pids["quotatree"] == before
    await fits(admin, tree["b"], "b1")
    assert not (await grow(admin, tree["b"], "b2")).admitted
    await free(admin, tree["a"], "a1")
    await fits(admin, tree["b"], "b2")
