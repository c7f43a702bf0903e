"""Slices: leases of capacity, within which a namespace grows without asking anybody. Who gets what.

A slice stands on the managed ResourceQuota itself, so the API server reads it with the usage that
it judges. The ledger counts it as held, used or not. For a level a::

    solid(a) = its charge if every slice were reduced to what its namespace uses
    idle(a)  = charge(a) - solid(a)
    free(a)  = hard(a) - solid(a) - what it will use up soon at its pace (`engine.pace`)

    offers:  idle(a) ≤ free(a) / share       at every level above
    kept:    idle(a) ≤ 2 · free(a) / share

- A namespace that grows is offered room ahead of its use, more each time the last offer is used up
  quickly. Its own guarantee is a slice from the beginning, as long as it has no children: that room
  is kept from everybody else anyhow.
- As a tree fills, what may stand idle in it shrinks, and the slices that were offered longest ago
  are taken back.
- A request that does not fit only because slices stand idle elsewhere *presses*: all of those below
  the level that is in its way are taken back at once, it waits for that, and no new ones are
  offered there for a while. So near a limit every growth is decided centrally.

`engine.lessor` keeps the books. Here are the rules: values in, values out; amounts are integers of
10⁻⁹, moments are seconds of the caller's monotonic clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from quotatree.engine.forest import Amounts
from quotatree.model import names

_QUICKEST: Final = 2
"""An offer is at most so many times what was used since the last one."""
_WIDER: Final = 10
"""How much more is offered of what nobody limits, since it takes nothing from anybody."""
_KEPT: Final = 2
"""How much more than is offered may stand idle: else each growth of others would cost a slice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceSettings:
    """Who may grow how far without asking."""

    enabled: bool = True
    """Whether slices are handed out. Without, every growth asks the webhook, and nothing grows
    while no replica answers; those that stand are taken back."""
    share: int = 4
    """Which part of a level's free room may stand in slices unused: one in so many. More: slices
    are smaller and taken back sooner as the tree fills; fewer: requests near a limit wait oftener.
    """
    after: float = 1.0
    """Seconds from the first question of a namespace to its offer. Shorter: fewer calls; longer:
    a burst is over before we write to an object that quota admission writes, too."""
    first: int = 4
    """The first offer, in multiples of the growth that asked for it. More: fewer calls in a short
    burst, more room that stands idle after it."""
    least: int = 4
    """The smallest offer, in multiples of what the namespace asked for last: a smaller one is not
    worth its write. More: there are none any more the sooner, as a tree fills; and trees with small
    limits have none at all."""
    runway: float = 5.0
    """Seconds for which the pace of late must leave a level room; only what is free beyond that is
    shared out. Longer: slices vanish the earlier before a limit, and fewer of them stand in a
    request's way; shorter: fewer calls in a tree that fills."""
    horizon: float = 5.0
    """Seconds of growth that an offer is to last. Longer: fewer writes, more idle room."""
    most: int = 64
    """Namespaces of one tree with idle slices at a time. More: more of them grow without a call;
    a request near a limit may wait for as many writes."""
    rest: float = 5.0
    """Seconds without new slices below a level where some stood in a request's way. Longer: more
    calls near a limit; shorter: more requests wait for slices that were only just handed out."""
    wait: float = 0.5
    """Seconds that a request waits for slices that are being taken back, before it is told to ask
    again. It must leave time for an answer in the second that the API server gives."""
    every: float = 1.0
    """Seconds between looks at which slices no longer fit. Shorter: they follow a lowered limit
    sooner, at more work."""
    writes: float = 20.0
    """Slices written in a second, but for those that a request waits for. More: slices follow use
    and limits sooner, the API server is busier."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """The last offer to a namespace: when, at which usage, and how far ahead of it."""

    since: float
    used: Mapping[str, int]
    ahead: Mapping[str, int]

    def is_low(self, granted: Mapping[str, int], used: Mapping[str, int]) -> bool:
        """Whether half of what was offered of some resource is used up."""
        left = {r: granted.get(r, 0) - used.get(r, 0) for r in self.ahead}
        return any(2 * left[r] < amount for r, amount in self.ahead.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One level above (and with) a namespace, in one resource.

    `slack` is its guarantee's; `pace` is how much it has been filling in a second lately.
    """

    hard: int | None
    charge: int
    solid: int
    slack: int
    pace: int = 0

    @property
    def idle(self) -> int:
        """What it is charged for slices that nobody uses."""
        return self.charge - self.solid

    def offers(self, settings: SliceSettings) -> int | None:
        """Return how much more it lets stand idle, None where nothing is limited."""
        if self.hard is None:
            return None
        return max(0, self._free(self.hard, settings) // settings.share - self.idle)

    def excess(self, settings: SliceSettings) -> int:
        """Return how much of what stands idle has to go, so that offers are possible again."""
        if self.hard is None:
            return 0
        free = self._free(self.hard, settings)
        kept = self.idle * settings.share <= _KEPT * free
        return 0 if kept else self.idle - free // settings.share

    def _free(self, hard: int, settings: SliceSettings) -> int:
        """Return what will not be used up soon."""
        soon = self.pace * int(1000 * settings.runway) // 1000
        return max(0, hard - self.solid - soon)


def allowed(line: Sequence[Level], settings: SliceSettings) -> int | None:
    """Return by how much a namespace may hold more for a slice, None if nobody limits it.

    `line` leads from itself to the root. Its own guarantee absorbs all that it can; that of a level
    above is shared with others below it, and so only a part of it is offered.
    """
    slack, most = 0, None
    for depth, level in enumerate(line):
        slack += level.slack // settings.share if depth else level.slack
        here = level.offers(settings)
        if here is not None:
            most = here + slack if most is None else min(most, here + slack)
    return most


def ahead(
    used: Mapping[str, int],
    step: Mapping[str, int],
    last: Offer | None,
    *,
    now: float,
    settings: SliceSettings,
) -> Amounts:
    """Return how far ahead of its use a namespace is to be, by how fast it grew lately.

    `step` is the growth that it had to ask for just now, if it had to.
    """
    found = {r: amount * settings.first for r, amount in step.items()}
    if last is None:
        return found
    passed = max(1, int(1000 * (now - last.since)))  # milliseconds
    lasting = min(int(1000 * settings.horizon), _QUICKEST * passed)
    for r, amount in used.items():
        grown = amount - last.used.get(r, 0)
        if grown > 0:
            found[r] = max(found.get(r, 0), grown * lasting // passed)
    return found


def reach(
    wanted: Mapping[str, int],
    least: Mapping[str, int],
    *,
    used: Mapping[str, int],
    held: Mapping[str, int],
    most: Mapping[str, int | None],
) -> Amounts | None:
    """Return up to where a slice reaches that is `wanted` so far ahead of `used`.

    It may be held more by `most`. None where it would be less than `least` in any resource: all of
    a growth has to lie within, or the API server asks after all.
    """
    found: Amounts = {}
    for r, amount in wanted.items():
        here, limit = used.get(r, 0), most[r]
        top = here + (_WIDER * amount if limit is None else amount)
        if limit is not None:
            top = min(top, held.get(r, 0) + limit)
        top -= top % _unit(r)
        if top < here + max(1, least.get(r, 0)):
            return None
        found[r] = top
    return found


def writable(granted: Mapping[str, int], used: Mapping[str, int]) -> Amounts:
    """Return the part of a slice worth writing: above the use, and not more than is carried."""
    found = [r for r in sorted(granted) if granted[r] > used.get(r, 0) and is_nameable([r])]
    return {r: granted[r] for r in found[: names.MOST_SLICES]}


def is_nameable(resources: Iterable[str]) -> bool:
    """Whether each of these can have a slice."""
    return all(names.slice_annotation(r) is not None for r in resources)


def greatest(one: Mapping[str, int], other: Mapping[str, int]) -> Amounts:
    """Return the greater amount of each resource."""
    return {r: max(one.get(r, 0), other.get(r, 0)) for r in {**one, **other}}


def _unit(resource: str) -> int:
    """Return what an amount is rounded to, so that its text is short."""
    return 10**6 if resource.endswith("cpu") else 10**9
