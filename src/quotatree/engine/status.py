"""The answer to a TreeQuota: numbers and conditions, each with a reason and a next step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from quotatree.engine import explain, room, sighted, validate
from quotatree.engine.forest import Book, Node
from quotatree.engine.world import World
from quotatree.model import scope
from quotatree.model.names import Namespace
from quotatree.model.quota import Condition, Quota, QuotaStatus
from quotatree.units.resources import Resources

STEP: Final = 200
"""Namespaces that are looked at in one go, some milliseconds: reviews wait meanwhile."""


def status_of(world: World, quota: Quota) -> QuotaStatus:
    """Return the status that a TreeQuota is to have."""
    if not quota.enforced:
        sight = world.sights.get(quota.key)
        return sighted.status_of(quota, sight, others=_looser(world, quota))
    node = world.ledger.forest.node(quota.namespace)
    book = node.book(quota.scopes)
    keys = sorted({*quota.hard, *quota.guaranteed})
    used = world.usage.of(quota.namespace, quota.scopes)

    def figures() -> tuple[dict[str, int | None], dict[str, int]]:
        available = {r: room.available(node, quota.scopes, r) for r in keys}
        return available, {r: book.charge(r) for r in keys}

    # Slices that nobody uses are taken back for whoever needs the room.
    available, solid = world.ledger.lessor.without((quota.namespace, quota.scopes), figures)
    granted = quota.guaranteed.minimum(Resources.from_nano(book.guaranteed))
    return QuotaStatus(
        hard=quota.hard,
        used=Resources.from_nano({r: used.get(r, 0) for r in keys}),
        charged=Resources.from_nano(solid),
        available=Resources.from_nano({r: a for r, a in available.items() if a is not None}),
        guaranteed=granted.mask([r for r in quota.guaranteed if r in book.guaranteed]),
        observed_generation=quota.generation,
        conditions=(
            _ready(world, quota),
            _exceeded(quota, solid),
            *_revoking(quota, book, solid),
            *_guarantee(world, quota, node),
            *_looser(world, quota),
        ),
    )


def _ready(world: World, quota: Quota) -> Condition:
    """Whether every namespace below is measured in every key: only then the limit is exact."""
    waiting = [name for name in _doubtful(world, quota) if not _measures(world, name, quota)]
    if not waiting:
        return Condition(
            type="Ready",
            status=True,
            reason="Enforced",
            message="every namespace of the subtree is measured and held to this quota",
        )
    shown = ", ".join(sorted(waiting)[:5]) + (", …" if len(waiting) > 5 else "")
    return Condition(
        type="Ready",
        status=False,
        reason="Measuring",
        message=f"{len(waiting)} namespaces are not measured yet: {shown}; "
        "the resourcequota controller of Kubernetes does this within seconds",
    )


def _doubtful(world: World, quota: Quota) -> Iterable[Namespace]:
    """Return the namespaces below that may not be measured yet: mostly none, however many exist."""
    doubted = world.doubted
    if not doubted:
        return ()
    return [
        name
        for name in world.ledger.forest.subtree(quota.namespace)
        if name in doubted and name in world.namespaces
    ]


def settle_doubts(world: World) -> None:
    """Clear the namespaces that are measured in every key that anybody on their path limits."""
    for _ in settling_doubts(world):
        pass


def settling_doubts(world: World) -> Iterator[None]:
    """Do what `settle_doubts` does, and pause after every few: a new leader doubts everybody."""
    for number, name in enumerate(list(world.doubted), start=1):
        if number % STEP == 0:
            yield
        path = world.ledger.forest.path(name)
        quotas = (quota for ancestor in path for quota in world.limits.enforced(ancestor))
        if name not in world.namespaces or all(_measures(world, name, q) for q in quotas):
            world.doubted.discard(name)


def _measures(world: World, name: Namespace, quota: Quota) -> bool:
    seen = world.managed.get(name, {}).get(scope.managed_name(quota.scopes))
    if seen is None:
        return world.namespaces[name].terminating
    keys = {*quota.hard, *quota.guaranteed}
    return all(r in seen.status_hard and r in seen.used for r in keys)


def _exceeded(quota: Quota, solid: Mapping[str, int]) -> Condition:
    over = {r: (solid[r], hard) for r, hard in quota.hard.nanos().items() if solid[r] > hard}
    if not over:
        return Condition(
            type="Exceeded", status=False, reason="WithinHard", message="charged is within hard"
        )
    numbers = "; ".join(
        f"{r}: charged {explain.amount(r, charge)}, hard {explain.amount(r, hard)}"
        for r, (charge, hard) in sorted(over.items())
    )
    return Condition(
        type="Exceeded",
        status=True,
        reason="AboveHard",
        message=f"{numbers}; nothing is evicted, growth is refused until the charge is below",
    )


def _revoking(quota: Quota, book: Book, solid: Mapping[str, int]) -> list[Condition]:
    """Say that slices are being taken back: a limit was lowered below what they hold."""
    over = {
        r: book.charge(r) - max(hard, solid[r])
        for r, hard in quota.hard.nanos().items()
        if book.charge(r) > max(hard, solid[r])
    }
    if not over:
        return []
    numbers = "; ".join(f"{r}: {explain.amount(r, much)}" for r, much in sorted(over.items()))
    return [
        Condition(
            type="Revoking",
            status=True,
            reason="SlicesAboveHard",
            message=f"slices hold more than fits, and are being taken back: {numbers}",
        )
    ]


def _guarantee(world: World, quota: Quota, node: Node) -> list[Condition]:
    if not quota.guaranteed:
        return []
    if not world.limits.waits(node.name, quota.scopes):
        return [
            Condition(
                type="GuaranteeGranted",
                status=True,
                reason="Reserved",
                message="every ancestor keeps this guarantee free",
            )
        ]
    limits = world.limits.obstacles(node.name, quota.scopes)
    message = explain.guarantee_pending(limits) if limits else "about to be granted"
    return [Condition(type="GuaranteeGranted", status=False, reason="NoRoom", message=message)]


def _looser(world: World, quota: Quota) -> list[Condition]:
    """Warn of a hard that never bites because an ancestor's is lower."""
    looser = validate.looser(world, quota)
    if not looser:
        return []
    numbers = "; ".join(
        f"{r}: {explain.amount(r, hard)} here, {explain.amount(r, limit)} above"
        for r, hard, limit in looser
    )
    return [
        Condition(
            type="LooserThanAncestor",
            status=True,
            reason="TightestWins",
            message=f"an ancestor allows less, and the tightest wins: {numbers}",
        )
    ]
