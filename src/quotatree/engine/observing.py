"""What TreeQuotas that only observe would do: they are counted, and nothing is refused for them.

No managed ResourceQuota measures for them, since one is never free of consequences: pods that do
not say their cpu would be refused, and growth would wait for the webhook. Their usage is counted in
the objects themselves, now and then; between two counts nobody knows what came and went.

A *sight* is the answer to "what if all of them were in force now", with the arithmetic of those
that are: a forest of its own takes the counted usage, the limits in force and the observed ones.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from quotatree.engine import room
from quotatree.engine.account import AccountKey
from quotatree.engine.forest import NOTHING, Amounts, Forest, Node
from quotatree.engine.limits import greatest, least
from quotatree.engine.world import World
from quotatree.model.names import Namespace, QuotaName, ResourceName
from quotatree.model.quota import Quota
from quotatree.model.scope import ScopeSet
from quotatree.model.sight import Sight
from quotatree.model.verdict import Limit

STRIDE: Final = 100
"""Namespaces, or quotas, that one step deals with: about 5 ms of work."""

_T = TypeVar("_T")
Steps = Generator[None, None, _T]
"""Work in steps, whose caller may do something else in between: reviews must not wait for it."""

QuotaKey = tuple[Namespace, QuotaName]
Wanted = Mapping[AccountKey, tuple[ResourceName, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be counted: for these TreeQuotas (as they are asked for), these names there."""

    quotas: Mapping[QuotaKey, Quota] = field(default_factory=dict)
    wanted: Wanted = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What the objects of an order add up to, and why some of its names could not be counted."""

    order: Order = field(default_factory=Order)
    used: Mapping[AccountKey, Mapping[str, int]] = field(default_factory=dict)
    uncounted: Mapping[str, str] = field(default_factory=dict)


def order(world: World) -> Steps[Order]:
    """Return what is to be counted: the keys of every observing quota, all over its subtree."""
    quotas = world.limits.observing()
    found: dict[AccountKey, set[str]] = {}
    below = ((quota, n) for quota in quotas for n in world.ledger.forest.subtree(quota.namespace))
    for done, (quota, name) in enumerate(below, start=1):
        if name in world.namespaces:
            found.setdefault((name, quota.scopes), set()).update(_names(quota))
        if done % STRIDE == 0:
            yield
    wanted: dict[AccountKey, tuple[ResourceName, ...]] = {}
    for key, names in found.items():
        wanted[key] = tuple(map(ResourceName, sorted(names)))
        if len(wanted) % STRIDE == 0:
            yield
    return Order(quotas={quota.key: quota.asked for quota in quotas}, wanted=wanted)


def look(world: World, now: Counted, before: Counted) -> Steps[dict[QuotaKey, Sight]]:
    """Return the sight of every observing quota that was counted as it is asked for now.

    `before` is what was counted the last time: who has grown since is told from both.
    """
    asked = now.order.quotas
    quotas = [q for q in world.limits.observing() if asked.get(q.key) == q.asked]
    view = _View(world, now, before)
    for done, _ in enumerate(view.arrange(quotas), start=1):
        if done % STRIDE == 0:
            yield
    found = {}
    for done, quota in enumerate(quotas, start=1):
        known = before.order.quotas.get(quota.key) == quota.asked
        found[quota.key] = view.sight(quota, grown=known)
        if done % STRIDE == 0:
            yield
    return found


class _View:
    """A forest in which the observed limits are in force too."""

    def __init__(self, world: World, now: Counted, before: Counted) -> None:
        self._actual = world.ledger.forest
        self._now = now
        self._before = before
        self._forest = Forest()
        self._sums: dict[AccountKey, Amounts] = {}
        self._grown: dict[AccountKey, dict[str, dict[Namespace, int]]] = {}
        self._scopes: dict[Namespace, set[ScopeSet]] = {}
        self._waits: dict[AccountKey, list[Limit]] = {}

    def arrange(self, quotas: Sequence[Quota]) -> Iterator[None]:
        """Bring everything in, with a pause after each small piece of it."""
        for (name, scopes), amounts in self._now.used.items():
            self._scopes.setdefault(name, set()).add(scopes)
            self._add_up(name, scopes, amounts)
            yield
        # A TreeQuota may be known before its Namespace is.
        paths = [self._actual.path(q.namespace) or (q.namespace,) for q in quotas]
        for root in sorted({path[-1] for path in paths}):
            for name in self._actual.subtree(root):
                self._copy(name)
                yield
        yield from self._limit(quotas)

    def _add_up(self, name: Namespace, scopes: ScopeSet, amounts: Mapping[str, int]) -> None:
        then = self._before.used.get((name, scopes), NOTHING)
        first = not self._before.order.quotas
        grew = () if first else [r for r, amount in amounts.items() if amount > then.get(r, 0)]
        for upper in self._actual.path(name):
            total = self._sums.setdefault((upper, scopes), {})
            for resource, amount in amounts.items():
                total[resource] = total.get(resource, 0) + amount
            for resource in grew:
                grown = self._grown.setdefault((upper, scopes), {}).setdefault(resource, {})
                grown[name] = amounts[resource] - then.get(resource, 0)

    def _copy(self, name: Namespace) -> None:
        """Bring in a namespace with the limits in force, and what it holds by the newest word."""
        actual = self._actual.get(name) or Node(name)
        self._forest.declare(name, actual.parent.name if actual.parent is not None else None)
        node = self._forest.node(name)
        for scopes, book in actual.books.items():
            self._forest.set_limits(node, scopes, hard=book.hard, guaranteed=book.guaranteed)
        for scopes in {*actual.books, *self._scopes.get(name, ())}:
            held = actual.book(scopes).held if scopes in actual.books else NOTHING
            used = self._now.used.get((name, scopes), NOTHING)
            self._forest.set_held(node, scopes, {**held, **used})

    def _limit(self, quotas: Iterable[Quota]) -> Iterator[None]:
        """Put the observed limits in force; of their guarantees those that fit, as in earnest."""
        by_account: dict[AccountKey, list[Quota]] = {}
        for quota in quotas:
            by_account.setdefault((quota.namespace, quota.scopes), []).append(quota)
        for (name, scopes), here in by_account.items():
            node = self._forest.node(name)
            book = node.book(scopes)
            hard = least([book.hard, *(q.hard.nanos() for q in here)])
            self._forest.set_limits(node, scopes, hard=hard, guaranteed=book.guaranteed)
            yield
        for (name, scopes), here in by_account.items():
            node = self._forest.node(name)
            book = node.book(scopes)
            asked = greatest([book.guaranteed, *(q.guaranteed.nanos() for q in here)])
            if waits := room.guarantee_obstacles(node, scopes, asked):
                self._waits[name, scopes] = waits
            else:
                self._forest.set_limits(node, scopes, hard=book.hard, guaranteed=asked)
            yield

    def sight(self, quota: Quota, *, grown: bool) -> Sight:
        """Return what one quota would mean; `grown` says that the last count was for it too."""
        key = (quota.namespace, quota.scopes)
        node = self._forest.node(quota.namespace)
        book = node.book(quota.scopes)
        uncounted = {r: self._now.uncounted[r] for r in _names(quota) & self._now.uncounted.keys()}
        names = sorted(_names(quota) - uncounted.keys())
        free = {r: room.available(node, quota.scopes, r) for r in names}
        charged = {r: book.charge(r) for r in names}
        over = [r for r, hard in quota.hard.nanos().items() if charged.get(r, 0) > hard]
        more = self._grown.get(key, {}) if grown else {}
        return Sight(
            asked=quota.asked,
            used={r: self._sums.get(key, NOTHING).get(r, 0) for r in names},
            charged=charged,
            available={r: amount for r, amount in free.items() if amount is not None},
            waits=tuple(self._waits.get(key, ())),
            uncounted=uncounted,
            grown={r: more[r] for r in over if r in more},
        )


def _names(quota: Quota) -> frozenset[str]:
    return frozenset((*quota.hard, *quota.guaranteed))


def refusals(sights: Iterable[Sight]) -> dict[Namespace, dict[Namespace, list[str]]]:
    """Return whose growth since the last count came to levels above their hard: level → names."""
    found: dict[Namespace, dict[Namespace, list[str]]] = {}
    for sight in sights:
        for resource, grew in sorted(sight.grown.items()):
            for name in grew:
                level = found.setdefault(name, {}).setdefault(sight.asked.namespace, [])
                if resource not in level:
                    level.append(resource)
    return found
