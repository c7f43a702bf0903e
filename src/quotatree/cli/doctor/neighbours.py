"""Who else limits the namespaces of the tree, and which pods native admission refuses there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from quotatree.cli.doctor.rules import Check, found
from quotatree.cli.doctor.standing import Look
from quotatree.codec import charges, defaults, fields
from quotatree.codec.findings import some
from quotatree.importers import convert, native, objects
from quotatree.importers.draft import Part
from quotatree.importers.objects import Object, Objects
from quotatree.model.names import Namespace
from quotatree.model.report import Item

_SILENT_POD: Final = {"spec": {"containers": [{"name": "any"}]}}
"""A pod that says nothing about its resources."""


def others(look: Look, foreign: Objects) -> Check:
    """Check who else limits: further ResourceQuotas, and the other tools' objects."""
    members = set(look.members())
    items = [
        *_quotas(foreign.of("", "ResourceQuota"), members),
        *(
            item
            for tool, read in convert.READERS.items()
            if tool != "resourcequota"
            for item in _tool(tool, read(foreign), members)
        ),
    ]
    summary = f"{len(items)} limit namespaces of the tree" if items else "nobody else limits"
    return Check(name="others", summary=summary, items=tuple(items))


def _quotas(found_: Sequence[Object], members: set[Namespace]) -> Iterator[Item]:
    for obj in found_:
        namespace = Namespace(objects.namespace_of(obj))
        maker = native.maker(obj)
        if namespace not in members or maker == "quotatree":
            continue
        hard = sorted(fields.mapping(fields.mapping(obj, "spec"), "hard"))
        whose = f", made by {maker}" if maker else ""
        yield found(
            "other-quota",
            f"it limits {some(hard)} there too{whose}: the tighter limit wins",
            remedy="move its limits into a TreeQuota (quotatree import) and delete it",
            subject=objects.source_of(obj),
            namespace=namespace,
        )


def _tool(tool: str, part: Part, members: set[Namespace]) -> Iterator[Item]:
    limited = {limit.node for limit in part.limits}
    limited |= {member for one in part.selections for member in one.members}
    grown = True
    while grown:
        below = {link.child for link in part.links if link.parent in limited} - limited
        limited |= below
        grown = bool(below)
    both = sorted(limited & members)
    if both:
        count = f"{len(both)} namespace{'' if len(both) == 1 else 's'}"
        yield found(
            "other-tool",
            f"{tool} limits {count} of the tree as well: {some(both)}",
            remedy=f"carry its limits over (quotatree import --from {tool}), then remove those",
            subject=tool,
        )


def requests(look: Look, limit_ranges: Mapping[str, Sequence[Mapping[str, Any]]]) -> Check:
    """Check for namespaces where native admission refuses pods that do not say what they ask."""
    members = set(look.members())
    items = []
    for quota in sorted(look.seen.managed, key=lambda q: (q.namespace, q.name)):
        if quota.namespace not in members:
            continue
        known = defaults.gather(limit_ranges=limit_ranges.get(quota.namespace, ()))
        pod = charges.of_resource("pods", _SILENT_POD, defaults=known)
        missing = sorted(set(pod.unspecified) & set(quota.spec_hard))
        if missing and pod.matches(quota.scopes):
            items.append(
                found(
                    "requests-required",
                    f"pods that do not say how much {some(missing)} they want are refused",
                    remedy="add a LimitRange with defaults for containers",
                    subject=f"namespace/{quota.namespace}",
                    namespace=quota.namespace,
                )
            )
    count = len({item.namespace for item in items})
    summary = f"needed in {count} of {len(members)} namespaces, without a default"
    return Check(name="pod requests", summary=summary, items=tuple(items))
