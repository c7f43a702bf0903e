"""What a decision can be: a closed union. A refusal carries the numbers that refused.

`match` over it ends in `assert_never`, so that a forgotten case is a type error and not a grant.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from quotatree.model.names import Namespace, ResourceName
from quotatree.units.resources import EMPTY, Resources


class Cause(Enum):
    """Why an answer is put off, in one word: metrics are kept by it."""

    UNREAD = "unread"
    """The leader is still reading the cluster."""
    FENCE = "fence"
    """A grant of an earlier leader may still be committed in the tree."""
    UNMEASURED = "unmeasured"
    """What is there is not counted yet in a name that is limited for the first time."""
    IN_FLIGHT = "in-flight"
    """Others have asked for the same room, and are not decided yet."""
    OVERCOUNT = "overcount"
    """Counters below the limit are too high and are being put right."""
    SLICES = "slices"
    """Idle slices are being taken back."""
    UNSEEN = "unseen"
    """An object that was made a moment ago has not been seen yet."""
    BLIND = "blind"
    """The leader cannot read the cluster, or could not a moment ago: room may be there unseen."""
    ENDING = "ending"
    """The leader hands over to another replica."""
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One level that refuses one resource. Amounts in 10⁻⁹ of the resource's unit.

    `charged` is what `ancestor` is charged now, `requested` what the request would add to it, and
    `hard` its ceiling: `charged + requested > hard`. `unsettled` is the part of `charged` that may
    still vanish (grants in flight, rooms held for a retry).
    """

    ancestor: Namespace
    resource: ResourceName
    requested: int
    charged: int
    hard: int
    unsettled: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Admit:
    """Let it pass. `reserved` is False for a write that is already lost and for a dry run.

    A lost one fails by itself; `behind` is the resourceVersion that whoever wrote it has not seen.
    `used` takes the place of what it says, where the usage that it grows from was too high, and
    `hard` that of what native admission applies, where that is to end with this write.
    """

    reserved: bool
    behind: int = 0
    used: Resources = EMPTY
    hard: Resources = EMPTY


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """It fits only if something in flight loses: ask again at the next change, or at `until`."""

    until: float
    limits: tuple[Limit, ...]
    cause: Cause = Cause.OTHER


@dataclass(frozen=True, slots=True, kw_only=True)
class Tighten:
    """Lower `status.hard` to `hard`, see it arrive, then refuse: the API server judges one by one.

    `used` puts a usage right that is too high, in the same write, and slices of the `returned`
    resources end with it. It carries `resource_version`; the ledger already holds the room for the
    retry.
    """

    namespace: Namespace
    quota: str
    resource_version: int
    hard: Resources
    limits: tuple[Limit, ...]
    used: Resources = EMPTY
    returned: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """Open the account of a managed ResourceQuota, then ask again: there is room for the growth.

    `epoch` is to be written on it, unless None: then only the Lease is to be looked at.
    """

    namespace: Namespace
    quota: str
    resource_version: int
    epoch: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deny:
    """Refuse: no part of it fits, or it is one request alone."""

    limits: tuple[Limit, ...]
    requested: Resources


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuse:
    """Refuse for a reason that is no number: a cycle, no such parent, a tampered object."""

    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TryLater:
    """Not ours to decide yet (not loaded, not fenced, not the leader): HTTP 429, client retries."""

    reason: str
    cause: Cause = Cause.OTHER


Verdict = Admit | Wait | Open | Tighten | Deny | Refuse | TryLater
