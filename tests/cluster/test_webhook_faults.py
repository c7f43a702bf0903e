"""Quotatree dead or hung: nothing goes over, the native counters count, and it comes back alone."""

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import pytest
from tests.cluster.harness.judge import Judge
from tests.cluster.harness.load import Ask, burst, told
from tests.cluster.harness.trees import Tree, plant
from tests.cluster.lifecycle_fixtures import (
    ONE_CPU,
    deciding,
    fill,
    fits,
    free,
    grow,
    label,
    limit,
    managed,
    said,
    soon,
)

from quotatree import sandbox as control_plane
from quotatree.cluster import client as clients
from quotatree.cluster import paths
from quotatree.cluster.client import Client
from quotatree.manifests.settings import DEFAULT_NAMESPACE
from quotatree.model.names import Namespace
from quotatree.sandbox import SandboxState
from quotatree.webhook import tls

pytestmark = [pytest.mark.cluster, pytest.mark.alone]

FORM = "org: pods 6 > a; org > b; org > c"
CERTIFICATES_WITHIN = 20.0
REFUSED_WITHIN = 1.2
"""Seconds for a refusal while the decider hangs: four times the acceptor's deadline, and a bit."""
HANG = 30.0
"""Seconds that no answer takes, whatever the machine: figures are printed, not judged by it."""


@pytest.fixture
async def client(tree_sandbox: SandboxState) -> AsyncIterator[Client]:
    async with await Client.connect(str(tree_sandbox.kubeconfig)) as connected:
        yield connected


@contextmanager
def dead(sandbox: SandboxState) -> Iterator[None]:
    """Kill quotatree for the time of the block, and start it again."""
    control_plane.kill(sandbox.name, "quotatree")
    try:
        yield
    finally:
        control_plane.restart(sandbox.name, "quotatree")


@contextmanager
def hung(sandbox: SandboxState, *, whole: bool = False) -> Iterator[None]:
    """Stop the decider for the time of the block, or the `whole` replica with its acceptor."""
    control_plane.kill(sandbox.name, "quotatree", signal.SIGSTOP, whole=whole)
    try:
        yield
    finally:
        control_plane.kill(sandbox.name, "quotatree", signal.SIGCONT, whole=whole)


async def planted(client: Client) -> Tree:
    """Return a tree with one pod in `a` and one in `b`."""
    tree = await plant(client, FORM)
    await fill(client, tree["a"], "a1")
    await fill(client, tree["b"], "b1")
    return tree


async def used(client: Client, namespace: Namespace) -> str:
    found = await managed(client, namespace)
    assert found
    return str(found["status"]["used"]["pods"])


NOT_THERE = 'failed calling webhook "usage.quotatree.dev"'
NOT_DECIDED = "quotatree cannot decide yet"


async def first_refusal(client: Client, tree: Tree, what: str, *, want: str = NOT_THERE) -> float:
    began = time.monotonic()
    answer = await grow(client, tree["a"], "more")
    took = time.monotonic() - began
    print(f"first refusal with a {what}: {took:.2f} s")
    assert not answer.admitted
    assert want in answer.message
    if want == NOT_THERE:
        assert "/admit/usage" in answer.message  # users see the URL: no place for a secret
    return took


async def deletions_are_counted(client: Client, tree: Tree) -> None:
    await free(client, tree["b"], "b1")

    async def counted() -> bool:
        return await used(client, tree["b"]) == "0"

    await soon(counted, what="the native controller counts the deletion")


async def everything_works_again(client: Client, tree: Tree) -> None:
    """All the room is usable, to the last pod and not one further."""
    await deciding(client)
    for number in range(5):
        await fits(client, tree["abc"[number % 3]], f"again{number}")
    assert not (await grow(client, tree["c"], "over")).admitted


# -- dead -------------------------------------------------------------------------------------


async def test_a_dead_webhook_refuses_growth_at_once_and_nothing_else(client, tree_sandbox):
    tree = await planted(client)
    outside = Namespace(f"{tree.prefix}-outside")
    await client.create(
        paths.NAMESPACES,
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": outside}},
    )
    with dead(tree_sandbox):
        took = await first_refusal(client, tree, "dead webhook")
        # Whoever is in no tree, shrinks or leaves does not wait for us.
        await fill(client, outside, "free")
        await deletions_are_counted(client, tree)
        await label(client, tree["c"], parent=None)
        why = await said(label(client, tree["c"], parent=tree["org"]))
        assert 'failed calling webhook "namespace.quotatree.dev"' in why
        assert await said(limit(client, tree["org"], hard={"pods": "9"}))
    assert took < 1.0
    await deciding(client)
    await label(client, tree["c"], parent=tree["org"])
    await everything_works_again(client, tree)


async def test_a_burst_over_a_killed_webhook_never_goes_over(client, tree_sandbox):
    tree = await plant(client, FORM)
    asks = [
        Ask(namespace=tree["abc"[number % 3]], name=f"p{number}", size=ONE_CPU)
        for number in range(60)
    ]
    async with Judge(client, tree) as judge:
        answering = asyncio.ensure_future(burst(client, asks, creators=12))
        await asyncio.sleep(0.1)
        with dead(tree_sandbox):
            await asyncio.sleep(0.5)
        answers = await answering
        await deciding(client)
        answers += await burst(client, [_again(ask) for ask in asks], creators=12)
        await judge.caught_up()
    assert judge.overshoots() == []
    assert sum(answer.admitted for answer in answers) == 6, told(answers)

    async def recounted() -> bool:
        pods = {n: (await client.list_all(paths.PODS, namespace=n))[0] for n in tree.parents}
        return all([await used(client, n) == str(len(found)) for n, found in pods.items()])

    await soon(recounted, what="usage equals a recount")


def _again(ask: Ask) -> Ask:
    return Ask(namespace=ask.namespace, name=f"{ask.name}-again", size=ask.size)


# -- hung -------------------------------------------------------------------------------------


async def test_for_a_hung_decider_its_acceptor_refuses_and_it_recovers_by_itself(
    client, tree_sandbox
):
    tree = await planted(client)
    with hung(tree_sandbox):
        took = await first_refusal(client, tree, "hung decider", want=NOT_DECIDED)
        again = await first_refusal(client, tree, "hung decider, again", want=NOT_DECIDED)
        await deletions_are_counted(client, tree)
    assert max(took, again) <= REFUSED_WITHIN
    await everything_works_again(client, tree)


async def test_a_frozen_replica_refuses_in_seconds_and_recovers_by_itself(client, tree_sandbox):
    tree = await planted(client)
    with hung(tree_sandbox, whole=True):
        took = await first_refusal(client, tree, "frozen replica")
        await deletions_are_counted(client, tree)
    assert took < HANG
    await everything_works_again(client, tree)


async def test_one_that_hung_for_longer_than_its_lease_stands_for_election_again(
    client, tree_sandbox
):
    tree = await planted(client)
    await free(client, tree["b"], "b1")
    before = await lease(client)
    with hung(tree_sandbox, whole=True):
        await asyncio.sleep(11.0)  # two thirds of the lease: after that it must not lead
    await everything_works_again(client, tree)

    async def new_term() -> bool:
        return await lease(client) > before

    await soon(new_term, what="a new epoch")


async def lease(client: Client) -> int:
    found = await client.get(paths.LEASES, "quotatree", namespace=DEFAULT_NAMESPACE)
    return int(found["spec"]["leaseTransitions"])


# -- certificates -----------------------------------------------------------------------------


async def bundles(client: Client) -> set[str]:
    found = await client.get(paths.VALIDATING_WEBHOOKS, "quotatree")
    return {entry["clientConfig"].get("caBundle", "") for entry in found["webhooks"]}


async def test_a_lost_certificate_is_made_anew_and_published(client):
    tree = await plant(client, FORM)
    before = await bundles(client)
    await client.delete(paths.SECRETS, tls.SECRET, namespace=DEFAULT_NAMESPACE)

    async def published() -> bool:
        now = await bundles(client)
        return now != before and "" not in now

    await soon(published, what="another CA is published", within=CERTIFICATES_WITHIN)
    secret = await client.get(paths.SECRETS, tls.SECRET, namespace=DEFAULT_NAMESPACE)
    assert secret["type"] == "kubernetes.io/tls"
    await fits(client, tree["a"], "a1", within=5.0)


async def test_a_webhook_configuration_that_was_applied_anew_gets_its_bundle_back(client):
    tree = await plant(client, FORM)
    (bundle,) = await bundles(client)
    found = await client.get(paths.VALIDATING_WEBHOOKS, "quotatree")
    removal = [
        {"op": "remove", "path": f"/webhooks/{index}/clientConfig/caBundle"}
        for index in range(len(found["webhooks"]))
    ]
    await client.patch(
        paths.VALIDATING_WEBHOOKS, "quotatree", body=removal, content_type=clients.JSON_PATCH
    )

    async def mended() -> bool:
        return await bundles(client) == {bundle}

    await soon(mended, what="the bundle is back", within=CERTIFICATES_WITHIN)
    await fits(client, tree["a"], "a1", within=5.0)


async def test_a_gate_that_was_applied_anew_covers_again_what_is_counted(client):
    await plant(client, "org: count/roles.rbac.authorization.k8s.io 9 > a")

    async def covers() -> bool:
        policy = await client.get(paths.POLICIES, "quotatree-birth-gate")
        return "roles" in json.dumps(policy["spec"]["matchConstraints"])

    await soon(covers, what="the gate covers roles")
    rules = [
        {
            "apiGroups": [""],
            "apiVersions": ["*"],
            "operations": ["CREATE"],
            "resources": ["pods"],
            "scope": "Namespaced",
        }
    ]
    body = {"spec": {"matchConstraints": {"resourceRules": rules}}}
    await client.patch(paths.POLICIES, "quotatree-birth-gate", body=body)
    await soon(covers, what="the gate covers roles again", within=20.0)
