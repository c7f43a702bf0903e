"""Which devices a cluster has for its pods."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Offers:
    """What pods can ask for: extended resources by name, and classes of devices."""

    resources: frozenset[str] = frozenset()
    device_classes: frozenset[str] = frozenset()
