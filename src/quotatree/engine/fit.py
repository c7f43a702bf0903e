"""Would it fit: workloads against a world, with the webhook's own arithmetic.

A request is refused by the levels of the tree (`engine.whatif`), by the namespace's own
ResourceQuotas, and by native admission where a container does not say what a quota measures.

Whether waiting can help is asked of a second world, in which nobody uses anything and only the
guarantees stand: what does not fit there never will, unless somebody changes a limit, a guarantee
or the request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from quotatree.engine import room, whatif
from quotatree.engine.account import AccountKey
from quotatree.engine.survey import Observed
from quotatree.engine.world import World
from quotatree.model.fit import Consumer, LevelFigures, Obstacle, Reason
from quotatree.model.names import Namespace, ResourceName
from quotatree.model.observed import ManagedQuota
from quotatree.model.scope import UNSCOPED, ScopeSet
from quotatree.model.verdict import Limit
from quotatree.model.workload import Workload
from quotatree.units.resources import EMPTY, Resources

Within = Callable[[ScopeSet, Iterable[str]], Resources]
"""What one object costs a quota with this scope set and these names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What is known: the tree, and the ResourceQuotas that are the namespaces' own.

    `complete` says that every namespace there is has been seen, in a tree or not.
    """

    seen: Observed
    own: Mapping[Namespace, tuple[ManagedQuota, ...]] = field(default_factory=dict)
    complete: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A workload that is to be in a namespace; of one `standing` there only what is more."""

    namespace: Namespace
    workload: Workload
    standing: Workload | None = None

    def cost(self, scopes: ScopeSet, names: Iterable[str]) -> Resources:
        """Return what a quota with this scope set and these names is charged for it."""
        names = tuple(names)
        whole = self.workload.cost(scopes, names)
        if self.standing is None:
            return whole
        return whole.growth(self.standing.cost(scopes, names))


class Place:
    """A world in which workloads are asked about, and placed one after another."""

    def __init__(self, situation: Situation) -> None:
        self.world = whatif.world(situation.seen)
        self._empty = whatif.world(emptied(situation.seen))
        self._own = dict(situation.own)
        self._complete = situation.complete

    def costs(self, request: Request) -> dict[ScopeSet, Resources]:
        """Return what a request costs each scope set that the tree counts in its namespace."""
        found = {}
        for scopes in self._scope_sets(request.namespace):
            cost = request.cost(scopes, self._names(request.namespace, scopes))
            if any(cost.nanos().values()):
                found[scopes] = cost
        return found

    def own_quotas(self, namespace: Namespace) -> tuple[ManagedQuota, ...]:
        """Return the ResourceQuotas that are the namespace's own, as they stand now."""
        return self._own.get(namespace, ())

    def ask(self, request: Request) -> list[Obstacle]:
        """Return everything that refuses a request, nearest first; empty means that it fits."""
        namespace = request.namespace
        known = self.world.namespaces.get(namespace)
        if known is None and self._complete:
            return [Obstacle(reason=Reason.NO_NAMESPACE, level=namespace)]
        if known is not None and known.terminating:
            return [Obstacle(reason=Reason.TERMINATING, level=namespace)]
        found = list(self._missing(request))
        for scopes, cost in self.costs(request).items():
            found += self._refusing((namespace, scopes), cost)
        return [*found, *self._refused_by_own(request)]

    def hold(self, request: Request) -> None:
        """Count a request as granted from now on."""
        for scopes, cost in self.costs(request).items():
            whatif.hold(self.world, (request.namespace, scopes), cost.nanos())
        own = self.own_quotas(request.namespace)
        if own:
            self._own[request.namespace] = tuple(
                # A new one has no usage yet: what it limits says what it will measure.
                replace(q, used=q.used + request.cost(q.scopes, q.status_hard or q.spec_hard))
                for q in own
            )

    def fitting(self, request: Request) -> int:
        """Return how many pods of a new workload would fit now, in the order of its parts."""
        workload = request.workload
        left = dict(self._headroom(request.namespace))
        for part in workload.parts:
            if not part.is_pods:
                _take(left, part.charge.within, part.count)
        number = 0
        for part in (p for p in workload.parts if p.is_pods):
            fits = min(part.count, _times(left, part.charge.within))
            _take(left, part.charge.within, fits)
            number += fits
        return number if workload.at_most is None else min(number, workload.at_most)

    # -- who refuses --------------------------------------------------------------------------

    def _names(self, namespace: Namespace, scopes: ScopeSet) -> tuple[str, ...]:
        return tuple(room.ceilings(self.world.ledger.forest.get(namespace), scopes))

    def _scope_sets(self, namespace: Namespace) -> list[ScopeSet]:
        path = self.world.ledger.forest.path(namespace)
        return sorted({UNSCOPED} | self.world.limits.scope_sets(path)) if path else []

    def _missing(self, request: Request) -> Iterator[Obstacle]:
        namespace = request.namespace
        quotas: list[tuple[str, ScopeSet, Iterable[str]]] = [
            ("", scopes, self._names(namespace, scopes)) for scopes in self._scope_sets(namespace)
        ]
        quotas += [(q.name, q.scopes, q.spec_hard) for q in self.own_quotas(namespace)]
        for quota, scopes, names in quotas:
            for name, containers in _unspecified(request.workload, scopes, names).items():
                yield Obstacle(
                    reason=Reason.MISSING,
                    level=namespace,
                    quota=quota,
                    scopes=scopes,
                    resource=ResourceName(name),
                    containers=containers,
                )

    def _refusing(self, key: AccountKey, cost: Resources) -> Iterator[Obstacle]:
        ever = {
            (limit.ancestor, limit.resource): limit
            for limit in whatif.obstacles(self._empty, key, cost.nanos())
        }
        for limit in whatif.obstacles(self.world, key, cost.nanos()):
            level = (limit.ancestor, key[1])
            takers = consumers(self.world, level, limit.resource)
            yield Obstacle(
                reason=_reason(limit, ever.get((limit.ancestor, limit.resource))),
                level=limit.ancestor,
                scopes=key[1],
                resource=limit.resource,
                requested=limit.requested,
                used=limit.charged,
                hard=limit.hard,
                reserved=sum(taker.amount for taker in takers if taker.reserved),
            )

    def _refused_by_own(self, request: Request) -> Iterator[Obstacle]:
        for quota in self.own_quotas(request.namespace):
            hard = quota.status_hard or quota.spec_hard
            for name, asked in request.cost(quota.scopes, hard).nanos().items():
                used, most = quota.used.nano(name), hard.nano(name)
                if asked > 0 and used + asked > most:
                    yield Obstacle(
                        reason=Reason.OWN_TOO_LARGE if asked > most else Reason.OWN_FULL,
                        level=request.namespace,
                        quota=quota.name,
                        scopes=quota.scopes,
                        resource=ResourceName(name),
                        requested=asked,
                        used=used,
                        hard=most,
                    )

    def _headroom(self, namespace: Namespace) -> Iterator[tuple[tuple[str, ScopeSet, str], int]]:
        """Yield what is left for the namespace under each name of each quota."""
        for scopes in self._scope_sets(namespace):
            node = self.world.ledger.forest.node(namespace)
            account = self.world.ledger.account(namespace, scopes)
            used = account.used if account is not None else {}
            for name in self._names(namespace, scopes):
                free = room.available(node, scopes, name)
                if free is not None:
                    # What its slice holds unused is there for it too.
                    slack = node.book(scopes).held.get(name, 0) - used.get(name, 0)
                    yield ("", scopes, name), free + max(0, slack)
        for quota in self.own_quotas(namespace):
            hard = quota.status_hard or quota.spec_hard
            for name, most in hard.nanos().items():
                yield (quota.name, quota.scopes, name), max(0, most - quota.used.nano(name))


def emptied(seen: Observed) -> Observed:
    """Return the same tree with nobody using anything."""
    return replace(
        seen,
        namespaces=tuple(replace(n, held={}) for n in seen.namespaces),
        managed=tuple(
            replace(m, used=Resources.from_nano(dict.fromkeys(m.used, 0)), slice=EMPTY)
            for m in seen.managed
        ),
    )


def _unspecified(
    workload: Workload, scopes: ScopeSet, names: Iterable[str]
) -> dict[str, tuple[str, ...]]:
    """Return which of these names some containers do not ask for, and which containers."""
    found: dict[str, set[str]] = {}
    names = set(names)
    for part in workload.parts:
        if part.count and part.charge.matches(scopes):
            for name in part.charge.unspecified.keys() & names:
                found.setdefault(name, set()).update(part.charge.unspecified[name])
    return {name: tuple(sorted(found[name])) for name in sorted(found)}


def _reason(limit: Limit, never: Limit | None) -> Reason:
    if never is not None:
        return Reason.TOO_LARGE if never.requested > never.hard else Reason.RESERVED
    return Reason.OVER if limit.charged > limit.hard else Reason.FULL


def _times(left: Mapping[tuple[str, ScopeSet, str], int], within: Within) -> int:
    """Return how often an object fits into what is left."""
    most = None
    for (_, scopes, name), free in left.items():
        one = within(scopes, [name]).nano(name)
        if one > 0:
            times = max(0, free) // one
            most = times if most is None else min(most, times)
    return 2**31 if most is None else most


def _take(left: dict[tuple[str, ScopeSet, str], int], within: Within, number: int) -> None:
    for quota, scopes, name in left:
        left[quota, scopes, name] -= within(scopes, [name]).nano(name) * number


# -- what to show -----------------------------------------------------------------------------


def levels(world: World, key: AccountKey, cost: Resources) -> list[LevelFigures]:
    """Return every level from a namespace to the root, for each resource of `cost`.

    By resource, and in each the namespace first.
    """
    namespace, scopes = key
    node = world.ledger.forest.get(namespace)
    account = world.ledger.account(namespace, scopes)
    used = account.used if account is not None else {}
    found = []
    for name, asked in sorted(cost.nanos().items()):
        current, coming = node, asked
        if node is not None:
            held = node.book(scopes).held.get(name, 0)
            coming = max(0, used.get(name, 0) + asked - held)
        while current is not None:
            book = current.book(scopes)
            before = book.charge(name)
            after = max(book.guaranteed.get(name, 0), book.gross.get(name, 0) + coming)
            coming = max(0, after - before)
            found.append(
                LevelFigures(
                    level=current.name,
                    scopes=scopes,
                    resource=ResourceName(name),
                    requested=coming,
                    used=before,
                    hard=book.hard.get(name),
                )
            )
            current = current.parent
    return found


def consumers(world: World, key: AccountKey, resource: str) -> list[Consumer]:
    """Return who takes from a level's limit, the greatest first: usage and unused guarantees.

    They add up to what the level is charged.
    """
    level, scopes = key
    found = []
    for name in world.ledger.forest.subtree(level):
        node = world.ledger.forest.get(name)
        book = node.books.get(scopes) if node is not None else None
        if book is None:
            continue
        if held := book.held.get(resource, 0):
            found.append(Consumer(namespace=name, amount=held))
        if slack := book.charge(resource) - book.gross.get(resource, 0):
            found.append(Consumer(namespace=name, amount=slack, reserved=True))
    return sorted(found, key=lambda c: (-c.amount, c.namespace, c.reserved))
