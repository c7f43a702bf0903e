"""The decider's side of the socket, between its terms and while it follows another leader."""

import orjson
import pytest
from tests.service.webhook_reviews import growth, office

from quotatree.testing import words
from quotatree.webhook import routes, unanswered
from quotatree.webhook.answers import Answers


@pytest.mark.parametrize("path", sorted(routes.REFUSABLE))
async def test_between_two_terms_a_review_is_to_be_asked_again(path):
    seen = words.world("org: pods 10 > a").managed["a"]["quotatree"]
    answer = await Answers().answer(path, orjson.dumps(growth(seen, pods="1")))
    assert answer.status == 200
    assert orjson.loads(answer.body)["response"]["status"]["code"] == 429


async def test_what_is_not_known_as_refusable_is_left_to_its_failure_policy():
    answer = unanswered.answer("/correct/usage", b"{}", "nobody leads")
    assert (answer.status, answer.body) == (503, b"nobody leads\n")


@pytest.mark.parametrize(("follows", "want"), [(True, 200), (False, 503)])
async def test_a_replica_without_a_term_is_ready_if_another_one_leads(follows, want):
    answers = Answers()
    answers.follows = lambda: follows
    assert (await answers.answer(routes.READY)).status == want
    assert (await answers.answer(routes.ALIVE)).status == 200


@pytest.mark.parametrize(("loaded", "want"), [(True, 200), (False, 503)])
async def test_a_leader_is_ready_when_it_has_read_everything(loaded, want):
    async with office("org: pods 1", loaded=loaded) as desk:
        assert (await desk.client.get(routes.READY)).status == want
