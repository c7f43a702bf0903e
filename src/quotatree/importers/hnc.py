"""HNC (`hnc.x-k8s.io/v1alpha2`): the hierarchy becomes the tree, each HRQ a quota.

A subnamespace goes with its parent there, if the parent allows it: that is `lifecycle: Owned` here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from quotatree.codec import fields
from quotatree.importers import draft
from quotatree.importers.draft import Dress, Link, Note, Part
from quotatree.importers.objects import Object, Objects, name_of, namespace_of, source_of
from quotatree.model import names

GROUP: Final = "hnc.x-k8s.io"
SUBNAMESPACE_OF: Final = f"{GROUP}/subnamespace-of"

_REFUSED: Final = ("Conflict", "Forbidden")


def read(objects: Objects) -> Part:
    """Return the hierarchy and its quotas."""
    return draft.join(
        (
            *(_anchor(obj) for obj in objects.of(GROUP, "SubnamespaceAnchor")),
            _annotated(objects),
            *(_hierarchy(obj) for obj in objects.of(GROUP, "HierarchyConfiguration")),
            *(_quota(obj) for obj in objects.of(GROUP, "HierarchicalResourceQuota")),
            *(_config(obj) for obj in objects.of(GROUP, "HNCConfiguration")),
        )
    )


def _anchor(obj: Object) -> Part:
    source, state = source_of(obj), fields.text(fields.mapping(obj, "status"), "status")
    if state in _REFUSED:
        message = f"HNC made no namespace of it: its state is {state}"
        return Part(notes=(Note(source=source, message=message),))
    link = Link(child=name_of(obj), parent=namespace_of(obj), source=source, owned=True)
    return Part(links=(link,))


def _annotated(objects: Objects) -> Part:
    """Return the subnamespaces that only the Namespaces tell of, as in a part of a cluster."""
    return Part(
        links=tuple(
            Link(child=name, parent=parent, source=f"namespace/{name}", owned=True)
            for name, facts in sorted(objects.namespaces().items())
            if (parent := facts.annotations.get(SUBNAMESPACE_OF))
        )
    )


def _hierarchy(obj: Object) -> Part:
    spec, node, source = fields.mapping(obj, "spec"), namespace_of(obj), source_of(obj)
    parent = fields.text(spec, "parent")
    allowed = {names.ANNOTATION_CASCADE: "true"} if spec.get("allowCascadingDeletion") else {}
    spread = Dress(
        node=node,
        source=source,
        labels=dict(_pairs(spec, "labels")),
        annotations=dict(_pairs(spec, "annotations")),
        spread=True,
    )
    inherited = bool(spread.labels or spread.annotations)
    own = Dress(node=node, source=source, annotations=allowed)
    message = "labels and annotations are written on each namespace below; later ones get none"
    return Part(
        links=(Link(child=node, parent=parent, source=source),) if parent else (),
        dresses=(spread, own) if inherited else (own,),
        notes=(Note(source=source, message=message, lost=False),) if inherited else (),
    )


def _pairs(spec: Object, key: str) -> Iterator[tuple[str, str]]:
    for item in fields.items(spec, key):
        yield fields.text(item, "key"), fields.text(item, "value")


def _quota(obj: Object) -> Part:
    spec = {"hard": fields.mapping(fields.mapping(obj, "spec"), "hard")}
    return draft.limit(spec, node=namespace_of(obj), name=name_of(obj), source=source_of(obj))


def _config(obj: Object) -> Part:
    message = "quotatree copies no objects from parents to children; what HNC copied stays as it is"
    return Part(notes=(Note(source=source_of(obj), message=message),))
