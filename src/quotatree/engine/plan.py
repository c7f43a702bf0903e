"""What has to be written so that the cluster says what the world means.

Each plan is a pure function of the world for one namespace; equal worlds give equal effects in
the same order, and a world in which everything is written gives none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from quotatree.engine.world import World
from quotatree.model import names, scope
from quotatree.model.effect import (
    CreateManaged,
    DeleteManaged,
    Effect,
    PatchManaged,
    PatchManagedStatus,
    PatchNamespace,
    SetFinalizer,
    SetOwner,
)
from quotatree.model.names import Namespace
from quotatree.model.observed import Lifecycle, ManagedQuota, ObservedNamespace
from quotatree.model.scope import UNSCOPED, ScopeSet
from quotatree.units.resources import Resources

UNLIMITED: Final = 10**18 * 10**9
"""The hard of a key that is only guaranteed: measured, not limited (1E, in 10⁻⁹)."""


def plan_namespace(world: World, name: Namespace) -> tuple[Effect, ...]:
    """Return what is to be written for one namespace."""
    seen = world.namespaces.get(name)
    if seen is None:
        return ()
    if seen.terminating:
        return tuple(_farewell(world, seen))
    managed = tuple(_managed(world, name))
    marks = tuple(_marks(world, seen, enforced=not managed and _stands(world, name)))
    return (*managed, *marks, *_ownership(world, seen))


# -- managed ResourceQuotas -------------------------------------------------------------------


def wanted_hard(world: World, name: Namespace) -> dict[ScopeSet, Resources]:
    """Return spec.hard of every managed ResourceQuota that a namespace is to have."""
    if not world.in_tree(name):
        return {}
    path = world.ledger.forest.path(name)
    return {
        scopes: Resources.from_nano(
            {
                resource: UNLIMITED if hard is None else hard
                for resource, hard in world.ledger.forest.ceilings(name, scopes).items()
            }
        )
        for scopes in sorted({UNSCOPED} | world.limits.scope_sets(path))
    }


def _managed(world: World, name: Namespace) -> Iterator[Effect]:
    wanted = wanted_hard(world, name)
    found = world.managed.get(name, {})
    kept = {scope.managed_name(scopes) for scopes in wanted}
    for quota in sorted(found):
        if quota not in kept and not found[quota].terminating:
            yield DeleteManaged(namespace=name, quota=quota, uid=found[quota].uid)
    for scopes, hard in wanted.items():
        quota = scope.managed_name(scopes)
        if quota in found:
            yield from _correct(world, found[quota], hard)
        else:
            epoch = world.ledger.epoch
            yield CreateManaged(namespace=name, quota=quota, scopes=scopes, hard=hard, epoch=epoch)
    if wanted and all(scope.managed_name(scopes) in found for scopes in wanted):
        yield from _open_gate(found, wanted)


def _correct(world: World, seen: ManagedQuota, hard: Resources) -> Iterator[Effect]:
    if seen.terminating or (seen.epoch or 0) > world.ledger.epoch:
        return  # going, or another leader's
    fenced = seen.epoch == world.ledger.epoch
    annotations = {} if fenced else {names.ANNOTATION_EPOCH: str(world.ledger.epoch)}
    if seen.spec_hard != hard or not seen.labelled or annotations:
        yield PatchManaged(
            namespace=seen.namespace,
            quota=seen.name,
            resource_version=seen.resource_version,
            hard=hard,
            dropped=tuple(sorted(set(seen.spec_hard) - set(hard))),
            annotations=annotations,
        )
    elif seen.measured and seen.status_hard != hard and not _tightened(world, seen):
        yield PatchManagedStatus(
            namespace=seen.namespace,
            quota=seen.name,
            resource_version=seen.resource_version,
            hard=hard,
            dropped=tuple(sorted(set(seen.status_hard) - set(hard))),
        )


def _tightened(world: World, seen: ManagedQuota) -> bool:
    """Whether a `status.hard` below the spec is a tightening of ours that is still wanted."""
    account = world.ledger.account(seen.namespace, seen.scopes)
    return account is not None and account.tightened_at is not None


def _open_gate(
    found: Mapping[str, ManagedQuota], wanted: Mapping[ScopeSet, Resources]
) -> Iterator[Effect]:
    gate = found[names.MANAGED_QUOTA]
    if gate.ready or not all(found[scope.managed_name(s)].measured for s in wanted):
        return
    if any(found[scope.managed_name(s)].spec_hard != hard for s, hard in wanted.items()):
        return
    yield PatchManaged(
        namespace=gate.namespace,
        quota=gate.name,
        resource_version=gate.resource_version,
        annotations={names.ANNOTATION_READY: "true"},
    )


def _stands(world: World, name: Namespace) -> bool:
    """Whether every managed ResourceQuota is there, measured and open."""
    found = world.managed.get(name, {})
    wanted = wanted_hard(world, name)
    return bool(wanted) and all(
        scope.managed_name(scopes) in found and found[scope.managed_name(scopes)].measured
        for scopes in wanted
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
    children = world.child_count(seen.name)
    counted = {names.ANNOTATION_CHILDREN: str(children)} if children else {}
    known = {
        key: value for key, value in seen.annotations.items() if key == names.ANNOTATION_CHILDREN
    }
    labels, annotations = _difference(ours, wanted), _difference(known, counted)
    if labels or annotations:
        yield PatchNamespace(
            namespace=seen.name, uid=seen.uid, labels=labels, annotations=annotations
        )


def _difference(old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, str | None]:
    removed: dict[str, str | None] = {key: None for key in sorted(old) if key not in new}
    changed = {key: value for key, value in sorted(new.items()) if old.get(key) != value}
    return {**removed, **changed}


# -- ownership --------------------------------------------------------------------------------


def _ownership(world: World, seen: ObservedNamespace) -> Iterator[Effect]:
    """Own a namespace natively only where it was asked for and its parent allows the cascade.

    The garbage collector takes an owner with another UID for absent and deletes the child: so a
    reference that does not name the living parent is removed at once.
    """
    parent = _owner(world, seen)
    owners = [owner for owner in seen.owners if owner.kind == "Namespace"]
    right = [parent is not None and o.name == parent.name and o.uid == parent.uid for o in owners]
    if parent is None and owners:
        yield SetOwner(namespace=seen.name, uid=seen.uid, parent=None)
    elif parent is not None and right != [True]:
        yield SetOwner(namespace=seen.name, uid=seen.uid, parent=parent.name)
    wanted = any(True for _ in world.owned_children(seen.name))
    if wanted != (names.FINALIZER_PARENT in seen.finalizers):
        yield SetFinalizer(namespace=seen.name, uid=seen.uid, present=wanted)


def _owner(world: World, seen: ObservedNamespace) -> ObservedNamespace | None:
    if seen.lifecycle is not Lifecycle.OWNED or seen.parent is None:
        return None
    parent = world.namespaces.get(seen.parent)
    if parent is None or parent.terminating or not world.cascades(parent.name):
        return None
    return parent


def _farewell(world: World, seen: ObservedNamespace) -> Iterator[Effect]:
    """Let a terminating namespace go once its owned children may follow it.

    The collector deletes an owned child when its owner is gone; a child that has children itself
    is protected, unless the permission to cascade is copied to it before.
    """
    waiting = False
    for child in world.owned_children(seen.name):
        if world.cascades(seen.name) and not world.cascades(child.name) and not child.terminating:
            waiting = True
            yield PatchNamespace(
                namespace=child.name,
                uid=child.uid,
                annotations={names.ANNOTATION_CASCADE: "true"},
            )
    if not waiting and names.FINALIZER_PARENT in seen.finalizers:
        yield SetFinalizer(namespace=seen.name, uid=seen.uid, present=False)
