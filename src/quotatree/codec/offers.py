"""Nodes and DeviceClasses to what they offer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from quotatree.codec import fields
from quotatree.model.offers import Offers


def parse(nodes: Iterable[Mapping[str, Any]], classes: Iterable[Mapping[str, Any]]) -> Offers:
    """Return what nodes list in their status and what DeviceClasses stand for; never raises.

    A DeviceClass may offer its devices under the name of an extended resource too.
    """
    resources: set[str] = set()
    for node in nodes:
        status = fields.mapping(node, "status")
        for key in ("capacity", "allocatable"):
            resources |= {name for name in fields.mapping(status, key) if "/" in name}
    names: set[str] = set()
    for item in classes:
        names.add(fields.text(fields.mapping(item, "metadata"), "name"))
        resources.add(fields.text(fields.mapping(item, "spec"), "extendedResourceName"))
    return Offers(resources=frozenset(resources - {""}), device_classes=frozenset(names - {""}))
