"""What an object costs: one function per kind that native quota measures by more than a count.

The rules are those of the evaluators in `pkg/quota/v1/evaluator/core` (Kubernetes 1.36): `pods.go`
(see `codec.pods`), `persistent_volume_claims.go`, `services.go`, `resource_claims.go`; every other
kind is counted by `apiserver/pkg/quota/v1/generic/evaluator.go`. A differential test in
`tests/cluster` holds them against what the API server charges.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from quotatree.codec import fields, kinds, pods
from quotatree.codec.defaults import NONE, Defaults
from quotatree.codec.kinds import KNOWN, Plurals
from quotatree.model.charge import Charge
from quotatree.units.quantity import NANO
from quotatree.units.resource_names import (
    DEVICE_CLAIMS,
    DEVICE_CLASS,
    IMPLICIT_DEVICE_CLASS,
    REQUESTS,
    STORAGE_CLASS,
)
from quotatree.units.resources import Resources

CLAIMS: Final = "persistentvolumeclaims"
SERVICES: Final = "services"

_CLASS_ANNOTATION: Final = "volume.beta.kubernetes.io/storage-class"
_MOST_DEVICES: Final = 32  # AllocationResultsMaxSize: "all" is charged as the most there can be
_MILLI: Final = 10**6

Amounts = dict[str, int]


def cost(
    obj: Mapping[str, Any],
    *,
    defaults: Defaults = NONE,
    now: datetime | None = None,
    plurals: Plurals = KNOWN,
) -> Charge | None:
    """Return what an object costs, None when its kind is not known (`codec.kinds`).

    A kind that no quota counts costs nothing: its charge has an empty `resource`. Never raises; an
    amount that is no quantity counts as absent.
    """
    resource = kinds.resource(kinds.of(obj), plurals)
    return None if resource is None else of_resource(resource, obj, defaults=defaults, now=now)


def of_resource(
    resource: str,
    obj: Mapping[str, Any],
    *,
    defaults: Defaults = NONE,
    now: datetime | None = None,
) -> Charge:
    """Return what an object of `resource` (`<plural>[.<group>]`) costs.

    For the items of a list, which do not say their kind.
    """
    if resource == pods.RESOURCE:
        return pods.charge(obj, defaults=defaults, now=now)
    amounts = dict.fromkeys(kinds.counts(resource), NANO) if resource else {}
    measure = _MEASURES.get(resource)
    if measure is not None:
        amounts |= measure(obj, defaults)
    valued = {}
    if resource == CLAIMS:
        valued = {"VolumeAttributesClass": _attributes_classes(obj)}
    return Charge(resource=resource, amounts=Resources.from_nano(amounts), valued=valued)


def _claim(obj: Mapping[str, Any], defaults: Defaults) -> Amounts:
    """Return the cost of a PersistentVolumeClaim, in all and by its storage class."""
    found = {CLAIMS: NANO}
    spec = fields.mapping(obj, "spec")
    asked = fields.amounts(fields.mapping(spec, "resources"), "requests").nanos().get("storage")
    if asked is not None:
        allocated = fields.amounts(fields.mapping(obj, "status"), "allocatedResources")
        # Bytes are whole; what has been allocated for a failed expansion still counts.
        found["requests.storage"] = max(_whole(asked), _whole(allocated.nano("storage")))
    name = _storage_class(obj, defaults)
    return found | ({f"{name}{STORAGE_CLASS}{n}": a for n, a in found.items()} if name else {})


def _whole(nano: int) -> int:
    thousandths = -(-nano // _MILLI) * _MILLI
    return -(-thousandths // NANO) * NANO


def _storage_class(obj: Mapping[str, Any], defaults: Defaults) -> str:
    """Return the class by annotation, by field, or the default one where neither is there.

    An empty text is a class of its own, "none": the default does not take its place.
    """
    annotations = fields.mapping(fields.mapping(obj, "metadata"), "annotations")
    spec = fields.mapping(obj, "spec")
    if type(annotations.get(_CLASS_ANNOTATION)) is str:
        return fields.text(annotations, _CLASS_ANNOTATION)
    if type(spec.get("storageClassName")) is str:
        return fields.text(spec, "storageClassName")
    return defaults.storage_class


def _attributes_classes(obj: Mapping[str, Any]) -> frozenset[str]:
    """Return every VolumeAttributesClass that a claim has, wants or is on its way to."""
    status = fields.mapping(obj, "status")
    named = (
        fields.text(fields.mapping(obj, "spec"), "volumeAttributesClassName"),
        fields.text(status, "currentVolumeAttributesClassName"),
        fields.text(
            fields.mapping(status, "modifyVolumeStatus"), "targetVolumeAttributesClassName"
        ),
    )
    return frozenset(filter(None, named))


def _service(obj: Mapping[str, Any], _: Defaults) -> Amounts:
    """Return the cost of a Service: node ports by intent, as none is given out yet."""
    spec = fields.mapping(obj, "spec")
    ports = list(fields.items(spec, "ports"))
    kind = fields.text(spec, "type")
    node_ports = len(ports) if kind in {"NodePort", "LoadBalancer"} else 0
    if kind == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is False:
        node_ports = sum(1 for port in ports if fields.whole(port.get("nodePort")))
    return {
        SERVICES: NANO,
        "services.nodeports": node_ports * NANO,
        "services.loadbalancers": NANO if kind == "LoadBalancer" else 0,
    }


def _device_claim(obj: Mapping[str, Any], defaults: Defaults) -> Amounts:
    """Return the cost of a ResourceClaim by device class: the worst case of its alternatives.

    The claims that the scheduler makes for pods with extended resources cost nothing here: their
    pods are charged for the same devices.
    """
    by_class: Amounts = {}
    spec = fields.mapping(obj, "spec")
    for request in fields.items(fields.mapping(spec, "devices"), "requests"):
        alternatives = list(fields.items(request, "firstAvailable"))
        exact = request.get("exactly")
        # In v1beta1 the one exact request stands directly in the list.
        single = exact if type(exact) is dict else request
        worst: Amounts = {}
        for item in alternatives or [single]:
            name = fields.text(item, "deviceClassName")
            worst[name] = max(worst.get(name, 0), _devices(item))
        for name, amount in worst.items():
            by_class[name] = by_class.get(name, 0) + amount
    found = {f"{name}{DEVICE_CLASS}": amount for name, amount in by_class.items() if name}
    if not _is_extended_claim(obj):
        found |= _extended(by_class, defaults)
    return found


def _devices(item: Mapping[str, Any]) -> int:
    mode = fields.text(item, "allocationMode") or "ExactCount"
    if mode == "All":
        return _MOST_DEVICES * NANO
    return (fields.whole(item.get("count")) or 1) * NANO if mode == "ExactCount" else 0


def _extended(by_class: Amounts, defaults: Defaults) -> Amounts:
    found = {}
    for name, amount in by_class.items():
        if name and amount:
            found[f"{REQUESTS}{IMPLICIT_DEVICE_CLASS}{name}"] = amount
            if name in defaults.devices:
                found[f"{REQUESTS}{defaults.devices[name]}"] = amount
    return found


def _is_extended_claim(obj: Mapping[str, Any]) -> bool:
    annotations = fields.mapping(fields.mapping(obj, "metadata"), "annotations")
    return annotations.get("resource.kubernetes.io/extended-resource-claim") == "true"


_MEASURES: Final[Mapping[str, Callable[[Mapping[str, Any], Defaults], Amounts]]] = {
    CLAIMS: _claim,
    SERVICES: _service,
    DEVICE_CLAIMS: _device_claim,
}
