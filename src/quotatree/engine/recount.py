"""Entry 2: what is to be put right in a recount before it commits.

The native controller counts from caches that lag behind, and it resets `status.hard` to the spec.
So a usage below the truth is raised to it, and a tightening stays as tight as it was: with more
room in a batch that is still being judged, native admission would charge for requests that it has
refused already (`checkQuotas` in apiserver's plugin/resourcequota/controller.go).

Never a refusal: the native controller must not depend on us.
"""

from __future__ import annotations

from dataclasses import dataclass

from quotatree.engine import reality
from quotatree.engine.ledger import Ledger
from quotatree.model.observed import ManagedQuota
from quotatree.model.review import UsageReview
from quotatree.units.resources import EMPTY, Resources


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """What to write in place of what the recount says; empty where it is right.

    `missed` is the part of `used` that the recount had not heard of.
    """

    used: Resources = EMPTY
    hard: Resources = EMPTY
    missed: Resources = EMPTY


def correct(ledger: Ledger, review: UsageReview) -> Correction:
    """Return what is to be put right in a recount, and remember what it will then say."""
    key = (review.old.namespace, review.old.scopes)
    account = ledger.account(*key)
    if account is None or account.resource_version > review.old.resource_version:
        return Correction()  # not ours, or it will lose
    said = review.new.used.nanos()
    least, most = reality.bounds(account, review.old)
    right = {
        r: min(max(amount, least.get(r, 0)), most.get(r, amount)) for r, amount in said.items()
    }
    used = Resources.from_nano({r: amount for r, amount in right.items() if amount != said[r]})
    if not review.dry_run:
        account.recounted = (review.old.resource_version, right)
    hard = EMPTY
    if account.tightening is not None:
        hard = as_tight(review.old, Resources.from_nano(right))
        hard = hard.mask(r for r in hard if hard.nano(r) < review.new.status_hard.nano(r))
    missed = used.mask(
        r
        for r in used
        if said[r] < reality.real(account, base=review.old.resource_version).get(r, 0)
    )
    return Correction(used=used, hard=hard, missed=missed)


def as_tight(seen: ManagedQuota, used: Resources) -> Resources:
    """Return the part of `status.hard` that leaves no more room above `used` than there was."""
    spec, old = seen.spec_hard.nanos(), seen.used.nanos()
    return Resources.from_nano(
        {
            r: max(0, amount - max(0, old.get(r, 0) - used.nano(r) if r in used else 0))
            for r, amount in seen.status_hard.nanos().items()
            if amount < spec.get(r, 0)
        }
    )
