"""A cluster of values: carries effects out on a world's own objects; state in, state out.

It measures at once (the native controller's part) and knows no time. It proves nothing about a real
API server; it shows where a plan ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from quotatree.engine import plan
from quotatree.engine.world import World
from quotatree.model import effect, names
from quotatree.model.names import Namespace, Uid
from quotatree.model.observed import ManagedQuota, ObservedNamespace, OwnerReference
from quotatree.testing.words import Versions
from quotatree.units.resources import Resources

MOST_ROUNDS: Final = 50
FIRST_VERSION: Final = 10**12
"""Above every version that a test makes up itself."""


class FakeCluster:
    """Applies plans to a world until nothing is left to be written."""

    def __init__(self, world: World, *, versions: Versions | None = None) -> None:
        self.world = world
        self.versions = versions or Versions()
        self.versions.last = max(self.versions.last, FIRST_VERSION)
        self.written: list[effect.Effect] = []

    def settle(self) -> list[effect.Effect]:
        """Plan and write until every plan is empty; returns what was written.

        Raises:
            AssertionError: the plans never end.
        """
        begin = len(self.written)
        effects: list[effect.Effect] = []
        for _ in range(MOST_ROUNDS):
            effects = [
                what
                for name in sorted(self.world.namespaces)
                for what in plan.plan_namespace(self.world, name)
            ]
            if not effects:
                return self.written[begin:]
            for what in effects:
                self.carry_out(what)
        raise AssertionError(f"plans do not end: {effects}")

    def carry_out(self, what: effect.Effect) -> None:
        """Do one effect to the world's objects."""
        self.written.append(what)
        match what:
            case effect.PatchNamespace():
                seen = self.world.namespaces[what.namespace]
                self._see(
                    replace(
                        seen,
                        labels=_merged(seen.labels, what.labels),
                        annotations=_merged(seen.annotations, what.annotations),
                    )
                )
            case effect.Remember():
                self._see(replace(self.world.namespaces[what.namespace], held=what.held))
            case effect.SetOwner():
                self._set_owner(what)
            case effect.SetFinalizer():
                seen = self.world.namespaces[what.namespace]
                kept = tuple(f for f in seen.finalizers if f != names.FINALIZER_PARENT)
                added = (names.FINALIZER_PARENT,) if what.present else ()
                annotations = _merged(seen.annotations, what.annotations)
                self._see(replace(seen, finalizers=kept + added, annotations=annotations))
            case effect.CreateManaged():
                self._create(what)
            case effect.PatchManaged() | effect.PatchManagedStatus():
                self._patch(what)
            case effect.WriteSlice():
                self._slice(what)
            case effect.DeleteManaged():
                self.world.lose_managed(self.world.managed[what.namespace][what.quota])
            case effect.WriteStatus() | effect.Emit() | effect.GateKinds():
                pass

    def delete(self, name: Namespace) -> None:
        """Let a Namespace be gone."""
        self.world.lose_namespace(name, self.versions.next())

    def _see(self, seen: ObservedNamespace) -> None:
        self.world.see_namespace(replace(seen, resource_version=self.versions.next()))

    def _set_owner(self, what: effect.SetOwner) -> None:
        seen = self.world.namespaces[what.namespace]
        owners: tuple[OwnerReference, ...] = ()
        if what.parent is not None:
            uid = self.world.namespaces[what.parent].uid
            owners = (OwnerReference(name=what.parent, uid=uid),)
        self._see(replace(seen, owners=owners))

    def _create(self, what: effect.CreateManaged) -> None:
        self.world.see_managed(
            ManagedQuota(
                namespace=what.namespace,
                name=what.quota,
                uid=Uid(f"uid-{what.namespace}-{self.versions.next()}"),
                resource_version=self.versions.next(),
                scopes=what.scopes,
                spec_hard=what.hard,
                status_hard=what.hard,
                used=Resources.from_nano(dict.fromkeys(what.hard, 0)),
                limits=what.limits,
                failure_policy=what.failure_policy,
            )
        )

    def _patch(self, what: effect.PatchManaged | effect.PatchManagedStatus) -> None:
        seen = self.world.managed[what.namespace][what.quota]
        if seen.resource_version != what.resource_version:
            return
        hard = seen.status_hard if what.hard is None else what.hard
        used = {**dict.fromkeys(hard, 0), **seen.used.mask(hard).nanos()}
        spec, limits, policy = seen.spec_hard, seen.limits, seen.failure_policy
        if isinstance(what, effect.PatchManaged):
            spec = hard if what.hard is not None else spec
            limits = limits if what.limits is None else what.limits
            policy = what.failure_policy or policy
        epoch = what.annotations.get(names.ANNOTATION_EPOCH)
        self.world.see_managed(
            replace(
                seen,
                resource_version=self.versions.next(),
                spec_hard=spec,
                status_hard=hard,
                used=Resources.from_nano(used),
                epoch=seen.epoch if epoch is None else int(epoch),
                ready=seen.ready or what.annotations.get(names.ANNOTATION_READY) == "true",
                labelled=True,
                limits=limits,
                failure_policy=policy,
            )
        )

    def _slice(self, what: effect.WriteSlice) -> None:
        seen = self.world.managed[what.namespace][what.quota]
        if seen.resource_version == what.resource_version:
            version = self.versions.next()
            self.world.see_managed(replace(seen, resource_version=version, slice=what.slice))


def _merged(old: Mapping[str, str], new: Mapping[str, str | None]) -> dict[str, str]:
    return {key: value for key, value in {**old, **new}.items() if value is not None}
