"""Slices in small worlds, searched to the end: every order of giving, using and taking back.

After each commit no limit is exceeded, with every slice counted in full.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from tests.properties.test_small_worlds import HARD, NOW, ORG, A, B, Stage

from quotatree.engine import rollup
from quotatree.engine.ledger import Ledger
from quotatree.engine.slices import SliceSettings
from quotatree.engine.world import World
from quotatree.testing import words
from quotatree.units.resources import Resources


class SliceStage(Stage):
    """A stage whose leaders hand out slices as large as may be."""

    def lead(self, epoch: int, **_: object) -> None:
        settings = SliceSettings(enabled=True, share=1, first=1, least=1, after=0, runway=0)
        self.leaders[epoch] = world = World(Ledger(epoch=epoch, slices=settings))
        for name in HARD:
            world.see_quota(words.quota(name, hard=HARD[name].to_strings()))
        self.show(epoch)

    def write(self, epoch: int, *, flight: str) -> None:
        """Let a leader write the slices that it is to write now."""
        world = self.leaders[epoch]
        for key in world.ledger.lessor.pass_time(NOW):
            what = world.ledger.lessor.write(key, now=NOW)
            if what is not None:
                known = world.managed[what.namespace]["quotatree"]
                self.flights[flight] = replace(known, slice=what.slice)
                self.granted.add(flight)

    def inside(self, *, cpu: int) -> None:
        """Let `a` grow within its slice, if it has one of that size; nobody is asked."""
        quota = self.server.managed[A]
        used = quota.used + Resources.parse({"cpu": str(cpu)})
        if used.nano("cpu") <= quota.slice.nano("cpu"):
            self.server.commit(replace(quota, used=used))
            self.granted.add("inside")

    def over(self) -> list[str]:
        parents = {name: ns.parent for name, ns in self.server.namespaces.items()}
        held = {
            name: quota.used.maximum(quota.slice) for name, quota in self.server.managed.items()
        }
        numbers = rollup.rollup(parents, hard=HARD, guaranteed={}, held=held)
        return [n for n, hard in HARD.items() if numbers[n].charged.exceeding(hard)]


def orders(needs: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[str, ...]]:
    """Yield every order of the steps in which each comes after those that it needs."""

    def extend(done: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        if len(done) == len(needs):
            yield done
        for step, before in needs.items():
            if step not in done and all(b in done for b in before):
                yield from extend((*done, step))

    return extend(())


def run(order: tuple[str, ...], steps: Mapping[str, Callable[[SliceStage], object]]) -> set[str]:
    stage = SliceStage()
    stage.grow(1, A, 1, flight="a")
    stage.land("a")
    stage.show(1)
    for step in order:
        steps[step](stage)
        assert not stage.over(), (order, step)
    return stage.granted


def test_room_of_a_slice_is_never_given_twice() -> None:
    steps: dict[str, Callable[[SliceStage], object]] = {
        "a slice is written": lambda s: s.write(1, flight="slice"),
        "it lands": lambda s: s.land("slice"),
        "a grows inside": lambda s: s.inside(cpu=1),
        "b asks": lambda s: s.grow(1, B, 2, flight="b at once"),
        "b lands": lambda s: s.land("b at once"),
        "it is taken back": lambda s: s.write(1, flight="back"),
        "that lands": lambda s: (s.land("back"), s.show(1)),  # its answer is taken in at once
        "the watch shows": lambda s: s.show(1),
        "b asks again": lambda s: s.grow(1, B, 2, flight="b later"),
        "b lands later": lambda s: s.land("b later"),
    }
    needs: dict[str, tuple[str, ...]] = {
        "a slice is written": (),
        "it lands": ("a slice is written",),
        "a grows inside": ("it lands",),
        "b asks": (),
        "b lands": ("b asks",),
        "it is taken back": ("b asks", "it lands"),
        "that lands": ("it is taken back",),
        "the watch shows": ("it lands",),
        "b asks again": ("it is taken back",),
        "b lands later": ("b asks again",),
    }
    found = [run(order, steps) for order in orders(needs)]
    assert len(found) > 500
    assert any({"slice", "inside"} <= some for some in found)
    assert any({"slice", "back", "b later"} <= some for some in found)
    assert any("b at once" in some for some in found)
    assert not any({"inside", "b at once"} <= some for some in found)


def test_a_slice_of_an_older_leader_is_known_to_the_next_or_lost() -> None:
    steps: dict[str, Callable[[SliceStage], object]] = {
        "1 writes a slice": lambda s: s.write(1, flight="slice"),
        "it lands": lambda s: s.land("slice"),
        "a grows inside": lambda s: s.inside(cpu=1),
        "2 lists": lambda s: s.lead(2),
        "2 fences a": lambda s: s.fence(2, A),
        "2 fences b and org": lambda s: s.fence(2, B, ORG),
        "2 grants b": lambda s: s.grow(2, B, 2, flight="b"),
        "b lands": lambda s: s.land("b"),
    }
    needs: dict[str, tuple[str, ...]] = {
        "1 writes a slice": (),
        "it lands": ("1 writes a slice",),
        "a grows inside": (),
        "2 lists": (),
        "2 fences a": ("2 lists",),
        "2 fences b and org": ("2 lists",),
        "2 grants b": ("2 lists",),
        "b lands": ("2 grants b",),
    }
    found = [run(order, steps) for order in orders(needs)]
    assert len(found) > 500
    assert any({"slice", "inside"} <= some for some in found)
    assert any({"slice", "b"} <= some for some in found), "an older write is never lost"
    assert not any({"inside", "b"} <= some for some in found)
