"""Entry 1: may this growth of a namespace's usage be committed?

The order of the questions is the argument:

Nothing in a review changes what the ledger takes for committed: whoever reaches the server could
forge one. Only our own watch does that.

1. Already lost: it replaces another version than the one that is there, or that one is older than
   what is committed. Let it pass; it fails by itself, and a refusal would cost the API server one
   of its four tries. Our fence overtakes bases like this.
   Not before quota admission sees what it lost to, or its other tries are lost in the same way.
2. Not ours to answer yet: an object that the ledger does not know, or a tree in which a grant of
   an earlier leader may still be committed, since a managed quota carries its epoch.
3. A level above has workloads below it that are not counted yet in what grows: nobody knows its
   room, so it is to be asked for again.
4. It fits every level with everything in flight counted: grant it, and count it from now on; on an
   object that is closed not before it was opened (`engine.openings`).
5. It would fit, or some of a batch might, if slices of others did not stand idle: have them taken
   back, and wait for that. It is never refused for their sake.
6. It would fit if what is in flight lost, or if others below the limit were not charged for objects
   that are gone: wait a moment for that to show. A batch may wait twice, since the API server tries
   four times and a tightening needs two of them.
7. It does not fit. One request alone is refused with our own words. A batch is tightened: native
   admission refuses or admits a whole batch, so it is made to judge the requests one by one
   against the room that there is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from quotatree.engine import explain, outlook, reality, surplus
from quotatree.engine.account import Account
from quotatree.engine.forest import Amounts
from quotatree.engine.ledger import Ledger
from quotatree.engine.reservation import Tightening
from quotatree.engine.room import available
from quotatree.engine.unmeasured import Unknown
from quotatree.model.review import UsageReview
from quotatree.model.verdict import (
    Admit,
    Cause,
    Deny,
    Limit,
    Open,
    Tighten,
    TryLater,
    Verdict,
    Wait,
)
from quotatree.units import resource_names
from quotatree.units.resources import EMPTY, Resources

EVERY_POD: Final = frozenset({"pods", "count/pods"}) | {
    prefix + name for prefix in ("", "requests.", "limits.") for name in ("cpu", "memory")
}
"""What every pod asks for: where a quota names it, native admission refuses a pod without
(`validationSet` in Kubernetes' pkg/quota/v1/evaluator/core/pods.go)."""


def decide(ledger: Ledger, review: UsageReview, *, now: float, arrived: float) -> Verdict:
    """Return the verdict, having counted the growth if it was granted.

    `arrived` is when the review came in: waiting is bounded from there.
    """
    verdict = _decide(ledger, review, now=now, arrived=arrived)
    if not isinstance(verdict, Wait):
        ledger.patience.ends((review.old.namespace, review.old.scopes))
    return verdict


def _decide(ledger: Ledger, review: UsageReview, *, now: float, arrived: float) -> Verdict:
    key = (review.old.namespace, review.old.scopes)
    account = ledger.account(*key)
    base = review.old.resource_version
    committed = base if account is None else max(base, account.resource_version)
    if review.lost or committed > base:
        return Admit(reserved=False, behind=committed)
    epoch = review.old.epoch
    ours = epoch is None or (account is not None and epoch == account.epoch == ledger.epoch)
    fenced = ours and ledger.fenced(*key)
    if account is None or ledger.uid_of(review.old.namespace) is None or not fenced:
        until = arrived + ledger.timing.fence
        if now < until:
            return Wait(until=until, limits=(), cause=Cause.FENCE)
        reason = "the present leader does not know and fence this tree yet"
        return TryLater(reason=reason, cause=Cause.FENCE)
    # What is gone goes in the write of the growth: one of its own would be in the way of it.
    growth = _growth(account, review)
    limits = ledger.obstacles(key, growth.reached, before=growth.before)
    if ledger.unmeasured and (unknown := _unknown(ledger, review)):
        return TryLater(reason=str(unknown), cause=Cause.UNMEASURED)
    if not limits:
        return _grant(ledger, review, growth, now=now)
    ledger.tightenings.press(key, now)
    return (
        _lowers(ledger, review, limits, growth=growth, now=now, arrived=arrived)
        or _take_back(ledger, review, limits, growth=growth, now=now, arrived=arrived)
        or _later(ledger, review, limits, now=now, arrived=arrived)
        or _refuse(ledger, review, limits, lowered=growth.lowered, now=now)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Growth:
    """A growth as it is judged: what is held where it is `reached`, from what was `before`.

    Where the usage that it grows from is too high, `lowered` is what is right, and `amended` what
    is written in place of what the growth says.
    """

    lowered: Amounts
    before: Amounts
    reached: Amounts
    amended: Resources


def _growth(account: Account, review: UsageReview) -> _Growth:
    lowered = _own_surplus(account, review)
    written = reality.written(review, lowered)
    return _Growth(
        lowered=lowered,
        before={**review.old.used.nanos(), **lowered},
        reached=reality.reached(account, review, written),
        amended=Resources.from_nano({r: written[r] for r in lowered}),
    )


def _grant(ledger: Ledger, review: UsageReview, growth: _Growth, *, now: float) -> Admit | Open:
    key, old = (review.old.namespace, review.old.scopes), review.old
    if review.dry_run:
        return Admit(reserved=False)
    if old.epoch is None or not ledger.openings.is_sure(key, epoch=ledger.epoch):
        return Open(
            namespace=old.namespace,
            quota=old.name,
            resource_version=old.resource_version,
            epoch=ledger.epoch if old.epoch is None else None,
        )
    hard = _ends_tightening(ledger, review)
    grant = ledger.truth.grant(review, now, amended=growth.amended, loosens=bool(hard))
    ledger.lessor.asked(key, old.used, review.new.used, now=now)
    ledger.reserve(key, growth.reached, base=old.resource_version, now=now, grant=grant)
    return Admit(reserved=True, used=growth.amended, hard=hard)


def _ends_tightening(ledger: Ledger, review: UsageReview) -> Resources:
    """Return what native admission is to apply again after a growth, empty if what it does.

    Where objects come and go, whoever was refused by a tightening asks again at once: better to
    hold those requests back here than to have them refused natively, one by one, until it ends.
    """
    account = ledger.account(review.old.namespace, review.old.scopes)
    if account is None or account.tightening is None or not account.tightening.stirs:
        return EMPTY
    spec, applied = review.old.spec_hard, review.new.status_hard
    return spec.mask(r for r in spec if r in applied and applied.nano(r) < spec.nano(r))


def in_sight(verdict: Verdict, *, blind: bool) -> Verdict:
    """Put off a refusal by a full level while nobody tells what has been freed there.

    What was granted meanwhile is known, so whatever is let in fits all the same.
    """
    full = isinstance(verdict, Deny) and all(x.requested <= x.hard for x in verdict.limits)
    return TryLater(reason=explain.BLIND, cause=Cause.BLIND) if full and blind else verdict


def _unknown(ledger: Ledger, review: UsageReview) -> Unknown | None:
    growth = review.growth
    return ledger.unmeasured.below((review.old.namespace, review.old.scopes), growth)


def _take_back(
    ledger: Ledger,
    review: UsageReview,
    limits: list[Limit],
    *,
    growth: _Growth,
    now: float,
    arrived: float,
) -> Admit | Wait | TryLater | None:
    """Have slices of others taken back if it, or some of a batch, may fit without them."""
    key = (review.old.namespace, review.old.scopes)
    node, growing = ledger.forest.node(key[0]), {limit.resource for limit in limits}

    def ask() -> tuple[list[Limit], list[int | None]]:
        rooms = [available(node, key[1], resource) for resource in growing]
        return ledger.obstacles(key, growth.reached, before=growth.before), rooms

    left, rooms = ledger.lessor.without(key, ask, but=key)
    if left == limits:
        return None
    # Of a batch only the sum is known: what one limit is full for, others of it may not ask for.
    some = rooms != ask()[1]
    if _alone(review):
        some = all(
            x.requested <= x.hard - x.charged + outlook.unsettled_under(ledger, x, asking=key)
            for x in left
        )
    if not some:
        return None
    if review.dry_run:
        return None if left else Admit(reserved=False)
    ledger.lessor.press(limits, key, but=key, now=now)
    until = arrived + ledger.lessor.settings.wait
    if now < until:
        return Wait(until=until, limits=tuple(limits), cause=Cause.SLICES)
    account = ledger.account(*key)
    if account is not None:
        account.spared = review.old.resource_version  # one of the four tries is gone by this
    return TryLater(reason=explain.TAKING_BACK, cause=Cause.SLICES)


def _lowers(
    ledger: Ledger,
    review: UsageReview,
    limits: list[Limit],
    *,
    growth: _Growth,
    now: float,
    arrived: float,
) -> Wait | None:
    """Wait a moment where others below a limit are charged for what is gone already.

    Their counters are put right meanwhile, and the room is there when that is committed.
    """
    key = (review.old.namespace, review.old.scopes)
    found = outlook.overcounted_under(ledger, limits, asking=key)
    if found or growth.lowered:
        for limit in limits:
            ledger.truth.surplus.stir((limit.ancestor, key[1]), now=now)
    until = _queue(ledger, review, limits, now=now, arrived=arrived)
    half = (arrived + until) / 2
    for other in found:
        # Who asks now puts it right by its growth, which would lose to a write of ours; unless it
        # waits itself, for others that wait.
        if now >= half or not ledger.asks(other, now):
            ledger.truth.surplus.want(other)
    if not found or now >= until:
        return None
    return Wait(until=half if now < half else until, limits=tuple(limits), cause=Cause.OVERCOUNT)


def _queue(
    ledger: Ledger, review: UsageReview, limits: list[Limit], *, now: float, arrived: float
) -> float:
    """Return until when to wait for room that comes back."""
    key = (review.old.namespace, review.old.scopes)
    stirs = outlook.stirs(ledger, limits, asking=key)
    return ledger.patience.until(key, now=now, arrived=arrived, stirs=stirs)


def _later(
    ledger: Ledger, review: UsageReview, limits: list[Limit], *, now: float, arrived: float
) -> Wait | TryLater | None:
    """Return how to put the answer off, None when nothing is won by that.

    After its wait a batch is refused once without a tightening: that leaves the API server enough
    of its four tries, and everybody's room as it is.
    """
    key = (review.old.namespace, review.old.scopes)
    account = ledger.account(*key)
    alone = _alone(review)
    if account is None or not outlook.may_fit(ledger, key, limits, alone=alone):
        return None
    patience = outlook.patience(ledger, key)
    # The wait for slices is not counted, as long as there is time left for an answer.
    since = max(arrived, ledger.lessor.pressed_at(limits, key[1]))
    longest = max(patience, ledger.lessor.settings.wait + ledger.timing.wait)
    queue = _queue(ledger, review, limits, now=now, arrived=arrived)
    until = max(queue, min(since + patience, arrived + longest))
    if now < until:
        return Wait(until=until, limits=tuple(limits), cause=Cause.IN_FLIGHT)
    if alone or account.spared >= review.old.resource_version:
        return None
    account.spared = review.old.resource_version
    reason = "others that ask for the same room are not decided yet"
    return TryLater(reason=reason, cause=Cause.IN_FLIGHT)


def _alone(review: UsageReview) -> bool:
    """Whether there is one request to answer: a batch of one, or a dry run."""
    return review.dry_run or is_single(review.growth)


def _refuse(
    ledger: Ledger, review: UsageReview, limits: list[Limit], *, lowered: Amounts, now: float
) -> Deny | Tighten | TryLater:
    key = (review.old.namespace, review.old.scopes)
    growth = review.growth
    account = ledger.account(*key)
    if account is None or _alone(review):
        if all(
            x.requested <= x.hard - x.charged + outlook.missed_under(ledger, x, asking=key)
            for x in limits
        ):
            return TryLater(reason=explain.MISSED, cause=Cause.BLIND)
        return Deny(limits=tuple(limits), requested=growth)
    ledger.release_hold(key)  # an earlier one is no room of its own
    old = review.old.used.nanos()
    room = ledger.room(key, {limit.resource for limit in limits}, used=old)
    tight = {r: old.get(r, 0) + amount for r, amount in room.items()}
    used = {**old, **lowered}
    stirs = outlook.stirs(ledger, limits, asking=key)
    hasty = stirs or any(outlook.unsettled_under(ledger, x, asking=key) for x in limits)
    ledger.tighten(
        key,
        Tightening(
            since=now, base=review.old.resource_version, hard=tight, hasty=hasty, stirs=stirs
        ),
        used=_likely(growth, {r: amount - used.get(r, 0) for r, amount in tight.items()}, used),
    )
    return Tighten(
        namespace=review.old.namespace,
        quota=review.old.name,
        resource_version=review.old.resource_version,
        hard=Resources.from_nano(tight),
        used=Resources.from_nano(lowered),
        limits=tuple(limits),
        returned=ledger.lessor.give_back(key),
    )


def _own_surplus(account: Account, review: UsageReview) -> Amounts:
    """Return the usage without what is gone, where the asking counter itself is too high.

    The write of the growth or of the tightening puts that right too.
    """
    if review.dry_run or account.resource_version != review.old.resource_version:
        return {}
    return surplus.lowered(account)


def _likely(growth: Resources, room: Mapping[str, int], used: Mapping[str, int]) -> dict[str, int]:
    """Return the usage to expect of the retry of a batch, with as much again to be sure.

    Where there is room for a tenth of what all pods need, about a tenth of them will fit. To keep
    what the whole batch asked for would keep siblings from room that nobody takes.
    """
    most, of = 1, 1
    if all(resource_names.counted_kind(name) == "pods" for name in growth):
        for resource in EVERY_POD & room.keys() & growth.nanos().keys():
            if 2 * room[resource] * of < most * growth.nano(resource):
                most, of = 2 * room[resource], growth.nano(resource)
    found = dict(used)
    for name, asked in growth.nanos().items():
        unit = 10**6 if name.endswith("cpu") else 10**9  # room of others stays in these units too
        likely = min(-(-asked * most // (of * unit)) * unit, asked)
        found[name] = used.get(name, 0) + min(likely, room.get(name, likely))
    return found


def is_single(growth: Resources) -> bool:
    """Whether a growth is provably that of one object alone.

    All its resources belong to one kind, and that kind's own count grows by exactly one: every
    managed ResourceQuota measures one (`engine.plan.measured_names`).
    """
    kinds = {resource_names.counted_kind(name) for name in growth}
    if len(kinds) != 1:
        return False
    kind = kinds.pop()
    counts = resource_names.counts_of(kind) if kind else ()
    one = 10**9
    return any(growth.nano(name) == one for name in counts)
