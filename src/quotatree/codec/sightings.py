"""Objects of counted kinds to sightings: what the account of real objects keeps of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from quotatree.codec import alike, charges, fields, pods
from quotatree.model.names import Namespace, Uid
from quotatree.model.sighting import Sighting

LINGERS: Final = 2.0
"""Seconds after its grace for which a pod that is being deleted is taken to be there: native quota
charges it no more, but it mostly goes a moment later, and then it is seen to be gone. Longer: what
stays (its node is lost) keeps its room for longer."""


def parse(resource: str, obj: Mapping[str, Any], *, shift: float) -> Sighting:
    """Return the object as the account keeps it; never raises.

    `resource` is `<plural>[.<group>]`. `shift` (seconds) added to the time of day gives the
    caller's monotonic clock.
    """
    metadata = fields.mapping(obj, "metadata")
    is_pod = resource == pods.RESOURCE
    charge = alike.charge(obj) if is_pod else charges.of_resource(resource, obj)
    until = pods.last_charged(obj) if is_pod else None
    return Sighting(
        uid=Uid(fields.text(metadata, "uid")),
        namespace=Namespace(fields.text(metadata, "namespace")),
        resource_version=fields.whole(metadata.get("resourceVersion")) or 0,
        charge=charge,
        created=_seconds(fields.text(metadata, "creationTimestamp")) + shift,
        until=None if until is None else until.timestamp() + shift + LINGERS,
        after=None if until is None else pods.when_ended(charge),
    )


def _seconds(stamp: str) -> float:
    """Return a time of the API's in seconds of the epoch, in the middle of the second it names."""
    try:
        return datetime.fromisoformat(stamp).timestamp() + 0.5
    except ValueError:
        return 0.0
