"""What the functions of `codec.workloads` share: pods from templates, and what these refer to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from quotatree.codec import charges, fields, kinds, pod_rules, pods
from quotatree.codec.defaults import NONE, Defaults
from quotatree.codec.findings import Path
from quotatree.codec.kinds import KNOWN, Plurals
from quotatree.model.charge import Charge
from quotatree.model.problem import Problem
from quotatree.model.workload import Part
from quotatree.units.quantity import NANO
from quotatree.units.resource_names import DEVICE_CLAIMS
from quotatree.units.resources import Resources

_MAX_COUNT: Final = 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What is known besides the manifest itself."""

    defaults: Defaults = NONE
    plurals: Plurals = field(default_factory=lambda: KNOWN)
    objects: Mapping[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)

    def knowing(self, objects: Iterable[Mapping[str, Any]]) -> Context:
        """Return the context with these objects to be referred to by kind and name."""
        found = {
            (kinds.of(o)[1], fields.text(fields.mapping(o, "metadata"), "name")): o for o in objects
        }
        return replace(self, objects={**self.objects, **found})

    def find(self, kind: str, name: str) -> Mapping[str, Any] | None:
        """Return an object that is referred to, None when it is not here."""
        return self.objects.get((kind, name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Expansion:
    """What a manifest leads to besides its own object.

    `is_object`: the parts are the object itself, which is then not counted once more.
    """

    parts: tuple[Part, ...] = ()
    at_most: int | None = None
    notes: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    is_object: bool = False


def joined(*expansions: Expansion) -> Expansion:
    """Return several expansions as one; a bound on the pods is the caller's to set."""
    return Expansion(
        parts=tuple(p for e in expansions for p in e.parts),
        notes=tuple(dict.fromkeys(n for e in expansions for n in e.notes)),
        unknown=tuple(dict.fromkeys(u for e in expansions for u in e.unknown)),
        problems=tuple(dict.fromkeys(p for e in expansions for p in e.problems)),
    )


def count(parent: Mapping[str, Any], key: str, default: int) -> int:
    """Return a number of replicas; what is no such number counts as the default."""
    found = fields.whole(parent.get(key))
    return default if found is None else min(found, _MAX_COUNT)


def plain(resource: str, role: str, number: int = 1) -> Part:
    """Return objects that cost nothing but their count."""
    amounts = Resources.from_nano(dict.fromkeys(kinds.counts(resource), NANO))
    charge = Charge(resource=resource, amounts=amounts)
    return Part(role=role, charge=charge, count=number, total=number)


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A pod template, where it stands, and what its pods are to the workload."""

    body: Mapping[str, Any]
    path: Path
    role: str


def replicas(
    template: Template, context: Context, *, number: int, total: int | None = None
) -> Expansion:
    """Return `number` pods of a template, with the claims that each of them brings."""
    total = number if total is None else max(total, number)
    spec = fields.mapping(template.body, "spec")
    pod = {"metadata": fields.mapping(template.body, "metadata"), "spec": spec}
    charge = pods.charge(pod, defaults=context.defaults)
    found = Expansion(
        parts=(Part(role=template.role, charge=charge, count=number, total=total),),
        problems=pod_rules.problems(spec, (*template.path, "spec")),
        unknown=() if spec else (f"{template.role or 'its pods'}: there is no pod template",),
    )
    extras = [
        _ephemeral_claims(spec, context, role=template.role, number=number),
        _device_claims(spec, context, role=template.role, number=number),
    ]
    return joined(found, *extras)


def claim(body: Mapping[str, Any], context: Context, *, role: str, number: int) -> Part:
    """Return `number` PersistentVolumeClaims made from a template."""
    cost = charges.of_resource(charges.CLAIMS, body, defaults=context.defaults)
    return Part(role=role, charge=cost, count=number, total=number)


def _ephemeral_claims(
    spec: Mapping[str, Any], context: Context, *, role: str, number: int
) -> Expansion:
    """Return the claims of generic ephemeral volumes: each pod has its own."""
    parts = []
    for volume in fields.items(spec, "volumes"):
        body = fields.mapping(fields.mapping(volume, "ephemeral"), "volumeClaimTemplate")
        if body:
            name = f"{role} volume {fields.text(volume, 'name')}".strip()
            parts.append(claim(body, context, role=name, number=number))
    return Expansion(parts=tuple(parts))


def _device_claims(
    spec: Mapping[str, Any], context: Context, *, role: str, number: int
) -> Expansion:
    """Return the ResourceClaims that are made for each pod from templates."""
    parts, unknown = [], []
    for item in fields.items(spec, "resourceClaims"):
        name = fields.text(item, "resourceClaimTemplateName")
        if not name:
            continue
        template = context.find("ResourceClaimTemplate", name)
        if template is None:
            unknown.append(f"ResourceClaimTemplate {name} is not here: its devices are not counted")
            continue
        body = {"spec": fields.mapping(fields.mapping(template, "spec"), "spec")}
        cost = charges.of_resource(DEVICE_CLAIMS, body, defaults=context.defaults)
        title = f"{role} device claim {name}".strip()
        parts.append(Part(role=title, charge=cost, count=number, total=number))
    return Expansion(parts=tuple(parts), unknown=tuple(unknown))
