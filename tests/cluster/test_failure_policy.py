"""While quotatree is dead, each tree goes on or stands still as its TreeQuotas say."""

import signal
import time

import pytest
from tests.cluster.harness.trees import Tree, eventually, plant
from tests.cluster.lifecycle_fixtures import (
    deciding,
    events,
    fill,
    free,
    grow,
    holds,
    limit,
    managed,
    status,
)

from quotatree import sandbox as control_plane
from quotatree.cluster import paths
from quotatree.cluster.client import Client
from quotatree.model import names
from quotatree.model.names import Namespace
from quotatree.sandbox import SandboxState

pytestmark = [pytest.mark.cluster, pytest.mark.alone]


async def judged(client: Client, namespace: Namespace, policy: str | None) -> None:
    """Wait until the growth of a namespace is judged by the entry of this policy."""

    async def so() -> bool:
        found = await managed(client, namespace)
        assert found is not None
        return found["metadata"]["labels"].get(names.LABEL_FAILURE_POLICY) == policy

    await eventually(so, what=f"{namespace} is judged by {policy}")


async def said_so(client: Client, tree: Tree, short: str, policy: str, pods: str) -> None:
    await limit(client, tree[short], hard={"pods": pods}, failurePolicy=policy)


async def test_a_tree_that_says_ignore_goes_on_and_one_that_says_fail_stands_still(
    admin: Client, tree_sandbox: SandboxState
) -> None:
    loose = await plant(admin, "org: pods 2 > a; org > strict: pods 5")
    strict = await plant(admin, "org: pods 2 > a")
    await said_so(admin, loose, "org", "Ignore", "2")
    await judged(admin, loose["a"], "Ignore")
    await judged(admin, loose["strict"], None)
    await fill(admin, loose["a"], "a1", "a2")
    assert not (await grow(admin, loose["a"], "over")).admitted  # it lives, so the limit holds
    control_plane.kill(tree_sandbox.name, "quotatree")
    try:
        for number in range(3):
            assert (await grow(admin, loose["a"], f"unjudged{number}")).admitted
        for namespace in (strict["a"], loose["strict"]):
            answer = await grow(admin, namespace, "p")
            assert not answer.admitted
            assert 'failed calling webhook "usage.quotatree.dev"' in answer.message
    finally:
        control_plane.restart(tree_sandbox.name, "quotatree")
    await deciding(admin)
    await status(admin, loose["org"], that=holds("Exceeded"), what="it knows what passed")
    assert await events(admin, loose["org"], "AboveHard")
    assert not (await grow(admin, loose["a"], "after")).admitted
    await free(admin, loose["a"], "a1", "a2", "unjudged0", "unjudged1")
    await fill(admin, strict["a"], "p")


async def test_a_decider_that_hangs_lets_growth_pass(
    admin: Client, tree_sandbox: SandboxState
) -> None:
    tree = await plant(admin, "org: pods 1 > a")
    await said_so(admin, tree, "org", "Ignore", "1")
    await judged(admin, tree["a"], "Ignore")
    control_plane.kill(tree_sandbox.name, "quotatree", signal.SIGSTOP)
    try:
        began = time.monotonic()
        assert (await grow(admin, tree["a"], "p1")).admitted
        assert (await grow(admin, tree["a"], "p2")).admitted
        print(f"two pods past a hung decider: {time.monotonic() - began:.2f} s")
    finally:
        control_plane.kill(tree_sandbox.name, "quotatree", signal.SIGCONT)
    await deciding(admin)


async def test_a_policy_that_changes_is_in_force_with_the_label(
    admin: Client, tree_sandbox: SandboxState
) -> None:
    tree = await plant(admin, "org: pods 2 > a")
    await said_so(admin, tree, "org", "Ignore", "2")
    await judged(admin, tree["a"], "Ignore")
    await said_so(admin, tree, "org", "Fail", "2")
    await judged(admin, tree["a"], None)
    control_plane.kill(tree_sandbox.name, "quotatree")
    try:
        assert not (await grow(admin, tree["a"], "p")).admitted
    finally:
        control_plane.restart(tree_sandbox.name, "quotatree")
    await deciding(admin)


async def test_a_label_that_an_administrator_plants_is_taken_away(admin: Client) -> None:
    tree = await plant(admin, "org: pods 2 > a")
    planted = {"metadata": {"labels": {names.LABEL_FAILURE_POLICY: "Ignore"}}}
    for subresource in (None, "status"):
        await admin.patch(
            paths.RESOURCE_QUOTAS,
            names.MANAGED_QUOTA,
            body=planted,
            namespace=tree["a"],
            subresource=subresource,
        )
        await judged(admin, tree["a"], None)
