"""Verdicts to answers: asks the engine, waits where it says so, tightens before it refuses.

The decision is the engine's; this is the part that needs time and the network. It writes to the
cluster in one case only, the tightening; what else is to be written first, it asks the loop for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, assert_never

from quotatree.cluster.apply import Apply
from quotatree.cluster.live import Live
from quotatree.cluster.opener import Opener
from quotatree.codec import managed, review
from quotatree.engine import admit, attach, explain, recount, tally, validate
from quotatree.errors import ClusterError
from quotatree.metrics import Metrics
from quotatree.model import effect, names
from quotatree.model.names import Namespace, Uid
from quotatree.model.observed import ManagedQuota
from quotatree.model.review import UsageReview
from quotatree.model.verdict import (
    Admit,
    Cause,
    Deny,
    Limit,
    Open,
    Refuse,
    Tighten,
    TryLater,
    Verdict,
    Wait,
)
from quotatree.units.resources import EMPTY, Resources

REVIEW: Final = 0.85
"""Seconds from its arrival in which a review is answered: the API server gives it one second."""
CATCH_UP: Final = 0.3
"""Seconds that a write which is lost already is kept waiting for quota admission to see why."""
CONFLICT: Final = 409
LOOK_AGAIN: Final = 0.005
"""Seconds between two looks at what quota admission sees."""
LAG: Final = 0.1
"""Seconds that quota admission is given to see a tightening where that cannot be looked at."""

Replan = Callable[[list[Namespace]], None]
"""Has the plans of namespaces made again, at once."""
Lookout = Callable[[Namespace, str], Awaitable[int | None]]
"""Which resourceVersion of a managed ResourceQuota quota admission goes by, None for unknown."""


class Listener(Protocol):
    """Who wants to hear of refusals and wrong counters: Events are made of them."""

    def refused(self, namespace: Namespace, limits: tuple[Limit, ...]) -> None:
        """A growth of `namespace` was refused by `limits`."""

    def corrected(self, quota: ManagedQuota, used: Resources, said: Resources) -> None:
        """A recount that `said` less than there is was raised to `used`."""

    def lowered(self, quota: ManagedQuota, used: Resources) -> None:
        """A growth is told what its `quota` has counted too much: it writes `used`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Where reviews are answered."""

    live: Live
    apply: Apply
    opener: Opener
    lookout: Lookout
    listener: Listener
    replan: Replan
    metrics: Metrics = field(default_factory=Metrics)

    async def usage(self, request: Mapping[str, Any]) -> bytes:
        """Answer a status write by native quota admission (entry 1)."""
        asked = review.usage(request)
        if not self.live.loaded:
            return self._unread("usage", asked.uid)
        arrived = self.live.clock()

        def ask(now: float) -> Verdict:
            verdict = admit.decide(self.live.world.ledger, asked, now=now, arrived=arrived)
            return admit.in_sight(verdict, blind=self.live.blind)

        verdict = await self._settle(ask, "usage")
        if isinstance(verdict, Open):
            verdict = await self._open(verdict, ask)
        if not isinstance(verdict, Admit):
            self.live.world.ledger.tenants.refused(asked.old.namespace, self.live.clock())
        if isinstance(verdict, Tighten | Deny):
            self._refused(asked.old.namespace)
        if isinstance(verdict, Tighten):
            return await self._tighten(asked, verdict, until=arrived + REVIEW)
        if isinstance(verdict, Deny):
            self.listener.refused(asked.old.namespace, verdict.limits)
        if isinstance(verdict, Admit) and verdict.behind and not asked.dry_run:
            until = min(self.live.clock() + CATCH_UP, arrived + REVIEW)
            await self._until_admission_sees(asked.old, version=verdict.behind, until=until)
        if isinstance(verdict, Admit) and verdict.reserved:
            return self._grant(asked, verdict)
        return answer(asked.uid, asked.old.namespace, verdict)

    def _grant(self, asked: UsageReview, verdict: Admit) -> bytes:
        if verdict.used:
            self.metrics.drift.labels("high").inc()
            self.listener.lowered(asked.old, verdict.used)
        base = asked.old.resource_version
        return review.amend(asked.uid, used=verdict.used, hard=verdict.hard, touched=base)

    async def recount(self, request: Mapping[str, Any]) -> bytes:
        """Put a recount right that says less than there is (entry 2); it is never refused."""
        asked = review.usage(request)
        if not self.live.loaded:
            return review.allow(asked.uid)
        found = recount.correct(self.live.world.ledger, asked)
        self.metrics.answered("recount", "correct" if found.used or found.hard else "allow")
        if found.missed and not asked.dry_run:
            self.live.world.ledger.truth.drift.low += 1
            self.listener.corrected(asked.old, found.missed, asked.new.used.mask(found.missed))
        return review.amend(asked.uid, used=found.used, hard=found.hard)

    async def namespace(self, request: Mapping[str, Any]) -> bytes:
        """Answer the parent that a Namespace names."""
        asked = review.namespace(request)
        if not self.live.loaded:
            return self._unread("namespace", asked.uid)
        arrived = self.live.clock()

        def ask(now: float) -> Verdict:
            return attach.decide(self.live.world.ledger, asked, now=now, arrived=arrived)

        return answer(asked.uid, asked.new.name, await self._settle(ask, "namespace"))

    async def quota(self, request: Mapping[str, Any]) -> bytes:
        """Answer a TreeQuota: everything that is wrong with it at once, or warnings."""
        asked, problems = review.quota(request)
        self.metrics.answered("treequota", "refuse" if problems else "allow")
        if problems:
            text = "; ".join(str(problem) for problem in problems)
            message = f"TreeQuota {asked.new.namespace}/{asked.new.name}: {text}"
            return review.refuse(asked.uid, message, code=review.INVALID, reason="Invalid")
        if not self.live.loaded:
            return review.allow(asked.uid)
        return review.allow(asked.uid, validate.warnings(self.live.world, asked.new))

    def _unread(self, entry: str, uid: Uid) -> bytes:
        self.metrics.answered(entry, "later", Cause.UNREAD.value)
        return review.later(uid, "quotatree is still reading the cluster")

    def _refused(self, namespace: Namespace) -> None:
        root = tally.root(self.live.world, namespace)
        self.metrics.refusals.labels(self.metrics.tree(root)).inc()

    async def _settle(self, ask: Callable[[float], Verdict], entry: str) -> Verdict:
        verdict = self._unless_ending(ask)
        waited: set[Cause] = set()
        while isinstance(verdict, Wait):
            if verdict.cause not in waited:
                waited.add(verdict.cause)
                self.metrics.waits.labels(entry, verdict.cause.value).inc()
            if wanted := self.live.world.ledger.truth.surplus.take_wanted():
                self.replan(wanted)
            await self.live.change(until=verdict.until)
            verdict = self._unless_ending(ask)
        self.metrics.answered(entry, *named(verdict))
        return verdict

    def _unless_ending(self, ask: Callable[[float], Verdict]) -> Verdict:
        if self.live.ending:
            return TryLater(reason="this replica ends its term", cause=Cause.ENDING)
        return ask(self.live.clock())

    async def _open(self, what: Open, ask: Callable[[float], Verdict]) -> Verdict:
        """Open an account; if that takes a write, the growth loses to it and is asked for anew."""
        try:
            behind = await self.opener.open(what)
        except ClusterError as error:
            if error.status == CONFLICT:  # so will the growth
                return Admit(reserved=False)
            return TryLater(reason=f"this namespace could not be opened: {error}")
        return Admit(reserved=False, behind=behind) if behind else await self._settle(ask, "usage")

    async def _tighten(self, asked: UsageReview, verdict: Tighten, *, until: float) -> bytes:
        """Write the tightening, see it arrive, refuse: the API server judges one by one."""
        ledger, begun = self.live.world.ledger, self.live.clock()
        key = (asked.old.namespace, asked.old.scopes)
        limited_by = explain.limited_by(verdict.limits)
        write = effect.PatchManagedStatus(
            namespace=verdict.namespace,
            quota=verdict.quota,
            resource_version=verdict.resource_version,
            hard=verdict.hard,
            used=verdict.used,
            annotations={
                names.ANNOTATION_LIMITED_BY: limited_by,
                # The retry is granted one by one: it would wait for the account to be opened.
                **({names.ANNOTATION_EPOCH: str(ledger.epoch)} if asked.old.epoch is None else {}),
                **managed.slice_to_annotations(EMPTY, verdict.returned),
            },
        )
        try:
            written = managed.parse(await self.apply(write))
        except ClusterError as error:
            ledger.release_hold(key)
            if 400 <= error.status < 500:  # it was not carried out
                ledger.tightenings.lost(key, verdict.resource_version)
        else:
            self.listener.refused(asked.old.namespace, verdict.limits)
            version = written.resource_version
            await self._until_admission_sees(asked.old, version=version, until=until)
            # On a busy machine the retry takes its time as this write did.
            now = self.live.clock()
            ledger.hold_until(key, now + max(ledger.timing.retry, 3 * (now - begun)))
        return review.refuse(asked.uid, explain.exceeded(asked.old.namespace, verdict.limits))

    async def _until_admission_sees(
        self, quota: ManagedQuota, *, version: int, until: float
    ) -> None:
        """Wait for the API server's own watch: with an old object its four tries are soon over."""
        while self.live.clock() < until:
            seen = await self.lookout(quota.namespace, quota.name)
            if seen is None:
                await asyncio.sleep(min(LAG, max(0.0, until - self.live.clock())))
                return
            if seen >= version:
                return
            await asyncio.sleep(LOOK_AGAIN)


def named(verdict: Verdict) -> tuple[str, str]:
    """Return a settled verdict as metrics name it, and its cause where it has one."""
    match verdict:
        case Admit(behind=behind):
            return ("lost" if behind else "admit", "")
        case Deny():
            return ("deny", "")
        case Refuse():
            return ("refuse", "")
        case Tighten():
            return ("tighten", "")
        case Open():
            return ("open", "")
        case TryLater(cause=cause) | Wait(cause=cause):
            return ("later", cause.value)
        case _:
            assert_never(verdict)


def answer(uid: Uid, namespace: Namespace, verdict: Verdict) -> bytes:
    """Return a settled verdict as the answer to a review; the forgotten path refuses."""
    match verdict:
        case Admit():
            return review.allow(uid)
        case Deny():
            return review.refuse(uid, explain.refusal(namespace, verdict))
        case Refuse():
            return review.refuse(uid, verdict.message)
        case TryLater():
            return review.later(uid, verdict.reason)
        case Wait() | Open() | Tighten():
            return review.later(uid, "this was not decided in time")
        case _:
            assert_never(verdict)
