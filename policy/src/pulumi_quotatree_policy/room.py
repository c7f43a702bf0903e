"""Replicas times requests beyond the room of the tree: what the webhook would refuse, at preview.

The engine is asked about the growth of each namespace, parents first, each on top of what was
granted before it. How much of a workload runs already is what its own status says; and whatever
that says, a namespace will hold at least what the program plans for it. At the end of an update
everything is there, and only that remains to be asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pulumi_quotatree_policy import forecast, plain
from pulumi_quotatree_policy.finding import Finding
from pulumi_quotatree_policy.forecast import Forecast
from pulumi_quotatree_policy.planned import Planned
from pulumi_quotatree_policy.question import Question, not_known, opaque
from quotatree.codec import quotas
from quotatree.engine import explain, whatif
from quotatree.model import scope
from quotatree.model.names import LABEL_PARENT, Namespace
from quotatree.model.scope import ScopeSet
from quotatree.model.workload import Workload
from quotatree.units.resources import EMPTY, Resources

_RUNNING: Final = ("replicas", "active")
_ENDED: Final = frozenset({"Failed", "Succeeded"})
_SHOWN: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class _Load:
    """One object of the program with what it leads to."""

    planned: Planned
    workload: Workload
    made: bool

    def cost(self, scopes: ScopeSet, names: Sequence[str]) -> Resources:
        """Return what all of it costs."""
        return self.workload.cost(scopes, names)

    def growth(self, scopes: ScopeSet, names: Sequence[str]) -> Resources:
        """Return what is not there yet."""
        whole = self.cost(scopes, names)
        if self.made:
            return EMPTY
        if not self.planned.exists:
            return whole
        pods, running = self.workload.pods, _running(self.planned, self.workload.pods)
        if running >= pods:
            return EMPTY
        there = {name: nano * running // pods for name, nano in whole.nanos().items()}
        return whole - Resources.from_nano(there)


def judge(question: Question) -> Iterator[Finding]:
    """Yield each namespace whose planned workloads do not fit, and all that cannot be told."""
    cast = forecast.make(question.plan, question.state)
    yield from _not_known(question)
    yield from _misplaced(question, cast)
    yield from _promised(question, cast)
    by_namespace: dict[Namespace, list[_Load]] = {}
    for it, found in question.plan.workloads():
        if not question.concerns(it):
            continue
        yield from _uncounted(it, found)
        if it.namespace is None:
            yield from not_known(it, ["metadata.namespace"], "whether it fits")
        else:
            load = _Load(planned=it, workload=found, made=question.made)
            by_namespace.setdefault(it.namespace, []).append(load)
    for name in sorted(by_namespace, key=lambda it: cast.path(it)[::-1]):
        yield from _tree(name, by_namespace[name], cast)
        yield from _own_quotas(name, by_namespace[name], question)
    yield from opaque(question, "what it costs")


# -- the tree ---------------------------------------------------------------------------------


def _tree(name: Namespace, loads: Sequence[_Load], cast: Forecast) -> Iterator[Finding]:
    for scopes in cast.scope_sets(name):
        names = cast.limited(name, scopes)
        used = {resource: cast.used(name, scopes, resource) for resource in names}
        growth = _growth(loads, scopes, used=used)
        limits = whatif.obstacles(cast.world, (name, scopes), growth)
        if not limits:
            whatif.hold(cast.world, (name, scopes), growth)
            uncounted = cast.uncounted(name, scopes, growth)
            yield from _unmeasured(name, loads[0].planned.urn, uncounted, scopes=scopes)
            continue
        resource = str(explain.nearest(limits)[0].resource)
        message = f"{explain.exceeded(name, limits)}{_scoped(scopes)}"
        yield _beyond(message, loads, scopes, resource=resource)
    if any(load.workload.pods for load in loads):
        yield from _unseen(name, loads[0].planned.urn, cast)


def _unseen(name: Namespace, urn: str, cast: Forecast) -> Iterator[Finding]:
    """Yield that a namespace lies under one of which nothing is known."""
    stranger = cast.stranger_above(name)
    if stranger is not None:
        what = f"namespace {stranger} is neither in this program nor in a state; configure `state`"
        message = f"namespace {name}: whether it fits above {stranger} cannot be told: {what}"
        yield Finding(urn=urn, message=message, unknown=True)


def _unmeasured(
    name: Namespace,
    urn: str,
    uncounted: Mapping[Namespace, Sequence[str]],
    *,
    scopes: ScopeSet,
) -> Iterator[Finding]:
    """Yield that limits are new, and how much of them is taken already is in no state."""
    if uncounted:
        others = sorted(uncounted)
        more = f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
        resources = sorted({r for missing in uncounted.values() for r in missing})
        message = (
            f"namespace {name}: whether it fits cannot be told: {', '.join(resources)}"
            f"{_scoped(scopes)} would be limited for the first time, and the state does not say "
            f"what {', '.join(others[:_SHOWN])}{more} use of it; `quotatree plan` counts it"
        )
        yield Finding(urn=urn, message=message, unknown=True)


def _growth(loads: Sequence[_Load], scopes: ScopeSet, *, used: Mapping[str, int]) -> dict[str, int]:
    """Return by how much a namespace grows in the resources that `used` names."""
    total, growth = EMPTY, EMPTY
    for load in loads:
        total += load.cost(scopes, tuple(used))
        growth += load.growth(scopes, tuple(used))
    found = {r: max(growth.nano(r), nano - used[r]) for r, nano in total.nanos().items()}
    return {resource: nano for resource, nano in found.items() if nano > 0}


def _running(it: Planned, pods: int) -> int:
    """Return how many of its pods are there by its status; all, where it does not say."""
    if it.kind == ("", "Pod"):
        return 0 if plain.text(it.obj, "status", "phase") in _ENDED else 1
    for key in _RUNNING:
        found = plain.part(it.obj, "status", key)
        if isinstance(found, int):
            return found
    # A controller that has seen it leaves zero out; else the status is from before it ran, or of
    # another kind, and what it led to is in the usage of the namespace.
    seen = isinstance(plain.part(it.obj, "status", "observedGeneration"), int)
    return 0 if seen else pods


def _misplaced(question: Question, cast: Forecast) -> Iterator[Finding]:
    """Yield the namespaces that cannot be put where the program wants them."""
    said = question.plan.named_namespaces()
    for refused in cast.refused:
        urn = said[refused.namespace][0].urn if refused.namespace in said else ""
        circle = cast.circle(refused.namespace)
        yield Finding(urn=urn, message=_circular(circle) if circle else refused.reason)


def _circular(circle: Sequence[Namespace]) -> str:
    return (
        f"namespace {circle[0]} is below itself: {' > '.join(circle)}; give one of them another "
        "parent, or none"
    )


# -- guarantees -------------------------------------------------------------------------------


def _promised(question: Question, cast: Forecast) -> Iterator[Finding]:
    """Yield the guarantees of the program that would wait for room, and those of which none knows.

    A component sees its own tree only; here those of all components and of the cluster meet.
    """
    for it in question.plan.tree_quotas():
        if it.namespace is None or not question.concerns(it):
            continue
        quota = quotas.parse(it.obj)
        if not quota.guaranteed:
            continue
        limits = cast.world.limits.obstacles(it.namespace, quota.scopes)
        if limits:
            where = explain.nearest(limits)[0].ancestor
            message = (
                f"the guarantee of namespace {it.namespace}{_scoped(quota.scopes)} would wait: "
                f"{explain.guarantee_pending(limits)}; lower it, free that much below {where}, or "
                f"raise {where}"
            )
            yield Finding(urn=it.urn, message=message)
            continue
        uncounted = cast.uncounted(it.namespace, quota.scopes, tuple(quota.guaranteed))
        yield from _unmeasured(it.namespace, it.urn, uncounted, scopes=quota.scopes)
        yield from _unseen(it.namespace, it.urn, cast)


# -- plain quotas -----------------------------------------------------------------------------


def _own_quotas(name: Namespace, loads: Sequence[_Load], question: Question) -> Iterator[Finding]:
    """Yield the ResourceQuotas of the program that its own workloads are beyond."""
    for it in question.plan.resource_quotas():
        if it.namespace != name:
            continue
        quota = quotas.parse(it.obj)
        total = EMPTY
        for load in loads:
            total += load.cost(quota.scopes, tuple(quota.hard))
        beyond = total.exceeding(quota.hard)
        if beyond:
            message = (
                f"exceeded quota: {it.name}, planned: {total.mask(beyond)}, limited: "
                f"{quota.hard.mask(beyond)} (ResourceQuota of namespace {name} in this program)"
            )
            yield _beyond(message, loads, quota.scopes, resource=beyond[0])


def _beyond(message: str, loads: Sequence[_Load], scopes: ScopeSet, *, resource: str) -> Finding:
    """Return the violation, with the workloads that take most of what is exceeded."""
    shares = sorted(
        ((load.cost(scopes, [resource]).nano(resource), load) for load in loads),
        key=lambda it: (-it[0], it[1].planned.urn),
    )
    listed = [
        f"{load.planned.label} {explain.amount(resource, share)}"
        + (f" ({load.workload.pods} pods)" if load.workload.pods > 1 else "")
        for share, load in shares[:_SHOWN]
        if share
    ]
    more = sum(1 for share, _ in shares[_SHOWN:] if share)
    others = f" and {more} more" if more else ""
    return Finding(
        urn=shares[0][1].planned.urn,
        message=f"{message}. Planned {resource}: {', '.join(listed)}{others}; lower replicas or "
        "requests, or raise the limit",
    )


def _scoped(scopes: ScopeSet) -> str:
    return f" [{scope.describe(scopes)}]" if scopes else ""


# -- what cannot be told ----------------------------------------------------------------------


def _not_known(question: Question) -> Iterator[Finding]:
    for it in (*question.plan.tree_quotas(), *question.plan.resource_quotas()):
        places = (*it.unknown("spec"), *it.unknown("metadata"))
        yield from not_known(it, places, "how much it limits")
    for it in question.plan.objects:
        if it.kind == ("", "Namespace"):
            labels = it.unknown("metadata", "labels")
            parent = [p for p in labels if p.endswith("labels") or LABEL_PARENT in p]
            yield from not_known(it, parent, "what it lies under")


def _uncounted(it: Planned, found: Workload) -> Iterator[Finding]:
    if found.pods or any(part.charge.amounts for part in found.parts):
        yield from not_known(it, it.unknown("spec"), "what it costs")
    for reason in found.unknown:
        yield Finding(urn=it.urn, message=f"{it.label}: {reason}", unknown=True)
