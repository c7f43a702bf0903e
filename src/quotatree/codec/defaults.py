"""What the API server fills in before quota admission measures: by its own and by the cluster's.

The first (limits become requests) needs nothing and is part of `codec.pods`. The second comes from
objects of the cluster, gathered here: LimitRanges of the namespace, the default StorageClass and
PriorityClass, the overhead of RuntimeClasses, and which extended resource a DeviceClass stands for.

Kubernetes 1.36: `SetDefaults_LimitRangeItem` in `pkg/apis/core/v1/defaults.go`, and the admission
plugins `plugin/pkg/admission/{limitranger,priority,runtimeclass,storage/storageclass}`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from quotatree.codec import fields
from quotatree.units.resources import EMPTY, Resources

Objects = Iterable[Mapping[str, Any]]

_DEFAULT_CLASS: Final = "storageclass.kubernetes.io/is-default-class"
_BETA_DEFAULT_CLASS: Final = "storageclass.beta.kubernetes.io/is-default-class"


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """What a namespace's objects get that do not say it themselves.

    `requests` and `limits` are for each container, `overheads` by RuntimeClass, and `devices` maps
    a DeviceClass to the extended resource that it also offers.
    """

    requests: Resources = EMPTY
    limits: Resources = EMPTY
    storage_class: str = ""
    priority_class: str = ""
    overheads: Mapping[str, Resources] = field(default_factory=dict)
    devices: Mapping[str, str] = field(default_factory=dict)


NONE: Final = Defaults()


def gather(
    *,
    limit_ranges: Objects = (),
    storage_classes: Objects = (),
    priority_classes: Objects = (),
    runtime_classes: Objects = (),
    device_classes: Objects = (),
) -> Defaults:
    """Return the defaults that these objects make; `limit_ranges` are those of one namespace.

    Several LimitRanges are taken in the order of their names: the API server takes them in any.
    """
    requests, limits = EMPTY, EMPTY
    for item in sorted(limit_ranges, key=_name):
        own_requests, own_limits = _container_defaults(item)
        requests += own_requests.without(requests)
        limits += own_limits.without(limits)
    return Defaults(
        requests=requests,
        limits=limits,
        storage_class=_default_storage_class(storage_classes),
        priority_class=next(
            (_name(c) for c in sorted(priority_classes, key=_name) if c.get("globalDefault")), ""
        ),
        overheads={
            _name(item): fields.amounts(fields.mapping(item, "overhead"), "podFixed")
            for item in runtime_classes
        },
        devices={
            _name(item): name
            for item in device_classes
            if (name := fields.text(fields.mapping(item, "spec"), "extendedResourceName"))
        },
    )


def _name(obj: Mapping[str, Any]) -> str:
    return fields.text(fields.mapping(obj, "metadata"), "name")


def _container_defaults(limit_range: Mapping[str, Any]) -> tuple[Resources, Resources]:
    """Return default requests and limits: a maximum is a default limit, and so downwards."""
    requests, limits = EMPTY, EMPTY
    for item in fields.items(fields.mapping(limit_range, "spec"), "limits"):
        if item.get("type") != "Container":
            continue
        default = _or(fields.amounts(item, "default"), fields.amounts(item, "max"))
        request = _or(fields.amounts(item, "defaultRequest"), default)
        requests = _or(_or(request, fields.amounts(item, "min")), requests)
        limits = _or(default, limits)
    return requests, limits


def _or(first: Resources, second: Resources) -> Resources:
    """Return `first`, and of `second` what it does not name."""
    return first + second.without(first)


def _default_storage_class(classes: Objects) -> str:
    """Return the default class; of several the newest, then the first by name."""
    marked = [
        item
        for item in classes
        if "true"
        in {
            fields.mapping(fields.mapping(item, "metadata"), "annotations").get(key)
            for key in (_DEFAULT_CLASS, _BETA_DEFAULT_CLASS)
        }
    ]
    by_name = sorted(marked, key=_name)
    newest = max((_created(item) for item in by_name), default="")
    return next((_name(item) for item in by_name if _created(item) == newest), "")


def _created(obj: Mapping[str, Any]) -> str:
    return fields.text(fields.mapping(obj, "metadata"), "creationTimestamp")
