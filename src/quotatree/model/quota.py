"""TreeQuota as a value: what is asked for, and what the controller answers."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final

from quotatree.model.names import Namespace, QuotaName, Uid
from quotatree.model.scope import UNSCOPED, ScopeSet
from quotatree.units.resources import EMPTY, Resources


class FailurePolicy(Enum):
    """What happens to growth while no replica answers."""

    FAIL = "Fail"
    IGNORE = "Ignore"


class Mode(Enum):
    """Whether a TreeQuota limits, or only says what it would refuse."""

    ENFORCE = "Enforce"
    OBSERVE = "Observe"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """The spec of one TreeQuota, with what identifies it.

    `granted` is the guarantee that was in force when the object was last written: it survives a
    restart in `status.guaranteed`. `applied` is the root of the tree that `quotatree apply` wrote
    it with, empty for what others made. `resource_version` is that of the object, zero for what is
    in no cluster; two that differ in nothing else are equal.
    """

    namespace: Namespace
    name: QuotaName
    uid: Uid = Uid("")
    generation: int = 0
    resource_version: int = field(default=0, compare=False)
    created: str = ""
    hard: Resources = EMPTY
    guaranteed: Resources = EMPTY
    scopes: ScopeSet = UNSCOPED
    failure_policy: FailurePolicy = FailurePolicy.FAIL
    mode: Mode = Mode.ENFORCE
    granted: Resources = EMPTY
    applied: str = ""
    status: QuotaStatus | None = None

    @property
    def key(self) -> tuple[Namespace, QuotaName]:
        """Namespace and name."""
        return (self.namespace, self.name)

    @property
    def enforced(self) -> bool:
        """Whether it limits and reserves anything: one that only observes is in nobody's way."""
        return self.mode is Mode.ENFORCE

    @property
    def asked(self) -> Quota:
        """What somebody asked for, without who wrote it and what the controller answered."""
        bare = replace(self, generation=0, resource_version=0, granted=EMPTY)
        return replace(bare, applied="", status=None)


CONDITION_TYPES: Final = frozenset(
    {"Ready", "Exceeded", "Revoking", "GuaranteeGranted", "LooserThanAncestor"}
)
"""Every type of condition that quotatree writes: one that it does not write any more goes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One condition of `status.conditions`; the time of its last change is set when written."""

    type: str
    status: bool
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaStatus:
    """The status of one TreeQuota: all amounts are for the whole subtree but `available`."""

    hard: Resources
    used: Resources
    charged: Resources
    available: Resources
    guaranteed: Resources
    observed_generation: int
    conditions: tuple[Condition, ...] = field(default=())
