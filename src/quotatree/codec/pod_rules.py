"""What the API server would refuse in the amounts of a pod or a claim, before any quota is asked.

Kubernetes 1.36: `validateResourceRequirements` in `pkg/apis/core/validation/validation.go`. Only
what changes the numbers is checked here; the API server checks much more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from quotatree.codec import fields
from quotatree.codec.findings import Finding, Key, Path, wrong_type
from quotatree.model.problem import Problem, in_order
from quotatree.units.quantity import Quantity, QuantityError
from quotatree.units.resource_names import HUGE_PAGES


def problems(spec: Mapping[str, Any], path: Path) -> tuple[Problem, ...]:
    """Return what is wrong with the amounts of a pod's spec."""
    return in_order(finding.problem() for finding in _pod_findings(spec, path))


def claim_problems(spec: Mapping[str, Any], path: Path) -> tuple[Problem, ...]:
    """Return what is wrong with the amounts of a claim's spec."""
    return in_order(f.problem() for f in _resource_findings(spec, (*path, "resources")))


def _pod_findings(spec: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    for key in ("initContainers", "containers"):
        for index, container in enumerate(fields.items(spec, key)):
            yield from _resource_findings(container, (*path, key, index, "resources"))
    yield from _resource_findings(spec, (*path, "resources"))


def _resource_findings(parent: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    resources = parent.get("resources")
    if resources is None:
        return
    if type(resources) is not dict:
        yield wrong_type(resources, "a map", path)
        return
    read = {}
    for key in ("requests", "limits"):
        amounts = resources.get(key)
        if amounts is None:
            continue
        if type(amounts) is not dict:
            yield wrong_type(amounts, "a map of resource names to quantities", (*path, key))
            continue
        for name, value in amounts.items():
            try:
                read[key, name] = Quantity.from_json(value)
            except QuantityError as error:
                yield Finding(path=(*path, key, Key(name)), message=str(error))
    yield from _order_findings(read, path)


def _order_findings(read: Mapping[tuple[str, str], Quantity], path: Path) -> Iterator[Finding]:
    for (key, name), amount in read.items():
        here = (*path, key, Key(name))
        limit = read.get(("limits", name))
        device = "/" in name and "kubernetes.io/" not in name
        exact = device or name.startswith(HUGE_PAGES)
        if amount.nano < 0:
            yield Finding(path=here, message=f"{amount} is negative")
        elif device and not amount.whole:
            yield Finding(path=here, message=f"{amount} is no whole number of devices")
        elif key == "requests" and limit is not None:
            if amount > limit:
                yield Finding(path=here, message=f"requests {amount}, above its limit {limit}")
            elif exact and amount != limit:
                yield Finding(path=here, message=f"requests {amount}, must be its limit {limit}")
        elif key == "requests" and exact:
            yield Finding(path=here, message=f"{name} needs a limit of the same amount")
