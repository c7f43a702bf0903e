"""Entry 1: may this growth of a namespace's usage be committed?

The order of the questions is the argument:

1. Not ours to answer: another epoch, or an object that the ledger does not know.
2. Already lost: the base is older than what is committed. Let it pass; it fails by itself, and a
   refusal would cost the API server one of its four tries.
3. It fits every level with everything in flight counted: grant it, and count it from now on.
4. It would fit if what is in flight lost: wait a moment for that to show.
5. It does not fit. One request alone is refused with our own words. A batch is tightened: native
   admission refuses or admits a whole batch, so it is made to judge the requests one by one
   against the room that there is.
"""

from __future__ import annotations

from collections.abc import Iterable

from quotatree.engine.ledger import Account, AccountKey, Ledger
from quotatree.engine.reservation import State
from quotatree.model.review import UsageReview
from quotatree.model.verdict import Admit, Deny, Limit, Tighten, TryLater, Verdict, Wait
from quotatree.units import resource_names
from quotatree.units.resources import Resources


def decide(ledger: Ledger, review: UsageReview, *, now: float, arrived: float) -> Verdict:
    """Return the verdict, having counted the growth if it was granted.

    `arrived` is when the review came in: waiting is bounded from there.
    """
    if review.old.epoch != ledger.epoch:
        return TryLater(reason="this namespace is not fenced by the present leader yet")
    if ledger.uid_of(review.old.namespace) is None:
        return TryLater(reason="this namespace is not known to the leader yet")
    ledger.observe(review.old)
    key = (review.old.namespace, review.old.scopes)
    account = ledger.account(*key)
    if account is None or account.resource_version > review.old.resource_version:
        return Admit(reserved=False)
    used = review.new.used.nanos()
    limits = ledger.obstacles(key, used)
    if not limits:
        if not review.dry_run:
            ledger.reserve(key, used, base=review.old.resource_version, now=now)
        return Admit(reserved=not review.dry_run)
    until = arrived + _patience(ledger, key)
    if now < until and _may_fit(ledger, key, limits, alone=_alone(review)):
        return Wait(until=until, limits=tuple(limits))
    return _refuse(ledger, review, limits, now=now)


def _may_fit(ledger: Ledger, key: AccountKey, limits: list[Limit], *, alone: bool) -> bool:
    """Whether something of it fits as soon as what others have in flight is decided.

    One request alone has to fit whole. Of a batch only the sum is known: while anything is in
    flight where there is room by settled charges, its small requests might fit. Refused at once,
    they would be refused for a sibling's grant that is not committed yet, or never will be.
    """
    unsettled = [ledger.unsettled_under(x.ancestor, x.resource, asking=key) for x in limits]
    rooms = [x.hard - x.charged + loose for x, loose in zip(limits, unsettled, strict=True)]
    if alone:
        return all(x.requested <= room for x, room in zip(limits, rooms, strict=True))
    return any(loose > 0 and room > 0 for loose, room in zip(unsettled, rooms, strict=True))


def _patience(ledger: Ledger, key: AccountKey) -> float:
    """Return how long (seconds) to wait at most for what others have in flight."""
    holds = any(
        r.state is State.HELD
        for other in ledger.unsettled
        if other != key and (account := ledger.account(*other)) is not None
        for r in account.reservations
    )
    return ledger.timing.wait + (ledger.timing.hold if holds else 0.0)


def _alone(review: UsageReview) -> bool:
    """Whether there is one request to answer: a batch of one, or a dry run."""
    return review.dry_run or is_single(review.new.used.growth(review.old.used))


def _refuse(
    ledger: Ledger, review: UsageReview, limits: list[Limit], *, now: float
) -> Deny | Tighten:
    key = (review.old.namespace, review.old.scopes)
    growth = review.new.used.growth(review.old.used)
    account = ledger.account(*key)
    if account is None or _alone(review):
        return Deny(limits=tuple(limits), requested=growth)
    ledger.release_hold(key)  # an earlier one is no room of its own
    blocked = {limit.resource for limit in limits}
    room = room_for(ledger, key, account, resources=blocked)
    used = review.old.used.nanos()
    tight = {r: used.get(r, 0) + amount for r, amount in room.items()}
    # Where nothing is left there is no retry to keep the other resources for.
    held = {**review.new.used.nanos(), **tight} if any(room.values()) else tight
    ledger.hold(key, held, base=review.old.resource_version, now=now)
    return Tighten(
        namespace=review.old.namespace,
        quota=review.old.name,
        resource_version=review.old.resource_version,
        hard=Resources.from_nano({**review.old.status_hard.nanos(), **tight}),
        limits=tuple(limits),
    )


def room_for(
    ledger: Ledger, key: AccountKey, account: Account, *, resources: Iterable[str]
) -> dict[str, int]:
    """Return how far each resource may grow above the committed usage (10⁻⁹).

    What the namespace holds above its committed usage already (a grant in flight) is its own, and
    the retry may use it.
    """
    name, scopes = key
    node = ledger.forest.node(name)
    held = node.book(scopes).held
    room: dict[str, int] = {}
    for resource in resources:
        available = ledger.forest.available(node, scopes, resource)
        if available is not None:
            own = held.get(resource, 0) - account.used.get(resource, 0)
            room[resource] = available + max(0, own)
    return room


def is_single(growth: Resources) -> bool:
    """Whether a growth is provably that of one object alone.

    All its resources belong to one kind, and that kind's own count grows by exactly one. Without
    a counted name in the quota this cannot be told, and the answer is no.
    """
    kinds = {resource_names.counted_kind(name) for name in growth}
    if len(kinds) != 1:
        return False
    kind = kinds.pop()
    counts = (kind, f"count/{kind}") if kind else ()
    one = 10**9
    return any(growth.nano(name) == one for name in counts)
