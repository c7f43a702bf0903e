"""What became of the claims of grants: which growth was committed, which lost.

The state right after a grant's base is the grant's own write, or the grant lost. Where that state
may have been missed, nobody knows: then the claim counts, for good after a list, and until the
watch has told it where a state was known ahead of the watch (`account.Way`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from quotatree.engine import claims
from quotatree.engine.account import Account, Way
from quotatree.engine.claims import Claim, Grant
from quotatree.engine.reservation import State
from quotatree.model.observed import ManagedQuota

IN_FLIGHT = frozenset({State.PENDING, State.OVERDUE})


def in_flight(account: Account) -> Iterator[tuple[int, Grant]]:
    """Yield the grants that are not decided yet, each with the resourceVersion of its base."""
    for r in account.reservations:
        if r.state in IN_FLIGHT and r.grant is not None:
            yield r.base, r.grant


def settle(account: Account, seen: ManagedQuota, way: Way) -> None:
    """Let a new committed state decide grants, before the account is brought up to it."""
    next_ones = []
    for base, grant in in_flight(account):
        if base >= seen.resource_version:
            continue
        account.claims.append(grant.claim)
        grant.claim.missed = way is Way.LISTED
        if way is Way.AHEAD:
            account.undecided.append((base, grant))
        elif way is not Way.LISTED and base == account.resource_version:
            next_ones.append(grant)
    if way is Way.LISTED:
        for _, grant in account.undecided:
            grant.claim.missed = True
        account.undecided = []  # nobody tells any more what became of them: they count
    _decide(account, next_ones, seen)


def hear(account: Account, seen: ManagedQuota, way: Way) -> list[Claim]:
    """Let a state that is older than what is known decide grants; returns the claims that lost."""
    if not account.undecided or way not in {Way.WATCHED, Way.LISTED}:
        return []
    told = [grant for base, grant in account.undecided if base < seen.resource_version]
    account.undecided = [u for u in account.undecided if u[0] >= seen.resource_version]
    return [] if way is Way.LISTED else _decide(account, told, seen)


def keep(account: Account) -> None:
    """Take in that the quota is gone: what was in flight may have been charged."""
    account.claims += [grant.claim for _, grant in in_flight(account)]
    account.undecided = []


def _decide(account: Account, grants: Iterable[Grant], seen: ManagedQuota) -> list[Claim]:
    """Take the claims of those back that `seen`, which came right after their base, is not."""
    lost, landed = [], False
    for grant in grants:
        if landed or grant.written != seen.used.nanos():
            lost.append(grant.claim)
        else:
            landed = True
    account.claims = [claim for claim in account.claims if not any(claim is one for one in lost)]
    for claim in lost:  # objects took from it: others have to give that
        others = [grant.claim for _, grant in in_flight(account)]
        left = [one for one in others if not any(one is gone for gone in lost)]
        claims.consume(account.claims, left, claim.taken, created=claim.since or 0.0)
    return lost
