"""Capsule (`capsule.clastix.io/v1beta2`): a Tenant becomes a parent of its namespaces.

A tenant is no namespace: one is made that stands for it. A GlobalResourceQuota is a quota over the
namespaces that its selectors pick; where those are just a tenant's, it becomes a quota of that.
"""

from __future__ import annotations

from typing import Final

from quotatree.codec import fields
from quotatree.importers import draft, selectors
from quotatree.importers.draft import Link, Note, Part, StandIn
from quotatree.importers.objects import Object, Objects, name_of, source_of

GROUP: Final = "capsule.clastix.io"
LABEL_TENANT: Final = f"{GROUP}/tenant"


def read(objects: Objects) -> Part:
    """Return tenants with their namespaces, and the quotas over sets of namespaces."""
    return draft.join(
        (
            *(_tenant(obj, objects) for obj in objects.of(GROUP, "Tenant")),
            *(_global(obj, objects) for obj in objects.of(GROUP, "GlobalResourceQuota")),
            *(_pool(obj) for obj in objects.of(GROUP, "ResourcePool")),
        )
    )


def _tenant(obj: Object, objects: Objects) -> Part:
    spec, source, name = fields.mapping(obj, "spec"), source_of(obj), name_of(obj)
    stand_in = StandIn(key=f"tenant/{name}", name=name, suffix="tenant", source=source)
    members = _members(obj, objects)
    quotas = fields.mapping(spec, "resourceQuotas")
    each = fields.text(quotas, "scope") == "Namespace"
    limits = [
        draft.limit(item, node=node, name=f"item-{index}", source=source, subtree=not each)
        for index, item in enumerate(fields.items(quotas, "items"))
        for node in (members if each else [stand_in.key])
    ]
    notes: list[Note] = []
    if each:
        message = "spec.resourceQuotas of each namespace: a new namespace of the tenant gets none"
        notes.append(Note(source=source, message=message))
    options = fields.mapping(spec, "namespaceOptions")
    if "quota" in options:
        message = f"spec.namespaceOptions.quota: {options['quota']} namespaces; none are counted"
        notes.append(Note(source=source, message=message))
    others = [f"spec.{key}" for key in spec if key not in ("resourceQuotas", "namespaceOptions")]
    notes += draft.ignored(source, others, why="no quotas; they stay Capsule's")
    links = tuple(Link(child=child, parent=stand_in.key, source=source) for child in members)
    own = Part(stand_ins=(stand_in,), links=links, notes=tuple(notes))
    return draft.join((own, *limits))


def _members(obj: Object, objects: Objects) -> list[str]:
    named = fields.texts(fields.mapping(obj, "status"), "namespaces")
    labelled = [
        name
        for name, facts in objects.namespaces().items()
        if facts.labels.get(LABEL_TENANT) == name_of(obj)
    ]
    return sorted({*named, *labelled})


def _global(obj: Object, objects: Objects) -> Part:
    spec, source, name = fields.mapping(obj, "spec"), source_of(obj), name_of(obj)
    wanted = list(fields.items(spec, "namespaceSelectors"))
    members = frozenset(
        namespace
        for namespace, facts in objects.namespaces().items()
        if any(selectors.matches(selector, facts.labels) for selector in wanted)
    )
    return draft.selection(
        StandIn(key=f"globalresourcequota/{name}", name=name, suffix="quota", source=source),
        members,
        draft.limit(
            fields.mapping(spec, "quota"),
            node=f"globalresourcequota/{name}",
            name=name,
            source=source,
        ),
    )


def _pool(obj: Object) -> Part:
    message = "claims on a pool have no counterpart; give each namespace a guarantee instead"
    return Part(notes=(Note(source=source_of(obj), message=message),))
