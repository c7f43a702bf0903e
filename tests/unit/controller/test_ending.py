"""The end of a term: what is under way keeps it from being settled, and nothing new begins."""

import asyncio
import time
from dataclasses import replace

import pytest

from quotatree.cluster.live import Live
from quotatree.controller.ending import Ending
from quotatree.engine import admit
from quotatree.errors import ClusterError
from quotatree.model import effect, names
from quotatree.model.names import Namespace, Uid
from quotatree.model.review import UsageReview
from quotatree.model.verdict import Admit
from quotatree.testing import words
from quotatree.units.resources import Resources

ANNOTATED = effect.PatchManaged(
    namespace=Namespace("a"), quota="quotatree", resource_version=1, annotations={"x": "y"}
)
TOUCH = replace(ANNOTATED, annotations={names.ANNOTATION_TOUCHED: "1"})


@pytest.fixture
def live() -> Live:
    return Live(clock=time.monotonic)


async def settled(ending: Ending, seconds: float = 0.05) -> bool:
    return await ending.settled(until=time.monotonic() + seconds)


async def test_a_term_of_which_nothing_is_under_way_is_settled(live):
    assert await settled(Ending(live))


async def test_a_write_that_is_under_way_is_waited_for(live):
    ending = Ending(live)
    with ending.writing():
        assert not await settled(ending)
    assert await settled(ending)


@pytest.mark.parametrize(("status", "want"), [(409, True), (422, True), (0, False), (504, False)])
async def test_a_write_of_which_nobody_knows_what_became_is_not_settled(live, status, want):
    ending = Ending(live)
    with pytest.raises(ClusterError), ending.writing():
        raise ClusterError("lost", status=status)
    assert await settled(ending) is want


async def test_a_write_that_was_cut_off_is_not_settled(live):
    ending = Ending(live)
    with pytest.raises(asyncio.CancelledError), ending.writing():
        raise asyncio.CancelledError
    assert not await settled(ending)


async def test_nothing_but_touches_is_written_once_a_term_ends(live):
    ending = Ending(live)
    await ending.turn(ANNOTATED)
    live.ending = True
    await ending.turn(TOUCH)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await ending.turn(ANNOTATED)


async def test_a_grant_is_waited_for_until_it_shows(live):
    live.lead(1)
    world = words.world("org: cpu 10 > a: holds cpu 1", into=live.world)
    old = world.managed[Namespace("a")]["quotatree"]
    new = replace(old, used=Resources.parse({"cpu": "2"}))
    asked = UsageReview(uid=Uid("r"), old=old, new=new, dry_run=False)
    verdict = admit.decide(world.ledger, asked, now=time.monotonic(), arrived=time.monotonic())
    assert isinstance(verdict, Admit)
    ending = Ending(live)
    assert not await settled(ending)
    world.see_managed(replace(new, resource_version=old.resource_version + 1))
    assert await settled(ending)
