"""Namespace objects to values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from quotatree.codec import fields
from quotatree.model import names
from quotatree.model.names import Namespace, Uid
from quotatree.model.observed import Lifecycle, ObservedNamespace, OwnerReference

_LIFECYCLES: Final = {kind.value: kind for kind in Lifecycle}


def parse(obj: Mapping[str, Any]) -> ObservedNamespace:
    """Return what quotatree reads of a Namespace; never raises.

    An unknown lifecycle is the default one, which deletes nothing.
    """
    metadata = fields.mapping(obj, "metadata")
    labels = fields.own(fields.mapping(metadata, "labels"))
    return ObservedNamespace(
        name=Namespace(fields.text(metadata, "name")),
        uid=Uid(fields.text(metadata, "uid")),
        resource_version=fields.whole(metadata.get("resourceVersion")) or 0,
        parent=Namespace(labels.get(names.LABEL_PARENT, "")) or None,
        lifecycle=_LIFECYCLES.get(labels.get(names.LABEL_LIFECYCLE, ""), Lifecycle.INDEPENDENT),
        terminating=bool(metadata.get("deletionTimestamp")),
        labels=labels,
        annotations=fields.own(fields.mapping(metadata, "annotations")),
        finalizers=fields.texts(metadata, "finalizers"),
        owners=tuple(_owner(item) for item in fields.items(metadata, "ownerReferences")),
    )


def _owner(item: Mapping[str, Any]) -> OwnerReference:
    return OwnerReference(
        name=fields.text(item, "name"),
        uid=Uid(fields.text(item, "uid")),
        kind=fields.text(item, "kind"),
        api_version=fields.text(item, "apiVersion"),
    )
