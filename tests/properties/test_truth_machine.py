"""The account of real objects against a store: never more objects than the limit, by the objects.

Charges and creations are two writes. Watches of counters and of objects lag apart, events are
missed and listed anew, creates fail after their charge or come half a minute late, clocks are
askew, and the native controller writes whatever it likes, past our webhook too. Whatever may still
be created counts in: nobody can call it back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from hypothesis import event
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from quotatree.engine import admit, plan, recount
from quotatree.engine.account import Way
from quotatree.model.charge import Charge
from quotatree.model.effect import PatchManaged, PatchManagedStatus
from quotatree.model.names import Namespace, Uid
from quotatree.model.observed import ManagedQuota
from quotatree.model.review import UsageReview
from quotatree.model.sighting import Sighting
from quotatree.model.verdict import Admit, Tighten
from quotatree.testing import words
from quotatree.units.resources import Resources

A, B = Namespace("a"), Namespace("b")
LIMIT = 4
SLOW = 0.25
"""Seconds after which a heartbeat proves nothing."""
REQUEST = 34.0
"""Seconds that the API server gives a request."""
POD = Charge(resource="pods", amounts=Resources.parse({"pods": "1", "count/pods": "1"}))

names = st.sampled_from([A, B])
servers = st.sampled_from(["x", "y"])


@dataclass(eq=False)
class Create:
    """An object that is charged and not there yet."""

    namespace: Namespace
    asked: float
    server: str = "x"
    overtaken_by: list[float] = field(default_factory=list)


@dataclass(eq=False)
class Flight:
    """A growth that was granted and is not decided yet."""

    new: ManagedQuota
    asked: float
    growth: int


def count(number: int) -> Resources:
    return Resources.parse({"pods": str(number)})


def pods(quota: ManagedQuota) -> int:
    return quota.used.nano("pods") // 10**9


def written(
    quota: ManagedQuota, *, used: Mapping[str, int], hard: Mapping[str, int]
) -> ManagedQuota:
    """Return a counter with some of its amounts replaced."""
    return replace(
        quota,
        used=Resources.from_nano({**quota.used.nanos(), **used}),
        status_hard=Resources.from_nano({**quota.status_hard.nanos(), **hard}),
    )


class TruthMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.version = 100
        self.flights: list[Flight] = []
        self.creates: list[Create] = []
        self.there: dict[Uid, Sighting] = {}
        self.shown = {"quotas": 0, "pods": 0}
        self.history: dict[str, list[object]] = {"quotas": [], "pods": []}

    @initialize(before=st.integers(0, LIMIT), unseen=st.integers(0, 2))
    def begin(self, before: int, unseen: int) -> None:
        """Some pods are there already, and a leader before us has let others pass."""
        unseen = min(unseen, LIMIT - before)
        self.world = words.world(f"org: pods {LIMIT} > a: holds pods {before + unseen}; org > b")
        self.quotas = {n: self.world.managed[n]["quotatree"] for n in (A, B)}
        for _ in range(before):
            self.appear(Create(A, self.now))
        self.creates += [Create(A, self.now) for _ in range(unseen)]
        self.list_pods()

    # -- the store ----------------------------------------------------------------------------

    def commit(self, new: ManagedQuota) -> bool:
        """Write a counter by compare-and-swap."""
        if new.resource_version != self.quotas[new.namespace].resource_version:
            return False
        self.version += 1
        self.quotas[new.namespace] = replace(new, resource_version=self.version)
        self.history["quotas"].append(self.quotas[new.namespace])
        return True

    def appear(self, create: Create) -> None:
        self.version += 1
        seen = Sighting(
            uid=Uid(f"pod-{self.version}"),
            namespace=create.namespace,
            resource_version=self.version,
            charge=POD,
            created=create.asked,
        )
        self.there[seen.uid] = seen
        self.history["pods"].append((seen, self.version, True))

    # -- what may happen ----------------------------------------------------------------------

    @rule(name=names, number=st.integers(1, 3), answered=st.booleans())
    def ask(self, name: Namespace, number: int, answered: bool) -> None:
        """Native admission asks for growth of the newest counter.

        The answer to a tightening may come before the watch tells what was before it, or be lost.
        """
        old = self.quotas[name]
        new = replace(old, used=count(pods(old) + number))
        review = UsageReview(uid=Uid("r"), old=old, new=new, dry_run=False)
        verdict = admit.decide(self.world.ledger, review, now=self.now, arrived=self.now)
        event(type(verdict).__name__)
        if isinstance(verdict, Admit):
            new = written(new, used=verdict.used.nanos(), hard=verdict.hard.nanos())
            self.flights.append(Flight(new, self.now, number))
        if isinstance(verdict, Tighten):
            hard = verdict.hard.nanos()
            if not self.commit(written(old, used=verdict.used.nanos(), hard=hard)):
                self.world.ledger.release_hold((name, ()))
            elif answered:
                self.world.see_written(self.quotas[name], replaced=old.resource_version)

    @precondition(lambda self: self.flights)
    @rule(data=st.data(), server=servers)
    def land(self, data: st.DataObject, server: str) -> None:
        flight = data.draw(st.sampled_from(self.flights))
        self.flights.remove(flight)
        name = flight.new.namespace
        if self.commit(flight.new):
            self.creates += [Create(name, flight.asked, server) for _ in range(flight.growth)]

    @precondition(lambda self: self.creates)
    @rule(data=st.data(), fails=st.booleans(), skew=st.sampled_from([-5.0, 0.0, 0.4, 5.0]))
    def create(self, data: st.DataObject, fails: bool, skew: float) -> None:
        one = data.draw(st.sampled_from(self.creates))
        self.creates.remove(one)
        if not fails:
            self.appear(replace(one, asked=one.asked + skew))

    @rule(server=servers, took=st.sampled_from([0.05, 0.05, 0.2, 0.2, 0.5]), fails=st.booleans())
    def beat(self, server: str, took: float, fails: bool) -> None:
        """Write a heartbeat; a run of them through a server overtakes what was charged before."""
        truth = self.world.ledger.truth
        truth.progress.expect(["x", "y"])
        sent = self.now
        self.now += took
        for one in [c for c in self.creates if c.server == server]:
            one.overtaken_by = [] if took > SLOW else [*one.overtaken_by, sent]
            if len(one.overtaken_by) >= 4 and self.now - one.overtaken_by[0] >= 1.0:
                self.creates.remove(one)
                if not fails:
                    self.appear(one)
        truth.progress.beat(server, sent=sent, answered=self.now)

    @rule(through=st.sampled_from(["x", "y", "xy"]), beats=st.integers(3, 7), fails=st.booleans())
    def run(self, through: str, beats: int, fails: bool) -> None:
        """Write a run of heartbeats."""
        self.pass_time(0.0)
        for _ in range(beats):
            for server in through:
                self.beat(server, 0.2, fails)
        self.pass_time(0.0)

    @precondition(lambda self: self.there)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        self.version += 1
        gone = self.there.pop(data.draw(st.sampled_from(sorted(self.there))))
        self.history["pods"].append((gone, self.version, False))

    @rule(name=names, said=st.integers(0, LIMIT + 1), reached=st.booleans())
    def recount(self, name: Namespace, said: int, reached: bool) -> None:
        """The native controller writes what it believes; our webhook is asked, or is not there."""
        old = self.quotas[name]
        new = replace(old, used=count(said), status_hard=old.spec_hard)
        if reached:
            asked = UsageReview(uid=Uid("r"), old=old, new=new, dry_run=False)
            found = recount.correct(self.world.ledger, asked)
            new = written(new, used=found.used.nanos(), hard=found.hard.nanos())
        self.commit(new)

    @rule()
    def work(self) -> None:
        """The loop writes what is due."""
        for name in (A, B):
            for what in plan.plan_namespace(self.world, name):
                quota = self.quotas[name]
                if isinstance(what, PatchManaged) and what.hard is not None:
                    quota = replace(quota, spec_hard=what.hard, status_hard=what.hard)
                if isinstance(what, PatchManagedStatus):
                    hard = what.hard.nanos() if what.hard is not None else {}
                    quota = written(quota, used=what.used.nanos(), hard=hard)
                if isinstance(what, PatchManaged | PatchManagedStatus):
                    self.commit(replace(quota, resource_version=what.resource_version))

    @rule(kind=st.sampled_from(["quotas", "pods"]), number=st.integers(1, 4))
    def deliver(self, kind: str, number: int) -> None:
        for item in self.history[kind][self.shown[kind] :][:number]:
            self.shown[kind] += 1
            if isinstance(item, ManagedQuota):
                self.world.see_managed(item)
            else:
                seen, version, is_there = item
                truth = self.world.ledger.truth
                if is_there:
                    truth.see("pods", seen)
                else:
                    truth.lose("pods", seen, version)

    @rule()
    def list_pods(self) -> None:
        """The watch of pods is lost; creations and deletions in between are never told."""
        self.world.ledger.truth.relist("pods", self.there.values(), self.version)
        self.shown["pods"] = len(self.history["pods"])

    @rule()
    def list_quotas(self) -> None:
        """The watch of counters is lost; the states in between are never told."""
        for quota in self.quotas.values():
            self.world.see_managed(quota, way=Way.LISTED)
        self.shown["quotas"] = len(self.history["quotas"])

    @rule(seconds=st.sampled_from([0.0, 0.05, 0.6, 3.0, 20.0, 41.0]))
    def pass_time(self, seconds: float) -> None:
        """Requests that are too old fail; old claims lapse if a live read shows nothing."""
        self.now += seconds
        self.creates = [c for c in self.creates if c.asked + REQUEST >= self.now]
        self.flights = [f for f in self.flights if f.asked + REQUEST >= self.now]
        ledger = self.world.ledger
        for key in ledger.expire(self.now)[0]:
            self.touch(key[0])
        ledger.loosen(self.now)
        _, old = ledger.truth.pass_time(self.now)
        for key in old:
            claims = ledger.truth.old(key, now=self.now)
            live = {u: s.resource_version for u, s in self.there.items() if s.namespace == key[0]}
            ledger.truth.lapse(key, claims, {"pods": live})

    def touch(self, name: Namespace) -> None:
        """Write a counter of which a grant never showed, if it is the one that is known here."""
        account = self.world.ledger.account(name, ())
        known = account is not None and account.resource_version
        asked = account.overdue() if account is not None else ()
        replaced = self.quotas[name].resource_version
        if known == replaced and self.commit(self.quotas[name]):
            self.world.see_written(self.quotas[name], replaced=replaced)
            self.world.ledger.touched((name, ()), self.version, asked=asked)

    # -- what must hold -----------------------------------------------------------------------

    @invariant()
    def never_over(self) -> None:
        assert len(self.there) + len(self.creates) <= LIMIT

    def teardown(self) -> None:
        """When it is quiet for long enough, counters say what is there, and all room is free."""
        if not hasattr(self, "world"):
            return
        for _ in range(6):
            self.pass_time(41.0)
            self.deliver("pods", 10**6)
            self.list_quotas()
            self.work()
        self.list_quotas()
        for name in (A, B):
            real = sum(seen.namespace == name for seen in self.there.values())
            assert pods(self.quotas[name]) <= real, name
            assert self.world.ledger.forest.node(name).book(()).held.get("pods", 0) == real * 10**9


TestTruthMachine = TruthMachine.TestCase
