"""Answers about workloads as text and as plain data, for every output that shows them. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from quotatree.engine import explain
from quotatree.model import scope
from quotatree.model.fit import Obstacle
from quotatree.model.scope import ScopeSet
from quotatree.units.resources import Resources


def costs_text(costs: Iterable[tuple[ScopeSet, Resources]]) -> str:
    """Return what is charged, e.g. `cpu 3, pods [BestEffort] 2`."""
    return ", ".join(
        f"{scope.label(name, scopes)} {text}"
        for scopes, amounts in costs
        for name, text in amounts.to_strings().items()
        if amounts.nano(name)
    )


def obstacle(found: Obstacle) -> dict[str, Any]:
    """Return one reason as plain data, quantities as canonical strings."""
    written: dict[str, Any] = {
        "code": found.reason.value,
        "temporary": found.reason.temporary,
        "level": found.level,
    }
    if found.quota:
        written["resourceQuota"] = found.quota
    if found.scopes:
        written["scopes"] = scope.describe(found.scopes)
    if found.resource:
        written["resource"] = found.resource
    if found.containers:
        written["containers"] = list(found.containers)
    if found.requested:
        amounts = {
            "requested": found.requested,
            "used": found.used,
            "hard": found.hard,
            "available": found.available,
            "reserved": found.reserved,
        }
        written |= {key: explain.amount(found.resource, nano) for key, nano in amounts.items()}
    return written
