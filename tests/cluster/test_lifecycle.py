"""Every change of a tree ends right without help: seen from outside, on a real API server."""

import asyncio
import os
from collections.abc import AsyncIterator

import pytest
from tests.cluster.harness.trees import plant
from tests.cluster.lifecycle_fixtures import (
    claim,
    condition,
    decided,
    deletable,
    enforced,
    events,
    fill,
    fits,
    free,
    gone,
    grow,
    holds,
    label,
    managed,
    measures,
    metadata,
    permit,
    restarted,
    said,
    soon,
    status,
    stubborn,
    tree_labels,
)
from tests.cluster.people import People
from tests.cluster.tenancy import CONTROLLER

from quotatree.cluster import paths
from quotatree.cluster.client import Client
from quotatree.model import names
from quotatree.sandbox import SandboxState

pytestmark = pytest.mark.cluster


@pytest.fixture
async def client(tree_sandbox: SandboxState) -> AsyncIterator[Client]:
    async with await Client.connect(str(tree_sandbox.kubeconfig)) as connected:
        yield connected


@pytest.fixture
async def controller(tree_sandbox: SandboxState) -> AsyncIterator[Client]:
    """Whoever acts as the controller, who alone may delete a managed quota."""
    async with People(tree_sandbox.kubeconfig) as people:
        yield people.person(CONTROLLER)


# -- the tree ---------------------------------------------------------------------------------


async def test_a_new_tree_says_where_everybody_stands_and_what_holds(client):
    tree = await plant(client, "org: pods 9 > team: pods 5 > a")
    org, team, a = tree["org"], tree["team"], tree["a"]
    assert await tree_labels(client, a) == {a: "0", team: "1", org: "2"}
    assert (await metadata(client, team))["annotations"][names.ANNOTATION_CHILDREN] == "1"
    await measures(client, a, "pods")
    await fill(client, a, "one")
    found = await status(client, org, that=lambda s: s.get("used") == {"pods": "1"})
    assert {key: found[key]["pods"] for key in ("hard", "used", "charged", "available")} == {
        "hard": "9",
        "used": "1",
        "charged": "1",
        "available": "8",
    }
    assert condition(found, "Exceeded")["status"] == "False"
    await status(client, team, that=holds("Ready"))


async def test_usage_moves_with_its_namespace_at_once(client):
    tree = await plant(client, "one: pods 5 > team > a; one > b; two: pods 5 > c")
    await fill(client, tree["a"], "a1", "a2", "a3")
    await label(client, tree["team"], parent=tree["two"])
    # At the new place from the first moment on ...
    answers = [await grow(client, tree["c"], f"c{n}") for n in range(3)]
    assert [answer.admitted for answer in answers] == [True, True, False]
    assert f"exceeded quota: {tree['two']}" in answers[2].message
    # ... and away from the old one within a moment.
    for number in range(5):
        await fits(client, tree["b"], f"b{number}", within=1.0)
    await measures(client, tree["a"], "pods")
    want = {tree["a"]: "0", tree["team"]: "1", tree["two"]: "2"}
    assert await tree_labels(client, tree["a"]) == want
    await status(client, tree["two"], that=lambda s: s["used"] == {"pods": "5"})


async def test_a_move_that_does_not_fit_is_refused_with_the_numbers(client):
    tree = await plant(client, "one: pods 9 > team > a; two: pods 3 > c")
    await fill(client, tree["a"], "a1", "a2")
    await fill(client, tree["c"], "c1", "c2")
    why = await said(label(client, tree["team"], parent=tree["two"]))
    assert (
        f"pods: {tree['team']} brings 2, {tree['two']} has 2 of 3 in use; "
        f"lower the usage of {tree['team']}, or raise the limit of {tree['two']} first"
    ) in why
    await free(client, tree["c"], "c1")

    async def moved() -> bool:
        return not await said(label(client, tree["team"], parent=tree["two"]))

    await soon(moved, what="the freed room lets the move pass")


async def test_a_move_within_a_full_organisation_is_no_growth_of_it(client):
    tree = await plant(client, "org: pods 2 > one > a; org > two: pods 2")
    await fill(client, tree["a"], "a1", "a2")
    await label(client, tree["a"], parent=tree["two"])
    await status(client, tree["two"], that=lambda s: s["used"] == {"pods": "2"})
    assert not (await grow(client, tree["one"], "more")).admitted


async def test_a_detached_namespace_is_free_and_its_room_is_back(client):
    tree = await plant(client, "org: pods 2 > a; org > b")
    await fill(client, tree["a"], "a1", "a2")
    await label(client, tree["a"], parent=None)
    await fits(client, tree["b"], "b1", within=2.0)

    async def bare() -> bool:
        labels = (await metadata(client, tree["a"]))["labels"]
        ours = [key for key in labels if names.GROUP in key]
        return not ours and await managed(client, tree["a"]) is None

    await soon(bare, what="nothing of quotatree is left on the namespace")
    await fill(client, tree["a"], "a3")
    # It comes back: what it holds is measured anew, never refused, and counts.
    await label(client, tree["a"], parent=tree["org"])
    await enforced(client, tree["a"])
    found = await status(client, tree["org"], that=holds("Exceeded"))
    assert found["used"] == {"pods": "4"}
    assert not (await grow(client, tree["b"], "b2")).admitted


async def test_a_deleted_namespace_gives_its_room_back(client):
    tree = await plant(client, "org: pods 2 > a; org > b")
    await fill(client, tree["a"], "a1", "a2")
    await client.delete(paths.NAMESPACES, tree["a"])
    await fits(client, tree["b"], "b1")
    await status(client, tree["org"], that=lambda s: s["used"] == {"pods": "1"})

    async def one_child() -> bool:
        annotations = (await metadata(client, tree["org"]))["annotations"]
        return annotations[names.ANNOTATION_CHILDREN] == "1"

    await soon(one_child, what="the parent counts its children anew")


async def test_a_parent_is_deleted_only_with_permission_and_can_come_back(client):
    tree = await plant(client, "org: pods 5 > team: pods 2 > a: pods 4; org > b")
    org, team, a = tree["org"], tree["team"], tree["a"]
    await fill(client, a, "a1", "a2")
    assert "has 1 namespaces under it" in await said(client.delete(paths.NAMESPACES, team))
    await permit(client, team)
    await client.delete(paths.NAMESPACES, team)
    await gone(client, team)
    # The orphan lives on, without the limits that went with its parents.
    await fits(client, a, "a3", within=5.0)
    await status(client, org, that=lambda s: s["used"] == {"pods": "0"})
    # There is no room for what comes back with it.
    await fill(client, tree["b"], "b1", "b2", "b3")
    again = {"metadata": {"name": team, "labels": {names.LABEL_PARENT: org}}}
    why = await said(
        client.create(paths.NAMESPACES, {"apiVersion": "v1", "kind": "Namespace"} | again)
    )
    assert f"{team} brings 3, {org} has 3 of 5 in use" in why
    await free(client, a, "a1")

    async def back() -> bool:
        body = {"apiVersion": "v1", "kind": "Namespace"} | again
        return not await said(client.create(paths.NAMESPACES, body))

    await soon(back, what="the parent is created again")
    await enforced(client, team, a)
    await measures(client, a, "pods")
    assert (await tree_labels(client, a))[org] == "2"
    await status(client, org, that=lambda s: s["used"] == {"pods": "5"})
    assert not (await grow(client, a, "a4")).admitted


@pytest.mark.parametrize("run", range(20 if os.environ.get("QUOTATREE_SOAK") else 3))
async def test_a_tree_is_deleted_children_first_without_a_pause(client, run):
    tree = await plant(client, "org: pods 5 > team > a; team > b; org > c")
    for names_of_a_level in (("a", "b", "c"), ("team",), ("org",)):
        level = [tree[name] for name in names_of_a_level]
        whys = [await said(client.delete(paths.NAMESPACES, name)) for name in level]
        assert whys == [""] * len(level)
        for name in level:
            await gone(client, name)


async def test_a_parent_waits_for_children_that_go_before_it(client):
    tree = await plant(client, "org: pods 5, persistentvolumeclaims 5 > team > a")
    org, team, a = tree["org"], tree["team"], tree["a"]
    await client.create(paths.CLAIMS, stubborn(claim("stays")), namespace=a)
    await client.delete(paths.NAMESPACES, a)
    await deletable(client, team)
    await asyncio.sleep(2)
    assert (await metadata(client, team))["deletionTimestamp"]
    found = await status(client, org, that=lambda s: "used" in s)
    assert found["used"]["persistentvolumeclaims"] == "1"
    await client.patch(paths.CLAIMS, "stays", body={"metadata": {"finalizers": None}}, namespace=a)
    await gone(client, a)
    await gone(client, team)
    await status(client, org, that=lambda s: s["used"]["persistentvolumeclaims"] == "0")


async def test_no_order_of_moves_makes_a_cycle(client):
    tree = await plant(client, "org: pods 5 > a > b; org > c > d")
    for child, parent in (("a", "a"), ("a", "b"), ("org", "b")):
        why = await said(label(client, tree[child], parent=tree[parent]))
        assert "cannot be" in why, why
    both = await asyncio.gather(
        said(label(client, tree["a"], parent=tree["d"])),
        said(label(client, tree["c"], parent=tree["b"])),
    )
    # Each alone is no cycle. The one that is judged second knows of the first.
    assert sorted(bool(why) for why in both) == [False, True], both
    assert "cycle" in "".join(both)
    await enforced(client, *(tree[name] for name in "abcd"))
    for name in "abcd":
        assert (await tree_labels(client, tree[name]))[tree[name]] == "0"


# -- managed quotas ---------------------------------------------------------------------------


async def test_a_managed_quota_that_is_deleted_comes_back_and_releases_nothing(client, controller):
    tree = await plant(client, "org: pods 2 > a; org > b")
    await fill(client, tree["a"], "a1", "a2")
    before = await managed(client, tree["a"])
    why = await said(client.delete(paths.RESOURCE_QUOTAS, "quotatree", namespace=tree["a"]))
    assert "belongs to quotatree" in why
    await controller.delete(paths.RESOURCE_QUOTAS, "quotatree", namespace=tree["a"])
    answers = [await grow(client, tree["b"], f"b{n}") for n in range(5)]
    assert not any(answer.admitted for answer in answers)
    await measures(client, tree["a"], "pods")
    after = await managed(client, tree["a"])
    assert before
    assert after
    assert before["metadata"]["uid"] != after["metadata"]["uid"]
    await enforced(client, tree["a"])
    refused = await grow(client, tree["a"], "a3")
    assert not refused.admitted


async def test_a_managed_quota_that_is_edited_is_put_right(client):
    tree = await plant(client, "org: pods 2 > a; org > b")

    async def as_its_sibling() -> bool:
        edited, other = await managed(client, tree["a"]), await managed(client, tree["b"])
        assert edited
        assert other
        return (edited["spec"], edited["status"]) == (other["spec"], other["status"])

    body = {
        "metadata": {"labels": {names.LABEL_MANAGED: None}},
        "spec": {"hard": {"pods": "99", "secrets": "1"}},
    }
    await client.patch(paths.RESOURCE_QUOTAS, "quotatree", body=body, namespace=tree["a"])
    await soon(as_its_sibling, what="the edited spec is put right")
    found = await managed(client, tree["a"])
    assert found
    assert found["metadata"]["labels"][names.LABEL_MANAGED] == "true"
    body = {"status": {"hard": {"pods": "99"}}}
    await client.patch(
        paths.RESOURCE_QUOTAS, "quotatree", body=body, namespace=tree["a"], subresource="status"
    )
    await soon(as_its_sibling, what="the edited status is put right")
    answers = [await grow(client, tree["a"], f"a{n}") for n in range(3)]
    assert [answer.admitted for answer in answers] == [True, True, False]


async def test_an_impostor_with_scopes_is_replaced(client, controller):
    tree = await plant(client, "org: pods 2 > a")
    impostor = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "quotatree"},
        "spec": {"hard": {"pods": "99"}, "scopes": ["BestEffort"]},
    }

    async def smuggled() -> bool:
        await controller.delete(paths.RESOURCE_QUOTAS, "quotatree", namespace=tree["a"])
        return not await said(client.create(paths.RESOURCE_QUOTAS, impostor, namespace=tree["a"]))

    await soon(smuggled, what="the impostor is faster than the controller")

    async def replaced() -> bool:
        found = await managed(client, tree["a"])
        return found is not None and "scopes" not in found["spec"]

    await soon(replaced, what="the impostor is replaced")
    await measures(client, tree["a"], "pods")


# -- the end ----------------------------------------------------------------------------------


async def test_a_terminating_namespace_counts_until_its_last_object_is_gone(client, tree_sandbox):
    """Whatever becomes of its managed quota, and of the controller that knew it."""
    tree = await plant(client, "org: persistentvolumeclaims 2 > a; org > b")
    a, b = tree["a"], tree["b"]

    async def claimed(name: str) -> str:
        return await decided(lambda: client.create(paths.CLAIMS, claim(name), namespace=b))

    await client.create(paths.CLAIMS, stubborn(claim("stays")), namespace=a)
    await client.create(paths.CLAIMS, claim("goes"), namespace=a)
    await client.delete(paths.NAMESPACES, a)

    async def only_the_claim() -> bool:
        claims, _ = await client.list_all(paths.CLAIMS, namespace=a)
        return len(claims) == 1 and await managed(client, a) is None

    await soon(only_the_claim, what="everything but the stubborn claim is gone")
    answers = [await claimed(f"b{number}") for number in range(2)]
    await restarted(client, tree_sandbox.name)
    answers += [await claimed(f"b{number}") for number in range(2, 4)]
    assert len([why for why in answers if not why]) <= 1, answers
    await client.patch(paths.CLAIMS, "stays", body={"metadata": {"finalizers": None}}, namespace=a)
    await gone(client, a)

    async def fits_now() -> bool:
        return not await claimed("b9")

    await soon(fits_now, what="the room is back", within=5.0)


async def test_a_refusal_is_told_on_the_managed_quota(client):
    tree = await plant(client, "org: pods 1 > a; org > b")
    await fill(client, tree["a"], "a1")
    assert not (await grow(client, tree["b"], "b1")).admitted
    found = await events(client, tree["b"], "ExceededTreeQuota")
    assert found[0]["regarding"]["name"] == "quotatree"
    assert f"growth refused by {tree['org']}: pods" in found[0]["note"]
