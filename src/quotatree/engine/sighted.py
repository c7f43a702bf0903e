"""The answer to a TreeQuota that only observes: what was counted, and what it would refuse."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from quotatree.engine import explain
from quotatree.model.names import Namespace
from quotatree.model.quota import Condition, Quota, QuotaStatus
from quotatree.model.sight import Sight
from quotatree.units.resources import EMPTY, Resources

OBSERVED: Final = "Observed"
PARTLY: Final = "NotCounted"
"""Reasons of `Ready` once objects were counted: all that are asked for, or some."""

_SHOWN: Final = 3  # of those who grew


def status_of(quota: Quota, sight: Sight | None, *, others: Iterable[Condition]) -> QuotaStatus:
    """Return its status; a sight of another spec than the present one says nothing of it.

    What was counted before a restart stands until the first count after it.
    """
    if sight is None or sight.asked != quota.asked:
        if quota.status is not None and _was_counted(quota, quota.status):
            return quota.status
        return _status(quota, [_ready("Counting", "its objects are about to be counted"), *others])
    return _status(quota, [_counted(sight), _exceeded(sight), *_guarantee(sight), *others], sight)


def _status(
    quota: Quota, conditions: Iterable[Condition], sight: Sight | None = None
) -> QuotaStatus:
    """Return a status in which no guarantee is in force."""
    return QuotaStatus(
        hard=quota.hard,
        used=Resources.from_nano(sight.used if sight else {}),
        charged=Resources.from_nano(sight.charged if sight else {}),
        available=Resources.from_nano(sight.available if sight else {}),
        guaranteed=EMPTY,
        observed_generation=quota.generation,
        conditions=tuple(conditions),
    )


def _was_counted(quota: Quota, status: QuotaStatus) -> bool:
    reasons = {condition.reason for condition in status.conditions if condition.type == "Ready"}
    return status.observed_generation == quota.generation and bool(reasons & {OBSERVED, PARTLY})


def _ready(reason: str, message: str, *, status: bool = False) -> Condition:
    return Condition(type="Ready", status=status, reason=reason, message=message)


def _counted(sight: Sight) -> Condition:
    if sight.uncounted:
        names = ", ".join(f"{name} ({why})" for name, why in sorted(sight.uncounted.items()))
        return _ready(PARTLY, f"not counted, and taken for nothing: {names}")
    message = "counted in the objects themselves, now and then; nothing is refused or kept free"
    return _ready(OBSERVED, message, status=True)


def _exceeded(sight: Sight) -> Condition:
    hard = sight.asked.hard.nanos()
    over = {r: c for r, c in sight.charged.items() if c > hard.get(r, c)}
    if not over:
        return Condition(
            type="Exceeded", status=False, reason="WithinHard", message="charged is within hard"
        )
    numbers = "; ".join(
        f"{r}: charged {explain.amount(r, charge)}, hard {explain.amount(r, hard[r])}"
        for r, charge in sorted(over.items())
    )
    return Condition(
        type="Exceeded",
        status=True,
        reason="AboveHard",
        message=f"{numbers}; it only observes: enforced, growth would be refused until the charge "
        "is below",
    )


def _guarantee(sight: Sight) -> list[Condition]:
    if not sight.asked.guaranteed:
        return []
    would = (
        f"it would wait, since {explain.guarantee_pending(sight.waits)}"
        if sight.waits
        else "every ancestor would have room"
    )
    return [
        Condition(
            type="GuaranteeGranted",
            status=False,
            reason="Observed",
            message=f"it only observes, so nothing is kept free; enforced, {would}",
        )
    ]


def growth(sight: Sight) -> str:
    """Say who grew beyond the limit since the last count, empty for nobody."""
    return "; ".join(_growth(sight, r, grew) for r, grew in sorted(sight.grown.items()))


def _growth(sight: Sight, resource: str, grew: Mapping[Namespace, int]) -> str:
    """Say of one resource who grew, the greatest first, and what would not have fitted."""
    ranked = sorted(grew.items(), key=lambda item: (-item[1], item[0]))
    words = [f"{name} by {explain.amount(resource, more)}" for name, more in ranked[:_SHOWN]]
    if len(ranked) > _SHOWN:
        words.append(f"{len(ranked) - _SHOWN} others")
    charged, hard = sight.charged[resource], sight.asked.hard.nano(resource)
    refused = min(charged - hard, sum(grew.values()))
    return (
        f"{resource}: charged {explain.amount(resource, charged)}, hard "
        f"{explain.amount(resource, hard)}; grown since the last count: {', '.join(words)}; "
        f"{explain.amount(resource, refused)} of it would have been refused"
    )
