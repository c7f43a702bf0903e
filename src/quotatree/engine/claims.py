"""Claims: what was charged and whose object has not appeared yet.

Kubernetes creates an object some time after it has charged it, and does not say which charge it
belongs to. So a growth that is granted is a *claim*, and an object that appears takes as much from
the claims: first from those that are committed, the one nearest in time to the object's creation
before others, so that a claim whose object never comes grows old and is not handed on; then from
those in flight; last from growth of which nobody knows who asked for it.

A claim without an object is a *phantom*: a create may fail after its charge. It lapses when its
request cannot commit any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from quotatree.engine.forest import Amounts


@dataclass(slots=True, kw_only=True)
class Claim:
    """What is left of one claim, and what objects took from it.

    `since`: when it was answered, in seconds of the caller's monotonic clock; None until the next
    pass of time, where that was not known. `committed`: when its charge was known to be committed.
    `sure`: it was granted, or may have been by a leader
    before us; not sure is growth without a grant, which is no proof that an object will appear.
    `missed`: what became of its charge was never told: it was in flight when all was listed.
    """

    amounts: Amounts
    since: float | None
    committed: float | None = None
    sure: bool = True
    missed: bool = False
    taken: Amounts = field(default_factory=dict)

    def take(self, wanted: Amounts) -> None:
        """Let an object take what it costs; `wanted` keeps what is left to be taken elsewhere."""
        for resource in list(wanted):
            part = min(wanted[resource], self.amounts.get(resource, 0))
            if part:
                self.taken[resource] = self.taken.get(resource, 0) + part
                _subtract(self.amounts, resource, part)
                _subtract(wanted, resource, part)

    def distance(self, created: float) -> float:
        """Return how far (seconds) the claim is from an object's creation."""
        return 0.0 if self.since is None else abs(self.since - created)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A growth that was granted: the usage as its write will say it, and the claim it becomes.

    `loosens`: the same write ends a tightening.
    """

    written: Mapping[str, int]
    claim: Claim
    loosens: bool = False


def consume(
    committed: Iterable[Claim],
    in_flight: Iterable[Claim],
    growth: Mapping[str, int],
    *,
    created: float,
) -> Amounts:
    """Let an object take its `growth` from the claims; returns what nothing was claimed for."""
    wanted = {r: amount for r, amount in growth.items() if amount > 0}
    sure = [claim for claim in committed if claim.sure]
    unsure = [claim for claim in committed if not claim.sure]
    nearest = sorted(sure, key=lambda claim: claim.distance(created))
    for claim in (*nearest, *in_flight, *unsure):
        if not wanted:
            break
        claim.take(wanted)
    return wanted


def total(claims: Iterable[Claim]) -> Amounts:
    """Return the sum of what is left of claims."""
    found: Amounts = {}
    for claim in claims:
        for resource, amount in claim.amounts.items():
            found[resource] = found.get(resource, 0) + amount
    return found


def shrink(claims: Iterable[Claim], excess: Amounts) -> None:
    """Let claims that are not sure give up `excess`: what they stood for is not charged now."""
    for claim in claims:
        if not claim.sure:
            claim.take(excess)


def _subtract(amounts: Amounts, resource: str, part: int) -> None:
    amounts[resource] -= part
    if not amounts[resource]:
        del amounts[resource]
