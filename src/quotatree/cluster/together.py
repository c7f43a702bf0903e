"""Several requests at the same time, of which none is left in flight when another fails."""

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
    """Run all at once, wait for all, and return their results in order or raise the first error.

    `asyncio.gather` by itself would leave the others running after an error, and their connections
    would outlive the client. To cancel them is no better: an event loop loses the socket of a TLS
    connection that is cancelled while it is made.
    """
    found = await asyncio.gather(*works, return_exceptions=True)
    for answer in found:
        if isinstance(answer, BaseException):
            raise answer
    return tuple(found)
