"""One object of a counted kind as it was last seen, cut down to what a quota asks of it."""

from __future__ import annotations

from dataclasses import dataclass

from quotatree.model.charge import Charge
from quotatree.model.names import Namespace, Uid


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """An object that exists, and what native quota charges for it.

    `created` and `until` are seconds of the caller's monotonic clock: when the API server took the
    request in, and from when on only `after` is charged (None: for as long as the object is there).
    """

    uid: Uid
    namespace: Namespace
    resource_version: int
    charge: Charge
    created: float
    until: float | None = None
    after: Charge | None = None
