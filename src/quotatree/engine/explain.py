"""The only place that phrases refusals: the thing, the numbers, the next step.

The order is that of native quota admission ("exceeded quota: …, requested: …, used: …, limited:
…"), and equal input gives an equal sentence: whatever is listed is sorted first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from quotatree.model.names import Namespace
from quotatree.model.verdict import Deny, Limit
from quotatree.units.resources import Resources

BLIND: Final = "the API server tells quotatree nothing at present: there may be room by now"
MISSED: Final = (
    "nobody was told what became of some grants of a moment ago: there may be room by now"
)
TAKING_BACK: Final = "room that others hold in slices and do not use is being taken back"


def amount(resource: str, nano: int) -> str:
    """Return one amount as the canonical quantity of its resource."""
    return Resources.from_nano({resource: nano}).to_strings()[resource]


def chain(path: Sequence[Namespace]) -> str:
    """Return a path from the root down, `org > team > pipeline`."""
    return " > ".join(reversed(path))


def nearest(limits: Iterable[Limit]) -> list[Limit]:
    """Return the limits of the level that refuses first, sorted by resource."""
    found = list(limits)
    level = found[0].ancestor
    return sorted((li for li in found if li.ancestor == level), key=lambda li: li.resource)


def refusal(namespace: Namespace, verdict: Deny) -> str:
    """Return the refusal of a growth, in the native order."""
    return exceeded(namespace, verdict.limits)


def exceeded(namespace: Namespace, limits: Sequence[Limit]) -> str:
    """Say which level refuses which resources of `namespace`, with the numbers of that level."""
    level = nearest(limits)
    where = level[0].ancestor
    parts = {
        "requested": _list((li.resource, li.requested) for li in level),
        "used": _list((li.resource, li.charged) for li in level),
        "limited": _list((li.resource, li.hard) for li in level),
    }
    numbers = ", ".join(f"{name}: {text}" for name, text in parts.items())
    scope = "its own" if where == namespace else f"ancestor {where}'s"
    return (
        f"exceeded quota: {where}, {numbers} (namespace {namespace} is held by {scope} TreeQuota; "
        f"free some of it, or ask whoever owns {where} to raise it)"
    )


def limited_by(limits: Sequence[Limit]) -> str:
    """Return the annotation `limited-by`: ancestor and resources, no figure of other tenants."""
    level = nearest(limits)
    resources = ",".join(li.resource for li in level)
    return f"{level[0].ancestor}: {resources}"


def move(child: Namespace, parent: Namespace, limits: Sequence[Limit]) -> str:
    """Say why a namespace does not fit under a new parent."""
    level = nearest(limits)
    where = level[0].ancestor
    numbers = "; ".join(
        f"{li.resource}: {child} brings {amount(li.resource, li.requested)}, {where} has "
        f"{amount(li.resource, li.charged)} of {amount(li.resource, li.hard)} in use"
        for li in level
    )
    return (
        f"namespace {child} does not fit under {parent}: {numbers}; "
        f"lower the usage of {child}, or raise the limit of {where} first"
    )


def guarantee_pending(limits: Sequence[Limit]) -> str:
    """Say who is in the way of a guarantee."""
    level = nearest(limits)
    numbers = "; ".join(
        f"{li.resource}: needs {amount(li.resource, li.requested)} more, {li.ancestor} has "
        f"{amount(li.resource, max(0, li.hard - li.charged))} of {amount(li.resource, li.hard)} "
        "left"
        for li in level
    )
    return f"{level[0].ancestor} has no room for it: {numbers}"


def _list(amounts: Iterable[tuple[str, int]]) -> str:
    return ",".join(f"{name}={amount(name, nano)}" for name, nano in amounts)
