"""The cost of pods that are alike, worked out once.

A cluster has few different pods and many of each. The formula takes some 0.15 ms a pod; to look at
the few fields that it reads, and to remember what came of them, takes a tenth of that.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, Final

import orjson

from quotatree.codec import pods
from quotatree.model.charge import Charge

MOST: Final = 4096
"""Different pods whose cost is remembered."""

_SPEC: Final = (
    "resources",
    "overhead",
    "runtimeClassName",
    "activeDeadlineSeconds",
    "priorityClassName",
    "affinity",
)
_CONTAINER: Final = ("name", "resources", "restartPolicy", "allocatedResources")


def charge(obj: Mapping[str, Any]) -> Charge:
    """Return what `pods.charge` returns for a decoded pod: the same value for all that are alike.

    As a pod that is being deleted is charged while its grace lasts.
    """
    return _charge(orjson.dumps(essence(obj)))


@functools.lru_cache(maxsize=MOST)
def _charge(essence: bytes) -> Charge:
    return pods.charge(orjson.loads(essence))


def essence(obj: Mapping[str, Any]) -> dict[str, Any]:
    """Return a pod with all that the formula reads, and as little else as is easy to leave out."""
    spec, status = obj.get("spec"), obj.get("status")
    return {"spec": _spec(spec), "status": _status(status)}


def _spec(spec: object) -> dict[str, Any]:
    if type(spec) is not dict:
        return {}
    found = {key: spec[key] for key in _SPEC if key in spec}
    for key in ("containers", "initContainers"):
        if key in spec:
            found[key] = _containers(spec[key])
    return found


def _status(status: object) -> dict[str, Any]:
    if type(status) is not dict:
        return {}
    found = {key: status[key] for key in ("phase", "qosClass") if key in status}
    for key in ("containerStatuses", "initContainerStatuses"):
        if key in status:
            found[key] = _containers(status[key])
    conditions = status.get("conditions")
    if type(conditions) is list:
        found["conditions"] = [
            {key: it[key] for key in ("type", "reason") if key in it}
            for it in conditions
            if type(it) is dict and it.get("type") == "PodResizePending"
        ]
    return found


def _containers(containers: object) -> list[dict[str, Any]]:
    if type(containers) is not list:
        return []
    return [
        {key: it[key] for key in _CONTAINER if key in it} for it in containers if type(it) is dict
    ]
