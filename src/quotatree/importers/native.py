"""Plain ResourceQuotas (`v1`): a quota on the one namespace that each of them lies in."""

from __future__ import annotations

from typing import Final

from quotatree.codec import fields, managed
from quotatree.importers import draft
from quotatree.importers.draft import Note, Part
from quotatree.importers.objects import Object, Objects, name_of, namespace_of, source_of

_MAKERS: Final = {
    "hnc.x-k8s.io/": "HNC",
    "capsule.clastix.io/": "Capsule",
    "projectcapsule.dev/": "Capsule",
    "resourcequota.management.cattle.io/": "Rancher",
}
"""Beginning of a label → who made the ResourceQuota from an object of its own."""


def read(objects: Objects) -> Part:
    """Return a quota for each ResourceQuota that somebody wrote by hand."""
    return draft.join(_one(obj) for obj in objects.of("", "ResourceQuota"))


def maker(obj: Object) -> str | None:
    """Return the tool that made a ResourceQuota, None for one that people wrote."""
    metadata = fields.mapping(obj, "metadata")
    labels = fields.mapping(metadata, "labels")
    if managed.is_managed(obj):
        return "quotatree"
    found = (who for prefix, who in _MAKERS.items() for key in labels if key.startswith(prefix))
    return next(found, "HNC" if name_of(obj) == "hrq.hnc.x-k8s.io" else None)


def _one(obj: Object) -> Part:
    source = source_of(obj)
    if who := maker(obj):
        message = f"{who} made it from an object of its own, which is what is imported"
        return Part(notes=(Note(source=source, message=message, lost=False),))
    return draft.limit(
        fields.mapping(obj, "spec"),
        node=namespace_of(obj),
        name=name_of(obj),
        source=source,
        subtree=False,
    )
