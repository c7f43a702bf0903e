"""The queue of namespaces: nobody is forgotten, nobody is worked on twice at a time."""

import asyncio

from quotatree.controller import queue
from quotatree.model.names import Namespace

A, B = Namespace("a"), Namespace("b")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_a_namespace_that_is_worked_on_waits_for_its_end():
    work = queue.Queue(Clock())
    work.add([A])
    assert await work.take() == A
    work.add([A, B])
    assert await work.take() == B
    waiting = asyncio.ensure_future(work.take())
    await asyncio.sleep(0)
    assert not waiting.done()
    work.done(A)
    assert await waiting == A


async def test_failures_are_tried_later_and_later():
    work = queue.Queue(Clock())
    delays = []
    for _ in range(12):
        work.add([A])
        delays.append(work.failed(await work.take()))
    assert delays[:3] == [0.2, 0.4, 0.8]
    assert delays[-1] == queue.LONGEST_DELAY


async def test_while_the_api_server_is_away_it_is_asked_again_each_second():
    """Whoever comes back after minutes finds no namespace that waits for half of one more."""
    work = queue.Queue(Clock())
    delays = []
    for _ in range(12):
        work.add([A])
        delays.append(work.failed(await work.take(), away=True))
    assert delays[:3] == [0.2, 0.4, 0.8]
    assert delays[-1] == queue.AWAY_DELAY


async def test_a_lost_race_is_no_failure():
    work = queue.Queue(Clock())
    delays = set()
    for _ in range(12):
        work.add([A])
        delays.add(work.failed(await work.take(), lost=True))
    assert delays == {queue.FIRST_DELAY}


async def test_it_comes_back_when_its_delay_is_over():
    clock = Clock()
    work = queue.Queue(clock)
    work.add([A])
    clock.now += work.failed(await work.take())
    work.wake()
    assert await work.take() == A
