"""Reservations: room that is spoken for between an answer and what the API server makes of it.

A *grant* is PENDING from the answer on. The write that it let pass is a compare-and-swap on the
base that the review showed, so any event of the same object with a resourceVersion above that
base settles it: it is that event, or it lost. Where no event comes, the object is *touched*: the
resourceVersion of the touch is above the base, and its event settles. A read that still shows the
base proves nothing, since the write may yet land.

A *hold* keeps the room of a tightening for the API server's retry; the retry's grant takes its
place, a lost tightening or time ends it. A *move* is a grant whose object is the Namespace.

The table is the whole behaviour. What is not in it cannot happen, and raises.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from enum import Enum
from typing import Final

from quotatree.engine.claims import Grant
from quotatree.engine.forest import Amounts


class State(Enum):
    """Where a reservation stands."""

    PENDING = "pending"
    OVERDUE = "overdue"
    HELD = "held"
    SETTLED = "settled"


class Happening(Enum):
    """What can happen to a reservation."""

    NEWER = "an event above the base arrived"
    TIME = "its deadline passed"
    GRANTED = "a grant takes its place"
    LOST = "the write it was made for lost"


TRANSITIONS: Final[dict[tuple[State, Happening], State]] = {
    (State.PENDING, Happening.NEWER): State.SETTLED,
    (State.PENDING, Happening.TIME): State.OVERDUE,
    (State.PENDING, Happening.GRANTED): State.PENDING,  # both may commit until one is seen to
    (State.OVERDUE, Happening.NEWER): State.SETTLED,
    (State.OVERDUE, Happening.TIME): State.OVERDUE,  # touch again: the first may have failed
    (State.OVERDUE, Happening.GRANTED): State.OVERDUE,
    (State.HELD, Happening.NEWER): State.HELD,  # the tightening itself, or a recount
    (State.HELD, Happening.TIME): State.SETTLED,
    (State.HELD, Happening.GRANTED): State.SETTLED,
    (State.HELD, Happening.LOST): State.SETTLED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long the ledger waits for what is in flight. All in seconds."""

    touch_after: float = 1.0
    """Without an event for a grant, its object is touched. Shorter: more writes; longer: room
    that a lost write had taken comes back later."""
    hold: float = 0.5
    """How long the room of a tightening is kept for the API server's retry, which follows within
    milliseconds. Longer: siblings wait for room that nobody takes."""
    wait: float = 0.1
    """How long a request waits for grants in flight that may lose. Longer: fewer wrong refusals
    when writes are slow, later refusals."""
    queue: float = 0.6
    """How long a request waits at a full level where objects come and go: there is room again soon.
    It must leave time for an answer in the second that the API server gives. Longer: fewer
    refusals, each of which is a tightening and, from clients that ask again at once, a storm."""
    queued: int = 3
    """How many namespaces wait so long at a time. Each holds one of the five workers of quota
    admission, and others need those too."""
    retry: float = 0.1
    """How long the room is kept at least after the refusal that makes the API server retry."""
    tries: float = 0.5
    """How long a batch may still be tried after it was asked about. If its tightening ends earlier,
    native admission may have charged for what it refused, and is made to count again."""
    fence: float = 0.7
    """How long growth waits for a new leader's fence before it is answered "later". The API server
    gives a webhook one second at the least."""
    tightened: float = 1.0
    """How long a tightened `status.hard` stays before it is loosened whatever the room."""
    lower_after: float = 1.0
    """How long the native controller is given to count what is gone, before we write it down. Where
    somebody waits for the room it is written at once. Shorter: more writes, and growth that loses
    to them."""
    stirs: float = 5.0
    """How long objects are taken to come and go at a full level, after somebody found no room there
    while usage of what is gone stood below it. Tightenings there end as soon as there is room."""
    progress: float = 1.0
    """How long every API server has to be seen to work on, before a charge whose object is not
    there is given up. Shorter: an object may appear after its room was given away; longer: a create
    that failed keeps its room for longer."""
    slow: float = 0.25
    """How long one write may take an API server that works on."""
    lost_after: float = 40.0
    """How long a charge is kept for an object that does not appear. The API server gives a request
    34 s; shorter than that, an object may appear after its room was given away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tightening:
    """A `status.hard` lowered to `hard` by a write that replaces the resourceVersion `base`.

    `since`: when that was decided, in seconds of the caller's monotonic clock. `hasty`: what others
    had in flight was counted, and may still lose, or objects come and go at that level (`stirs`):
    then it ends with the growth that it was made for.
    """

    since: float
    base: int
    hard: Amounts
    hasty: bool
    stirs: bool = False


@dataclass(slots=True)
class Reservation:
    """One reservation of an account: `used` is the usage that it stands for, in full.

    `base` is the resourceVersion that the write has to replace, `deadline` the moment (seconds of
    the caller's monotonic clock) of its next TIME. `grant` goes with growth that was granted,
    `lease` with a slice that is being written: nobody uses that yet.
    """

    state: State
    _: KW_ONLY
    base: int
    used: Amounts
    deadline: float
    grant: Grant | None = None
    lease: bool = False

    def pass_time(self, now: float, *, again: float) -> bool:
        """Let time happen if the deadline has passed; returns whether its object is to be touched.

        The next deadline is `again` seconds later: a touch may fail.
        """
        if self.deadline > now:
            return False
        self.deadline = now + again
        return self.step(Happening.TIME) is State.OVERDUE

    def step(self, happening: Happening) -> State:
        """Move on by the table; raises KeyError for what the table does not know."""
        self.state = TRANSITIONS[self.state, happening]
        return self.state
