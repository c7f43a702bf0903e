"""The metrics of a replica, read as Prometheus reads them: each answer is counted, with its cause.

Keys are the name and the values of the labels, in the order of the labels' names.
"""

from types import SimpleNamespace

import pytest
from prometheus_client import parser
from tests.service.webhook_reviews import growth, namespace_object, office, review, tree_quota

from quotatree.webhook import routes

ORG = "org: pods 5 > a: holds pods 2; org > b: holds pods 2"


async def metrics(desk):
    """Return every sample of `/metrics`: name and the values of its labels → value."""
    answer = await desk.client.get(routes.METRICS)
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in parser.text_string_to_metric_families(await answer.text())
        for sample in family.samples
    }


ANSWERS = {
    "fits": (routes.USAGE, "3", ("admit", "", "usage")),
    "one too many": (routes.USAGE, "4", ("tighten", "", "usage")),
}


@pytest.mark.parametrize(("path", "pods", "want"), ANSWERS.values(), ids=ANSWERS)
async def test_a_growth_is_counted_by_its_answer(path, pods, want):
    async with office(ORG) as desk:
        await desk.ask(path, growth(desk.managed("a"), pods=pods))
        found = await metrics(desk)
    answers = {key[1:]: v for key, v in found.items() if key[0] == "quotatree_reviews_total"}
    assert answers == {want: 1}
    assert found["quotatree_decision_seconds_count", "usage"] == 1
    assert found["quotatree_acceptor_review_seconds_count", "own"] == 1
    refused = {key[1]: v for key, v in found.items() if key[0] == "quotatree_refusals_total"}
    assert refused == ({"org": 1} if want[0] == "tighten" else {})


async def test_one_pod_alone_is_denied_under_the_root_of_its_tree():
    async with office("org: pods 4 > a: holds pods 2; org > b: holds pods 2") as desk:
        await desk.ask(routes.USAGE, growth(desk.managed("a"), pods="3"))
        found = await metrics(desk)
    assert found["quotatree_reviews_total", "deny", "", "usage"] == 1
    assert found["quotatree_refusals_total", "org"] == 1


async def test_a_full_level_is_no_refusal_while_nothing_is_told_of_the_cluster():
    async with office("org: pods 4 > a: holds pods 2; org > b: holds pods 2") as desk:
        desk.live.watches.append(SimpleNamespace(cut=True))
        answer = await desk.ask(routes.USAGE, growth(desk.managed("a"), pods="3"))
        found = await metrics(desk)
    assert answer["status"]["code"] == 429
    assert "there may be room by now" in answer["status"]["message"]
    assert found["quotatree_reviews_total", "later", "blind", "usage"] == 1


async def test_what_is_put_off_is_counted_by_its_cause():
    async with office(ORG) as desk:
        desk.live.world.ledger.epoch = 2  # nothing carries it yet
        await desk.ask(routes.USAGE, growth(desk.managed("a"), pods="3"))
        found = await metrics(desk)
    assert found["quotatree_review_waits_total", "fence", "usage"] == 1
    assert found["quotatree_reviews_total", "later", "fence", "usage"] == 1
    assert found["quotatree_fenced_ratio",] == 0


async def test_a_leader_that_is_still_reading_says_so():
    async with office(ORG, loaded=False) as desk:
        await desk.ask(routes.USAGE, growth(desk.managed("a"), pods="3"))
        found = await metrics(desk)
    assert found["quotatree_reviews_total", "later", "unread", "usage"] == 1
    assert (found["quotatree_leader",], found["quotatree_ledger_loaded",]) == (1, 0)


async def test_a_grant_is_pending_until_it_is_seen():
    async with office(ORG) as desk:
        await desk.ask(routes.USAGE, growth(desk.managed("a"), pods="3"))
        assert (await metrics(desk))["quotatree_pending_grants", "pending"] == 1


async def test_what_is_no_growth_is_counted_too():
    async with office(ORG) as desk:
        moved = review(obj=namespace_object("a", "a"), old=namespace_object("a", "org"))
        await desk.ask(routes.NAMESPACE, moved)
        await desk.ask(routes.TREE_QUOTA, review(obj=tree_quota("a", {"hard": {"pods": "1"}})))
        await desk.post(routes.USAGE, b"nonsense")
        found = await metrics(desk)
    assert found["quotatree_reviews_total", "refuse", "", "namespace"] == 1
    assert found["quotatree_reviews_total", "allow", "", "treequota"] == 1
    assert found["quotatree_reviews_total", "unreadable", "", "usage"] == 1
