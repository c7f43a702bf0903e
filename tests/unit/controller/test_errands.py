"""Errands: time goes on without them, each is run once at a time, and none stops the others."""

import asyncio

import pytest

from quotatree.controller.errands import Errands
from quotatree.errors import ClusterError


async def test_what_is_under_way_is_not_begun_again():
    begun = []
    end = asyncio.Event()

    async def slow() -> None:
        begun.append(1)
        await end.wait()

    async with asyncio.TaskGroup() as group:
        errands = Errands(group, most=2)
        assert errands.send("a", slow)
        assert not errands.send("a", slow)
        await asyncio.sleep(0)
        end.set()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert errands.send("a", slow)
    assert len(begun) == 2


async def test_a_refusal_is_logged_and_ends_nothing(caplog):
    async def refused() -> None:
        raise ClusterError("PATCH x: 500", status=500)

    async with asyncio.TaskGroup() as group:
        Errands(group, most=1).send("a", refused)
    assert "could not write" in caplog.text


async def test_a_fault_of_ours_is_no_refusal():
    async def broken() -> None:
        raise KeyError("a")

    with pytest.raises(ExceptionGroup):
        async with asyncio.TaskGroup() as group:
            Errands(group, most=1).send("a", broken)


async def test_no_more_than_so_many_run_at_once():
    running, most = 0, 0

    async def work() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    async with asyncio.TaskGroup() as group:
        errands = Errands(group, most=3)
        for number in range(10):
            errands.send(number, work)
    assert most == 3
