"""What a Lease says, and who may take it by that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from quotatree.codec import fields
from quotatree.model import names


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """What a Lease says. `duration` is in seconds; `version` its resourceVersion as text.

    `renewed` is compared for equality only, since it is a time of another machine's clock.
    `address` is where the holder's webhook is reached by other replicas, empty when it is not.
    `settled` is the epoch that whoever released it hands on, 0 for none.
    """

    holder: str
    duration: float
    transitions: int
    renewed: str
    version: str
    address: str = ""
    settled: int = 0

    def same_renewal(self, other: Term | None) -> bool:
        """Whether nobody renewed or took the lease between the two looks at it."""
        mine = (self.holder, self.transitions, self.renewed)
        return other is not None and mine == (other.holder, other.transitions, other.renewed)


def parse(lease: dict[str, Any]) -> Term:
    """Read a Lease; what is absent is as if nobody had ever held it."""
    spec = lease.get("spec") or {}
    annotations = lease["metadata"].get("annotations") or {}
    return Term(
        holder=spec.get("holderIdentity") or "",
        duration=float(spec.get("leaseDurationSeconds") or 0),
        transitions=int(spec.get("leaseTransitions") or 0),
        renewed=spec.get("renewTime") or "",
        version=lease["metadata"]["resourceVersion"],
        address=annotations.get(names.ANNOTATION_ADDRESS) or "",
        settled=fields.whole(annotations.get(names.ANNOTATION_SETTLED)) or 0,
    )


def may_take(seen: Term, *, identity: str, unchanged: float) -> bool:
    """Whether `identity` may take a lease that it saw `unchanged` for so many seconds.

    Only our own observation counts: `renewTime` is another machine's clock. The holder's own
    duration applies, so that replicas with different settings do not depose one another.
    """
    return seen.holder in ("", identity) or unchanged >= seen.duration
