"""Several requests at the same time, of which none outlives the others' failure."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar, overload

_T = TypeVar("_T")
_A = TypeVar("_A")
_B = TypeVar("_B")
_C = TypeVar("_C")


@overload
async def all_of(
    first: Coroutine[Any, Any, _A], second: Coroutine[Any, Any, _B], /
) -> tuple[_A, _B]: ...
@overload
async def all_of(
    first: Coroutine[Any, Any, _A],
    second: Coroutine[Any, Any, _B],
    third: Coroutine[Any, Any, _C],
    /,
) -> tuple[_A, _B, _C]: ...
@overload
async def all_of(*works: Coroutine[Any, Any, _T]) -> tuple[_T, ...]: ...
async def all_of(*works: Coroutine[Any, Any, Any]) -> tuple[Any, ...]:
    """Run all at once and return their results in order; the first error ends the others.

    `asyncio.gather` leaves the others running: a connection that one of them is still making would
    outlive the client. An `asyncio.TaskGroup` wraps the error in a group, which no caller expects.
    """
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        return tuple(await asyncio.gather(*tasks))
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
