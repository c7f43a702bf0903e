"""The admission server in this process: what it answers, what it counts, what it survives."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import orjson
import pytest
from tests.service.webhook_reviews import (
    Document,
    Office,
    changed,
    growth,
    namespace_object,
    office,
    quota_object,
    review,
    tree_quota,
)

from quotatree.errors import ClusterError
from quotatree.model import effect
from quotatree.model.names import Namespace
from quotatree.units.resources import Resources
from quotatree.webhook import server

USAGE, NAMESPACE, QUOTA = "/admit/usage", "/validate/namespace", "/validate/treequota"
ORG = "org: pods 10 > a: holds pods 4; org > b: holds pods 3"
DEEP = b'{"a":' * 5000 + b"1" + b"}" * 5000


def body(office: Office) -> Document:
    return growth(office.managed("a"), pods="5")


def with_value(path: str, value: object) -> Callable[[Office], Document]:
    return lambda office: changed(body(office), path, value)


def padded(size: int) -> Callable[[Office], bytes]:
    """Return a good review with an annotation so long that the body has `size` bytes."""

    def build(office: Office) -> bytes:
        good = changed(body(office), "request.object.metadata.annotations.note", "")
        missing = size - len(orjson.dumps(good))
        return orjson.dumps(
            changed(good, "request.object.metadata.annotations.note", "x" * missing)
        )

    return build


def raw(text: bytes) -> Callable[[Office], bytes]:
    return lambda _: text


OBJECT, OLD = "request.object", "request.oldObject"

MALFORMED = [
    pytest.param(raw(b""), "no JSON", id="nothing"),
    pytest.param(lambda o: orjson.dumps(body(o))[:200], "no JSON", id="truncated"),
    pytest.param(raw(b"\xff\xfe\x00"), "no JSON", id="not UTF-8"),
    pytest.param(raw(b'{"request": NaN}'), "no JSON", id="NaN in JSON"),
    pytest.param(raw(DEEP), "no JSON", id="5000 levels deep"),
    pytest.param(raw(b"[]"), "AdmissionReview object", id="a list"),
    pytest.param(raw(b"null"), "AdmissionReview object", id="null"),
    pytest.param(raw(b"{}"), "got None of None", id="an empty object"),
    pytest.param(with_value("kind", "Pod"), "'Pod'", id="another kind"),
    pytest.param(with_value("apiVersion", "admission.k8s.io/v1beta1"), "v1beta1", id="v1beta1"),
    pytest.param(with_value("apiVersion", 3), "got 'AdmissionReview' of 3", id="version 3"),
    pytest.param(with_value("request", ...), "request.uid", id="no request"),
    pytest.param(with_value("request", []), "request.uid", id="request is a list"),
    pytest.param(with_value("request.uid", ...), "request.uid", id="no uid"),
    pytest.param(with_value("request.uid", 7), "request.uid", id="uid is a number"),
    pytest.param(with_value(OBJECT, ...), "request.object", id="no object"),
    pytest.param(with_value(OBJECT, None), "request.object", id="object is null"),
    pytest.param(with_value(OLD, None), "request.oldObject", id="oldObject is null"),
    pytest.param(with_value(OLD, "quotatree"), "request.oldObject", id="oldObject is a text"),
    pytest.param(with_value(f"{OBJECT}.kind", "Pod"), "request.object.kind", id="object: a Pod"),
    pytest.param(with_value(f"{OLD}.kind", ...), "request.oldObject.kind", id="oldObject: no kind"),
    pytest.param(with_value(f"{OLD}.metadata", []), "metadata.namespace", id="metadata is a list"),
    pytest.param(with_value(f"{OLD}.metadata.uid", ...), "metadata.uid", id="object without uid"),
    pytest.param(
        with_value(f"{OBJECT}.metadata.namespace", "b"), "not the same", id="two namespaces"
    ),
    pytest.param(with_value(f"{OBJECT}.metadata.uid", "x"), "not the same", id="two uids"),
    pytest.param(
        with_value("request.namespace", "b"), "request.namespace", id="asked in another namespace"
    ),
    pytest.param(
        lambda o: changed(
            changed(body(o), f"{OBJECT}.metadata.name", "own"), f"{OLD}.metadata.name", "own"
        ),
        "own is not the name",
        id="a tenant's own quota",
    ),
    pytest.param(
        with_value(f"{OLD}.spec.scopes", ["BestEffort"]), "scopes BestEffort", id="another scope"
    ),
    pytest.param(
        with_value(f"{OLD}.metadata.resourceVersion", ...), "resourceVersion", id="no version"
    ),
    pytest.param(
        with_value(f"{OLD}.metadata.resourceVersion", "-4"), "resourceVersion", id="version -4"
    ),
    pytest.param(
        with_value(f"{OLD}.metadata.resourceVersion", "9" * 400), "resourceVersion", id="400 digits"
    ),
    pytest.param(
        with_value(f"{OBJECT}.status.used.pods", "NaN"), 'object.status.used["pods"]', id="NaN pods"
    ),
    pytest.param(
        with_value(f"{OBJECT}.status.used.pods", "-1"),
        'object.status.used["pods"]',
        id="negative usage",
    ),
    pytest.param(
        with_value(f"{OLD}.status.used.pods", "-1"),
        'oldObject.status.used["pods"]',
        id="negative usage before",
    ),
    pytest.param(
        with_value(f"{OBJECT}.status.used.pods", "1e9999"),
        'object.status.used["pods"]',
        id="an exponent beyond reason",
    ),
    pytest.param(
        with_value(f"{OBJECT}.status.used.pods", {"a": 1}),
        'object.status.used["pods"]',
        id="a map for a quantity",
    ),
    pytest.param(with_value(f"{OBJECT}.status.used", [1]), "status.used", id="used is a list"),
    pytest.param(with_value(f"{OBJECT}.status", "full"), "status.used", id="status is a text"),
]


@pytest.mark.parametrize(("build", "want"), MALFORMED)
async def test_what_cannot_be_read_is_answered_with_its_place_and_changes_nothing(build, want):
    async with office(ORG) as desk:
        before = desk.ledger()
        status, text = await desk.post(USAGE, build(desk))
        assert (status, want in text) == (400, True), (status, text)
        assert len(text) < 1000
        assert desk.ledger() == before
        assert (await desk.ask(USAGE, body(desk)))["allowed"]


@pytest.mark.parametrize("path", [NAMESPACE, QUOTA])
@pytest.mark.parametrize(
    ("change", "want"),
    [
        ({"object": None}, "request.object"),
        ({"object": {"kind": "Pod"}}, "request.object.kind"),
        ({"oldObject": {"kind": "Pod"}}, "request.oldObject.kind"),
        ({"uid": None}, "request.uid"),
    ],
)
async def test_the_other_paths_say_too_what_they_cannot_read(path, change, want):
    good = {
        NAMESPACE: review(obj=namespace_object("new", "org")),
        QUOTA: review(obj=tree_quota("a", {"hard": {"pods": "1"}})),
    }[path]
    async with office(ORG) as desk:
        status, text = await desk.post(path, {**good, "request": {**good["request"], **change}})
        assert (status, want in text) == (400, True), text
        assert (await desk.ask(path, good))["allowed"]


async def test_a_body_of_3_mb_is_read_and_one_of_5_mb_is_not():
    async with office(ORG) as desk:
        status, _ = await desk.post(USAGE, padded(3_000_000)(desk))
        assert status == 200
        before = desk.ledger()
        status, text = await desk.post(USAGE, padded(5_000_000)(desk))
        assert status == 413
        assert str(server.MAX_BODY) in text
        assert desk.ledger() == before
        assert (await desk.ask(USAGE, body(desk)))["allowed"]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (f"{OBJECT}.status.used.pods", "9223372036854775807"),
        (f"{OBJECT}.status.used.pods", "1e1000"),
        (f"{OBJECT}.status.used.pods", "9" * 900),
    ],
)
async def test_a_huge_growth_is_refused_with_its_numbers(path, value):
    async with office(ORG) as desk:
        response = await desk.ask(USAGE, changed(body(desk), path, value))
        assert not response["allowed"]
        assert "exceeded quota: org" in response["status"]["message"]
        assert (await desk.ask(USAGE, body(desk)))["allowed"]


async def test_a_namespace_that_nobody_knows_is_answered_later_and_not_counted():
    async with office(ORG) as desk:
        before = desk.ledger()
        asked = body(desk)
        for part in (OBJECT, OLD):
            asked = changed(asked, f"{part}.metadata.namespace", "stranger")
        response = await desk.ask(USAGE, changed(asked, "request.namespace", "stranger"))
        assert response["status"]["code"] == 429
        assert desk.ledger() == before


async def test_a_fault_of_ours_refuses_and_the_server_lives_on(monkeypatch, caplog):
    async with office(ORG) as desk:
        with monkeypatch.context() as broken:
            broken.setattr(desk.live, "world", None)
            status, text = await desk.post(USAGE, growth_of_a())
        assert (status, "see its log" in text) == (500, True)
        assert "could not be answered" in caplog.text
        assert (await desk.ask(USAGE, body(desk)))["allowed"]


def growth_of_a() -> Document:
    """Return a review that needs no world to be written."""
    quota = {
        "kind": "ResourceQuota",
        "metadata": {"name": "quotatree", "namespace": "a", "uid": "u", "resourceVersion": "9"},
    }
    return review(obj=quota, old=quota)


# -- deciding ---------------------------------------------------------------------------------


async def test_what_fits_is_admitted_and_counted_at_once():
    async with office(ORG) as desk:
        assert (await desk.ask(USAGE, growth(desk.managed("a"), pods="7")))["allowed"]
        refused = await desk.ask(USAGE, growth(desk.managed("b"), pods="4"))
        assert not refused["allowed"]


def closed(desk):
    """Have `a` closed, as a namespace is that has not grown yet."""
    seen = desk.managed("a")
    desk.live.world.see_managed(
        replace(seen, epoch=None, resource_version=seen.resource_version + 1)
    )
    return desk.managed("a")


async def test_the_first_growth_opens_its_account_and_is_granted_when_it_is_asked_again():
    async with office(ORG) as desk:
        base, before = closed(desk), desk.ledger()
        assert (await desk.ask(USAGE, growth(base, pods="5")))["allowed"]
        (opened,) = desk.apply.written
        assert opened.annotations == {"quotatree.dev/epoch": "1"}
        assert opened.resource_version == base.resource_version
        assert desk.ledger() == before, "that growth is lost"
        assert (await desk.ask(USAGE, growth(desk.managed("a"), pods="5")))["allowed"]
        assert desk.ledger() != before
        assert len(desk.apply.written) == 1


async def test_what_was_opened_by_one_who_leads_no_more_is_not_granted_on():
    async with office(ORG) as desk:
        desk.apply.leads = False
        before = desk.ledger()
        assert (await desk.ask(USAGE, growth(closed(desk), pods="5")))["allowed"]
        answer = await desk.ask(USAGE, growth(desk.managed("a"), pods="5"))
        assert answer["status"]["code"] == 429
        assert desk.ledger() == before
        desk.apply.leads = True  # it was no answer of the API server's, or it leads again
        assert (await desk.ask(USAGE, growth(desk.managed("a"), pods="5")))["allowed"]


@pytest.mark.parametrize(("status", "allowed"), [(409, True), (404, False), (0, False)])
async def test_an_opening_that_fails_grants_nothing(status, allowed):
    """One that lost to another write lets the growth lose to the same."""
    async with office(ORG) as desk:
        before = desk.ledger()
        desk.apply.error = ClusterError("no", status=status)
        assert (await desk.ask(USAGE, growth(closed(desk), pods="5")))["allowed"] is allowed
        assert desk.ledger() == before


async def test_a_dry_run_reserves_nothing():
    async with office(ORG) as desk:
        before = desk.ledger()
        asked = growth(desk.managed("a"), dry_run=True, pods="7")
        assert (await desk.ask(USAGE, asked))["allowed"]
        assert desk.ledger() == before
        too_much = growth(desk.managed("a"), dry_run=True, pods="9")
        assert not (await desk.ask(USAGE, too_much))["allowed"]
        assert (desk.ledger(), desk.apply.written) == (before, [])


async def test_before_everything_is_read_the_answer_is_429_without_a_time():
    async with office(ORG, loaded=False) as desk:
        for path, asked in (
            (USAGE, body(desk)),
            (NAMESPACE, review(obj=namespace_object("new", "org"))),
        ):
            response = await desk.ask(path, asked)
            assert not response["allowed"]
            assert response["status"]["code"] == 429
            assert "details" not in response["status"]
            assert "retry in a second" in response["status"]["message"]
        assert (await desk.client.get("/readyz")).status == 503
        desk.live.loaded = True
        assert (await desk.client.get("/readyz")).status == 200


async def test_one_request_alone_is_refused_with_the_numbers_of_the_ancestor():
    async with office("org: pods 7 > a: holds pods 4; org > b: holds pods 3") as desk:
        response = await desk.ask(USAGE, growth(desk.managed("a"), pods="5"))
        assert response["status"]["code"] == 403
        assert response["status"]["message"].startswith(
            "exceeded quota: org, requested: pods=1, used: pods=7, limited: pods=7"
        )
        assert desk.apply.written == []
        ((who, (limit,)),) = desk.heard.refusals
        assert (who, limit.ancestor) == ("a", "org")


async def test_a_batch_is_tightened_to_the_room_and_refused():
    async with office(ORG) as desk:
        response = await desk.ask(USAGE, growth(desk.managed("a"), pods="9"))
        assert not response["allowed"]
        (written,) = desk.apply.written
        assert isinstance(written, effect.PatchManagedStatus)
        assert str(written.hard) == "pods=7"
        assert desk.managed("a").limited_by == "org: pods"
        assert len(desk.heard.refusals) == 1
        # The room is kept for the retry: nobody takes it, and the retry does.
        assert not (await desk.ask(USAGE, growth(desk.managed("b"), pods="4")))["allowed"]
        assert (await desk.ask(USAGE, growth(desk.managed("a"), pods="7")))["allowed"]


async def test_a_tightening_ends_the_slice_of_its_namespace_in_the_same_write():
    async with office(ORG) as desk:
        seen = desk.managed("a")
        given = replace(seen, resource_version=10**6, slice=Resources.parse({"pods": "5"}))
        desk.live.world.see_managed(given)
        assert not (await desk.ask(USAGE, growth(desk.managed("a"), pods="9")))["allowed"]
        (written,) = desk.apply.written
        assert isinstance(written, effect.PatchManagedStatus)
        assert written.annotations["slice.quotatree.dev/pods"] is None


async def test_the_refusal_waits_until_quota_admission_sees_the_tightening():
    async with office(ORG) as desk:
        desk.apply.seen_by_admission = False
        asking = asyncio.ensure_future(desk.ask(USAGE, growth(desk.managed("a"), pods="9")))
        while not desk.apply.written:
            await asyncio.sleep(0)
        await asyncio.sleep(0.01)
        assert not asking.done()
        desk.apply.seen_by_admission = True
        assert not (await asking)["allowed"]


async def test_a_write_that_is_lost_already_passes_when_quota_admission_sees_what_it_lost_to():
    async with office(ORG) as desk:
        stale = growth(desk.managed("a"), pods="5")
        newer = replace(desk.managed("a"), resource_version=10**6)
        desk.live.world.see_managed(newer)
        before = desk.ledger()
        desk.apply.seen_by_admission = False
        asking = asyncio.ensure_future(desk.ask(USAGE, stale))
        await asyncio.sleep(0.05)
        assert not asking.done()
        desk.apply.seen_by_admission = True
        assert (await asking)["allowed"]
        assert desk.ledger() == before


@pytest.mark.parametrize("status", [409, 404, 0])
async def test_a_tightening_that_loses_gives_its_room_back_and_still_refuses(status):
    async with office(ORG) as desk:
        before = desk.ledger()
        desk.apply.error = ClusterError("lost", status=status)
        response = await desk.ask(USAGE, growth(desk.managed("a"), pods="9"))
        assert not response["allowed"]
        assert desk.ledger() == before
        assert (await desk.ask(USAGE, growth(desk.managed("b"), pods="6")))["allowed"]


def test_a_quota_object_is_written_as_it_is_read():
    """The reviews above are only as good as this."""
    from quotatree.codec import managed
    from quotatree.testing import words

    seen = words.world(ORG).managed[Namespace("a")]["quotatree"]
    assert managed.parse(quota_object(seen)) == seen
