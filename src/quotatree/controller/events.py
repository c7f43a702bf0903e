"""Events on the objects that people look at, said once in a while and not for every request."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Final

from quotatree.engine import explain, observing, sighted
from quotatree.engine.world import World
from quotatree.model import names
from quotatree.model.effect import Emit
from quotatree.model.names import Namespace
from quotatree.model.observed import ManagedQuota
from quotatree.model.quota import Condition, Quota, QuotaStatus
from quotatree.model.sight import Sight
from quotatree.model.verdict import Limit
from quotatree.units.resources import Resources

MOST_WAITING: Final = 1000
"""Events kept for writing; beyond it the newest are dropped, since each repeats itself."""
MOST_GROWN: Final = 100
"""Namespaces that are told after one count what they would have been refused: each is a write."""


class Recorder:
    """Collects what is to be said; `take` gives it out as effects."""

    def __init__(self, world: World, *, repeat_after: float) -> None:
        self._world = world
        self._repeat_after = repeat_after
        self._waiting: dict[tuple[str, str], Emit] = {}
        self._said: dict[tuple[str, str], float] = {}

    def refused(self, namespace: Namespace, limits: tuple[Limit, ...]) -> None:
        """Note that growth was refused: said on the managed quota, where its figures are."""
        quota = self._world.managed.get(namespace, {}).get(names.MANAGED_QUOTA)
        if quota is None:
            return
        message = f"growth refused by {explain.limited_by(limits)}"
        self._note(_on_managed(quota, "ExceededTreeQuota", message))

    def would_refuse(self, sights: Iterable[Sight]) -> None:
        """Note growth that TreeQuotas would have refused if they did more than observe."""
        sights = tuple(sights)
        for sight in sights:
            if sight.grown:
                self._note(_on_quota(sight.asked, "WouldRefuse", sighted.growth(sight)))
        told = islice(sorted(observing.refusals(sights).items()), MOST_GROWN)
        for namespace, levels in told:
            managed = self._world.managed.get(namespace, {}).get(names.MANAGED_QUOTA)
            if managed is not None:
                words = "; ".join(f"{level}: {','.join(r)}" for level, r in sorted(levels.items()))
                message = f"enforced, growth would have been refused by {words}"
                self._note(_on_managed(managed, "WouldExceedTreeQuota", message))

    def corrected(self, quota: ManagedQuota, used: Resources, said: Resources) -> None:
        """Note that a recount said less than there is, and was put right."""
        self._counter_was_wrong(quota, f"a recount said {said}, and there is {used}")

    def lowered(self, quota: ManagedQuota, used: Resources) -> None:
        """Note that it counted more than there is, and was put right."""
        said = quota.used.mask(used)
        self._counter_was_wrong(quota, f"it counted {said}, and there is {used}")

    def lapsed(self, quota: ManagedQuota) -> None:
        """Note that something was charged for which no object ever came."""
        self._counter_was_wrong(quota, "it counted objects that were never created")

    def _counter_was_wrong(self, quota: ManagedQuota, message: str) -> None:
        self._note(
            Emit(
                namespace=quota.namespace,
                kind="ResourceQuota",
                api_version="v1",
                name=quota.name,
                uid=quota.uid,
                warning=False,
                reason="UsageCorrected",
                message=message,
            )
        )

    def conditions(self, quota: Quota, status: QuotaStatus) -> None:
        """Note the conditions of a TreeQuota that changed."""
        before = {c.type: c for c in quota.status.conditions} if quota.status else {}
        for condition in status.conditions:
            known = before.get(condition.type)
            news = _worth_saying(condition) if known is None else known.status != condition.status
            if news:
                self._note(_of_condition(quota, condition))

    def _note(self, event: Emit) -> None:
        if len(self._waiting) < MOST_WAITING:
            self._waiting.setdefault((event.uid, event.reason), event)

    def take(self, now: float) -> list[Emit]:
        """Return what is to be said now; the same about the same object only after a while."""
        waiting, self._waiting = self._waiting, {}
        self._said = {k: t for k, t in self._said.items() if t + self._repeat_after > now}
        fresh = {key: event for key, event in waiting.items() if key not in self._said}
        self._said.update(dict.fromkeys(fresh, now))
        return list(fresh.values())


def _worth_saying(condition: Condition) -> bool:
    """Whether a condition is said when it is shown for the first time: only what asks for a hand.

    That a new quota is not measured yet is no news.
    """
    return condition.type != "Ready" and _is_bad(condition)


def _is_bad(condition: Condition) -> bool:
    return condition.status == (condition.type in {"Exceeded", "LooserThanAncestor"})


def _of_condition(quota: Quota, condition: Condition) -> Emit:
    message = f"{condition.type}: {condition.message}"
    return _on_quota(quota, condition.reason, message, warning=_is_bad(condition))


def _on_quota(quota: Quota, reason: str, message: str, *, warning: bool = True) -> Emit:
    return Emit(
        namespace=quota.namespace,
        kind="TreeQuota",
        api_version=names.API_VERSION,
        name=quota.name,
        uid=quota.uid,
        warning=warning,
        reason=reason,
        message=message,
    )


def _on_managed(quota: ManagedQuota, reason: str, message: str) -> Emit:
    """Return an Event where the people of a namespace look: it names no figures of others."""
    return Emit(
        namespace=quota.namespace,
        kind="ResourceQuota",
        api_version="v1",
        name=quota.name,
        uid=quota.uid,
        warning=True,
        reason=reason,
        message=message,
    )
