"""The state of a world in figures, for whoever watches over it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from quotatree.engine.reservation import State
from quotatree.engine.world import World
from quotatree.model.names import Namespace
from quotatree.model.sight import Sight

LIVING: Final = (State.PENDING, State.OVERDUE, State.HELD)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How much there is of everything; all zero where nobody leads.

    `fenced` of the `managed` ResourceQuotas carry the epoch, or none. `tightened` and `leased` are
    namespaces with a lowered `status.hard` and with a slice, `objects` those in the account of the
    truth, `over` the TreeQuotas that only observe and were above their hard at the last count.
    """

    epoch: int = 0
    namespaces: int = 0
    tree_quotas: int = 0
    managed: int = 0
    fenced: int = 0
    reservations: Mapping[State, int] = field(default_factory=lambda: dict.fromkeys(LIVING, 0))
    tightened: int = 0
    leased: int = 0
    objects: int = 0
    over: int = 0


def of(world: World) -> Tally:
    """Return the tally of a world; one pass over its managed ResourceQuotas."""
    ledger = world.ledger
    quotas = [quota for found in world.managed.values() for quota in found.values()]
    reservations = Counter(dict.fromkeys(LIVING, 0))
    reservations.update(r.state for r in ledger.reservations())
    return Tally(
        epoch=ledger.epoch,
        namespaces=len(world.namespaces),
        tree_quotas=sum(1 for _ in world.limits.all()),
        managed=len(quotas),
        fenced=sum(quota.epoch in {None, ledger.epoch} for quota in quotas),
        reservations=reservations,
        tightened=len(ledger.tightenings),
        leased=sum(bool(quota.slice) for quota in quotas),
        objects=len(ledger.truth.census),
        over=sum(_is_over(sight) for sight in world.sights.values()),
    )


def root(world: World, name: Namespace) -> Namespace:
    """Return the root of the tree that a namespace is in: itself where there is none."""
    path = world.ledger.forest.path(name)
    return path[-1] if path else name


def _is_over(sight: Sight) -> bool:
    hard = sight.asked.hard.nanos()
    return any(sight.charged.get(name, 0) > most for name, most in hard.items())
