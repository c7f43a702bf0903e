"""Is every managed ResourceQuota what it should be, and does it count what there is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import assert_never

from quotatree.cli.doctor.rules import Check, found
from quotatree.codec.findings import some
from quotatree.engine import plan, whatif
from quotatree.engine.survey import Observed
from quotatree.engine.world import World
from quotatree.model import effect, names
from quotatree.model.charge import Charge
from quotatree.model.names import Namespace
from quotatree.model.observed import ManagedQuota
from quotatree.model.report import Item
from quotatree.units import resource_names
from quotatree.units.resources import Resources

CONTROLLER = "the controller puts it right: is it running?"
REPAIR = "quotatree doctor --fix"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The tree as it stood at one moment, with what all objects of its namespaces cost.

    `world` shows what was seen; `counted` are the resources (`<plural>[.<group>]`) whose objects
    were all listed.
    """

    seen: Observed
    world: World
    charges: Mapping[Namespace, tuple[Charge, ...]]
    counted: frozenset[str]

    def members(self) -> list[Namespace]:
        """Return the namespaces of trees, without those that are going."""
        return [
            name
            for name, seen in sorted(self.world.namespaces.items())
            if self.world.in_tree(name) and not seen.terminating
        ]


def world(seen: Observed) -> World:
    """Return the world of the controller that leads: its epoch is the greatest one written."""
    found = whatif.world(seen, epoch=max((m.epoch or 0 for m in seen.managed), default=0))
    found.limits.settle()
    return found


# -- what should be -------------------------------------------------------------------------


def differences(look: Look) -> frozenset[Item]:
    """Return what the controller would change, in words."""
    world = look.world
    items: set[Item] = set()
    for name, seen in world.namespaces.items():
        if seen.terminating:
            continue
        items |= {item for one in plan.plan_namespace(world, name) for item in _words(world, one)}
        items |= set(_unmeasured(world.managed.get(name, {})))
    return frozenset(items)


def _words(world: World, one: effect.Effect) -> Iterator[Item]:
    match one:
        case effect.CreateManaged():
            message = "it is not there, so nothing is measured and nothing may be created"
            yield _quota(one.namespace, one.quota, message, code="quota-missing")
        case effect.DeleteManaged():
            message = "no limit needs it in this form: its name or its scopes are others"
            yield _quota(one.namespace, one.quota, message)
        case effect.PatchManaged() | effect.PatchManagedStatus():
            seen = world.managed[one.namespace][one.quota]
            message = "; ".join(_changes(seen, one))
            yield _quota(one.namespace, one.quota, message)
        case effect.PatchNamespace():
            keys = sorted({*one.labels, *one.annotations})
            yield _namespace(one.namespace, f"{some(keys)} should be another value or absent")
        case effect.SetFinalizer():
            word = "is missing" if one.present else "should be gone"
            yield _namespace(one.namespace, f"the finalizer {names.FINALIZER_PARENT} {word}")
        case effect.SetOwner():
            owner = f"should be {one.parent}" if one.parent else "should have none"
            yield _namespace(one.namespace, f"its owner {owner}")
        case (
            effect.Remember()
            | effect.WriteSlice()
            | effect.AskRecount()
            | effect.WriteStatus()
            | effect.Emit()
            | effect.GateKinds()
        ):
            return  # written about other things than these
        case _:
            assert_never(one)


def _changes(
    seen: ManagedQuota, one: effect.PatchManaged | effect.PatchManagedStatus
) -> Iterator[str]:
    status = isinstance(one, effect.PatchManagedStatus)
    where, before = ("status.hard", seen.status_hard) if status else ("spec.hard", seen.spec_hard)
    if one.hard is not None:
        missing = sorted(set(one.hard) - set(before))
        surplus = sorted(set(before) - set(one.hard))
        others = [n for n in one.hard if n in before and one.hard[n] != before[n]]
        if missing:
            yield f"{where} lacks {some(missing)}"
        if surplus:
            yield f"{where} has {some(surplus)} that nothing limits"
        if others:
            pairs = [f"{n}={before[n]} instead of {one.hard[n]}" for n in sorted(others)]
            yield f"{where} has {some(pairs)}"
    if not status and not seen.labelled:
        yield f"the label {names.LABEL_MANAGED} is missing"
    if isinstance(one, effect.PatchManaged) and one.failure_policy is not None:
        yield (
            f"its growth is judged by failurePolicy {seen.failure_policy.value}, "
            f"its TreeQuotas say {one.failure_policy.value}"
        )
    if isinstance(one, effect.PatchManaged) and one.limits is not None:
        yield f"the annotation {names.ANNOTATION_LIMITS} is not what its TreeQuotas say"
    if names.ANNOTATION_EPOCH in one.annotations:
        epoch = one.annotations[names.ANNOTATION_EPOCH]
        yield f"its epoch is {seen.epoch}, the leader's is {epoch}"
    if names.ANNOTATION_READY in one.annotations:
        yield "it is measured and not marked ready, so nothing may be created"


def _unmeasured(managed: Mapping[str, ManagedQuota]) -> Iterator[Item]:
    for quota in managed.values():
        if not quota.measured:
            missing = sorted(n for n in quota.spec_hard if n not in quota.used)
            message = f"native quota has not measured {some(missing)} yet"
            yield _quota(quota.namespace, quota.name, message)


def _quota(namespace: Namespace, quota: str, message: str, *, code: str = "quota-differs") -> Item:
    return found(
        code,
        message,
        remedy=CONTROLLER,
        subject=f"resourcequota/{quota} -n {namespace}",
        namespace=namespace,
    )


def _namespace(namespace: Namespace, message: str) -> Item:
    return found(
        "namespace-differs",
        message,
        remedy=CONTROLLER,
        subject=f"namespace/{namespace}",
        namespace=namespace,
    )


def quotas(look: Look, wrong: frozenset[Item]) -> Check:
    """Check the managed ResourceQuotas; `wrong` is what was wrong at every look."""
    summary = f"{len(look.seen.managed)} managed in {len(look.members())} namespaces of trees"
    return Check(name="quotas", summary=summary, items=tuple(wrong))


# -- what is counted ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Drift:
    """A usage that differs from what the objects cost, in one resource of one quota."""

    namespace: Namespace
    quota: str
    resource: str
    used: str
    recount: str
    difference: int


def recount(quota: ManagedQuota, costs: tuple[Charge, ...]) -> Resources:
    """Return what a quota should have counted: the sum over all objects of its namespace."""
    total = Resources.from_nano(dict.fromkeys(quota.spec_hard, 0))
    for charge in costs:
        total += charge.within(quota.scopes, quota.spec_hard)
    return total


def drifts(look: Look) -> dict[tuple[Namespace, str, str], Drift]:
    """Return every usage that is not what a recount gives; what was not listed is left out."""
    drifting: dict[tuple[Namespace, str, str], Drift] = {}
    for quota in look.seen.managed:
        if quota.terminating or not quota.measured:
            continue
        real = recount(quota, look.charges.get(quota.namespace, ()))
        for name in sorted(quota.spec_hard):
            difference = quota.used.nano(name) - real.nano(name)
            resources = resource_names.sources(name)
            if difference and resources and look.counted.issuperset(resources):
                drift = Drift(
                    namespace=quota.namespace,
                    quota=quota.name,
                    resource=name,
                    used=str(quota.used[name]),
                    recount=str(real[name]),
                    difference=difference,
                )
                drifting[quota.namespace, quota.name, name] = drift
    return drifting


def lasting(first: Look, second: Look) -> tuple[Drift, ...]:
    """Return the drift that both looks show, by the same amount: not one that is on its way."""
    before, after = drifts(first), drifts(second)
    kept = (d for key, d in after.items() if key in before)
    return tuple(sorted(d for d in kept if d.difference == before[_key(d)].difference))


def _key(drift: Drift) -> tuple[Namespace, str, str]:
    return (drift.namespace, drift.quota, drift.resource)


def usage(
    look: Look, wrong: tuple[Drift, ...], *, repaired: tuple[Drift, ...], unread: Mapping[str, str]
) -> Check:
    """Check the usage; `unread` are the resources that could not be listed, with the reason."""
    items = [
        found(
            "usage-drift",
            f"{d.resource}: used {d.used}, its objects cost {d.recount}",
            remedy=REPAIR,
            subject=f"resourcequota/{d.quota} -n {d.namespace}",
            namespace=d.namespace,
        )
        for d in wrong
    ]
    items += [
        found(
            "usage-repaired",
            f"{d.resource}: counted again, {d.used} became {d.recount}",
            subject=f"resourcequota/{d.quota} -n {d.namespace}",
            namespace=d.namespace,
        )
        for d in repaired
    ]
    items += [found("not-checked", f"{name}: {why}") for name, why in sorted(unread.items())]
    objects = sum(map(len, look.charges.values()))
    summary = f"{objects} objects of {len(look.counted)} kinds recounted"
    return Check(name="usage", summary=summary, items=tuple(items))
