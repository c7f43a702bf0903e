"""The outlook at a full level: what may make room there in a moment.

Grants in flight may lose, others may be charged for objects that are gone, and of some grants
nobody was told what became of them. This decides whether to wait or to be asked again, never
whether to grant.
"""

from __future__ import annotations

from collections.abc import Iterable

from quotatree.engine.account import AccountKey
from quotatree.engine.ledger import Ledger
from quotatree.engine.reservation import State
from quotatree.model.verdict import Limit


def stirs(ledger: Ledger, limits: Iterable[Limit], *, asking: AccountKey) -> bool:
    """Whether objects come and go at one of the levels in the way."""
    return any(ledger.truth.surplus.stirs((x.ancestor, asking[1])) for x in limits)


def may_fit(ledger: Ledger, key: AccountKey, limits: list[Limit], *, alone: bool) -> bool:
    """Whether something of it fits as soon as what others have in flight is decided.

    One request alone has to fit whole. Of a batch only the sum is known: while anything is in
    flight where there is room by settled charges, its small requests might fit. Refused at once,
    they would be refused for a sibling's grant that is not committed yet, or never will be.
    """
    unsettled = [unsettled_under(ledger, x, asking=key) for x in limits]
    rooms = [x.hard - x.charged + loose for x, loose in zip(limits, unsettled, strict=True)]
    if alone:
        return all(x.requested <= room for x, room in zip(limits, rooms, strict=True))
    return any(loose > 0 and room > 0 for loose, room in zip(unsettled, rooms, strict=True))


def overcounted_under(
    ledger: Ledger, limits: Iterable[Limit], *, asking: AccountKey
) -> list[AccountKey]:
    """Return the other accounts below one of these levels that are charged for what is gone."""
    levels = {limit.ancestor for limit in limits}
    beside = ledger.truth.surplus.beside(asking)
    return [other for other in beside if ledger.forest.is_charged_to(other[0], levels)]


def unsettled_under(ledger: Ledger, limit: Limit, *, asking: AccountKey) -> int:
    """Return how much of the charge of a level may still vanish, at the most.

    What the asking account itself has in flight makes no room for it. Guarantees may absorb a part
    of it, so this is an upper bound: it decides whether to wait a moment, never whether to grant.
    """
    scopes = asking[1]
    total = ledger.moves.charge_above(limit.ancestor, scopes, limit.resource)
    for key in ledger.unsettled - {asking}:
        account = ledger.account(*key)
        if account is None or key[1] != scopes:
            continue
        if ledger.forest.is_charged_to(key[0], {limit.ancestor}):
            held, settled = account.held(), account.settled()
            total += held.get(limit.resource, 0) - settled.get(limit.resource, 0)
    return total


def missed_under(ledger: Ledger, limit: Limit, *, asking: AccountKey) -> int:
    """Return how much of the charge of a level may be for nothing, since a watch lost its place."""
    return sum(
        amount
        for (name, scopes), amount in ledger.truth.missed(limit.resource).items()
        if scopes == asking[1] and ledger.forest.is_charged_to(name, {limit.ancestor})
    )


def patience(ledger: Ledger, key: AccountKey) -> float:
    """Return how long (seconds) to wait at most for what others have in flight."""
    holds = any(
        r.state is State.HELD
        for other in ledger.unsettled
        if other != key and (account := ledger.account(*other)) is not None
        for r in account.reservations
    )
    return ledger.timing.wait + (ledger.timing.hold if holds else 0.0)
