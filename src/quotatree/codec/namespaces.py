"""Namespace objects to values, and what quotatree remembers on them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson

from quotatree.codec import fields, quotas
from quotatree.model import names
from quotatree.model.names import Namespace, Uid
from quotatree.model.observed import Held, Lifecycle, ObservedNamespace, OwnerReference
from quotatree.units.resources import Resources

_LIFECYCLES: Final = {kind.value: kind for kind in Lifecycle}


def parse(obj: Mapping[str, Any]) -> ObservedNamespace:
    """Return what quotatree reads of a Namespace; never raises.

    An unknown lifecycle is the default one, which deletes nothing.
    """
    metadata = fields.mapping(obj, "metadata")
    labels = fields.own(fields.mapping(metadata, "labels"))
    annotations = fields.own(fields.mapping(metadata, "annotations"))
    terminating = bool(metadata.get("deletionTimestamp"))
    return ObservedNamespace(
        name=Namespace(fields.text(metadata, "name")),
        uid=Uid(fields.text(metadata, "uid")),
        resource_version=fields.whole(metadata.get("resourceVersion")) or 0,
        parent=Namespace(labels.get(names.LABEL_PARENT, "")) or None,
        lifecycle=_LIFECYCLES.get(labels.get(names.LABEL_LIFECYCLE, ""), Lifecycle.INDEPENDENT),
        terminating=terminating,
        labels=labels,
        annotations=annotations,
        finalizers=fields.texts(metadata, "finalizers"),
        owners=tuple(_owner(item) for item in fields.items(metadata, "ownerReferences")),
        held=held_from_text(annotations.get(names.ANNOTATION_HELD, "")) if terminating else {},
    )


def held_to_text(held: Held) -> str:
    """Return the annotation that remembers what a namespace held; equal values, equal text."""
    entries = [
        {**quotas.scopes_to_dict(scopes), "used": used.to_strings()}
        for scopes, used in sorted(held.items())
    ]
    return orjson.dumps(entries).decode()


def held_from_text(text: str) -> Held:
    """Return what `held_to_text` wrote; never raises, garbage is nothing."""
    try:
        found = orjson.loads(text) if text else []
    except orjson.JSONDecodeError:
        found = []
    return {
        fields.scopes(item): _not_negative(fields.amounts(item, "used"))
        for item in fields.items({"held": found}, "held")
    }


def _not_negative(amounts: Resources) -> Resources:
    return amounts.mask([name for name, nano in amounts.nanos().items() if nano > 0])


def _owner(item: Mapping[str, Any]) -> OwnerReference:
    return OwnerReference(
        name=fields.text(item, "name"),
        uid=Uid(fields.text(item, "uid")),
        kind=fields.text(item, "kind"),
        api_version=fields.text(item, "apiVersion"),
    )
