"""What a TreeQuota means in the tree it is put into: warnings for its author.

Nothing here refuses. A hard above an ancestor's is legal (the tightest wins), and a guarantee that
does not fit waits; but who writes them should hear it at once.
"""

from __future__ import annotations

from quotatree.engine import explain, room
from quotatree.engine.world import World
from quotatree.model.quota import Quota
from quotatree.units import resource_names


def warnings(world: World, quota: Quota) -> tuple[str, ...]:
    """Return what the author of `quota` should know, in a stable order.

    One that only observes says the same in its status, from what it has counted.
    """
    if not quota.enforced:
        return ()

    def by_use() -> list[str]:
        return [*_below_usage(world, quota), *_no_room(world, quota)]

    # Slices that stand idle are taken back for it.
    by_charge = world.ledger.lessor.without((quota.namespace, quota.scopes), by_use)
    return (*_looser(world, quota), *by_charge, *_compute(quota))


def _ceilings_above(world: World, quota: Quota) -> dict[str, int]:
    """Return the least hard above, by the name under which levels are compared."""
    node = world.ledger.forest.get(quota.namespace)
    if node is None or node.parent is None:
        return {}
    above = room.ceilings(node.parent, quota.scopes)
    found: dict[str, int] = {}
    for name, hard in above.items():
        if hard is not None:
            same = resource_names.equivalent(name)
            found[same] = min(hard, found.get(same, hard))
    return found


def looser(world: World, quota: Quota) -> list[tuple[str, int, int]]:
    """Return each hard that never bites because an ancestor's is lower: name, hard, its limit."""
    above = _ceilings_above(world, quota)
    return [
        (name, hard, limit)
        for name, hard in sorted(quota.hard.nanos().items())
        if (limit := above.get(resource_names.equivalent(name))) is not None and hard > limit
    ]


def _looser(world: World, quota: Quota) -> list[str]:
    return [
        f"spec.hard[{name}]: {explain.amount(name, hard)} is more than the "
        f"{explain.amount(name, limit)} that an ancestor allows; the tightest wins"
        for name, hard, limit in looser(world, quota)
    ]


def _below_usage(world: World, quota: Quota) -> list[str]:
    node = world.ledger.forest.get(quota.namespace)
    book = node.books.get(quota.scopes) if node is not None else None
    if book is None:
        return []
    return [
        f"spec.hard[{name}]: {explain.amount(name, hard)} is below the "
        f"{explain.amount(name, book.charge(name))} in use; nothing is evicted, "
        "growth is refused until usage is below"
        for name, hard in sorted(quota.hard.nanos().items())
        if book.charge(name) > hard
    ]


def _no_room(world: World, quota: Quota) -> list[str]:
    node = world.ledger.forest.get(quota.namespace)
    if node is None or not quota.guaranteed:
        return []
    limits = room.guarantee_obstacles(node, quota.scopes, quota.guaranteed.nanos())
    if not limits:
        return []
    return [f"spec.guaranteed waits: {explain.guarantee_pending(limits)}"]


def _compute(quota: Quota) -> list[str]:
    """Native admission refuses pods that do not name what a quota of theirs counts."""
    named = sorted(resource_names.MUST_BE_SAID & quota.hard.keys())
    if not named or quota.scopes:
        return []
    warning = (
        f"pods below {quota.namespace} must now say their {', '.join(named)}: those that do not "
        'are refused with "must specify"; a LimitRange in the namespace can set defaults'
    )
    return [warning]
