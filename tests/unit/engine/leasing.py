"""A tree whose slices are written, for the tests of the lessor."""

from __future__ import annotations

from dataclasses import replace

from quotatree.engine import admit, status
from quotatree.engine.ledger import Ledger
from quotatree.engine.slices import SliceSettings
from quotatree.engine.world import World
from quotatree.model.effect import WriteSlice
from quotatree.model.names import Namespace, Uid
from quotatree.model.observed import ManagedQuota
from quotatree.model.review import UsageReview
from quotatree.model.scope import UNSCOPED
from quotatree.model.verdict import Admit, Verdict
from quotatree.testing import words
from quotatree.units.resources import Resources

NOW = 100.0
SETTINGS = SliceSettings(enabled=True, after=0.0, runway=0.0)


class Tree:
    """A world whose slices are written: each commit has the next resourceVersion."""

    def __init__(self, text: str, settings: SliceSettings = SETTINGS) -> None:
        self.world = words.world(text, into=World(Ledger(epoch=1, slices=settings)))
        self.lessor = self.world.ledger.lessor
        self.version = 1000

    def quota(self, name: str) -> ManagedQuota:
        return self.world.managed[Namespace(name)]["quotatree"]

    def commit(self, quota: ManagedQuota) -> None:
        self.version += 1
        self.world.see_managed(replace(quota, resource_version=self.version))

    def give(self, name: str, **amounts: str) -> None:
        """Let a slice stand."""
        self.commit(replace(self.quota(name), slice=Resources.parse(amounts)))

    def ask(
        self, name: str, now: float = NOW, *, dry: bool = False, since: float = NOW, **used: str
    ) -> Verdict:
        old = self.quota(name)
        new = replace(old, used=old.used.maximum(Resources.parse(used)))
        review = UsageReview(uid=Uid("r"), old=old, new=new, dry_run=dry)
        return admit.decide(self.world.ledger, review, now=now, arrived=since)

    def grow(self, name: str, **used: str) -> None:
        """Ask for growth and commit it."""
        assert isinstance(self.ask(name, **used), Admit)
        self.commit(replace(self.quota(name), used=Resources.parse(used)))

    def decided(self, now: float = NOW) -> dict[str, WriteSlice]:
        """Let time happen, and return what is to be written then."""
        due = self.lessor.pass_time(now)
        found = {key[0]: self.lessor.write(key, now=now) for key in due}
        return {name: what for name, what in found.items() if what is not None}

    def write(self, now: float = NOW) -> dict[str, str]:
        """Let time happen, commit what it asks for, and return the slices that were written."""
        found = self.decided(now)
        for name, what in found.items():
            self.commit(replace(self.quota(name), slice=what.slice))
        return {name: str(what.slice) for name, what in found.items()}

    def charge(self, name: str, resource: str = "cpu") -> int:
        book = self.world.ledger.forest.node(Namespace(name)).book(UNSCOPED)
        return book.charge(resource) // 10**9

    def conditions(self, name: str) -> dict[str, bool]:
        (quota,) = self.world.limits.quotas(Namespace(name))
        return {c.type: c.status for c in status.status_of(self.world, quota).conditions}
