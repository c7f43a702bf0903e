"""The tightenings in force: how long each stands, and whether its end leaves a doubt.

A tightening ends when it is old enough, or when it was made in haste (for what others had in flight
then, or where objects come and go) and there is more room now. It does not end while a batch may
still be judged by it (`Account.lasts`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from quotatree.engine.account import Account, AccountKey
from quotatree.engine.doubt import Doubts
from quotatree.engine.forest import Amounts
from quotatree.engine.reservation import Timing

Find = Callable[[AccountKey], Account | None]
Room = Callable[[AccountKey, Iterable[str]], Amounts]


class Tightenings:
    """The accounts with a lowered `status.hard`, and those that were asked about just now."""

    def __init__(self, timing: Timing, find: Find) -> None:
        self.doubts = Doubts()
        self._timing = timing
        self._find = find
        self._in_force: set[AccountKey] = set()
        self._pressed: set[AccountKey] = set()

    def __len__(self) -> int:
        return len(self._in_force)

    def begin(self, key: AccountKey) -> None:
        """Note that an account was tightened."""
        self._in_force.add(key)

    def lost(self, key: AccountKey, base: int) -> None:
        """Take in that a tightening cannot be committed any more: it must not be waited for."""
        account = self._find(key)
        if account is not None and account.tightening and account.tightening.base == base:
            account.tightening = None

    def press(self, key: AccountKey, now: float) -> None:
        """Note that a growth was asked for and not granted: it may be tried again at once."""
        account = self._find(key)
        if account is not None:
            account.pressed_at = now
            self._pressed.add(key)

    def in_use(self, key: AccountKey) -> bool:
        """Whether a batch that was refused may still be tried."""
        return key in self._pressed

    def pass_time(self, now: float) -> None:
        """Let time happen: what was asked for long ago is not tried any more."""
        self._pressed = {key for key in self._pressed if self._still_tried(key, now)}

    def _still_tried(self, key: AccountKey, now: float) -> bool:
        account = self._find(key)
        return account is not None and account.pressed_at + self._timing.tries > now

    def end(self, now: float, room: Room) -> list[AccountKey]:
        """End those that are over; returns whose `status.hard` may rise again."""
        due = [key for key in self._in_force if self._is_over(key, now, room=room)]
        for key in due:
            self._in_force.discard(key)
            account = self._find(key)
            if account is not None and account.tightening is not None:
                account.tightening = None
                if self.in_use(key):
                    self.doubts.note(key)
        return due

    def _is_over(self, key: AccountKey, now: float, *, room: Room) -> bool:
        account = self._find(key)
        if account is None or account.tightening is None:
            return True
        if account.lasts(account.tightening, self._timing, now):
            return False
        if account.tightening.since + self._timing.tightened <= now:
            return True
        hard = account.tightening.hard
        return account.tightening.hasty and any(
            account.used.get(r, 0) + free > hard[r] for r, free in room(key, hard).items()
        )

    def drop(self, key: AccountKey) -> None:
        """Forget an account."""
        self._in_force.discard(key)
        self._pressed.discard(key)
        self.doubts.drop(key)
