"""What has to be written so that the cluster says what the world means.

Each plan is a pure function of the world for one namespace; equal worlds give equal effects in
the same order, and a world in which everything is written gives none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from quotatree.engine import recount, room
from quotatree.engine.world import World
from quotatree.model import names, scope
from quotatree.model.effect import (
    CreateManaged,
    DeleteManaged,
    Effect,
    PatchManaged,
    PatchManagedStatus,
    PatchNamespace,
    Remember,
    SetFinalizer,
    SetOwner,
)
from quotatree.model.names import Namespace
from quotatree.model.observed import Lifecycle, ManagedQuota, ObservedNamespace
from quotatree.model.quota import Quota
from quotatree.model.scope import UNSCOPED, ScopeSet
from quotatree.units import resource_names
from quotatree.units.resources import EMPTY, Resources

WIDE: Final = (10**18 * 10**9, 2**60 * 10**9)
"""The hard of every key, decimal and binary (1E and 1Ei, in 10⁻⁹): measured, not limited.

A ceiling there would refuse requests one by one while others, counted before them, are yet to be
refused by an ancestor: `docs/decisions/0004-native-quota-measures-only.md`.
"""


def plan_namespace(world: World, name: Namespace) -> tuple[Effect, ...]:
    """Return what is to be written for one namespace."""
    seen = world.namespaces.get(name)
    if seen is None:
        return ()
    if seen.terminating:
        return (*_fence(world, name), *_farewell(world, seen))
    marks = _marks(world, seen, enforced=_stands(world, name))
    return (*_managed(world, name), *marks, *_ownership(world, seen))


# -- managed ResourceQuotas -------------------------------------------------------------------


def wanted_hard(world: World, name: Namespace) -> dict[ScopeSet, Resources]:
    """Return spec.hard of every managed ResourceQuota that a namespace is to have."""
    if not world.in_tree(name):
        return {}
    path = world.ledger.forest.path(name)
    return {
        scopes: wide(measured_names(room.ceilings(world.ledger.forest.get(name), scopes)))
        for scopes in sorted({UNSCOPED} | world.limits.scope_sets(path))
    }


def measured_names(limited: Iterable[str]) -> set[str]:
    """Return `limited`, and a count of each kind that it measures.

    Only a count tells that a growth is one request's alone, and one alone is refused in our own
    words, which name the ancestor, without a tightening.
    """
    wanted = set(limited)
    for kind in {resource_names.counted_kind(name) for name in wanted} - {None}:
        counts = resource_names.counts_of(kind or "")
        if wanted.isdisjoint(counts):
            wanted.update(counts[:1])
    return wanted


def wide(resources: Iterable[str]) -> Resources:
    """Return a hard that lets native admission measure each of `resources` and limit none."""
    return Resources.from_nano({r: WIDE[resource_names.is_binary(r)] for r in resources})


def _managed(world: World, name: Namespace) -> Iterator[Effect]:
    wanted = wanted_hard(world, name)
    found = world.managed.get(name, {})
    kept = {scope.managed_name(scopes): scopes for scopes in wanted}
    for quota in sorted(found):
        # Scopes cannot be changed: an impostor of that name measures something else.
        stays = quota in kept and kept[quota] == found[quota].scopes
        later = (found[quota].epoch or 0) > world.ledger.epoch  # of a leader that came after us
        if not stays and not later and not found[quota].terminating:
            yield DeleteManaged(namespace=name, quota=quota, uid=found[quota].uid)
    corrections = [
        what for scopes, hard in wanted.items() for what in _stand(world, name, scopes, hard=hard)
    ]
    yield from corrections
    if wanted and not corrections and all(quota in found for quota in kept):
        yield from _open_gate(found, wanted)


def _stand(world: World, name: Namespace, scopes: ScopeSet, *, hard: Resources) -> Iterator[Effect]:
    """Put up the managed ResourceQuota of one scope set, or put it right."""
    quota = scope.managed_name(scopes)
    seen = world.managed.get(name, {}).get(quota)
    if seen is None:
        yield CreateManaged(
            namespace=name,
            quota=quota,
            scopes=scopes,
            hard=hard,
            limits=_limits(world, name) if scopes == UNSCOPED else (),
            failure_policy=world.limits.failure_policy(world.ledger.forest.path(name), scopes),
        )
    elif seen.scopes == scopes:  # else it is created again when the impostor is gone
        yield from _correct(world, seen, hard)


def _fence(world: World, name: Namespace) -> Iterator[Effect]:
    """Fence what nothing else is written to any more: until then its whole tree waits."""
    for seen in world.managed.get(name, {}).values():
        if seen.epoch is not None and seen.epoch < world.ledger.epoch:
            yield PatchManaged(
                namespace=name,
                quota=seen.name,
                resource_version=seen.resource_version,
                annotations={names.ANNOTATION_EPOCH: str(world.ledger.epoch)},
            )


def _correct(world: World, seen: ManagedQuota, hard: Resources) -> Iterator[Effect]:
    if seen.terminating:
        yield from _fence(world, seen.namespace)
        return
    if (seen.epoch or 0) > world.ledger.epoch:
        return  # another leader's
    annotations = _epoch(world, seen)
    limits = _limits(world, seen.namespace) if seen.scopes == UNSCOPED else ()
    remembers = seen.limits == limits
    path = world.ledger.forest.path(seen.namespace)
    policy = world.limits.failure_policy(path, seen.scopes)
    labelled = seen.labelled and seen.failure_policy is policy
    if seen.spec_hard != hard or not labelled or annotations or not remembers:
        yield PatchManaged(
            namespace=seen.namespace,
            quota=seen.name,
            resource_version=seen.resource_version,
            hard=hard,
            dropped=tuple(sorted(set(seen.spec_hard) - set(hard))),
            annotations=annotations,
            limits=None if remembers else limits,
            failure_policy=None if seen.failure_policy is policy else policy,
        )
    elif world.ledger.tightenings.doubts.is_due((seen.namespace, seen.scopes)):
        yield PatchManaged(  # the next plan takes it out again
            namespace=seen.namespace,
            quota=seen.name,
            resource_version=seen.resource_version,
            hard=hard + Resources.from_nano({names.RECOUNT: 10**9}),
        )
    elif lowered := world.ledger.truth.surplus.lowering((seen.namespace, seen.scopes)):
        yield _apply(world, seen, hard, used=Resources.from_nano(lowered))
    elif seen.measured and seen.status_hard != hard and not _tightened(world, seen):
        yield _apply(world, seen, hard)


def _epoch(world: World, seen: ManagedQuota) -> dict[str, str | None]:
    """Fence what another leader may have granted on, and close what has not grown for long."""
    if seen.epoch is not None and seen.epoch != world.ledger.epoch:
        return {names.ANNOTATION_EPOCH: str(world.ledger.epoch)}
    resting = world.ledger.openings.is_resting((seen.namespace, seen.scopes))
    return {names.ANNOTATION_EPOCH: None} if seen.epoch is not None and resting else {}


def _apply(
    world: World, seen: ManagedQuota, hard: Resources, *, used: Resources = EMPTY
) -> PatchManagedStatus:
    """Put down a usage that is too high, and have native admission apply `hard`.

    Not below a tightening that is in force, where there must not be more room than before: native
    admission would charge for requests that it has refused already.
    """
    tight = _tightened(world, seen)
    return PatchManagedStatus(
        namespace=seen.namespace,
        quota=seen.name,
        resource_version=seen.resource_version,
        hard=recount.as_tight(seen, used) if tight else hard,
        used=used,
        dropped=() if tight else tuple(sorted(set(seen.status_hard) - set(hard))),
    )


def _limits(world: World, name: Namespace) -> tuple[Quota, ...]:
    """Return the TreeQuotas that a namespace is to remember: their objects may vanish at once.

    When their kind is deleted, all of them go with it, and whoever leads then or later must still
    know what they said.
    """
    return tuple(quota.asked for quota in world.limits.quotas(name))


def _tightened(world: World, seen: ManagedQuota) -> bool:
    """Whether a `status.hard` below the spec is a tightening of ours that is still wanted."""
    account = world.ledger.account(seen.namespace, seen.scopes)
    return account is not None and account.tightening is not None


def _open_gate(
    found: Mapping[str, ManagedQuota], wanted: Mapping[ScopeSet, Resources]
) -> Iterator[Effect]:
    gate = found[names.MANAGED_QUOTA]
    if gate.ready or not all(found[scope.managed_name(s)].measured for s in wanted):
        return
    yield PatchManaged(
        namespace=gate.namespace,
        quota=gate.name,
        resource_version=gate.resource_version,
        annotations={names.ANNOTATION_READY: "true"},
    )


def _stands(world: World, name: Namespace) -> bool:
    """Whether every key is measured by a managed ResourceQuota that is there, and the gate open.

    Not whether each `status.hard` is the wanted one: it rises and falls with tightenings, and what
    people read on a Namespace is not to flicker with them.
    """
    found = world.managed.get(name, {})
    wanted = {scope.managed_name(s): hard for s, hard in wanted_hard(world, name).items()}
    return bool(wanted) and all(
        quota in found
        and found[quota].measured
        and set(hard) <= set(found[quota].spec_hard)
        and (found[quota].ready or quota != names.MANAGED_QUOTA)
        for quota, hard in wanted.items()
    )


# -- labels and annotations -------------------------------------------------------------------


def wanted_labels(world: World, name: Namespace, *, enforced: bool) -> dict[str, str]:
    """Return the labels of ours that a namespace is to carry."""
    if not world.in_tree(name):
        return {}
    path = world.ledger.forest.path(name)
    labels = {names.tree_label(ancestor): str(depth) for depth, ancestor in enumerate(path)}
    return {**labels, names.LABEL_ENFORCED: "true"} if enforced else labels


def _marks(world: World, seen: ObservedNamespace, *, enforced: bool) -> Iterator[Effect]:
    wanted = wanted_labels(world, seen.name, enforced=enforced)
    ours = {
        key: value
        for key, value in seen.labels.items()
        if key.endswith(names.TREE_LABEL_SUFFIX) or key == names.LABEL_ENFORCED
    }
    labels = _difference(ours, wanted)
    annotations = _counted(seen, world.child_count(seen.name))
    if labels or annotations:
        yield PatchNamespace(
            namespace=seen.name, uid=seen.uid, labels=labels, annotations=annotations
        )


def _counted(seen: ObservedNamespace, children: int) -> dict[str, str | None]:
    """Return what is to be written so that a namespace says how many children it has."""
    key = names.ANNOTATION_CHILDREN
    known = {key: seen.annotations[key]} if key in seen.annotations else {}
    return _difference(known, {key: str(children)} if children else {})


def _difference(old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, str | None]:
    removed: dict[str, str | None] = {key: None for key in sorted(old) if key not in new}
    changed = {key: value for key, value in sorted(new.items()) if old.get(key) != value}
    return {**removed, **changed}


# -- ownership --------------------------------------------------------------------------------


def _ownership(world: World, seen: ObservedNamespace) -> Iterator[Effect]:
    """Own a namespace natively only where it was asked for and its parent allows the cascade.

    The garbage collector takes an owner with another UID for absent and deletes the child: so a
    reference that does not name the living parent is removed at once, unless that parent is just
    being deleted with all that it owns. Our finalizer stands on the parent before the first
    reference to it is written: it cannot vanish unnoticed in between.
    """
    waits = world.awaits_children(seen.name)
    wanted = (
        waits or world.wants_owner(seen.name) or any(True for _ in world.owned_children(seen.name))
    )
    if wanted != (names.FINALIZER_PARENT in seen.finalizers):
        # In one write: who deletes children first comes for the parent a moment later.
        fewer = _counted(seen, world.living_children(seen.name)) if waits else {}
        yield SetFinalizer(namespace=seen.name, uid=seen.uid, present=wanted, annotations=fewer)
    if world.follows(seen):
        yield from _permit(world, seen)
        return
    parent = _owner(world, seen)
    owners = [owner for owner in seen.owners if owner.kind == "Namespace"]
    right = [parent is not None and o.name == parent.name and o.uid == parent.uid for o in owners]
    if parent is None and owners:
        yield SetOwner(namespace=seen.name, uid=seen.uid, parent=None)
    elif parent is not None and right != [True]:
        if names.FINALIZER_PARENT in parent.finalizers:
            yield SetOwner(namespace=seen.name, uid=seen.uid, parent=parent.name)
        elif owners:
            yield SetOwner(namespace=seen.name, uid=seen.uid, parent=None)


def _owner(world: World, seen: ObservedNamespace) -> ObservedNamespace | None:
    if seen.lifecycle is not Lifecycle.OWNED or seen.parent is None:
        return None
    parent = world.namespaces.get(seen.parent)
    if parent is None or parent.terminating or not world.cascades(parent.name):
        return None
    return parent


def _farewell(world: World, seen: ObservedNamespace) -> Iterator[Effect]:
    """Let a terminating namespace go once those that it owns may follow it, or no longer do.

    Children that are already going go first.

    Objects with finalizers may outlive its managed ResourceQuotas for long. They count until the
    Namespace is gone, and a leader that comes after us must know of them.
    """
    waiting = world.awaits_children(seen.name)
    for child in world.owned_children(seen.name):
        if child.terminating:
            continue
        if world.follows(child):
            effects = tuple(_permit(world, child))
        else:
            effects = (SetOwner(namespace=child.name, uid=child.uid, parent=None),)
        waiting = waiting or bool(effects)
        yield from effects
    if not waiting and names.FINALIZER_PARENT in seen.finalizers:
        yield SetFinalizer(namespace=seen.name, uid=seen.uid, present=False)
    if not world.managed.get(seen.name) and (held := world.held(seen.name)) != seen.held:
        yield Remember(namespace=seen.name, uid=seen.uid, held=held)


def _permit(world: World, child: ObservedNamespace) -> Iterator[Effect]:
    """Copy the permission to cascade downwards: without it a child with children is protected."""
    if not world.cascades(child.name):
        annotations = {names.ANNOTATION_CASCADE: "true"}
        yield PatchNamespace(namespace=child.name, uid=child.uid, annotations=annotations)
