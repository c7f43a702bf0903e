"""Managed ResourceQuotas to values: the measurement of one namespace by the API server.

Runs on every watch event, and on objects whose annotations anybody may have written before the
policies stood: garbage counts as absent, and absent is always the careful reading (no slice, no
epoch, not ready).
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

import orjson

from quotatree.codec import fields, quotas
from quotatree.model import names
from quotatree.model.names import Namespace, Uid
from quotatree.model.observed import ManagedQuota
from quotatree.model.quota import FailurePolicy, Quota
from quotatree.units.resources import EMPTY, Resources

_PREFIX: Final = names.SLICE_PREFIX
_TRUE: Final = "true"


def is_managed(obj: Mapping[str, Any]) -> bool:
    """Whether a ResourceQuota bears a name that is kept for managed ones.

    The name decides, since it cannot change. The label goes with it (policies keep strangers from
    both, the controller puts it back), and is there for selectors, which cannot ask for names.
    """
    name = fields.text(fields.mapping(obj, "metadata"), "name")
    return name == names.MANAGED_QUOTA or name.startswith(names.managed_prefix())


def parse(obj: Mapping[str, Any]) -> ManagedQuota:
    """Return the ResourceQuota as a value; never raises."""
    metadata = fields.mapping(obj, "metadata")
    spec = fields.mapping(obj, "spec")
    status = fields.mapping(obj, "status")
    annotations = fields.mapping(metadata, "annotations")
    labels = fields.mapping(metadata, "labels")
    namespace = Namespace(fields.text(metadata, "namespace"))
    return ManagedQuota(
        namespace=namespace,
        name=fields.text(metadata, "name"),
        uid=Uid(fields.text(metadata, "uid")),
        resource_version=fields.whole(metadata.get("resourceVersion")) or 0,
        scopes=fields.scopes(spec),
        spec_hard=fields.amounts(spec, "hard"),
        status_hard=_counted(fields.amounts(status, "hard")),
        used=_counted(fields.amounts(status, "used")),
        slice=slice_from_annotations(annotations) if annotations else EMPTY,
        epoch=fields.whole(annotations.get(names.ANNOTATION_EPOCH)),
        ready=annotations.get(names.ANNOTATION_READY) == _TRUE,
        limited_by=fields.text(annotations, names.ANNOTATION_LIMITED_BY),
        terminating=bool(metadata.get("deletionTimestamp")),
        labelled=labels.get(names.LABEL_MANAGED) == _TRUE,
        failure_policy=_policy(labels.get(names.LABEL_FAILURE_POLICY)),
        limits=limits_from_text(namespace, fields.text(annotations, names.ANNOTATION_LIMITS)),
    )


def _policy(label: object) -> FailurePolicy:
    """Return what the webhook configuration makes of the label: it selects by one value alone."""
    lenient = label == FailurePolicy.IGNORE.value
    return FailurePolicy.IGNORE if lenient else FailurePolicy.FAIL


def policy_label(policy: FailurePolicy) -> dict[str, str | None]:
    """Return the label that says a failure policy: none for the strict one, as for garbage."""
    lenient = policy is FailurePolicy.IGNORE
    return {names.LABEL_FAILURE_POLICY: policy.value if lenient else None}


def limits_to_text(limits: Iterable[Quota]) -> str | None:
    """Return the annotation that remembers TreeQuotas, None for none; equal values, equal text."""
    entries = [
        {
            "metadata": {"name": q.name, "uid": q.uid, "creationTimestamp": q.created},
            "spec": quotas.spec_to_dict(q),
        }
        for q in limits
    ]
    return orjson.dumps(entries).decode() if entries else None


# Read with every event of the ResourceQuota, and changed as seldom as a limit.
@functools.lru_cache(maxsize=4096)
def limits_from_text(namespace: Namespace, text: str) -> tuple[Quota, ...]:
    """Return what `limits_to_text` wrote; never raises, garbage is nothing."""
    try:
        found = orjson.loads(text) if text else []
    except orjson.JSONDecodeError:
        found = []
    parsed = (quotas.parse(item) for item in fields.items({"limits": found}, "limits"))
    return tuple(replace(quota, namespace=namespace).asked for quota in parsed)


def _counted(amounts: Resources) -> Resources:
    """Leave out what only asks for a recount; it is hardly ever there."""
    return amounts.without([names.RECOUNT]) if names.RECOUNT in amounts else amounts


def slice_from_annotations(annotations: Mapping[str, Any]) -> Resources:
    """Return the slice; a negative part is no slice."""
    found = {
        slice_resource(key): value
        for key, value in annotations.items()
        if key.startswith(_PREFIX) and not (type(value) is str and value.startswith("-"))
    }
    return fields.resources(found) if found else EMPTY


def slice_to_annotations(slice_: Resources, dropped: Iterable[str]) -> dict[str, str | None]:
    """Return the annotations that say `slice_`, and None for those that are to go."""
    written = slice_.to_strings()
    keys = {names.slice_annotation(resource): resource for resource in (*dropped, *written)}
    return {key: written.get(resource) for key, resource in keys.items() if key is not None}


def slice_resource(annotation: str) -> str:
    """Return the resource whose slice the annotation carries.

    In an annotation the first `/` of a resource is `_`: what stands before it is a DNS name or a
    prefix without `_`, so that the first `_` is always that slash again.
    """
    return annotation.removeprefix(_PREFIX).replace("_", "/", 1)
