"""Limits and guarantees, changed while they are in use: seen from outside, on a real API server."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from tests.cluster.harness import load
from tests.cluster.harness.trees import clear, plant
from tests.cluster.lifecycle_fixtures import (
    condition,
    events,
    fill,
    fits,
    free,
    grow,
    holds,
    limit,
    managed,
    measures,
    restarted,
    said,
    soon,
    status,
)

from quotatree.cluster import apply, paths
from quotatree.cluster.client import Client
from quotatree.codec import quotas
from quotatree.errors import ClusterError
from quotatree.model import effect
from quotatree.model.names import Namespace
from quotatree.sandbox import SandboxState
from quotatree.units.resources import EMPTY, Resources

pytestmark = pytest.mark.cluster

BEST_EFFORT = "quotatree.besteffort"


@pytest.fixture
async def client(tree_sandbox: SandboxState) -> AsyncIterator[Client]:
    async with await Client.connect(str(tree_sandbox.kubeconfig)) as connected:
        yield connected


# -- limits -----------------------------------------------------------------------------------


async def test_a_raised_limit_lets_grow_and_a_lowered_one_evicts_nobody(client):
    tree = await plant(client, "org: pods 2 > a; org > b")
    org, a, b = tree["org"], tree["a"], tree["b"]
    await fill(client, a, "a1", "a2")
    assert not (await grow(client, b, "b1")).admitted
    await limit(client, org, hard={"pods": "4"})
    await fits(client, b, "b1", within=5.0)
    await fits(client, a, "a3", within=5.0)
    await limit(client, org, hard={"pods": "1"})
    found = await status(client, org, that=holds("Exceeded"))
    assert "pods: charged 4, hard 1" in condition(found, "Exceeded")["message"]
    assert found["available"] == {"pods": "0"}
    for namespace in (org, a, b):
        assert not (await grow(client, namespace, "more")).admitted
    pods, _ = await client.list_all(paths.PODS, namespace=a)
    assert len(pods) == 3
    assert (await events(client, org, "AboveHard"))[0]["type"] == "Warning"
    await clear(client, tree)
    await status(client, org, that=holds("Exceeded", "False"))
    await fits(client, b, "b2", within=5.0)


async def test_a_lowered_limit_holds_from_the_answer_on(client):
    tree = await plant(client, "org: pods 9 > a; org > b")
    await fill(client, tree["a"], "a1", "a2")
    await limit(client, tree["org"], hard={"pods": "3"})

    async def lowered() -> bool:
        quota = await client.get(paths.TREE_QUOTAS, "limit", namespace=tree["org"])
        return quota.get("status", {}).get("hard") == {"pods": "3"}

    await soon(lowered, what="the controller has seen it")
    answers = [await grow(client, tree["b"], f"b{n}") for n in range(3)]
    assert [answer.admitted for answer in answers] == [True, False, False]


async def test_a_resource_that_is_added_is_measured_before_it_counts_and_goes_when_dropped(client):
    tree = await plant(client, "org: pods 9 > a; org > b")
    await fill(client, tree["a"], "a1", "a2")
    await limit(client, tree["org"], hard={"pods": "9", "requests.cpu": "3"})
    found = await status(client, tree["org"], that=holds("Ready"))
    assert found["used"] == {"pods": "2", "requests.cpu": "2"}
    await measures(client, tree["b"], "pods", "requests.cpu")
    answers = [await grow(client, tree["b"], f"b{n}") for n in range(2)]
    assert [answer.admitted for answer in answers] == [True, False]
    await limit(client, tree["org"], hard={"pods": "9"})
    await measures(client, tree["b"], "pods")
    await fits(client, tree["b"], "b9", within=5.0)
    await status(client, tree["org"], that=lambda s: s["used"] == {"pods": "4"})


async def test_a_new_limit_above_running_workloads_counts_all_of_them_before_more_is_let_in(client):
    """Eight of twelve cpu are in use when cpu is limited, and twenty pods are asked for at once."""
    tree = await plant(client, "org: pods 90 > a1..8; org > b1..2")
    users = [tree[f"a{n}"] for n in range(1, 9)]
    for namespace in users:
        await fill(client, namespace, "busy")
    await limit(client, tree["org"], hard={"pods": "90", "requests.cpu": "12"})
    for number in (1, 2):  # what is created before its own quota names cpu is not asked about
        await measures(client, tree[f"b{number}"], "pods", "requests.cpu")
    size = Resources.parse({"cpu": "1"})
    asks = [load.Ask(namespace=tree[f"b{n % 2 + 1}"], name=f"p{n}", size=size) for n in range(20)]
    admitted = 0
    while asks:
        answers = await load.burst(client, asks, creators=20)
        admitted += sum(answer.admitted for answer in answers)
        asks = [answer.ask for answer in answers if not (answer.admitted or answer.refused)]
    assert admitted == 4, load.told(answers)
    await status(client, tree["org"], that=lambda s: s["used"].get("requests.cpu") == "12")


async def test_a_kind_that_nobody_counted_before_is_counted_and_gated(client):
    tree = await plant(client, "org: pods 9 > a")
    await limit(client, tree["org"], hard={"pods": "9", "count/leases.coordination.k8s.io": "1"})
    await status(client, tree["org"], that=holds("Ready"))

    async def gated() -> bool:
        policy = await client.get(paths.POLICIES, "quotatree-birth-gate")
        return "leases" in str(policy["spec"]["matchConstraints"])

    await soon(gated, what="the birth gate covers leases")

    async def lease(name: str) -> str:
        body = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": name},
            "spec": {},
        }
        return await said(client.create(paths.LEASES, body, namespace=tree["a"]))

    assert await lease("first") == ""
    assert "exceeded quota" in await lease("second")


async def test_of_several_tree_quotas_on_one_namespace_the_least_counts(client):
    tree = await plant(client, "org: pods 9 > a; org > b")
    await limit(client, tree["org"], name="second", hard={"pods": "1", "requests.cpu": "9"})
    await measures(client, tree["a"], "pods", "requests.cpu")
    await fill(client, tree["a"], "a1")
    assert not (await grow(client, tree["b"], "b1")).admitted
    await client.delete(paths.TREE_QUOTAS, "second", namespace=tree["org"])
    await fits(client, tree["b"], "b1", within=5.0)
    await measures(client, tree["a"], "pods")


async def test_the_last_tree_quota_takes_the_limits_with_it(client):
    tree = await plant(client, "org: pods 1 > a; org > b")
    await fill(client, tree["a"], "a1")
    assert not (await grow(client, tree["b"], "b1")).admitted
    await client.delete(paths.TREE_QUOTAS, "limit", namespace=tree["org"])
    await fits(client, tree["b"], "b1", within=5.0)
    await measures(client, tree["a"])


async def test_quotas_of_one_scope_are_a_tree_of_their_own(client):
    tree = await plant(client, "org: pods 9 > a; org > b")
    await limit(client, tree["org"], name="best", hard={"pods": "1"}, scopes=["BestEffort"])
    await status(client, tree["org"], name="best", that=holds("Ready"))
    await measures(client, tree["b"], "pods", quota=BEST_EFFORT)
    assert (await grow(client, tree["a"], "e1", EMPTY)).admitted
    refused = await grow(client, tree["b"], "e2", EMPTY)
    assert refused.refused, refused.message
    await fits(client, tree["b"], "b1")
    found = await status(client, tree["org"], name="best", that=lambda s: s["used"]["pods"] == "1")
    assert found["available"] == {"pods": "0"}
    await client.delete(paths.TREE_QUOTAS, "best", namespace=tree["org"])

    async def absent() -> bool:
        return await managed(client, tree["b"], BEST_EFFORT) is None

    await soon(absent, what="the scoped managed quota goes")
    await fits(client, tree["b"], "e2")


async def test_a_priority_class_selector_limits_its_pods_only(client):
    tree = await plant(client, "org: pods 9 > a; org > b")
    term = {"scopeName": "PriorityClass", "operator": "In", "values": ["system-node-critical"]}
    selector = {"matchExpressions": [term]}
    await limit(client, tree["org"], name="high", hard={"pods": "1"}, scopeSelector=selector)
    await status(client, tree["org"], name="high", that=holds("Ready"))

    async def urgent(namespace: Namespace, name: str) -> str:
        body = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name},
            "spec": {
                "priorityClassName": "system-node-critical",
                "containers": [{"name": "c", "image": "none"}],
            },
        }
        return await said(client.create(paths.PODS, body, namespace=namespace))

    assert await urgent(tree["a"], "u1") == ""
    assert f"exceeded quota: {tree['org']}" in await urgent(tree["b"], "u2")
    await fill(client, tree["b"], "b1")


# -- guarantees -------------------------------------------------------------------------------


async def test_a_guarantee_waits_says_for_whom_comes_into_force_and_goes(client):
    tree = await plant(client, "org: pods 4 > a: pods 4; org > b")
    org, a, b = tree["org"], tree["a"], tree["b"]
    await fill(client, b, "b1", "b2")
    await limit(client, a, hard={"pods": "4"}, guaranteed={"pods": "3"})
    waiting = await status(client, a, that=holds("GuaranteeGranted", "False"))
    message = condition(waiting, "GuaranteeGranted")["message"]
    assert f"{org} has no room for it: pods: needs 3 more, {org} has 2 of 4 left" in message
    assert (await events(client, a, "NoRoom"))[0]["type"] == "Warning"
    await free(client, b, "b1")
    granted = await status(client, a, that=holds("GuaranteeGranted"))
    assert granted["guaranteed"] == {"pods": "3"}
    await status(client, org, that=lambda s: s["charged"] == {"pods": "4"})
    assert not (await grow(client, b, "b3")).admitted
    # Growth inside one's guarantee is nobody else's business.
    await fill(client, a, "a1", "a2", "a3")
    assert not (await grow(client, a, "a4")).admitted
    await free(client, a, "a1", "a2")
    await limit(client, a, hard={"pods": "4"})
    await fits(client, b, "b3", within=5.0)
    found = await status(client, a, that=lambda s: not condition(s, "GuaranteeGranted"))
    assert not found.get("guaranteed")


async def test_a_restart_keeps_what_was_granted_and_nothing_else(client, tree_sandbox):
    tree = await plant(client, "org: pods 4 > a: pods 4; org > b: pods 4; org > c")
    await limit(client, tree["a"], hard={"pods": "4"}, guaranteed={"pods": "3"})
    await status(client, tree["a"], that=holds("GuaranteeGranted"))
    await limit(client, tree["b"], hard={"pods": "4"}, guaranteed={"pods": "2"})
    await status(client, tree["b"], that=holds("GuaranteeGranted", "False"))
    # Above its hard the guarantee would not be granted anew: it stays all the same.
    await limit(client, tree["org"], hard={"pods": "2"})
    await status(client, tree["org"], that=holds("Exceeded"))
    await restarted(client, tree_sandbox.name)
    await limit(client, tree["org"], hard={"pods": "4"})
    await status(client, tree["org"], that=holds("Exceeded", "False"))
    await fits(client, tree["c"], "c1")
    answers = [await grow(client, tree["c"], f"c{n}") for n in (2, 3)]
    assert [answer.admitted for answer in answers] == [False, False]
    assert holds("GuaranteeGranted")(await status(client, tree["a"]))
    assert holds("GuaranteeGranted", "False")(await status(client, tree["b"]))


async def test_a_status_decided_on_an_old_state_undoes_nothing(client):
    """The next leader goes by `status.guaranteed`: a deposed one must not put an old one back."""
    tree = await plant(client, "org: pods 4 > a")
    name = tree["a"]
    await limit(client, name, guaranteed={"pods": "2"})
    await status(client, name, that=holds("GuaranteeGranted"))
    (found,), _ = await client.list_all(paths.TREE_QUOTAS, namespace=name)
    seen = quotas.parse(found)
    assert seen.status is not None
    stale = effect.WriteStatus(
        namespace=name,
        quota=seen.name,
        uid=seen.uid,
        resource_version=seen.resource_version - 1,
        status=replace(seen.status, guaranteed=EMPTY),
    )
    with pytest.raises(ClusterError) as lost:
        await apply.carry_out(client, stale, now=datetime.fromtimestamp(0, tz=UTC))
    assert lost.value.status in {409, 422}
