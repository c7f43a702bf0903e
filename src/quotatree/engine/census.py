"""The account of real objects: which there are, and what native quota charges for them.

Kept from the watches of the counted kinds, cut down to what a quota asks of each object. A pod
that should have been gone is not charged any more, and no event says so: `pass_time` does.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from quotatree.engine.account import AccountKey
from quotatree.engine.forest import Amounts
from quotatree.model.charge import Charge
from quotatree.model.names import Namespace, Uid
from quotatree.model.scope import ScopeSet
from quotatree.model.sighting import Sighting

MOST_SHARED: Final = 4096
"""Different costs that are kept once for all objects that have them; beyond, sharing begins anew.
Most pods are alike: the amounts of one take some two kilobytes."""


ONE_DEADLINE: Final = 1.0
"""Seconds: two readings of one deadline differ by less, since wall clocks are set."""


class _Kept:
    """What is kept of one object."""

    __slots__ = ("after", "charge", "until", "version")

    def __init__(self, version: int, charge: Charge) -> None:
        self.version = version
        self.charge = charge
        self.until: float | None = None
        self.after: Charge | None = None


class _Space:
    """The objects of one namespace, and their sums in every scope set that is asked for."""

    __slots__ = ("objects", "sums")

    def __init__(self) -> None:
        self.objects: dict[Uid, _Kept] = {}
        self.sums: dict[ScopeSet, Amounts] = {}

    def replace(self, old: Charge | None, new: Charge | None) -> dict[ScopeSet, Amounts]:
        """Count `new` in place of `old`; return by how much each sum changes, zeros left out."""
        changes = {}
        for scopes, total in self.sums.items():
            before = old.amounts.nanos() if old is not None and old.matches(scopes) else {}
            after = new.amounts.nanos() if new is not None and new.matches(scopes) else {}
            change = {r: after.get(r, 0) - before.get(r, 0) for r in {**before, **after}}
            changes[scopes] = {r: amount for r, amount in change.items() if amount}
            for resource, amount in changes[scopes].items():
                total[resource] = total.get(resource, 0) + amount
        return changes


class Census:
    """Every object of the watched kinds, by namespace."""

    def __init__(self) -> None:
        self._spaces: dict[Namespace, _Space] = {}
        self._shared: dict[object, Charge] = {}
        self._deadlines: list[tuple[float, Namespace, Uid]] = []

    def __len__(self) -> int:
        return sum(len(space.objects) for space in self._spaces.values())

    def sums(self, key: AccountKey) -> Mapping[str, int]:
        """Return what the objects of a namespace add up to in a scope set, kept up to date."""
        space = self._spaces.setdefault(key[0], _Space())
        total = space.sums.get(key[1])
        if total is None:
            total = space.sums[key[1]] = {}
            for kept in space.objects.values():
                if kept.charge.matches(key[1]):
                    for resource, amount in kept.charge.amounts.nanos().items():
                        total[resource] = total.get(resource, 0) + amount
        return total

    def drop(self, key: AccountKey) -> None:
        """Stop to add up a scope set of a namespace."""
        space = self._spaces.get(key[0])
        if space is not None:
            space.sums.pop(key[1], None)
            self._tidy(key[0], space)

    def see(self, seen: Sighting) -> dict[ScopeSet, Amounts]:
        """Take in an object that is there; returns by how much each sum changes."""
        space = self._spaces.setdefault(seen.namespace, _Space())
        kept = space.objects.get(seen.uid)
        if kept is not None and kept.version >= seen.resource_version:
            return {}
        old = kept.charge if kept is not None else None
        charge = self._share(seen.charge)
        if kept is None:
            kept = space.objects[seen.uid] = _Kept(seen.resource_version, charge)
        kept.version, kept.charge = seen.resource_version, charge
        known = kept.until if kept.after is not None else None  # else it has no entry
        kept.until, kept.after = seen.until, None
        if seen.until is not None and seen.after is not None:
            kept.after = self._share(seen.after)
            if known is not None and abs(known - seen.until) < ONE_DEADLINE:
                kept.until = known  # it has its entry: whoever changes a pod all day adds none
            else:
                heapq.heappush(self._deadlines, (seen.until, seen.namespace, seen.uid))
        return space.replace(old, charge)

    def lose(self, namespace: Namespace, uid: Uid) -> dict[ScopeSet, Amounts]:
        """Take in that an object is gone; returns by how much each sum changes."""
        space = self._spaces.get(namespace)
        kept = space.objects.pop(uid, None) if space is not None else None
        if space is None or kept is None:
            return {}
        changes = space.replace(kept.charge, None)
        self._tidy(namespace, space)
        return changes

    def missing(self, resource: str, present: set[Uid]) -> Iterator[tuple[Namespace, Uid]]:
        """Yield the objects of a kind that are known and not among those `present`."""
        for namespace, space in list(self._spaces.items()):
            for uid, kept in list(space.objects.items()):
                if kept.charge.resource == resource and uid not in present:
                    yield namespace, uid

    def known(self, namespace: Namespace, uid: Uid) -> bool:
        """Whether an object is counted."""
        space = self._spaces.get(namespace)
        return space is not None and uid in space.objects

    def pass_time(self, now: float) -> set[Namespace]:
        """Let time happen; returns where something is charged no more."""
        changed = set()
        while self._deadlines and self._deadlines[0][0] < now:
            _, namespace, uid = heapq.heappop(self._deadlines)
            space = self._spaces.get(namespace)
            kept = space.objects.get(uid) if space is not None else None
            if space is None or kept is None or kept.until is None or kept.until >= now:
                continue  # gone, or seen again with another time
            old, after = kept.charge, kept.after
            if after is not None:
                kept.charge, kept.after, kept.until = after, None, None
                space.replace(old, after)
                changed.add(namespace)
        return changed

    def scope_sets(self, namespace: Namespace) -> Iterable[ScopeSet]:
        """Return the scope sets that are added up in a namespace."""
        space = self._spaces.get(namespace)
        return tuple(space.sums) if space is not None else ()

    def _tidy(self, namespace: Namespace, space: _Space) -> None:
        if not space.objects and not space.sums:
            del self._spaces[namespace]

    def _share(self, charge: Charge) -> Charge:
        """Return the one charge that is kept for all objects of this cost."""
        key = (
            charge.resource,
            frozenset(charge.amounts.nanos().items()),
            charge.traits,
            frozenset(charge.valued.items()),
        )
        found = self._shared.get(key)
        if found is None:
            if len(self._shared) >= MOST_SHARED:
                self._shared.clear()
            found = self._shared[key] = charge
        return found
