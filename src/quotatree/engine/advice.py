"""What would let a refused workload in, and how that is said. Equal input gives equal sentences.

The smallest change raises each limit that refuses, to exactly what the request needs there: fewer
limits or less of any would refuse still. Beside it stand what can be asked for without any change,
and, where waiting can help, how much others have to give back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from quotatree.engine.explain import amount
from quotatree.engine.world import World
from quotatree.model import scope
from quotatree.model.fit import WORDS, Obstacle, Reason
from quotatree.model.names import Namespace
from quotatree.model.scope import ScopeSet

_OWN = frozenset({Reason.OWN_FULL, Reason.OWN_TOO_LARGE})
_OWN_KIND = "resourcequota"
_COUNTED = frozenset({Reason.FULL, Reason.OVER, Reason.TOO_LARGE, Reason.RESERVED}) | _OWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Raise:
    """One limit to raise. `quotas` are the TreeQuotas that set it, or the one ResourceQuota."""

    level: Namespace
    kind: str
    quotas: tuple[str, ...]
    resource: str
    scopes: ScopeSet
    before: int
    after: int

    def __str__(self) -> str:
        """Return e.g. `cpu of treequota org/quota from 8 to 10`."""
        names = ", ".join(f"{self.level}/{name}" for name in self.quotas) or str(self.level)
        resource = scope.label(self.resource, self.scopes)
        old, new = amount(self.resource, self.before), amount(self.resource, self.after)
        return f"{resource} of {self.kind} {names} from {old} to {new}"


def raises(world: World, obstacles: Iterable[Obstacle]) -> tuple[Raise, ...]:
    """Return the smallest change of limits that lets a request in; nothing where none would."""
    found = []
    for obstacle in obstacles:
        if obstacle.reason not in _COUNTED:
            return ()
        own = obstacle.reason in _OWN
        found.append(
            Raise(
                level=obstacle.level,
                kind=_OWN_KIND if own else "treequota",
                quotas=(obstacle.quota,) if own else _setting(world, obstacle),
                resource=obstacle.resource,
                scopes=obstacle.scopes,
                before=obstacle.hard,
                after=obstacle.enough,
            )
        )
    return tuple(found)


def _setting(world: World, obstacle: Obstacle) -> tuple[str, ...]:
    """Return the TreeQuotas of a level that allow less than enough."""
    return tuple(
        quota.name
        for quota in world.limits.enforced(obstacle.level)
        if quota.scopes == obstacle.scopes
        and obstacle.resource in quota.hard
        and quota.hard.nano(obstacle.resource) < obstacle.enough
    )


def grouped(obstacles: Iterable[Obstacle]) -> list[tuple[Obstacle, ...]]:
    """Return the obstacles of one reason at one level together, in the order they came."""
    found: dict[tuple[Reason, Namespace, str], list[Obstacle]] = {}
    for obstacle in obstacles:
        key = (obstacle.reason, obstacle.level, obstacle.quota)
        found.setdefault(key, []).append(obstacle)
    return [tuple(sorted(group, key=lambda o: o.resource)) for group in found.values()]


def message(group: Sequence[Obstacle]) -> str:
    """Say what refuses, with the numbers of its level; `group` is one of `grouped`."""
    first = group[0]
    if first.reason not in _COUNTED and first.reason is not Reason.MISSING:
        return f"namespace {first.level}: {WORDS[first.reason]}"
    where = f"resourcequota {first.level}/{first.quota}" if first.quota else f"{first.level}"
    if first.reason is Reason.MISSING:
        parts = "; ".join(f"{_label(o)} for {', '.join(o.containers)}" for o in group)
        return f"{where} measures what is not said: {parts}"
    return f"{where}: {'; '.join(map(_numbers, group))}"


def _label(obstacle: Obstacle) -> str:
    return scope.label(obstacle.resource, obstacle.scopes)


def _numbers(obstacle: Obstacle) -> str:
    def text(nano: int) -> str:
        return amount(obstacle.resource, nano)

    kept = f", {text(obstacle.reserved)} of it kept for others" if obstacle.reserved else ""
    return (
        f"{_label(obstacle)}: requested {text(obstacle.requested)}, used {text(obstacle.used)}"
        f"{kept}, limited {text(obstacle.hard)}, available {text(obstacle.available)}"
    )


def remedy(group: Sequence[Obstacle], changes: Sequence[Raise]) -> str:
    """Say the next step for one group: what to wait for, what to change; empty if nothing helps."""
    first = group[0]
    if first.reason is Reason.MISSING:
        names = sorted({o.resource for o in group})
        return f"set {', '.join(names)} in these containers, or give the namespace a LimitRange"
    if first.reason is Reason.NO_NAMESPACE:
        return "create it, or name another with --namespace"
    if first.reason is Reason.TERMINATING:
        return "use another namespace"
    parts = list(_waits(group))
    mine = [change for change in changes if _mends(change, group)]
    if mine:
        parts.append(f"raise {' and '.join(map(str, mine))}")
    if first.reason is Reason.RESERVED:
        parts.append("lower a guarantee there")
    least = ", ".join(f"{amount(o.resource, o.available)} {_label(o)}" for o in group)
    without = f"without a change it can have {least}"
    # Beside something that no limit is to blame for, no limits are named.
    return f"{', or '.join(parts)}; {without}" if parts else without


def _mends(change: Raise, group: Iterable[Obstacle]) -> bool:
    """Whether a change raises a limit that refuses in this group, and not one beside it."""
    return any(
        (change.level, change.resource, change.scopes) == (o.level, o.resource, o.scopes)
        and (change.kind == _OWN_KIND) is (o.reason in _OWN)
        and (not o.quota or o.quota in change.quotas)
        for o in group
    )


def _waits(group: Sequence[Obstacle]) -> Iterator[str]:
    if group[0].reason.temporary:
        needs = ", ".join(f"{amount(o.resource, o.enough - o.hard)} {_label(o)}" for o in group)
        yield f"wait until {needs} is given back"
