"""The end of a term: nothing more is written or granted, and what is under way is waited for.

A term of which nothing can be committed any more is *settled*: the next leader need not fence what
this one granted, and goes on in its epoch (`docs/decisions/0008-several-replicas.md`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from quotatree.cluster.live import Live
from quotatree.engine.reservation import State
from quotatree.errors import ClusterError
from quotatree.model import effect, names

LOOK: Final = 0.01
"""Seconds between two looks at whether it is settled, where nothing rings."""
SURE: Final = frozenset({400, 401, 403, 404, 405, 409, 410, 413, 415, 422, 429})
"""Answers to a write that was certainly not carried out."""


class Ending:
    """The writes of one term, and whether any of them, or a grant, may still be committed."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._under_way = 0
        self._unsure_until = float("-inf")

    async def turn(self, what: effect.Effect) -> None:
        """Return when an effect may be written: once the term ends that is never, but touches."""
        if self._live.ending and not _touches(what):
            await asyncio.get_running_loop().create_future()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Count a write while it is under way, and longer if nobody said what became of it."""
        self._under_way += 1
        try:
            yield
        except BaseException as error:
            if not (isinstance(error, ClusterError) and error.status in SURE):
                lost_after = self._live.world.ledger.timing.lost_after
                self._unsure_until = self._live.clock() + lost_after
            raise
        finally:
            self._under_way -= 1

    async def settled(self, *, until: float) -> bool:
        """Wait until nothing is under way, at the longest `until` on the clock; returns whether."""
        while not self._is_settled():
            if self._live.clock() >= until:
                return False
            await self._live.change(until=min(until, self._live.clock() + LOOK))
        return True

    def _is_settled(self) -> bool:
        ledger = self._live.world.ledger
        # The room of a tightening is kept for a retry, and that will be asked about again.
        granted = any(r.state is not State.HELD for r in ledger.reservations())
        unsure = self._live.clock() < self._unsure_until
        return not (granted or ledger.moves or self._under_way or unsure)


def _touches(what: effect.Effect) -> bool:
    return (
        isinstance(what, effect.PatchManaged | effect.PatchNamespace)
        and names.ANNOTATION_TOUCHED in what.annotations
    )
