"""The first figures of a namespace in which nothing has been created yet: zeros, written by us.

The native controller writes them at its own rate, 20 a second by default and for all controllers'
sake: of 300 namespaces that are made at once the last would wait for a quarter of a minute. Behind
a gate that was closed from the first moment there is nothing to count, and that can be seen: a
consistent list shows no object of any kind that is measured.

Pure; `controller.newborn` looks and writes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from quotatree.engine import plan
from quotatree.engine.world import World
from quotatree.model import names, scope
from quotatree.model.effect import PatchManagedStatus
from quotatree.model.names import Namespace, Uid
from quotatree.model.observed import ManagedQuota
from quotatree.model.scope import ScopeSet
from quotatree.units import resource_names
from quotatree.units.resources import Resources

LISTED: Final = frozenset(
    {"persistentvolumeclaims", "pods", "services", resource_names.DEVICE_CLAIMS}
)
"""Kinds that the controller may list; where others are measured, the native controller counts.
Nor does the control plane itself make any of these in a new namespace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Birth:
    """What to write if there is no object of `kinds`; `uid` is that of the gate's quota."""

    uid: Uid
    kinds: tuple[str, ...]
    writes: tuple[PatchManagedStatus, ...]


def first_figures(world: World, name: Namespace) -> Birth | None:
    """Return what may be written for a namespace that was born behind the gate, else None."""
    seen = world.namespaces.get(name)
    if name not in world.born or seen is None or seen.terminating:
        return None
    wanted, found = plan.wanted_hard(world, name), world.managed.get(name, {})
    quotas = [found[q] for q in map(scope.managed_name, wanted) if q in found]
    if not wanted or len(quotas) < len(wanted):
        return None
    kinds = {kind for q in quotas for r in q.spec_hard for kind in _counted(r)}
    untouched = all(_is_untouched(world, q, wanted) for q in quotas)
    if not untouched or not kinds <= LISTED or found[names.MANAGED_QUOTA].ready:
        return None
    return Birth(
        uid=found[names.MANAGED_QUOTA].uid,
        kinds=tuple(sorted(kinds)),
        writes=tuple(_zeros(q, alone=len(quotas) == 1) for q in quotas if not q.measured),
    )


def _counted(name: str) -> tuple[str, ...]:
    """Return the kinds that are counted under a name; one that is not known is not `LISTED`."""
    return resource_names.sources(name) or (name,)


def _is_untouched(world: World, quota: ManagedQuota, wanted: Mapping[ScopeSet, Resources]) -> bool:
    """Whether a quota is ours, as it is to be, and nothing was ever charged to it."""
    account = world.ledger.account(quota.namespace, quota.scopes)
    return (
        quota.spec_hard == wanted.get(quota.scopes)
        and quota.epoch in {None, world.ledger.epoch}
        and not quota.terminating
        and not any(quota.used.nanos().values())
        and account is not None
        and not any(account.held().values())
    )


def _zeros(quota: ManagedQuota, *, alone: bool) -> PatchManagedStatus:
    """Return the first status; where one quota measures all, the gate opens with the same write."""
    opened = {names.ANNOTATION_READY: "true"} if alone else {}
    return PatchManagedStatus(
        namespace=quota.namespace,
        quota=quota.name,
        resource_version=quota.resource_version,
        hard=quota.spec_hard,
        used=Resources.from_nano(dict.fromkeys(quota.spec_hard, 0)),
        annotations=opened,
    )
