"""What the admission server says to TreeQuotas and to parents: every refusal with its next step."""

import pytest
from tests.service.webhook_reviews import (
    namespace_object,
    office,
    review,
    tree_quota,
)

from quotatree.model.names import Namespace

NAMESPACE, QUOTA = "/validate/namespace", "/validate/treequota"
ORG = "org: pods 10 > a: holds pods 4; org > b: holds pods 3"


# -- TreeQuotas -------------------------------------------------------------------------------

SPECS = [
    ({"hard": {"memroy": "1Gi"}}, ['spec.hard["memroy"]', "did you mean 'memory'"]),
    ({"hard": {"storage": "1Gi"}}, ['spec.hard["storage"]', "requests.storage"]),
    ({"hard": {"cpu": "2O"}}, ['spec.hard["cpu"]', "no quantity"]),
    ({"hard": {"cpu": "-1"}}, ['spec.hard["cpu"]', "must not be negative"]),
    ({"hard": {"cpu": "1000E"}}, ['spec.hard["cpu"]', "9.2E"]),
    (
        {"hard": {"pods": "5"}, "guaranteed": {"pods": "6"}},
        ['spec.guaranteed["pods"]', "guarantees 6, above the ceiling 5"],
    ),
    ({"hrad": {}}, ["spec.hrad", 'did you mean "hard"']),
    (None, ["spec", "must be a map"]),
]


@pytest.mark.parametrize(("spec", "want"), SPECS)
async def test_a_wrong_tree_quota_is_refused_with_place_and_next_step(spec, want):
    async with office(ORG) as desk:
        before = desk.ledger()
        response = await desk.ask(QUOTA, review(obj=tree_quota("a", spec)))
        assert response["status"]["code"] == 422
        message = response["status"]["message"]
        assert message.startswith("TreeQuota a/limit: ")
        assert [part for part in want if part not in message] == [], message
        assert desk.ledger() == before


async def test_everything_that_is_wrong_is_said_at_once():
    spec = {"hard": {"memroy": "1Gi", "cpu": "x", "pods": "-1"}, "scopes": ["BestEfort"]}
    async with office(ORG) as desk:
        response = await desk.ask(QUOTA, review(obj=tree_quota("a", spec)))
        message = response["status"]["message"]
        assert message.count("spec.") == 4, message


@pytest.mark.parametrize(
    ("namespace", "spec", "want"),
    [
        ("a", {"hard": {"pods": "11"}}, "11 is more than the 10 that an ancestor allows"),
        ("a", {"hard": {"pods": "3"}}, "3 is below the 4 in use"),
        ("a", {"guaranteed": {"pods": "9"}}, "spec.guaranteed waits: org has no room"),
        ("a", {"hard": {"cpu": "5"}}, "must now say their cpu"),
        ("a", {"hard": {"requests.memory": "5Gi"}}, "must now say their requests.memory"),
    ],
)
async def test_a_tree_quota_that_surprises_is_accepted_with_a_warning(namespace, spec, want):
    async with office(ORG) as desk:
        response = await desk.ask(QUOTA, review(obj=tree_quota(namespace, spec)))
        assert response["allowed"]
        assert any(want in warning for warning in response["warnings"]), response["warnings"]


async def test_a_good_tree_quota_passes_without_a_word():
    async with office(ORG) as desk:
        response = await desk.ask(QUOTA, review(obj=tree_quota("a", {"hard": {"pods": "9"}})))
        assert response == {"uid": "a-review", "allowed": True}


async def test_one_that_only_observes_passes_without_a_word_and_warns_nobody_above_or_below():
    async with office(ORG) as desk:
        spec = {"hard": {"cpu": "0", "pods": "99"}, "guaranteed": {"pods": "99"}, "mode": "Observe"}
        response = await desk.ask(QUOTA, review(obj=tree_quota("a", spec)))
        assert response == {"uid": "a-review", "allowed": True}


# -- parents ----------------------------------------------------------------------------------

FOREST = "org: pods 10 > team > a: holds pods 4; org > b: holds pods 3; far: pods 3 > c"


@pytest.mark.parametrize(
    ("name", "old", "new", "want"),
    [
        ("new", None, "nobody", "names the parent nobody, which does not exist: create"),
        ("new", None, "new", "namespace new cannot be its own parent"),
        ("a", "team", "a", "namespace a cannot be its own parent"),
        ("org", None, "a", "(org > team > a), which would make a cycle; move a out of org first"),
        ("team", "org", "a", "(org > team > a), which would make a cycle"),
        ("team", "org", "far", "pods: team brings 4, far has 0 of 3 in use; lower the usage"),
    ],
)
async def test_a_parent_that_cannot_be_is_refused_with_the_reason(name, old, new, want):
    async with office(FOREST) as desk:
        before = desk.ledger()
        known = None
        if Namespace(name) in desk.live.world.namespaces:
            version = desk.live.world.namespaces[Namespace(name)].resource_version
            known = namespace_object(name, old, version=version)
        asked = review(obj=namespace_object(name, new), old=known)
        response = await desk.ask(NAMESPACE, asked)
        assert not response["allowed"]
        assert want in response["status"]["message"], response["status"]["message"]
        assert desk.ledger() == before


async def test_a_move_is_charged_in_both_places_and_a_dry_one_in_neither():
    async with office(FOREST.replace("far: pods 3", "far: pods 5")) as desk:
        version = desk.live.world.namespaces[Namespace("team")].resource_version
        old = namespace_object("team", "org", version=version)
        before = desk.ledger()
        dry = review(obj=namespace_object("team", "far"), old=old, dry_run=True)
        assert (await desk.ask(NAMESPACE, dry))["allowed"]
        assert desk.ledger() == before
        assert (await desk.ask(NAMESPACE, review(obj=namespace_object("team", "far"), old=old)))[
            "allowed"
        ]
        charge = {
            name: desk.live.world.ledger.forest.node(Namespace(name)).book(()).charge("pods")
            for name in ("org", "far")
        }
        assert charge == {"org": 7 * 10**9, "far": 4 * 10**9}


async def test_a_parent_that_comes_back_must_have_room_for_the_children_that_waited():
    async with office("org: pods 10 > b: holds pods 8; team > a: holds pods 4") as desk:
        desk.live.world.lose_namespace(Namespace("team"), 10**9)
        response = await desk.ask(NAMESPACE, review(obj=namespace_object("team", "org")))
        assert "team brings 4, org has 8 of 10" in response["status"]["message"]
        alone = await desk.ask(NAMESPACE, review(obj=namespace_object("team", None)))
        assert alone["allowed"]
