"""`mode: Observe` on a real API server: it refuses nothing, and says what it would have refused."""

import asyncio
import json
from typing import Any

import pytest
from click.testing import CliRunner
from tests.cluster.harness.load import Ask, burst
from tests.cluster.harness.trees import plant
from tests.cluster.lifecycle_fixtures import (
    ONE_CPU,
    claim,
    condition,
    deciding,
    events,
    fill,
    free,
    grow,
    holds,
    limit,
    managed,
    soon,
    status,
)

from quotatree import sandbox as control_plane
from quotatree.cli import main
from quotatree.cluster import paths
from quotatree.cluster.client import Client
from quotatree.model.names import Namespace
from quotatree.sandbox import SandboxState

pytestmark = pytest.mark.cluster

Document = dict[str, Any]

HARD = {"pods": "2", "cpu": "2", "persistentvolumeclaims": "1"}


async def observe(client: Client, namespace: Namespace, **spec: Any) -> Document:
    """Put a TreeQuota that only observes on a namespace; returns its status once it is counted."""
    await limit(client, namespace, mode="Observe", **spec)
    return await status(client, namespace, that=counted, what=f"{namespace} is counted")


def counted(status: Document) -> bool:
    return condition(status, "Ready").get("reason") == "Observed"


def uses(**used: str) -> Any:
    return lambda status: {r: status.get("used", {}).get(r) for r in used} == used


def silent(name: str) -> Document:
    """Return a pod that does not say how much cpu it wants."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"containers": [{"name": "c", "image": "example/none"}]},
    }


async def test_a_cluster_that_already_runs_is_observed_and_nobody_is_refused(admin: Client) -> None:
    tree = await plant(admin, "org > a; org > b")
    await fill(admin, tree["a"], "a1", "a2")
    await admin.create(paths.CLAIMS, claim("c1"), namespace=tree["b"])
    found = await observe(admin, tree["org"], hard=HARD)
    assert found["used"] == {"pods": "2", "cpu": "2", "persistentvolumeclaims": "1"}
    assert condition(found, "Exceeded")["status"] == "False"
    asks = [Ask(namespace=tree["ab"[i % 2]], name=f"p{i}", size=ONE_CPU) for i in range(10)]
    assert all(answer.admitted for answer in await burst(admin, asks, creators=5))
    await admin.create(paths.PODS, silent("silent"), namespace=tree["a"])
    await admin.create(paths.CLAIMS, claim("c2"), namespace=tree["b"])
    over = await status(admin, tree["org"], that=uses(pods="13", persistentvolumeclaims="2"))
    assert over["used"]["cpu"] == "12"
    assert condition(over, "Exceeded")["status"] == "True"
    assert "pods: charged 13, hard 2" in condition(over, "Exceeded")["message"]
    (event, *_) = await events(admin, tree["org"], "WouldRefuse")
    assert "of it would have been refused" in event["note"]
    for short in "ab":
        (event, *_) = await events(admin, tree[short], "WouldExceedTreeQuota")
        assert f"would have been refused by {tree['org']}: " in event["note"]
        quota = await managed(admin, tree[short])
        assert quota is not None
        assert not quota["spec"].get("hard")


async def test_switching_to_enforce_refuses_growth_and_switching_back_lets_it_through(
    admin: Client,
) -> None:
    tree = await plant(admin, "org > a; org > b")
    await fill(admin, tree["a"], "a1", "a2", "a3")
    await observe(admin, tree["org"], hard={"pods": "2"})
    await limit(admin, tree["org"], hard={"pods": "2"}, mode="Enforce")
    strict = await status(admin, tree["org"], that=holds("Ready"))
    assert condition(strict, "Ready")["reason"] == "Enforced"
    assert (strict["used"], strict["available"]) == ({"pods": "3"}, {"pods": "0"})
    refused = await grow(admin, tree["b"], "b1")
    assert not refused.admitted
    assert f"exceeded quota: {tree['org']}" in refused.message
    await free(admin, tree["a"], "a1", "a2")
    await status(admin, tree["org"], that=uses(pods="1"))
    await fill(admin, tree["b"], "b1")
    assert not (await grow(admin, tree["b"], "b2")).admitted
    await limit(admin, tree["org"], hard={"pods": "2"}, mode="Observe")

    async def lets_through() -> bool:
        return (await grow(admin, tree["b"], "b2")).admitted

    await soon(lets_through, what="nothing is refused any more")
    assert (await grow(admin, tree["a"], "a4")).admitted
    await status(admin, tree["org"], that=lambda s: counted(s) and uses(pods="4")(s))


async def test_a_limit_in_force_is_kept_beside_one_that_only_observes(admin: Client) -> None:
    tree = await plant(admin, "org: pods 2 > a; org > b")
    await limit(admin, tree["a"], name="tight", hard={"pods": "0", "services": "0"}, mode="Observe")
    await fill(admin, tree["a"], "a1")
    await fill(admin, tree["b"], "b1")
    assert not (await grow(admin, tree["a"], "a2")).admitted
    found = await status(admin, tree["a"], name="tight", that=uses(pods="1"))
    assert condition(found, "Exceeded")["status"] == "True"
    quota = await managed(admin, tree["a"])
    assert quota is not None
    assert set(quota["spec"]["hard"]) == {"pods"}


async def test_names_that_may_not_be_listed_are_named(admin: Client) -> None:
    tree = await plant(admin, "org > a")
    hard = {"pods": "2", "secrets": "1", "count/widgets.example.com": "1"}
    await limit(admin, tree["org"], hard=hard, mode="Observe")
    found = await status(
        admin,
        tree["org"],
        that=lambda s: condition(s, "Ready").get("reason") == "NotCounted",
    )
    message = condition(found, "Ready")["message"]
    assert "secrets (quotatree may not list secrets)" in message
    assert "count/widgets.example.com (custom kinds are not counted)" in message
    assert found["used"] == {"pods": "0"}


async def test_a_file_that_observes_is_applied_planned_and_shown(
    admin: Client, tree_sandbox: SandboxState
) -> None:
    tree = await plant(admin, "org: services 9")
    await fill(admin, tree["org"], "p1", "p2")
    head = "apiVersion: quotatree.dev/v1alpha1\nkind: Tree\ntree:\n"
    text = f"{head}  {tree['org']}: {{hard: {{pods: 1}}, mode: Observe}}\n"

    async def run(command: str, *arguments: str) -> str:
        line = [command, "--kubeconfig", str(tree_sandbox.kubeconfig), *arguments]
        done = await asyncio.to_thread(CliRunner().invoke, main.cli, line, input=text)
        assert done.exit_code == 0, done.output
        return done.stdout

    assert "over by 1 at once; it only observes" in await run("plan", "-f", "-")
    await run("apply", "-f", "-")
    await status(admin, tree["org"], name="quota", that=counted)
    assert "observed, over by 1" in await run("tree", tree["org"])
    (node,) = json.loads(await run("tree", tree["org"], "-o", "json"))["nodes"]
    (shown,) = [quota for quota in node["quotas"] if quota["name"] == "quota"]
    assert shown["observed"]["used"] == {"pods": "2"}


@pytest.mark.alone
async def test_nothing_is_refused_while_the_controller_is_dead(
    admin: Client, tree_sandbox: SandboxState
) -> None:
    tree = await plant(admin, "org > a")
    await observe(admin, tree["org"], hard={"pods": "1"})
    control_plane.kill(tree_sandbox.name, "quotatree")
    try:
        for number in range(3):
            assert (await grow(admin, tree["a"], f"p{number}")).admitted
    finally:
        control_plane.restart(tree_sandbox.name, "quotatree")
    await deciding(admin)
    await status(admin, tree["org"], that=lambda s: counted(s) and uses(pods="3")(s))
