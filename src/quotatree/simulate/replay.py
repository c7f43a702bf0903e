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
from quotatree.engine import explain
from quotatree.engine.world import World
from quotatree.errors import InputError
from quotatree.model.names import Namespace
from quotatree.model.treefile import TreeFile
from quotatree.simulate import ground
from quotatree.simulate.demand import Demand, Demands
from quotatree.simulate.meters import ADMITTED, ARRIVED, REFUSED, Meters
from quotatree.simulate.results import Fates, Outcome, Policy, Run
from quotatree.simulate.trace import Trace, Workload
from quotatree.simulate.waiting import Order, Place, Waiting

_EVERY: Final = 4_096  # workloads between two ticks


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
        self._forest = self._world.ledger.forest
        self._policy = policy
        self._queues = policy is not Policy.REFUSE
        self._fates = Fates(len(trace.workloads))
        self._meters = Meters(self._world, start=trace.start, end=trace.end)
        empty = ground.plant(tree).ledger.forest
        self._demands = Demands(self._world, empty=empty, meters=self._meters)
        self._waiting = Waiting()
        self._leaving: list[tuple[int, int, Demand]] = []  # when, number of the workload, what
        self._freed: dict[Place, None] = {}
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
        self._meters.reach(moment)

    def _leave_until(self, moment: int | None) -> None:
        """Let everybody go who goes up to `moment`, and those in who waited for that."""
        leaving = self._leaving
        while leaving and (moment is None or leaving[0][0] <= moment):
            now = leaving[0][0]
            self._reach(now)
            while leaving and leaving[0][0] == now:
                self._leave(heapq.heappop(leaving)[2])
            if self._freed:
                freed, self._freed = self._freed, {}
                self._waiting.retry(freed, self._attempt)

    def _leave(self, demand: Demand) -> None:
        for share in demand.shares:
            self._forest.change_held(share.node, share.scopes, share.refund)
            self._meters.shrink(share.route, self._moment)
        for place in demand.needs if self._queues else ():
            if place.needs:
                self._freed[place] = None

    def _arrive(self, order: Order) -> None:
        index = order[2]
        workload = self._trace.workloads[index]
        demand = self._demands.of(workload)
        self._meters.count(ARRIVED)
        head = self._waiting.head(workload.namespace)
        behind = head is not None and head < order
        found = None if behind else self._demands.refusal(demand)
        if not behind and found is None:
            self._admit(workload, index, demand)
            return
        place = found[0] if found else self._waiting.place(workload.namespace)
        self._fates.blame(index, place.obstacle)
        if not self._queues:
            self._turn_away(index, Outcome.REFUSED)
        elif self._demands.never_fits(demand):
            self._turn_away(index, Outcome.NEVER)
        else:
            self._meters.queue(1, self._moment)
            self._waiting.join(workload.namespace, order, found)

    def _turn_away(self, index: int, outcome: Outcome) -> None:
        self._fates.end(index, outcome)
        self._meters.count(REFUSED)

    def _attempt(self, name: Namespace, order: Order) -> tuple[Place, int] | None:
        """Try the head of a queue; returns what keeps it, None when it was let in."""
        workload = self._trace.workloads[order[2]]
        demand = self._demands.of(workload)
        found = self._demands.refusal(demand)
        if found is None:
            self._waiting.leave(name)
            self._meters.queue(-1, self._moment)
            self._admit(workload, order[2], demand)
        return found

    def _admit(self, workload: Workload, index: int, demand: Demand) -> None:
        """Let in what fits. Every grant is committed at once here: what is held is what is used."""
        for share in demand.shares:
            self._forest.change_held(share.node, share.scopes, share.cost)
            self._meters.grow(share.route, self._moment)
        self._fates.admit(index, self._moment)
        self._meters.count(ADMITTED)
        if workload.duration is not None:
            heapq.heappush(self._leaving, (self._moment + workload.duration, index, demand))


def _pending(world: World) -> Iterator[str]:
    """Yield why guarantees are not in force."""
    for quota in world.limits.all():
        limits = world.limits.obstacles(quota.namespace, quota.scopes)
        if limits:
            why = explain.guarantee_pending(limits)
            yield f"the guarantee of {quota.namespace} is not in force: {why}"
