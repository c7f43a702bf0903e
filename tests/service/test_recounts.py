"""Entry 2 in this process: a recount is put right or left as it is, and never refused."""

import base64
from dataclasses import replace

import orjson
import pytest
from tests.service.webhook_reviews import Document, changed, growth, office

from quotatree.model.charge import Charge
from quotatree.model.names import Namespace, Uid
from quotatree.model.sighting import Sighting
from quotatree.units.resources import Resources

RECOUNT = "/correct/usage"
ORG = "org: pods 10, requests.nvidia.com/gpu 8 > a: holds pods 4; org > b: holds pods 3"
POD = Charge(resource="pods", amounts=Resources.parse({"pods": "1"}))


def pods(name: str, number: int) -> list[Sighting]:
    return [
        Sighting(
            uid=Uid(f"{name}-{i}"),
            namespace=Namespace(name),
            resource_version=1,
            charge=POD,
            created=0.0,
        )
        for i in range(number)
    ]


def patch(response: Document) -> list[Document]:
    """Return the patch of an answer, which must let the write pass."""
    assert response["allowed"]
    if "patch" not in response:
        return []
    assert response["patchType"] == "JSONPatch"
    found: list[Document] = orjson.loads(base64.b64decode(response["patch"]))
    return found


async def test_a_recount_below_the_pods_that_exist_is_raised_to_them():
    async with office(ORG) as desk:
        desk.live.world.ledger.truth.relist("pods", pods("a", 4), 10**6)
        response = await desk.ask(RECOUNT, growth(desk.managed("a"), pods="2"))
        assert patch(response) == [{"op": "replace", "path": "/status/used/pods", "value": "4"}]
        assert [(n, str(u), str(s)) for n, u, s in desk.heard.corrections] == [
            ("a", "pods=4", "pods=2")
        ]
        assert desk.live.world.ledger.truth.drift.low == 1


async def test_of_a_dry_run_nothing_is_counted():
    async with office(ORG) as desk:
        desk.live.world.ledger.truth.relist("pods", pods("a", 4), 10**6)
        response = await desk.ask(RECOUNT, growth(desk.managed("a"), dry_run=True, pods="2"))
        assert patch(response)
        assert (desk.heard.corrections, desk.live.world.ledger.truth.drift.low) == ([], 0)


@pytest.mark.parametrize("used", ["4", "5", "0"])
async def test_without_an_account_of_the_objects_a_recount_passes_as_it_is(used):
    async with office(ORG) as desk:
        before = desk.ledger()
        response = await desk.ask(RECOUNT, growth(desk.managed("a"), pods=used))
        assert patch(response) == []
        assert (desk.ledger(), desk.apply.written) == (before, [])


async def test_before_everything_is_read_and_of_strangers_it_passes_too():
    async with office(ORG, loaded=False) as desk:
        assert patch(await desk.ask(RECOUNT, growth(desk.managed("a"), pods="0"))) == []
        desk.live.loaded = True
        asked = growth(desk.managed("a"), pods="0")
        for part in ("request.object", "request.oldObject"):
            asked = changed(asked, f"{part}.metadata.namespace", "stranger")
        assert patch(await desk.ask(RECOUNT, changed(asked, "request.namespace", "stranger"))) == []


async def test_a_name_with_a_slash_is_patched_where_it_is():
    async with office(ORG) as desk:
        gpu = "requests.nvidia.com/gpu"
        cost = Charge(resource="pods", amounts=Resources.parse({"pods": "1", gpu: "2"}))
        (pod,) = pods("a", 1)
        truth = desk.live.world.ledger.truth
        truth.relist("resourceclaims.resource.k8s.io", [], 10**6)
        truth.relist("pods", [replace(pod, charge=cost)], 10**6)
        asked = growth(desk.managed("a"), pods="4", **{gpu: "0"})
        (change,) = patch(await desk.ask(RECOUNT, asked))
        assert change["path"] == "/status/used/requests.nvidia.com~1gpu"
        assert change["value"] == "2"


async def test_what_cannot_be_read_is_answered_as_such():
    async with office(ORG) as desk:
        asked = changed(growth(desk.managed("a"), pods="2"), "request.object.status.used", [1])
        status, text = await desk.post(RECOUNT, asked)
        assert (status, "status.used" in text) == (400, True)
