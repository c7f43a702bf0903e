"""The ledger against a simulated API server: whatever the order, nothing is forgotten or exceeded.

Writes are delayed, lost, or committed with a lost reply; events come late, again, and as fresh
lists; namespaces move while grants are in flight; slices are handed out, used without anybody being
asked, and taken back; the process dies and another one fences, or it lives on without knowing that
it was deposed, and API servers whose connections to it stand go on asking it. After each step the
laws of the ledger hold.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from hypothesis import event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from quotatree.engine import admit, attach, rollup, room
from quotatree.engine.ledger import Ledger
from quotatree.engine.slices import SliceSettings
from quotatree.engine.world import World
from quotatree.model.names import Namespace, Uid
from quotatree.model.observed import ManagedQuota
from quotatree.model.review import NamespaceReview, UsageReview
from quotatree.model.scope import UNSCOPED
from quotatree.model.verdict import Admit, Open, Tighten, Verdict, Wait
from quotatree.testing import words
from quotatree.testing.simulated import Object, Server
from quotatree.units.resources import Resources

ROOTS = [Namespace(n) for n in ("r0", "r1")]
TEAMS = [Namespace(n) for n in ("t0", "t1")]
LEAVES = [Namespace(f"n{i}") for i in range(3)]
ALL = [*ROOTS, *TEAMS, *LEAVES]
RESOURCES = ("cpu", "pods")

names = st.sampled_from(ALL)
amounts = st.integers(0, 3)
epochs = st.sampled_from([None, 1])
limits = st.dictionaries(st.sampled_from(RESOURCES), st.integers(1, 8), max_size=2)


def resources(values: dict[str, int]) -> Resources:
    return Resources.from_nano({name: n * 10**9 for name, n in values.items()})


@dataclass(eq=False)
class Flight:
    """A write that passed admission and is not decided yet."""

    obj: Object


class LedgerMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.server = Server()
        self.now = 0.0
        self.epoch = 1
        self.flights: list[Flight] = []
        self.hard: dict[Namespace, Resources] = {}
        self.guaranteed: dict[Namespace, Resources] = {}
        self.granted: dict[Namespace, Resources] = {}
        self.generation = 0
        self.deposed: World | None = None

    @initialize(data=st.data())
    def build(self, data: st.DataObject) -> None:
        for name in ROOTS:
            self.server.create(name, None, epoch=data.draw(epochs))
        for name in TEAMS:
            self.server.create(name, data.draw(st.sampled_from(ROOTS)), epoch=data.draw(epochs))
        for name in LEAVES:
            parent = data.draw(st.sampled_from([*TEAMS, *ROOTS]))
            self.server.create(name, parent, epoch=data.draw(epochs))
        for name in [*ROOTS, *TEAMS]:
            self.hard[name] = resources(data.draw(limits))
            if data.draw(st.booleans()):
                self.guaranteed[name] = resources(data.draw(limits)).minimum(self.hard[name])
        self.start()

    # -- the process under test ---------------------------------------------------------------

    def start(self) -> None:
        """Read everything by consistent lists; nothing is fenced yet."""
        # Slices as large as may be, where the limits are as small as these.
        self.world = World(
            Ledger(
                epoch=self.epoch,
                slices=SliceSettings(enabled=True, share=1, first=2, least=1, after=0),
            )
        )
        self.delivered = 0
        self.relist()
        for name in self.hard:
            self.put_quota(name)

    def put_quota(self, name: Namespace) -> None:
        self.generation += 1
        asked = words.quota(name, generation=self.generation)
        guaranteed = self.guaranteed.get(name, Resources())
        granted = self.granted.get(name, Resources())
        self.world.see_quota(
            replace(asked, hard=self.hard[name], guaranteed=guaranteed, granted=granted)
        )
        self.world.limits.settle()

    def show(self, obj: Object) -> None:
        if isinstance(obj, ManagedQuota):
            self.world.see_managed(obj)
        else:
            self.world.see_namespace(obj)

    @precondition(lambda self: not self.fenced)
    @rule(data=st.data(), count=st.integers(1, len(ALL)))
    def fence_some(self, data: st.DataObject, count: int) -> None:
        """The new leader fences some of the managed quotas, or the last of them."""
        bare = [n for n, q in self.server.managed.items() if q.epoch not in {None, self.epoch}]
        for name in data.draw(st.permutations(bare))[:count]:
            self.fence(name)

    def fence(self, name: Namespace) -> None:
        self.server.commit(replace(self.server.managed[name], epoch=self.epoch))
        self.world.see_managed(self.server.managed[name])

    @rule(name=names)
    def close(self, name: Namespace) -> None:
        """The leader closes what has not grown for long, or somebody takes the epoch off."""
        self.server.commit(replace(self.server.managed[name], epoch=None))

    def open(self, world: World, what: Open, *, leads: bool) -> None:
        """A leader opens an account; the look at the Lease comes after that, or never."""
        known = self.server.managed[what.namespace]
        if what.epoch is not None and known.resource_version == what.resource_version:
            self.server.commit(replace(known, epoch=what.epoch))
            world.see_managed(self.server.managed[what.namespace])
        if leads:
            world.ledger.openings.confirm(world.ledger.openings.unsure())

    # -- what may happen ----------------------------------------------------------------------

    @rule(name=names, cpu=amounts, pods=amounts, looks=st.booleans())
    def request(self, name: Namespace, cpu: int, pods: int, *, looks: bool) -> None:
        """Native admission asks for growth of the newest object."""
        self.ask(self.server.managed[name], cpu=cpu, pods=pods, looks=looks)

    @precondition(lambda self: self.flights or self.world.ledger.moves)
    @rule(data=st.data(), cpu=amounts, pods=amounts)
    def request_in_the_thick_of_it(self, data: st.DataObject, cpu: int, pods: int) -> None:
        """The same, where something is in flight already: there, beside it, or in what moves."""
        busy = {f.obj.namespace for f in self.flights if isinstance(f.obj, ManagedQuota)}
        moving = {n for m in self.world.ledger.moves for n in self.world.ledger.forest.subtree(m)}
        name = data.draw(st.sampled_from(sorted(busy | moving) or ALL))
        versions = [
            o for o in self.server.history if isinstance(o, ManagedQuota) and o.namespace == name
        ]
        self.ask(data.draw(st.sampled_from(versions[-2:])), cpu=cpu, pods=pods)

    @precondition(lambda self: self.deposed)
    @rule(data=st.data(), name=names, cpu=amounts, pods=amounts)
    def request_of_the_deposed(
        self, data: st.DataObject, name: Namespace, cpu: int, pods: int
    ) -> None:
        """An API server asks who led before, about the newest object or one that it has cached."""
        assert self.deposed is not None
        versions = [
            o for o in self.server.history if isinstance(o, ManagedQuota) and o.namespace == name
        ]
        old = data.draw(st.sampled_from(versions[-3:]))
        new = replace(old, used=old.used + resources({"cpu": cpu, "pods": pods}))
        review = UsageReview(uid=Uid("r"), old=old, new=new, dry_run=False)
        verdict = admit.decide(self.deposed.ledger, review, now=self.now, arrived=self.now - 9)
        event(f"request of the deposed: {type(verdict).__name__}")
        if isinstance(verdict, Open):
            self.open(self.deposed, verdict, leads=False)
        if isinstance(verdict, Admit):
            self.flights.append(Flight(obj=new))

    @precondition(lambda self: self.deposed)
    @rule()
    def the_deposed_sees(self) -> None:
        """Who led before is shown what happened since."""
        assert self.deposed is not None
        for namespace in self.server.namespaces.values():
            self.deposed.see_namespace(namespace)
        for quota in self.server.managed.values():
            self.deposed.see_managed(quota)

    def ask(
        self, old: ManagedQuota, *, cpu: int, pods: int, looks: bool = True, again: bool = False
    ) -> None:
        name = old.namespace
        current = old is self.server.managed[name]
        new = replace(old, used=old.used + resources({"cpu": cpu, "pods": pods}))
        review = UsageReview(uid=Uid("r"), old=old, new=new, dry_run=False)
        quiet = not self.world.ledger.unsettled and not self.world.ledger.moves
        quiet = quiet and self.fenced
        fits = self.fits(name, new.used) if quiet and current else None
        verdict = admit.decide(self.world.ledger, review, now=self.now, arrived=self.now)
        event(f"request: {type(verdict).__name__}")
        if isinstance(verdict, Open):
            self.open(self.world, verdict, leads=looks)
            if current and looks and not again:
                newest = self.server.managed[name]
                self.ask(newest, cpu=cpu, pods=pods, looks=True, again=True)
            return
        if isinstance(verdict, Admit):
            self.flights.append(Flight(obj=new))
        if isinstance(verdict, Tighten):
            assert not old.used.exceeding(verdict.hard), "tightened below usage"
        if fits is not None:
            self.rightly(verdict, review, fits=fits)

    def rightly(self, verdict: Verdict, review: UsageReview, *, fits: bool) -> None:
        """What fits is admitted; slices that stand idle in its way are gone within its wait."""
        if not fits:
            assert not isinstance(verdict, Admit), verdict
        elif not isinstance(verdict, Admit):
            assert isinstance(verdict, Wait), verdict
            waiting = self.now
            self.lease(0.05, lands=True)
            again = admit.decide(self.world.ledger, review, now=self.now, arrived=waiting)
            event("taken back for a request")
            assert isinstance(again, Admit), again
            self.flights.append(Flight(obj=review.new))

    @rule(seconds=st.sampled_from([0.05, 1.1, 6.0]), lands=st.booleans())
    def lease(self, seconds: float, *, lands: bool) -> None:
        """Slices are decided, and their writes are on the way, or there and seen already."""
        self.now += seconds
        lessor = self.world.ledger.lessor
        for key in sorted(lessor.closed):
            opening = lessor.opening(key)
            if opening is not None:
                self.open(self.world, opening, leads=True)
        for key in lessor.pass_time(self.now):
            what = lessor.write(key, now=self.now)
            if what is not None:
                known = self.world.managed[what.namespace]["quotatree"]
                assert known.resource_version == what.resource_version
                grows = bool(what.slice.growth(known.slice))
                event("slice: grows" if grows else "slice: shrinks")
                self.flights.append(Flight(obj=replace(known, slice=what.slice)))
                if lands:
                    self.settle(self.flights.pop())
        if lands:
            self.catch_up()

    @precondition(lambda self: any(q.slice for q in self.server.managed.values()))
    @rule(data=st.data(), cpu=amounts, pods=amounts)
    def grow_inside(self, data: st.DataObject, cpu: int, pods: int) -> None:
        """The API server commits growth within a slice without asking anybody."""
        name = data.draw(st.sampled_from([n for n, q in self.server.managed.items() if q.slice]))
        quota, before = self.server.managed[name], self.committed()
        growth = resources({r: n for r, n in (("cpu", cpu), ("pods", pods)) if n})
        used = quota.used + growth
        if all(used.nano(r) <= quota.slice.nano(r) for r in growth):
            event("grew inside")
            self.server.commit(replace(quota, used=used))
            self.never_over(before, name)

    def fits(self, name: Namespace, used: Resources) -> bool:
        """Say by the oracle whether usage of `name` may become `used` when nothing is in flight."""
        self.catch_up()
        available = self.oracle()[name].available
        growth = used.growth(self.server.used(name))
        return all(growth.nano(r) <= available.nano(r) for r in growth if r in available)

    def catch_up(self) -> None:
        for obj in self.server.history[self.delivered :]:
            self.show(obj)
        self.delivered = len(self.server.history)

    @precondition(lambda self: self.flights)
    @rule(data=st.data())
    def land(self, data: st.DataObject) -> None:
        """A write reaches the store; its reply to the API server may be lost, nobody here knows."""
        flight = data.draw(st.sampled_from(self.flights))
        self.flights.remove(flight)
        self.settle(flight)

    def settle(self, flight: Flight) -> None:
        before = self.committed()
        if self.server.land(flight.obj) and isinstance(flight.obj, ManagedQuota):
            self.never_over(before, flight.obj.namespace)

    @precondition(lambda self: self.flights)
    @rule(data=st.data())
    def lose(self, data: st.DataObject) -> None:
        """A write never reaches the store."""
        self.flights.remove(data.draw(st.sampled_from(self.flights)))

    @rule(count=st.integers(1, 4), again=st.booleans())
    def deliver(self, count: int, again: bool) -> None:
        """The watch shows the next events, perhaps after repeating an old one."""
        if again and self.delivered:
            for obj in self.server.history[max(0, self.delivered - 5) : self.delivered]:
                self.show(obj)
        for obj in self.server.history[self.delivered : self.delivered + count]:
            self.show(obj)
        self.delivered = min(self.delivered + count, len(self.server.history))

    @precondition(lambda self: self.delivered < len(self.server.history))
    @rule()
    def relist(self) -> None:
        """The watch was lost: everything is listed anew, and its history is skipped."""
        for namespace in self.server.namespaces.values():
            self.show(namespace)
        for quota in self.server.managed.values():
            self.show(quota)
        self.delivered = len(self.server.history)

    @precondition(lambda self: any(q.used for q in self.server.managed.values()))
    @rule(name=names, cpu=st.integers(0, 2), pods=st.integers(0, 2))
    def recount_down(self, name: Namespace, cpu: int, pods: int) -> None:
        """Objects were deleted: the native controller writes a lower usage."""
        quota = self.server.managed[name]
        lower = quota.used.minimum(resources({"cpu": cpu, "pods": pods})).mask(quota.used)
        self.server.commit(replace(quota, used=lower))

    @rule(seconds=st.sampled_from([0.05, 0.2, 0.6, 1.1]))
    def time(self, seconds: float) -> None:
        """Time passes; what is overdue is touched by compare-and-swap, which may lose."""
        self.now += seconds
        quotas, namespaces = self.world.ledger.expire(self.now)
        for name, _ in quotas:
            self.server.land(self.world.managed[name]["quotatree"])
        for name in namespaces:
            self.server.commit(self.server.namespaces[name])

    @rule(
        child=st.sampled_from([*TEAMS, *LEAVES]), parent=names, mode=st.sampled_from(["go", "lose"])
    )
    def move(self, child: Namespace, parent: Namespace, mode: str) -> None:
        """Somebody changes the parent label; the request may be lost after admission."""
        old = self.server.namespaces[child]
        new = replace(old, parent=parent)
        review = NamespaceReview(uid=Uid("m"), old=old, new=new, dry_run=False)
        verdict = attach.decide(self.world.ledger, review, now=self.now, arrived=self.now - 9)
        event(f"move: {type(verdict).__name__}")
        if isinstance(verdict, Admit) and mode == "go":
            self.flights.append(Flight(obj=new))

    @precondition(lambda self: not self.flights and self.fenced)
    @rule(name=st.sampled_from([*ROOTS, *TEAMS]), hard=limits)
    def change_limit(self, name: Namespace, hard: dict[str, int]) -> None:
        """A limit is raised, lowered, added or dropped; guarantees go with it."""
        self.hard[name] = resources(hard)
        self.guaranteed.pop(name, None)
        self.put_quota(name)

    @property
    def fenced(self) -> bool:
        return all(quota.epoch in {None, self.epoch} for quota in self.server.managed.values())

    @precondition(lambda self: self.flights)
    @rule(lives=st.booleans())
    def crash(self, lives: bool) -> None:
        """Another process leads, with grants in flight; it lists, and fences by writing.

        The one before is dead, or it `lives` on and does not know.

        Moves in flight are decided before: a Namespace carries no fence. The status of a TreeQuota
        tells the next process which guarantees were in force.
        """
        self.epoch += 1
        self.deposed = self.world if lives else None
        self.granted = self.in_force()
        self.flights = [f for f in self.flights if isinstance(f.obj, ManagedQuota)]
        self.start()

    @rule()
    def hand_over(self) -> None:
        """A leader that ends with nothing under way hands its epoch on; it answers no more."""
        if not self.world.ledger.unsettled and not self.world.ledger.moves:
            event("handed over")
            self.granted = self.in_force()
            self.start()

    # -- laws ---------------------------------------------------------------------------------

    def parents(self) -> dict[Namespace, Namespace | None]:
        return {name: ns.parent for name, ns in self.server.namespaces.items()}

    def in_force(self) -> dict[Namespace, Resources]:
        forest = self.world.ledger.forest
        return {n: Resources.from_nano(forest.node(n).book(UNSCOPED).guaranteed) for n in ALL}

    def oracle(self) -> dict[Namespace, rollup.Numbers]:
        held = {name: self.server.used(name) for name in ALL}
        return rollup.rollup(self.parents(), hard=self.hard, guaranteed=self.in_force(), held=held)

    def committed(self) -> dict[Namespace, Resources]:
        """What every namespace is charged for, by committed usage and slices."""
        held = {
            name: quota.used.maximum(quota.slice) for name, quota in self.server.managed.items()
        }
        numbers = rollup.rollup(
            self.parents(), hard=self.hard, guaranteed=self.in_force(), held=held
        )
        return {name: number.charged for name, number in numbers.items()}

    def never_over(self, before: dict[Namespace, Resources], name: Namespace) -> None:
        """A committed growth leaves no ancestor above its hard that it made grow."""
        after = self.committed()
        for ancestor in rollup.path_up(rollup.acyclic(self.parents()), name):
            grown = after[ancestor].growth(before[ancestor])
            over = set(after[ancestor].exceeding(self.hard.get(ancestor, Resources())))
            assert not over & set(grown), (ancestor, str(after[ancestor]))

    @invariant()
    def a_grant_is_never_forgotten(self) -> None:
        """The ledger holds at least what is committed, seen or not, by its own grants."""
        for name, quota in self.server.managed.items():
            if quota.epoch not in {None, self.epoch}:
                continue  # what an earlier leader granted is not known before the fence
            held = Resources.from_nano(self.world.ledger.forest.node(name).book(UNSCOPED).held)
            held = held.maximum(Resources.from_nano(dict.fromkeys(RESOURCES, 0)))
            assert quota.used.maximum(quota.slice).fits(held)

    @invariant()
    def incremental_equals_from_scratch(self) -> None:
        """The forest has the numbers that a recount of its own holdings gives."""
        if self.world.ledger.moves:
            return
        forest = self.world.ledger.forest
        parents = {ns.name: ns.parent for ns in self.world.namespaces.values()}
        held = {n: Resources.from_nano(forest.node(n).book(UNSCOPED).held) for n in parents}
        hard = {n: Resources.from_nano(forest.node(n).book(UNSCOPED).hard) for n in parents}
        numbers = rollup.rollup(parents, hard=hard, guaranteed=self.in_force(), held=held)
        for name, want in numbers.items():
            book = forest.node(name).book(UNSCOPED)
            assert {r: a for r, a in want.charged.nanos().items() if a} == book.charges()
            for resource, free in want.available.nanos().items():
                assert room.available(forest.node(name), UNSCOPED, resource) == free

    def teardown(self) -> None:
        """When everything was shown and all writes are decided, nothing is left in flight."""
        if not self.server.history:
            return
        self.flights.clear()
        for _ in range(4):
            self.relist()
            self.time(1.1)
        self.relist()
        assert not self.world.ledger.unsettled
        assert not self.world.ledger.moves
        for name in ALL:
            held = Resources.from_nano(self.world.ledger.forest.node(name).book(UNSCOPED).held)
            committed = self.server.used(name).maximum(self.server.managed[name].slice)
            assert held.fits(committed)
            assert committed.fits(held)


TestLedger = LedgerMachine.TestCase
TestLedger.settings = settings(stateful_step_count=60, deadline=None)
