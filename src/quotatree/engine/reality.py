"""What a namespace really holds at one committed state of its quota, and with what is in flight."""

from __future__ import annotations

from collections.abc import Mapping

from quotatree.engine import claims
from quotatree.engine.account import Account
from quotatree.engine.flights import in_flight
from quotatree.engine.forest import Amounts
from quotatree.model.observed import ManagedQuota
from quotatree.model.review import UsageReview


def real(account: Account, *, base: int) -> Amounts:
    """Return what is there by the truth, with what was granted below the version `base`."""
    waiting = claims.total(grant.claim for at, grant in in_flight(account) if at < base)
    return {r: a + waiting.get(r, 0) for r, a in account.floor.items()}


def bounds(account: Account, old: ManagedQuota) -> tuple[Amounts, Amounts]:
    """Return what a recount that replaces `old` must say at least and at most, where known.

    While a growth is in flight that replaces the same state, nothing is lowered: then the
    recount changes nothing, and a write that changes nothing is none. So the growth does not
    lose to it.
    """
    base = old.resource_version
    least = real(account, base=base)
    if account.resource_version != base:
        return least, {}
    waiting = [grant for at, grant in in_flight(account)]
    if any(at == base for at, _ in in_flight(account)):
        still = {r: max(a, old.used.nano(r)) for r, a in least.items()}
        return still, still
    claimed = claims.total([*account.claims, *(grant.claim for grant in waiting)])
    return least, {r: account.seen.get(r, 0) + claimed.get(r, 0) for r in least}


def written(review: UsageReview, lowered: Mapping[str, int]) -> Amounts:
    """Return what a growth is to write, where the usage that it grows from is `lowered`."""
    old = review.old.used
    fallen = {r: old.nano(r) - amount for r, amount in lowered.items()}
    return {r: amount - fallen.get(r, 0) for r, amount in review.new.used.nanos().items()}


def reached(account: Account, review: UsageReview, used: Mapping[str, int]) -> Amounts:
    """Return what will be held where a growth is granted that writes `used`.

    That is `used`, but where the counter is too low: there it grows from what is real.
    """
    found, before = dict(used), review.old.used
    for resource, there in real(account, base=review.old.resource_version).items():
        growth = review.new.used.nano(resource) - before.nano(resource)
        if growth > 0:
            found[resource] = max(found[resource], there + growth)
    return found
