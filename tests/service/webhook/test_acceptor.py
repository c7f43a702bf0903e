"""The acceptor: it hands reviews to whoever leads, and refuses at once where nobody answers."""

import asyncio
import itertools
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import aiohttp
import orjson
import pytest
from tests.service import listening as ports
from tests.service import webhook_reviews
from tests.service.webhook_reviews import Document, Replica, quota_object, replica

from quotatree.codec import review
from quotatree.model.names import Namespace
from quotatree.testing import words
from quotatree.webhook import certificates, frames, pulse, routes, server, ways
from quotatree.webhook.certificates import Step
from quotatree.webhook.frames import Answer

HOST = "quotatree-webhook.quotatree-system.svc"
SOON = 1.0
"""Seconds that the API server waits; how long the acceptor waited is in its words."""


@dataclass
class Decider:
    """What stands behind an acceptor: it admits everything, after `takes` seconds."""

    takes: float = 0.0
    asked: list[str] = field(default_factory=list)

    async def answer(self, path: str, body: bytes = b"") -> Answer:
        self.asked.append(path)
        if self.takes:
            await asyncio.sleep(self.takes)
        if not body:
            return Answer(media=frames.TEXT, body=b"ok\n")
        return Answer(body=review.allow(review.uid_of(review.request_of(body))))


@dataclass(frozen=True)
class Listening:
    """A replica that listens, with the client of an API server."""

    replica: Replica
    decider: Decider
    url: str
    session: aiohttp.ClientSession
    trust: ssl.SSLContext

    def follow(self, url: str) -> None:
        self.replica.counter.tell(here=False, leader=url)

    async def ask(self, path: str = routes.USAGE, body: bytes | None = None) -> "Told":
        began = time.monotonic()
        sent = orjson.dumps(growth()) if body is None else body
        async with self.session.post(
            f"{self.url}{path}", data=sent, ssl=self.trust, server_hostname=HOST
        ) as answer:
            content = await answer.read()
            stays = answer.headers.get("Connection") != "close"
            return Told(answer.status, content, stays=stays, took=time.monotonic() - began)


@dataclass(frozen=True)
class Told:
    """An answer as the API server gets it."""

    status: int
    content: bytes
    stays: bool
    took: float

    @property
    def response(self) -> Document:
        assert self.status == 200, self.content
        found: Document = orjson.loads(self.content)["response"]
        assert found["uid"] == "a-review"
        return found

    @property
    def later(self) -> bool:
        """Whether it is told to ask again, and not to wait for that in the API server."""
        said = self.response.get("status", {})
        return said.get("code") == 429 and "details" not in said


def growth() -> Document:
    seen = words.world("org: pods 10 > a").managed[Namespace("a")]["quotatree"]
    return webhook_reviews.review(
        obj=quota_object(seen, pods="1"), old=quota_object(seen), namespace="a", name="quotatree"
    )


MADE = certificates.carry_out(
    Step.START, None, hosts=[HOST], now=datetime.fromtimestamp(time.time(), tz=UTC)
)


@pytest.fixture
async def start() -> AsyncIterator[Callable[..., object]]:
    async with AsyncExitStack() as stack:

        async def one(*, serves: bool = True, takes: float = 0.0) -> Listening:
            return await stack.enter_async_context(listening(serves=serves, takes=takes))

        yield one


@asynccontextmanager
async def listening(*, serves: bool, takes: float) -> AsyncIterator[Listening]:
    """Start a replica; one that does not serve has a decider that hangs from the beginning."""
    decider = Decider(takes)
    async with aiohttp.ClientSession() as session, replica(session, decider, serves=serves) as ours:
        chain = certificates.pem(MADE.chain) + MADE.key_pem
        ours.counter.tell(chain=chain.decode(), bundle=MADE.bundle.decode(), host=HOST)
        await ours.acceptor.certified.wait()
        runner = await server.serve(
            ours.acceptor, host="127.0.0.1", port=0, tls=ours.acceptor.context
        )
        trust = ssl.create_default_context(cadata=MADE.bundle.decode())
        url = f"https://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield Listening(ours, decider, url, session, trust)
        finally:
            await runner.cleanup()


# -- who is asked -----------------------------------------------------------------------------


async def test_the_leader_answers_itself_and_keeps_the_connection(start):
    leader = await start()
    leader.replica.lead()
    told = await leader.ask()
    assert (told.response["allowed"], told.stays) == (True, True)


async def test_another_hands_a_review_on_and_closes_the_connection(start):
    leader, other = await start(), await start()
    leader.replica.lead()
    other.follow(leader.url)
    told = await other.ask()
    assert (told.response["allowed"], told.stays) == (True, False)
    assert (leader.decider.asked, other.decider.asked) == ([routes.USAGE], [])


async def test_a_leader_for_whom_nothing_vouches_is_not_asked(start):
    other = await start()
    other.follow("http://127.0.0.1:1")
    await other.ask()
    assert other.decider.asked == [routes.USAGE]


async def test_a_replica_that_knows_of_no_leader_asks_its_own_decider(start):
    alone = await start()
    told = await alone.ask()
    assert (alone.decider.asked, told.stays) == ([routes.USAGE], False)


async def test_what_was_handed_on_is_not_handed_on_again(start):
    left, right = await start(), await start()
    left.follow(right.url)
    right.follow(left.url)
    await left.ask()
    assert (left.decider.asked, right.decider.asked) == ([], [routes.USAGE])


async def test_a_new_leader_is_asked_from_then_on(start):
    old, new, other = await start(), await start(), await start()
    other.follow(old.url)
    await other.ask()
    other.follow(new.url)
    await other.ask()
    assert (len(old.decider.asked), len(new.decider.asked)) == (1, 1)


async def test_a_leader_that_thinks_for_longer_than_the_deadline_is_waited_for(start):
    leader, other = await start(takes=2 * pulse.DEADLINE), await start()
    leader.replica.lead()
    other.follow(leader.url)
    assert (await leader.ask()).response["allowed"]
    assert (await other.ask()).response["allowed"]


# -- nobody answers ---------------------------------------------------------------------------


async def test_a_leader_that_is_gone_is_answered_for_at_once(start, unused_tcp_port):
    other = await start()
    other.follow(f"https://127.0.0.1:{unused_tcp_port}")
    told = await other.ask()
    assert (told.later, told.stays) == (True, False)
    assert told.took < SOON


async def test_a_leader_that_accepts_and_says_nothing_is_given_the_deadline(start):
    other = await start()
    async with ports.port(ports.hold) as silent:
        other.follow(f"https://127.0.0.1:{silent}")
        told = await other.ask()
    assert (told.later, told.stays) == (True, False)
    assert pulse.DEADLINE <= told.took < SOON
    assert "did not answer within 0.25 s" in told.response["status"]["message"]


async def test_a_leader_whose_decider_hangs_is_answered_for(start):
    leader, other = await start(serves=False), await start()
    other.follow(leader.url)
    told = await other.ask()
    assert told.later
    assert told.took < SOON


async def test_a_leader_that_another_authority_vouches_for_is_not_asked(start):
    leader, other = await start(), await start()
    foreign = certificates.carry_out(
        Step.START, None, hosts=[HOST], now=datetime.fromtimestamp(time.time(), tz=UTC)
    )
    chain = certificates.pem(MADE.chain) + MADE.key_pem
    other.replica.counter.tell(chain=chain.decode(), bundle=foreign.bundle.decode(), host=HOST)
    other.follow(leader.url)
    assert (await other.ask()).later
    assert not leader.decider.asked


async def test_a_hung_decider_is_answered_for_within_the_deadline(start):
    hung = await start(serves=False)
    told = await hung.ask()
    assert (told.later, told.stays) == (True, False)
    assert told.took < SOON
    assert "decider did not answer" in told.response["status"]["message"]


async def test_of_those_that_ask_at_once_when_a_decider_hangs_few_wait_for_long(start):
    """Quota admission has five workers: one that is free serves namespaces without any quota."""
    hung = await start(serves=False)
    told = await asyncio.gather(*(hung.ask() for _ in range(ways.MOST + 2)))
    assert all(one.later for one in told)
    quick = [one for one in told if one.took < pulse.DEADLINE]
    assert len(quick) == 2


async def test_behind_a_hung_decider_only_one_review_at_a_time_waits(start):
    hung = await start(serves=False)
    await hung.ask()
    began = time.monotonic()
    told = await asyncio.gather(*(hung.ask() for _ in range(8)))
    took = time.monotonic() - began
    messages = [one.response["status"]["message"] for one in told]
    waited = ["did not answer within" in message for message in messages]
    assert ways.EXCESS <= sum(waited) * ways.EXCESS <= took
    assert all("has been silent for" in m for m, w in zip(messages, waited, strict=True) if not w)


async def test_behind_a_decider_that_hangs_for_longer_hardly_any_review_waits(start):
    hung = await start(serves=False)
    end = time.monotonic() + pulse.SILENCE
    while time.monotonic() < end:
        await hung.ask()
    told = [await hung.ask() for _ in range(20)]
    waited = ["did not answer within" in one.response["status"]["message"] for one in told]
    took = sum(one.took for one in told)
    assert sum(waited) <= 1 + took / pulse.KNOCK


async def test_a_decider_that_wakes_decides_nothing_that_nobody_waits_for(start):
    hung = await start(serves=False)
    assert (await hung.ask()).later
    serving = asyncio.create_task(hung.replica.counter.serve())
    assert (await hung.ask()).response["allowed"]
    assert len(hung.decider.asked) == 1
    serving.cancel()
    await asyncio.wait([serving])


async def test_an_answer_that_takes_too_long_is_given_up_before_the_api_server_does(start):
    slow = await start(takes=5.0)
    told = await slow.ask()
    assert told.later
    assert told.took < 1.0


@pytest.mark.parametrize("path", sorted(routes.REFUSABLE))
async def test_every_kind_of_review_is_refused_where_nobody_answers(start, path):
    hung = await start(serves=False)
    assert (await hung.ask(path)).later


async def test_what_cannot_be_read_is_no_review_to_be_refused(start):
    hung = await start(serves=False)
    told = await hung.ask(body=b"[]")
    assert (told.status, b"AdmissionReview" in told.content) == (400, True)


# -- health -----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [routes.ALIVE, routes.READY])
@pytest.mark.parametrize(("serves", "want"), [(True, 200), (False, 503)])
async def test_a_replica_is_as_healthy_as_its_decider(start, path, serves, want):
    one = await start(serves=serves)
    async with one.session.get(f"{one.url}{path}", ssl=one.trust, server_hostname=HOST) as answer:
        assert answer.status == want


# -- the pulse --------------------------------------------------------------------------------


def missed(beat: pulse.Pulse) -> None:
    with pytest.raises(pulse.UnansweredError, match="did not answer within"), beat.attempt():
        raise TimeoutError


def test_silence_counts_from_the_first_question_and_ends_with_a_sign_of_life():
    clock = itertools.count()
    beat = pulse.Pulse("somebody", clock=lambda: float(next(clock)))
    missed(beat)
    with beat.attempt():
        with pytest.raises(pulse.UnansweredError, match=r"silent for 2\.0 s"), beat.attempt():
            pass
        beat.heard()
        with beat.attempt():
            pass


def test_after_a_second_of_silence_one_question_a_second_is_asked():
    now = [0.0]
    beat = pulse.Pulse("somebody", clock=lambda: now[0])
    asked = []
    while now[0] < 5.0:
        try:
            with beat.attempt():
                asked.append(now[0])
                now[0] += pulse.DEADLINE
                raise TimeoutError
        except pulse.UnansweredError:
            now[0] += 0.05
    assert sum(at < pulse.SILENCE for at in asked) >= 3
    late = [at for at in asked if at >= pulse.SILENCE]
    assert 3 <= len(late) <= 5
    beat.heard()
    with beat.attempt(), beat.attempt():
        pass


def test_a_fault_of_another_kind_is_no_silence():
    beat = pulse.Pulse("somebody")
    with pytest.raises(ValueError, match="x"), beat.attempt():
        raise ValueError("x")
    with beat.attempt(), beat.attempt():
        pass


def test_answers_and_questions_survive_their_frames():
    asked = frames.Question(path=routes.USAGE, body=b"\x00{}", until=1.5)
    assert frames.question(asked.pack()) == asked
    answer = Answer(status=503, media=frames.TEXT, body=b"late\n")
    assert frames.answer(answer.pack()) == answer


def test_the_whole_answer_takes_less_than_the_api_server_waits():
    assert pulse.DEADLINE < ways.PATIENCE < 1.0


async def test_the_metrics_of_an_acceptor_whose_decider_hangs_say_so(start):
    hangs = await start(serves=False)
    assert (await hangs.ask()).later
    async with hangs.session.get(
        f"{hangs.url}{routes.METRICS}", ssl=hangs.trust, server_hostname=HOST
    ) as answer:
        text = await answer.text()
    assert "quotatree_decider_up 0.0" in text
    assert 'quotatree_acceptor_unanswered_total{way="own"} 1.0' in text
    assert "quotatree_leader" not in text


async def test_an_answer_at_once_is_the_sign_of_life_itself(start):
    """Each frame more costs both processes a turn of their loops."""
    one, sent = await start(), []
    one.replica.lead()
    send = one.replica.counter._send
    one.replica.counter._send = lambda frame: (sent.append(frame.kind), send(frame))
    assert (await one.ask()).response["allowed"]
    assert sent == [frames.Kind.ANSWER]


async def test_a_long_decision_gives_a_sign_of_life_first(start):
    one, sent = await start(takes=2 * pulse.DEADLINE), []
    one.replica.lead()
    send = one.replica.counter._send
    one.replica.counter._send = lambda frame: (sent.append(frame.kind), send(frame))
    assert (await one.ask()).response["allowed"]
    assert sent == [frames.Kind.TAKEN, frames.Kind.ANSWER]
