"""Small worlds, searched to the end: every order in which a few things can happen.

A random walk seldom meets the one order that matters. Here two leaders, or a move, meet a few
writes in all their interleavings, and after each step no limit is exceeded by committed figures.

Many orders lead to the same state. The search goes on from each state once: what was done, and
everything that leaders and store know, with resourceVersions told by their order alone, since
nothing but their order is ever asked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from quotatree.engine import admit, attach, rollup
from quotatree.engine.ledger import Ledger
from quotatree.engine.world import World
from quotatree.model.names import Namespace, Uid
from quotatree.model.observed import ManagedQuota
from quotatree.model.review import NamespaceReview, UsageReview
from quotatree.model.scope import UNSCOPED
from quotatree.model.verdict import Admit, Verdict
from quotatree.testing import words
from quotatree.testing.simulated import Object, Server
from quotatree.units.resources import Resources

NOW = 100.0
ORG, OTHER, A, B, C = (Namespace(n) for n in ("org", "other", "a", "b", "c"))
HARD = {ORG: Resources.parse({"cpu": "3"}), OTHER: Resources.parse({"cpu": "3"})}
QUOTAS = [words.quota(name, hard=hard.to_strings()) for name, hard in HARD.items()]


class Stage:
    """One API server and the leaders that decide for it."""

    def __init__(self, *, closed: tuple[Namespace, ...] = ()) -> None:
        self.server = Server()
        for name, parent in ((ORG, None), (OTHER, None), (A, ORG), (B, ORG), (C, OTHER)):
            self.server.create(name, parent, epoch=None if name in closed else 1)
        self.leaders: dict[int, World] = {}
        self.ended: set[int] = set()
        self.holder = 1
        self.cache: dict[Namespace, ManagedQuota] = {}
        self.flights: dict[str, Object] = {}
        self.granted: set[str] = set()
        self.lead(1)
        self.catch_up()

    def catch_up(self) -> None:
        """Let the cache of the API server that lags behind see what is committed."""
        self.cache = dict(self.server.managed)

    def lead(self, leader: int, *, epoch: int | None = None) -> None:
        """Let a leader list everything; its epoch is its own number if it was handed none."""
        self.leaders[leader] = world = World(Ledger(epoch=leader if epoch is None else epoch))
        for quota in QUOTAS:
            world.see_quota(quota)
        self.show(leader)

    def hand_over(self, old: int, new: int, *, settled: Callable[[Ledger], bool]) -> None:
        """Let a leader end its term; the next goes on in its epoch if nothing is under way."""
        self.ended.add(old)
        ledger = self.leaders[old].ledger
        if settled(ledger):
            self.granted.add("continued")
            self.lead(new, epoch=ledger.epoch)
        else:
            self.lead(new)

    def show(self, leader: int) -> None:
        """Let the watch of a leader show everything up to now."""
        for namespace in self.server.namespaces.values():
            self.leaders[leader].see_namespace(namespace)
        for quota in self.server.managed.values():
            self.leaders[leader].see_managed(quota)

    def fence(self, leader: int, *fenced: Namespace) -> None:
        """Let a leader write its epoch where it is not written, and take the answers in."""
        epoch = self.leaders[leader].ledger.epoch
        for name in fenced:
            if self.server.managed[name].epoch != epoch:
                self.server.commit(replace(self.server.managed[name], epoch=epoch))
                self.leaders[leader].see_managed(self.server.managed[name])

    def grow(
        self, leader: int, name: Namespace, cpu: int, *, flight: str, lags: bool = False
    ) -> None:
        """Let an API server ask a leader about growth; a grant is in flight afterwards.

        One asks with the newest object, the other one, which lags, with what is in its cache.
        """
        old = (self.cache if lags else self.server.managed)[name]
        new = replace(old, used=old.used + Resources.parse({"cpu": str(cpu)}))
        review = UsageReview(uid=Uid("r"), old=old, new=new, dry_run=False)
        if leader in self.ended:
            return
        verdict = admit.decide(self.leaders[leader].ledger, review, now=NOW, arrived=NOW - 9)
        if isinstance(verdict, Admit):
            self.flights[flight] = new
            self.granted.add(flight)

    def take(self, leader: int) -> None:
        """Let a leader take the Lease; who held it does not know."""
        self.holder = leader

    def open(self, leader: int, name: Namespace) -> None:
        """Let a leader write its epoch on a closed account, and take the answer in."""
        world = self.leaders[leader]
        known = world.managed[name]["quotatree"]
        if known.epoch is None and self.server.land(replace(known, epoch=world.ledger.epoch)):
            world.see_managed(self.server.managed[name])

    def confirm(self, leader: int) -> None:
        """Let a leader look whether the Lease is its own, after what it has opened."""
        openings = self.leaders[leader].ledger.openings
        if self.holder == leader:
            openings.confirm(openings.unsure())

    def move(self, leader: int, name: Namespace, parent: Namespace, *, flight: str) -> None:
        old = self.server.namespaces[name]
        new = replace(old, parent=parent)
        review = NamespaceReview(uid=Uid("m"), old=old, new=new, dry_run=False)
        verdict = attach.decide(self.leaders[leader].ledger, review, now=NOW, arrived=NOW - 9)
        if isinstance(verdict, Admit):
            self.flights[flight] = new
            self.granted.add(flight)

    def land(self, flight: str) -> None:
        """Let a granted write reach the store, if it was granted and has not lost."""
        obj = self.flights.pop(flight, None)
        if obj is not None:
            self.server.land(obj)

    def fingerprint(self) -> str:
        """Return all that the future depends on, as text."""
        known: list[object] = [sorted(self.granted), sorted(self.ended)]
        known += [(flight, obj) for flight, obj in sorted(self.flights.items())]
        known += [sorted(self.server.managed.items())]
        known += [sorted(self.cache.items()), sorted(self.server.namespaces.items())]
        for _, world in sorted(self.leaders.items()):
            ledger = world.ledger
            known += [
                ledger.epoch,
                self.holder,
                sorted(ledger.openings.unsure()),
                sorted(world.namespaces.items()),
                sorted(ledger.moves._pending.items()),
            ]
            for name in sorted(world.managed):
                account = ledger.account(name, UNSCOPED)
                slots = [getattr(account, slot) for slot in account.__slots__] if account else []
                known += [name, slots, ledger.fenced(name, UNSCOPED)]
        text = repr(known)
        versions = re.compile(r"(?:resource_version=|base=)(\d+)")
        order = sorted({int(v) for v in versions.findall(text)})
        return versions.sub(lambda m: f"v{order.index(int(m[1]))}", text)

    def over(self) -> list[str]:
        """Return what is above its hard by committed figures."""
        parents = {name: ns.parent for name, ns in self.server.namespaces.items()}
        held = {name: self.server.used(name) for name in parents}
        numbers = rollup.rollup(parents, hard=HARD, guaranteed={}, held=held)
        return [n for n, hard in HARD.items() if numbers[n].charged.exceeding(hard)]


Step = Callable[[Stage], None]


def search(
    steps: Mapping[str, Step],
    needs: Mapping[str, tuple[str, ...]],
    *,
    stage: Callable[[], Stage] = Stage,
) -> list[frozenset[str]]:
    """Go through all orders of the steps; return what was granted at each of their ends.

    Raises:
        AssertionError: a limit was exceeded; the order of the steps is in the message.
    """
    seen: set[tuple[frozenset[str], str]] = set()
    ends: list[frozenset[str]] = []
    ways: list[tuple[str, ...]] = [()]
    while ways:
        way = ways.pop()
        now = stage()
        for step in way:
            steps[step](now)
        assert not now.over(), " > ".join(way)
        state = (frozenset(way), now.fingerprint())
        if state in seen:
            continue
        seen.add(state)
        if len(way) == len(steps):
            ends.append(frozenset(now.granted))
        ways += [
            (*way, step)
            for step in steps
            if step not in way and all(before in way for before in needs.get(step, ()))
        ]
    return ends


TWO_LEADERS: dict[str, Step] = {
    "x asks 1 for a": lambda s: s.grow(1, A, 2, flight="1a"),
    "1a lands": lambda s: s.land("1a"),
    "y asks 1 for b": lambda s: s.grow(1, B, 2, flight="1b", lags=True),
    "1b lands": lambda s: s.land("1b"),
    "2 lists": lambda s: s.lead(2),
    "2 fences a": lambda s: s.fence(2, A),
    "2 fences b and org": lambda s: s.fence(2, B, ORG),
    "y sees": lambda s: s.catch_up(),
    "y asks 2 for b": lambda s: s.grow(2, B, 2, flight="2b", lags=True),
    "2b lands": lambda s: s.land("2b"),
}
"""Two leaders, of whom the first does not know that it was deposed, and two API servers, x and y,
with a cache and connections of their own; y lags, and asks either leader."""
AFTER: dict[str, tuple[str, ...]] = {
    "1a lands": ("x asks 1 for a",),
    "1b lands": ("y asks 1 for b",),
    "2 fences a": ("2 lists",),
    "2 fences b and org": ("2 lists",),
    "y asks 2 for b": ("2 lists",),
    "2b lands": ("y asks 2 for b",),
}


def test_two_leaders_never_both_commit_into_the_same_room() -> None:
    ends = search(TWO_LEADERS, AFTER)
    for flight in ("1a", "1b", "2b"):
        assert any(flight in granted for granted in ends), f"{flight} is never granted"
    assert any({"1a", "2b"} <= granted for granted in ends), "the old leader's grant never loses"


def test_the_search_finds_the_order_that_the_fence_prevents(monkeypatch) -> None:
    """Without waiting for the whole tree's fence, a grant of the old leader lands unseen."""
    monkeypatch.setattr(Ledger, "fenced", lambda *_: True)
    with pytest.raises(AssertionError, match=r"2b lands.* > 1a lands"):
        search(TWO_LEADERS, AFTER)


def test_the_search_finds_the_order_that_the_epoch_prevents(monkeypatch) -> None:
    """A decider that does not ask for its own epoch in the base grants beside the other one."""
    real = admit.decide

    def careless(ledger: Ledger, review: UsageReview, *, now: float, arrived: float) -> Verdict:
        own = replace(review, old=replace(review.old, epoch=ledger.epoch))
        return real(ledger, own, now=now, arrived=arrived)

    monkeypatch.setattr(admit, "decide", careless)
    with pytest.raises(AssertionError, match=r"2b lands.* > 1a lands"):
        search(TWO_LEADERS, AFTER)


OPENING: dict[str, Step] = {
    "1 opens a": lambda s: s.open(1, A),
    "1 looks at the Lease": lambda s: s.confirm(1),
    "x asks 1 for a": lambda s: s.grow(1, A, 2, flight="1a"),
    "1a lands": lambda s: s.land("1a"),
    "2 takes the Lease": lambda s: s.take(2),
    "2 lists": lambda s: s.lead(2),
    "2 fences what is open": lambda s: s.fence(
        2, *(n for n in (A, B, ORG) if s.leaders[2].managed[n]["quotatree"].epoch not in {None, 2})
    ),
    "2 opens b and looks": lambda s: (s.open(2, B), s.confirm(2)),
    "y asks 2 for b": lambda s: s.grow(2, B, 2, flight="2b"),
    "2b lands": lambda s: s.land("2b"),
}
"""Two leaders and closed accounts; the first opens one and may not know that it was deposed."""
BEFORE_OPENING: dict[str, tuple[str, ...]] = {
    "1 looks at the Lease": ("1 opens a",),
    "x asks 1 for a": ("1 opens a",),
    "1a lands": ("x asks 1 for a",),
    "2 lists": ("2 takes the Lease",),
    "2 fences what is open": ("2 lists",),
    "2 opens b and looks": ("2 lists",),
    "y asks 2 for b": ("2 opens b and looks",),
    "2b lands": ("y asks 2 for b",),
}


def closed_stage() -> Stage:
    return Stage(closed=(ORG, OTHER, A, B, C))


def test_whoever_opens_an_account_never_grants_beside_the_next_leader() -> None:
    ends = search(OPENING, BEFORE_OPENING, stage=closed_stage)
    for flight in ("1a", "2b"):
        assert any(flight in granted for granted in ends), f"{flight} is never granted"
    assert any({"1a", "2b"} <= granted for granted in ends), "the old leader's grant never loses"


def test_the_search_finds_the_order_that_the_look_at_the_lease_prevents() -> None:
    """Opened by one that is deposed already, after the next one has listed it closed."""

    def careless(stage: Stage) -> None:
        openings = stage.leaders[1].ledger.openings
        openings.confirm(openings.unsure())

    with pytest.raises(AssertionError, match=r"2 lists"):
        search(OPENING | {"1 looks at the Lease": careless}, BEFORE_OPENING, stage=closed_stage)


def handing_over(settled: Callable[[Ledger], bool]) -> dict[str, Step]:
    return {
        "x asks 1 for a": lambda s: s.grow(1, A, 2, flight="1a"),
        "1a lands": lambda s: s.land("1a"),
        "y asks 1 for b": lambda s: s.grow(1, B, 2, flight="1b", lags=True),
        "1b lands": lambda s: s.land("1b"),
        "1 sees": lambda s: s.show(1),
        "1 ends and 2 lists": lambda s: s.hand_over(1, 2, settled=settled),
        "2 fences": lambda s: s.fence(2, A, B, ORG),
        "y sees": lambda s: s.catch_up(),
        "y asks 2 for b": lambda s: s.grow(2, B, 2, flight="2b", lags=True),
        "2b lands": lambda s: s.land("2b"),
    }


AFTER_AN_END: dict[str, tuple[str, ...]] = {
    "1a lands": ("x asks 1 for a",),
    "1b lands": ("y asks 1 for b",),
    "2 fences": ("1 ends and 2 lists",),
    "y asks 2 for b": ("1 ends and 2 lists",),
    "2b lands": ("y asks 2 for b",),
}


def test_whoever_goes_on_in_an_epoch_never_commits_into_the_same_room() -> None:
    ends = search(handing_over(lambda ledger: not ledger.unsettled), AFTER_AN_END)
    assert any({"continued", "2b"} <= granted for granted in ends)
    assert any({"continued", "1a"} <= granted for granted in ends)
    assert any("continued" not in granted and "2b" in granted for granted in ends)


def test_the_search_finds_the_order_that_settling_prevents() -> None:
    """Of an epoch handed on with a grant under way, that grant lands unseen."""
    with pytest.raises(AssertionError, match=r"2b lands.* > 1a lands|1a lands.* > 2b lands"):
        search(handing_over(lambda _: True), AFTER_AN_END)


@pytest.mark.parametrize("shown", ["shown at once", "shown at the end"])
def test_a_move_is_charged_in_both_places_until_it_is_decided(shown: str) -> None:
    steps: dict[str, Step] = {
        "a grows": lambda s: s.grow(1, A, 1, flight="a"),
        "a lands": lambda s: s.land("a"),
        "a asks to move": lambda s: s.move(1, A, OTHER, flight="move"),
        "the move lands": lambda s: s.land("move"),
        "c grows": lambda s: s.grow(1, C, 3, flight="c"),
        "c lands": lambda s: s.land("c"),
        "b grows": lambda s: s.grow(1, B, 3, flight="b"),
        "b lands": lambda s: s.land("b"),
        "the watch shows": lambda s: s.show(1),
    }
    needs: dict[str, tuple[str, ...]] = {
        "a lands": ("a grows",),
        "the move lands": ("a asks to move",),
        "c lands": ("c grows",),
        "b lands": ("b grows",),
        "the watch shows": () if shown == "shown at once" else ("the move lands", "a lands"),
    }
    granted = search(steps, needs)
    assert any({"a", "move"} <= some for some in granted)
    assert any("c" in some for some in granted)
