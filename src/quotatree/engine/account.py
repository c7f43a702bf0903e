"""What the ledger keeps of one managed ResourceQuota, and of one Namespace that moves.

Mutable, and changed by the ledger alone; nothing here knows of the tree.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from quotatree.engine.claims import Claim, Grant
from quotatree.engine.forest import NOTHING, Amounts
from quotatree.engine.reservation import Happening, Reservation, State, Tightening, Timing
from quotatree.model.names import Namespace, Uid
from quotatree.model.observed import ManagedQuota
from quotatree.model.scope import ScopeSet
from quotatree.units import resource_names

AccountKey = tuple[Namespace, ScopeSet]


MADE_AT_BIRTH: Final = frozenset({"configmaps", "serviceaccounts"})
"""What the control plane makes in each new namespace, past the birth gate (`manifests.gate`)."""


class Way(Enum):
    """How a state of a managed ResourceQuota came to be known; tells which may have been missed."""

    WATCHED = "an event of the watch: it comes right after the event before it"
    REPLACED = "the answer to a write of ours that replaced the state known here"
    AHEAD = "read or written ahead of the watch, which is still to tell what was in between"
    LISTED = "listed: what was in between is never told"

    @property
    def leaps(self) -> bool:
        """Whether there may have been states before it that are not known here."""
        return self in {Way.AHEAD, Way.LISTED}


class Account:
    """One managed ResourceQuota as the ledger knows it."""

    __slots__ = (
        "claims",
        "epoch",
        "floor",
        "granted_at",
        "lapsed",
        "pressed_at",
        "quota",
        "ready",
        "recounted",
        "reservations",
        "resource_version",
        "seen",
        "slice",
        "spared",
        "tight",
        "tightening",
        "uid",
        "undecided",
        "used",
    )

    def __init__(self) -> None:
        self.quota = ""
        self.uid = Uid("")
        self.resource_version = 0
        self.epoch: int | None = None
        self.used: Mapping[str, int] = NOTHING
        self.slice: Mapping[str, int] = NOTHING
        self.ready = False
        self.tight = False
        self.reservations: list[Reservation] = []
        self.granted_at = 0.0
        self.pressed_at = 0.0
        self.spared = 0
        self.tightening: Tightening | None = None
        # Kept by `engine.truth`: its objects, the claims beside them, and what both come to.
        self.seen: Mapping[str, int] = NOTHING
        self.claims: list[Claim] = []
        self.undecided: list[tuple[int, Grant]] = []
        self.floor: Mapping[str, int] = NOTHING
        self.lapsed = 0
        self.recounted: tuple[int, Mapping[str, int]] = (0, NOTHING)

    def settled(self, used: Mapping[str, int] = NOTHING) -> Amounts:
        """Return what the namespace holds by committed facts alone; `used` is news of some."""
        held = {**self.used, **used}
        _raise_to(held, self.slice)
        _raise_to(held, self.floor)
        return held

    def solid(self) -> Amounts:
        """Return what the namespace holds without its slice: what it uses, and may be using."""
        held = dict(self.used)
        _raise_to(held, self.floor)
        for reservation in self.reservations:
            if not reservation.lease:
                _raise_to(held, reservation.used)
        return held

    @property
    def in_flight(self) -> bool:
        """Whether growth was granted of which nothing was seen yet."""
        return any(r.grant is not None for r in self.reservations)

    def held(self, *, but: State | None = None) -> Amounts:
        """Return what the namespace holds, reservations included, those in state `but` left out."""
        held = self.settled()
        for reservation in self.reservations:
            if reservation.state is not but:
                _raise_to(held, reservation.used)
        return held

    def happen(self, happening: Happening, *, above: int | None = None) -> None:
        """Let something happen to the reservations, or to those with a base below `above`."""
        self.reservations = [
            r
            for r in self.reservations
            if (above is not None and r.base >= above) or r.step(happening) is not State.SETTLED
        ]

    def pass_time(self, now: float, *, again: float) -> bool:
        """Let time happen to the reservations; returns whether the object is to be touched."""
        touch = sum(r.pass_time(now, again=again) for r in self.reservations) > 0
        self.reservations = [r for r in self.reservations if r.state is not State.SETTLED]
        return touch

    def release_hold(self) -> None:
        """Give up the room of a tightening that lost."""
        self.reservations = [
            r
            for r in self.reservations
            if r.state is not State.HELD or r.step(Happening.LOST) is not State.SETTLED
        ]

    def overdue(self) -> tuple[Reservation, ...]:
        """Return the grants that a touch sent now is for."""
        return tuple(r for r in self.reservations if r.state is State.OVERDUE)

    def touched(self, resource_version: int, *, asked: Collection[Reservation]) -> None:
        """Take in that a touch was committed: of what was overdue when it was sent, all is decided.

        What became so since may be based on the touch itself, and still land.
        """
        self.reservations = [
            r
            for r in self.reservations
            if r.base < resource_version or not any(r is one for one in asked)
        ]

    def awaits_growth(self, timing: Timing, now: float) -> bool:
        """Whether growth granted just now is still in flight: it or another write would lose."""
        return self.in_flight and self.granted_at + timing.hold > now

    def may_miss(self, seen: ManagedQuota) -> bool:
        """Whether `seen` begins to count what was made while the namespace was born.

        The native controller's cache may not have heard of it yet, and nothing has it count again.
        """
        if self.resource_version == 0 or self.ready or not seen.ready:
            return False
        kinds = {kind for name in seen.spec_hard for kind in resource_names.sources(name)}
        return bool(kinds & MADE_AT_BIRTH)

    def loosened_by(self, seen: ManagedQuota, *, in_use: bool) -> bool:
        """Whether `seen` shows that somebody else ended a tightening while it was `in_use`.

        The native controller does with each recount; and of a tightening that is there when the
        account is opened nobody knows what came of it.
        """
        if self.resource_version == 0:
            return is_tight(seen)
        if self.tightening is None or not (self.tight and in_use):
            return False
        applied = seen.status_hard.nanos()
        return any(applied.get(r, 0) > amount for r, amount in self.tightening.hard.items())

    def ends_tightening(self, seen: ManagedQuota) -> bool:
        """Whether `seen` is the growth that a tightening was made for, and that ends it."""
        used = seen.used.nanos()
        return any(
            r.grant is not None
            and r.grant.loosens
            and r.base == self.resource_version
            and r.grant.written == used
            for r in self.reservations
        )

    def lasts(self, tightening: Tightening, timing: Timing, now: float) -> bool:
        """Whether a tightening must not be taken back yet, old as it may be."""
        if self.resource_version <= tightening.base:
            # Its write may yet land, for as long as an API server works on a request.
            return tightening.since + timing.lost_after > now
        if self.in_flight or any(r.state is State.HELD for r in self.reservations):
            return True  # the retry is still to be judged by it, or to be committed
        # A batch is tried four times, and our write would be in the way of the later ones.
        recently = self.pressed_at + timing.retry > now
        return recently and tightening.since + 2 * timing.tightened > now


@dataclass(slots=True, kw_only=True)
class Move:
    """A granted change of parent that is not committed yet.

    `since`: when it was granted, in seconds of the caller's monotonic clock.
    """

    target: Namespace
    reservation: Reservation
    since: float


def is_tight(seen: ManagedQuota) -> bool:
    """Whether native admission applies less than the spec asks for: a tightening of ours."""
    spec = seen.spec_hard.nanos()
    return any(amount < spec.get(r, 0) for r, amount in seen.status_hard.nanos().items())


def _raise_to(held: Amounts, other: Mapping[str, int]) -> None:
    for resource, amount in other.items():
        if amount > held.get(resource, 0):
            held[resource] = amount
