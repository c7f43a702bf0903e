"""Patience: which requests wait longer at a full level, where objects come and go.

No I/O, no clock: `now` is a parameter, in seconds of any monotonic clock.
"""

from __future__ import annotations

from quotatree.engine.account import AccountKey
from quotatree.engine.reservation import Timing


class Patience:
    """The accounts that wait in the queue, each until when; only so many at a time."""

    def __init__(self, timing: Timing) -> None:
        self._timing = timing
        self._waiting: dict[AccountKey, float] = {}

    def until(self, key: AccountKey, *, now: float, arrived: float, stirs: bool) -> float:
        """Return until when a request may wait for room; `stirs`: it comes back all the time."""
        end = arrived + self._timing.queue
        self._waiting = {one: at for one, at in self._waiting.items() if at > now}
        if not stirs or (key not in self._waiting and len(self._waiting) >= self._timing.queued):
            return arrived + self._timing.wait
        self._waiting[key] = end
        return end

    def ends(self, key: AccountKey) -> None:
        """Take in that a request of an account does not wait any more."""
        self._waiting.pop(key, None)
