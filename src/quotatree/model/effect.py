"""What is to be done to the cluster: a closed union of requests as values.

Every write to a managed ResourceQuota carries the resourceVersion that it was decided on, so that
a write decided on an old state loses instead of undoing a newer one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from quotatree.model.names import Namespace, QuotaName, Uid
from quotatree.model.observed import Held
from quotatree.model.quota import FailurePolicy, Quota, QuotaStatus
from quotatree.model.scope import ScopeSet
from quotatree.units.resources import EMPTY, Resources


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchNamespace:
    """Set (or with None remove) labels and annotations of ours on a Namespace."""

    namespace: Namespace
    uid: Uid
    labels: Mapping[str, str | None] = field(default_factory=dict)
    annotations: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Remember:
    """Write on a terminating Namespace what it holds: no ResourceQuota says so any more."""

    namespace: Namespace
    uid: Uid
    held: Held


@dataclass(frozen=True, slots=True, kw_only=True)
class SetOwner:
    """Write the ownerReference to `parent` (its UID read live), or remove ours when None."""

    namespace: Namespace
    uid: Uid
    parent: Namespace | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetFinalizer:
    """Add or remove our finalizer on a Namespace; in the same write, how many children it has."""

    namespace: Namespace
    uid: Uid
    present: bool
    annotations: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateManaged:
    """Create a managed ResourceQuota that remembers `limits`; nobody has granted on it."""

    namespace: Namespace
    quota: str
    scopes: ScopeSet
    hard: Resources
    limits: tuple[Quota, ...] = ()
    failure_policy: FailurePolicy = FailurePolicy.FAIL


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchManaged:
    """Change spec.hard, labels and annotations of a managed ResourceQuota, by compare-and-swap.

    `limits` are to be remembered on it; None leaves what it remembers, and the `failure_policy`
    that it says.
    """

    namespace: Namespace
    quota: str
    resource_version: int
    hard: Resources | None = None
    dropped: tuple[str, ...] = ()
    annotations: Mapping[str, str | None] = field(default_factory=dict)
    limits: tuple[Quota, ...] | None = None
    failure_policy: FailurePolicy | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchManagedStatus:
    """Set `status.hard` (what native admission applies) and put `status.used` right, by CAS.

    `hard` None leaves it; of `used` only what is named is written.
    """

    namespace: Namespace
    quota: str
    resource_version: int
    hard: Resources | None = None
    used: Resources = EMPTY
    dropped: tuple[str, ...] = ()
    annotations: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AskRecount:
    """Put a name that no kind has into the `spec.hard` of a tenant's ResourceQuota, or take it out.

    The native controller counts a ResourceQuota again whose `spec.hard` has changed.
    """

    namespace: Namespace
    quota: str
    resource_version: int
    present: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteSlice:
    """Set the whole slice on a managed ResourceQuota, by compare-and-swap.

    `dropped` are the resources that have a slice there and are to have none.
    """

    namespace: Namespace
    quota: str
    resource_version: int
    slice: Resources
    dropped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteManaged:
    """Delete a managed ResourceQuota that nothing limits any more."""

    namespace: Namespace
    quota: str
    uid: Uid


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteStatus:
    """Replace the status of a TreeQuota, by compare-and-swap.

    The next leader takes `status.guaranteed` for in force: what was decided on an old state must
    not undo what another leader wrote.
    """

    namespace: Namespace
    quota: QuotaName
    uid: Uid
    resource_version: int
    status: QuotaStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Emit:
    """Record an Event on an object that people look at."""

    namespace: Namespace
    kind: str
    api_version: str
    name: str
    uid: Uid
    warning: bool
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GateKinds:
    """Make the birth gate cover the kinds that `resources` (quota names) count."""

    resources: tuple[str, ...]


Effect = (
    PatchNamespace
    | Remember
    | SetOwner
    | SetFinalizer
    | CreateManaged
    | PatchManaged
    | PatchManagedStatus
    | WriteSlice
    | AskRecount
    | DeleteManaged
    | WriteStatus
    | Emit
    | GateKinds
)
