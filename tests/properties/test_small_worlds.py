"""Small worlds, searched to the end: every order in which a few things can happen.

A random walk seldom meets the one order that matters. Here two leaders, or a move, meet a few
writes in all their interleavings, and after each commit no limit is exceeded by committed figures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import pytest

from quotatree.engine import admit, attach, rollup
from quotatree.engine.ledger import Ledger
from quotatree.engine.world import World
from quotatree.model.names import Namespace, Uid
from quotatree.model.review import NamespaceReview, UsageReview
from quotatree.model.verdict import Admit
from quotatree.testing import words
from quotatree.testing.simulated import Object, Server
from quotatree.units.resources import Resources

NOW = 100.0
ORG, OTHER, A, B, C = (Namespace(n) for n in ("org", "other", "a", "b", "c"))
HARD = {ORG: Resources.parse({"cpu": "3"}), OTHER: Resources.parse({"cpu": "3"})}


class Stage:
    """One API server and the leaders that decide for it."""

    def __init__(self) -> None:
        self.server = Server()
        self.server.create(ORG, None, epoch=1)
        self.server.create(OTHER, None, epoch=1)
        for name in (A, B):
            self.server.create(name, ORG, epoch=1)
        self.server.create(C, OTHER, epoch=1)
        self.leaders: dict[int, World] = {}
        self.flights: dict[str, Object] = {}
        self.granted: set[str] = set()
        self.lead(1)

    def lead(self, epoch: int) -> None:
        """Let a leader of this epoch list everything."""
        self.leaders[epoch] = world = World(Ledger(epoch=epoch))
        for name in (ORG, OTHER):
            world.see_quota(words.quota(name, hard=HARD[name].to_strings()))
        self.show(epoch)

    def show(self, epoch: int) -> None:
        """Let the watch of a leader show everything up to now."""
        for namespace in self.server.namespaces.values():
            self.leaders[epoch].see_namespace(namespace)
        for quota in self.server.managed.values():
            self.leaders[epoch].see_managed(quota)

    def fence(self, epoch: int, *fenced: Namespace) -> None:
        """Let a leader write its epoch on managed quotas and take the answers in."""
        for name in fenced:
            self.server.commit(replace(self.server.managed[name], epoch=epoch))
            self.leaders[epoch].see_managed(self.server.managed[name])

    def grow(self, epoch: int, name: Namespace, cpu: int, *, flight: str) -> None:
        """Ask a leader about growth of the newest object; a grant is in flight afterwards."""
        old = self.server.managed[name]
        new = replace(old, used=old.used + Resources.parse({"cpu": str(cpu)}))
        review = UsageReview(uid=Uid("r"), old=old, new=new, dry_run=False)
        verdict = admit.decide(self.leaders[epoch].ledger, review, now=NOW, arrived=NOW - 9)
        if isinstance(verdict, Admit):
            self.flights[flight] = new
            self.granted.add(flight)

    def move(self, epoch: int, name: Namespace, parent: Namespace, *, flight: str) -> None:
        old = self.server.namespaces[name]
        new = replace(old, parent=parent)
        review = NamespaceReview(uid=Uid("m"), old=old, new=new, dry_run=False)
        verdict = attach.decide(self.leaders[epoch].ledger, review, now=NOW, arrived=NOW - 9)
        if isinstance(verdict, Admit):
            self.flights[flight] = new
            self.granted.add(flight)

    def land(self, flight: str) -> None:
        """Let a granted write reach the store, if it was granted and has not lost."""
        obj = self.flights.pop(flight, None)
        if obj is not None:
            self.server.land(obj)

    def over(self) -> list[str]:
        """Return what is above its hard by committed figures."""
        parents = {name: ns.parent for name, ns in self.server.namespaces.items()}
        held = {name: self.server.used(name) for name in parents}
        numbers = rollup.rollup(parents, hard=HARD, guaranteed={}, held=held)
        return [n for n, hard in HARD.items() if numbers[n].charged.exceeding(hard)]


Step = Callable[[Stage], None]


def orders(needs: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[str, ...]]:
    """Yield every order of the steps in which each comes after those that it needs."""

    def extend(done: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        if len(done) == len(needs):
            yield done
        for step, before in needs.items():
            if step not in done and all(b in done for b in before):
                yield from extend((*done, step))

    return extend(())


def run(order: tuple[str, ...], steps: Mapping[str, Step]) -> Stage:
    stage = Stage()
    for step in order:
        steps[step](stage)
        assert not stage.over(), (order, step)
    return stage


def test_two_leaders_never_both_commit_into_the_same_room() -> None:
    steps: dict[str, Step] = {
        "1 grants a": lambda s: s.grow(1, A, 2, flight="1a"),
        "1a lands": lambda s: s.land("1a"),
        "2 lists": lambda s: s.lead(2),
        "2 fences a": lambda s: s.fence(2, A),
        "2 fences b and org": lambda s: s.fence(2, B, ORG),
        "2 grants b": lambda s: s.grow(2, B, 2, flight="2b"),
        "2b lands": lambda s: s.land("2b"),
    }
    needs = {
        "1 grants a": (),
        "1a lands": ("1 grants a",),
        "2 lists": (),
        "2 fences a": ("2 lists",),
        "2 fences b and org": ("2 lists",),
        "2 grants b": ("2 lists",),
        "2b lands": ("2 grants b",),
    }
    granted = [run(order, steps).granted for order in orders(needs)]
    assert len(granted) > 100
    assert any("2b" in some for some in granted), "the new leader never grants anything"


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
        "a grows": (),
        "a lands": ("a grows",),
        "a asks to move": (),
        "the move lands": ("a asks to move",),
        "c grows": (),
        "c lands": ("c grows",),
        "b grows": (),
        "b lands": ("b grows",),
        "the watch shows": () if shown == "shown at once" else ("the move lands", "a lands"),
    }
    granted = [run(order, steps).granted for order in orders(needs)]
    assert any({"a", "move"} <= some for some in granted)
    assert any("c" in some for some in granted)
