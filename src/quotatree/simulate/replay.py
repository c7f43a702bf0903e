"""A trace replayed against a tree, event by event, in simulated time.

At one moment first goes who goes, then those that wait are tried, then comes who comes. Whether a
workload fits is asked of the engine that decides reviews (`engine.room` on the ledger's forest). A
workload is let in whole or not at all.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from typing import Final

from quotatree.codec.findings import closest, quoted
from quotatree.engine import explain, room
from quotatree.engine.forest import Node
from quotatree.engine.world import World
from quotatree.errors import InputError
from quotatree.model.names import Namespace
from quotatree.model.scope import ScopeSet
from quotatree.model.treefile import TreeFile
from quotatree.model.verdict import Limit
from quotatree.simulate import ground
from quotatree.simulate.meters import ADMITTED, ARRIVED, REFUSED, Meters, Route
from quotatree.simulate.results import Fates, Outcome, Policy, Run
from quotatree.simulate.trace import Ask, Trace, Workload
from quotatree.simulate.waiting import Obstacle, Order, Waiting

_EVERY: Final = 4_096  # workloads between two ticks


class _Share:
    """What a workload adds to one account that counts it, with what that touches.

    `levels` are the places where its going gives room back.
    """

    __slots__ = ("cost", "levels", "node", "route", "scopes")

    def __init__(self, node: Node, scopes: ScopeSet, *, cost: dict[str, int], route: Route) -> None:
        self.node = node
        self.scopes = scopes
        self.cost = cost
        self.route = route
        self.levels: tuple[Obstacle, ...] = ()


_Shares = tuple[_Share, ...]


def replay(
    trace: Trace,
    tree: TreeFile,
    *,
    name: str,
    policy: Policy = Policy.REFUSE,
    tick: Callable[[float], None] = lambda _: None,
) -> Run:
    """Return what comes of `trace` in `tree`, which is called `name`.

    Raises:
        InputError: the trace names a namespace that the tree does not have.
    """
    known = {node.namespace for node in tree.nodes}
    for workload in trace.workloads:
        if workload.namespace not in known:
            hint = closest(workload.namespace, known) or "compared trees need the same namespaces"
            missing = f"namespace {quoted(workload.namespace)} of {workload.name} in the trace"
            raise InputError(f"{name}: {missing} is not in this tree; {hint}")
    return _Replay(trace, tree, policy).run(name, tick)


class _Replay:
    """The state of one replay; one use."""

    def __init__(self, trace: Trace, tree: TreeFile, policy: Policy) -> None:
        self._trace = trace
        self._tree = tree
        self._world = ground.plant(tree)
        self._empty = ground.plant(tree).ledger.forest  # where what does not fit never will
        self._forest = self._world.ledger.forest
        self._policy = policy
        self._fates = Fates(len(trace.workloads))
        self._meters = Meters(self._world, start=trace.start, end=trace.end)
        self._waiting = Waiting()
        self._leaving: list[tuple[int, int, _Shares]] = []  # when, number of the workload, what
        self._freed: dict[Obstacle, None] = {}
        self._shares: dict[tuple[Namespace, int], _Shares] = {}
        self._never: dict[tuple[Namespace, int], bool] = {}
        self._moment = trace.start

    def run(self, name: str, tick: Callable[[float], None]) -> Run:
        """Let all of it happen."""
        arriving = sorted(map(self._order, range(len(self._trace.workloads))), key=self._arrival)
        for count, order in enumerate(arriving):
            if count % _EVERY == 0:
                tick(count / len(arriving))
            self._leave_until(order[1])
            self._reach(order[1])
            self._arrive(order)
        self._leave_until(None)
        meters = self._meters
        return Run(
            tree=name,
            policy=self._policy,
            trace=self._trace,
            fates=self._fates,
            lines=tuple(meters.lines),
            curves=meters.finish(self._moment),
            start=self._trace.start,
            end=max(self._moment, self._trace.start + 1),
            length=meters.recorder.length,
            depths={
                node.namespace: len(self._forest.path(node.namespace)) - 1
                for node in self._tree.nodes
            },
            notes=tuple(_pending(self._world)),
        )

    def _order(self, index: int) -> Order:
        workload = self._trace.workloads[index]
        rank = -workload.priority if self._policy is Policy.PRIORITY else 0
        return (rank, workload.arrival, index)

    @staticmethod
    def _arrival(order: Order) -> tuple[int, int, int]:
        rank, arrival, index = order
        return (arrival, rank, index)

    # -- what happens -----------------------------------------------------------------------

    def _reach(self, moment: int) -> None:
        self._moment = moment
        if moment >= self._meters.recorder.closes:
            self._meters.recorder.reach(moment)

    def _leave_until(self, moment: int | None) -> None:
        """Let everybody go who goes up to `moment`, and those in who waited for that."""
        while self._leaving and (moment is None or self._leaving[0][0] <= moment):
            now = self._leaving[0][0]
            self._reach(now)
            while self._leaving and self._leaving[0][0] == now:
                self._leave(heapq.heappop(self._leaving)[2])
            if self._freed:
                freed, self._freed = self._freed, {}
                self._waiting.retry(freed, room=self._room, attempt=self._attempt)

    def _leave(self, shares: _Shares) -> None:
        for share in shares:
            self._hold(share, sign=-1)
            self._meters.shrink(share.route, self._moment)
            for level in share.levels:
                if self._waiting.for_room_at(level):
                    self._freed[level] = None

    def _arrive(self, order: Order) -> None:
        index = order[2]
        workload = self._trace.workloads[index]
        name = workload.namespace
        self._meters.count(ARRIVED)
        head = self._waiting.head(name)
        behind = head is not None and head < order
        found = None if behind else self._obstacle(workload)
        if not behind and found is None:
            self._admit(workload, index)
            return
        self._fates.blame(index, found[0] if found else self._waiting.obstacle(name))
        outcome = self._turned_away(workload)
        if outcome is not None:
            self._fates.end(index, outcome)
            self._meters.count(REFUSED)
            return
        self._meters.queue(1, self._moment)
        self._waiting.join(name, order)
        if found is not None:
            self._waiting.file(name, *found)

    def _turned_away(self, workload: Workload) -> Outcome | None:
        """Return what to call it when a workload that does not fit now is not let wait."""
        if self._policy is Policy.REFUSE:
            return Outcome.REFUSED
        key = (workload.namespace, id(workload.ask))
        if key not in self._never:
            self._never[key] = not self._fits_when_empty(workload)
        return Outcome.NEVER if self._never[key] else None

    def _attempt(self, name: Namespace) -> tuple[Obstacle, int] | None:
        """Try the head of a queue; returns what keeps it, None when it was let in."""
        head = self._waiting.head(name)
        assert head is not None
        workload = self._trace.workloads[head[2]]
        found = self._obstacle(workload)
        if found is None:
            self._waiting.leave(name)
            self._meters.queue(-1, self._moment)
            self._admit(workload, head[2])
        return found

    def _admit(self, workload: Workload, index: int) -> None:
        shares = self._shares_of(workload)
        for share in shares:
            self._hold(share, sign=1)
            self._meters.grow(share.route, self._moment)
        self._fates.admit(index, self._moment)
        self._meters.count(ADMITTED)
        if workload.duration is not None:
            heapq.heappush(self._leaving, (self._moment + workload.duration, index, shares))

    # -- asking the engine ------------------------------------------------------------------

    def _hold(self, share: _Share, *, sign: int) -> None:
        """Let an account hold more or less.

        Every grant is committed at once here, so what is held is what the ledger would find to be.
        """
        node, scopes = share.node, share.scopes
        held = dict(node.book(scopes).held)
        for resource, amount in share.cost.items():
            held[resource] = held.get(resource, 0) + sign * amount
        self._forest.set_held(node, scopes, held)

    def _obstacle(self, workload: Workload) -> tuple[Obstacle, int] | None:
        """Return the first level that refuses, with what it would have to have free for it."""
        found = self._first_limit(workload)
        if found is None:
            return None
        scopes, limit = found
        need = 0 if self._is_guarded(workload.namespace, scopes, limit) else limit.requested
        return (scopes, limit.ancestor, limit.resource), need

    def _first_limit(self, workload: Workload) -> tuple[ScopeSet, Limit] | None:
        for share in self._shares_of(workload):
            limits = room.obstacles(share.node, share.scopes, share.cost)
            if limits:
                return share.scopes, explain.nearest(limits)[0]
        return None

    def _fits_when_empty(self, workload: Workload) -> bool:
        node = self._empty.node(workload.namespace)
        shares = self._shares_of(workload)
        return not any(room.obstacles(node, share.scopes, share.cost) for share in shares)

    def _is_guarded(self, name: Namespace, scopes: ScopeSet, limit: Limit) -> bool:
        """Whether a guarantee on the way to a level may absorb what is asked for there."""
        forest = self._forest
        path = forest.path(name)
        levels = path[: path.index(limit.ancestor) + 1]
        return any(limit.resource in forest.node(level).book(scopes).guaranteed for level in levels)

    def _room(self, obstacle: Obstacle) -> int:
        scopes, name, resource = obstacle
        book = self._forest.node(name).book(scopes)
        return book.hard[resource] - book.charge(resource)

    def _shares_of(self, workload: Workload) -> _Shares:
        """Return what a workload adds where, worked out once for equal ones."""
        key = (workload.namespace, id(workload.ask))
        found = self._shares.get(key)
        if found is None:
            found = self._shares[key] = tuple(self._make_shares(workload.namespace, workload.ask))
        return found

    def _make_shares(self, name: Namespace, ask: Ask) -> Iterator[_Share]:
        node = self._forest.node(name)
        path = self._forest.path(name)
        for scopes in ground.scope_sets(self._world, name):
            cost = ask.cost(room.ceilings(node, scopes)) if ask.counts_in(scopes) else {}
            if cost:
                share = _Share(
                    node, scopes, cost=cost, route=self._meters.route((name, scopes), cost)
                )
                if self._policy is not Policy.REFUSE:
                    share.levels = tuple((scopes, level, r) for level in path for r in cost)
                yield share


def _pending(world: World) -> Iterator[str]:
    """Yield why guarantees are not in force."""
    for quota in world.limits.all():
        limits = world.limits.obstacles(quota.namespace, quota.scopes)
        if limits:
            why = explain.guarantee_pending(limits)
            yield f"the guarantee of {quota.namespace} is not in force: {why}"
