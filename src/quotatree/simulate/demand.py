"""What a workload asks of which accounts, worked out once for equal ones, and what refuses it.

Whether something fits is asked of the engine that decides reviews: `engine.room`, on the forest of
a ledger.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from quotatree.engine import explain, room
from quotatree.engine.forest import Book, Forest, Node
from quotatree.engine.world import World
from quotatree.model.names import Namespace
from quotatree.model.scope import ScopeSet
from quotatree.simulate import ground
from quotatree.simulate.meters import Meters, Route
from quotatree.simulate.trace import Ask, Workload
from quotatree.simulate.waiting import Obstacle, Place


class Share:
    """What one account is to hold more, and less again afterwards."""

    __slots__ = ("cost", "node", "refund", "route", "scopes")

    def __init__(
        self, node: Node, scopes: ScopeSet, *, cost: Mapping[str, int], route: Route
    ) -> None:
        self.node = node
        self.scopes = scopes
        self.cost = cost
        self.refund = {resource: -amount for resource, amount in cost.items()}
        self.route = route


class Demand:
    """All shares of a workload.

    `needs` has every place that may refuse it, and to which its going gives room back, with what
    has to be free there: zero where a guarantee on the way may absorb a part of it. `never` is
    whether it fits not even into the empty tree, None until somebody has asked.
    """

    __slots__ = ("needs", "never", "shares")

    def __init__(self, shares: Sequence[Share], needs: Mapping[Place, int]) -> None:
        self.shares = shares
        self.needs = needs
        self.never: bool | None = None


class Demands:
    """The demands of all workloads of one replay."""

    def __init__(self, world: World, *, empty: Forest, meters: Meters) -> None:
        self._world = world
        self._forest = world.ledger.forest
        self._empty = empty
        self._meters = meters
        self._places: dict[Obstacle, Place] = {}
        self._known: dict[tuple[Namespace, int], Demand] = {}

    def of(self, workload: Workload) -> Demand:
        """Return what a workload asks for."""
        key = (workload.namespace, id(workload.ask))
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._make(workload.namespace, workload.ask)
        return found

    def refusal(self, demand: Demand) -> tuple[Place, int] | None:
        """Return the first place that refuses, with what would have to be free there."""
        for share in demand.shares:
            limits = room.obstacles(share.node, share.scopes, share.cost, first=True)
            if limits:
                limit = limits[0] if len(limits) == 1 else explain.nearest(limits)[0]
                place = self._places[share.scopes, limit.ancestor, limit.resource]
                return place, demand.needs[place]
        return None

    def never_fits(self, demand: Demand) -> bool:
        """Whether a demand that was refused does not even fit into the empty tree."""
        if demand.never is None:
            demand.never = any(
                room.obstacles(self._empty.node(s.node.name), s.scopes, s.cost, first=True)
                for s in demand.shares
            )
        return demand.never

    def _make(self, name: Namespace, ask: Ask) -> Demand:
        shares = tuple(self._shares(name, ask))
        path = self._forest.path(name)
        needs: dict[Place, int] = {}
        for share in shares:
            needs.update(self._needs(path, share.scopes, share.cost))
        return Demand(shares, needs)

    def _shares(self, name: Namespace, ask: Ask) -> Iterator[Share]:
        node = self._forest.node(name)
        for scopes in ground.scope_sets(self._world, name):
            cost = ask.cost(room.ceilings(node, scopes)) if ask.counts_in(scopes) else {}
            if cost:
                route = self._meters.route((name, scopes), cost)
                yield Share(node, scopes, cost=cost, route=route)

    def _needs(
        self, path: Iterable[Namespace], scopes: ScopeSet, cost: Mapping[str, int]
    ) -> Iterator[tuple[Place, int]]:
        absorbed: set[str] = set()
        for level in path:
            book = self._forest.node(level).book(scopes)
            absorbed |= book.guaranteed.keys()
            for resource, amount in cost.items():
                if resource in book.hard:
                    place = self._place((scopes, level, resource), book)
                    yield place, 0 if resource in absorbed else amount

    def _place(self, obstacle: Obstacle, book: Book) -> Place:
        place = self._places.get(obstacle)
        if place is None:
            resource = obstacle[2]
            place = self._places[obstacle] = Place(
                obstacle, lambda: book.hard[resource] - book.charge(resource)
            )
        return place
