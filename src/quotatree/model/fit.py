"""Whether a workload fits, as values: who refuses what, whether waiting helps, what would help."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from quotatree.model.names import Namespace, ResourceName
from quotatree.model.scope import UNSCOPED, ScopeSet


class Reason(Enum):
    """Why something does not fit. The codes never change: people's programs build on them."""

    FULL = "limit-reached"
    OVER = "limit-exceeded"
    TOO_LARGE = "larger-than-limit"
    RESERVED = "reserved-for-others"
    OWN_FULL = "own-quota-reached"
    OWN_TOO_LARGE = "larger-than-own-quota"
    MISSING = "amounts-missing"
    TERMINATING = "namespace-terminating"
    NO_NAMESPACE = "namespace-not-found"

    @property
    def temporary(self) -> bool:
        """Whether it may fit later although nobody changes a limit or the workload."""
        return self in _TEMPORARY


_TEMPORARY: Final = frozenset({Reason.FULL, Reason.OVER, Reason.OWN_FULL})

WORDS: Final = {
    Reason.FULL: "others use what it would need; it fits when enough of that is given back",
    Reason.OVER: "the limit is exceeded already; nothing grows there until usage is below it",
    Reason.TOO_LARGE: "it asks for more than the whole limit",
    Reason.RESERVED: "what is left beside the guarantees of others is less than it asks for",
    Reason.OWN_FULL: "a ResourceQuota of the namespace itself is used up",
    Reason.OWN_TOO_LARGE: "it asks for more than a ResourceQuota of the namespace itself allows",
    Reason.MISSING: "some containers do not say what a quota of the namespace measures",
    Reason.TERMINATING: "the namespace is being deleted",
    Reason.NO_NAMESPACE: "there is no such namespace",
}
"""Each reason in a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacle:
    """One thing that refuses. Amounts in 10⁻⁹ of the resource's unit.

    `level` is the namespace whose limit it is, `quota` the ResourceQuota where it is one of the
    namespace's own. `requested` is what the request adds to what is `used` of `hard` there, and
    `reserved` the part of `used` that guarantees of others hold without using it. `containers` are
    those that do not say an amount.
    """

    reason: Reason
    level: Namespace
    quota: str = ""
    scopes: ScopeSet = UNSCOPED
    resource: ResourceName = ResourceName("")  # noqa: RUF009 - a text, by another name
    requested: int = 0
    used: int = 0
    hard: int = 0
    reserved: int = 0
    containers: tuple[str, ...] = ()

    @property
    def available(self) -> int:
        """What is left of the limit, never below zero."""
        return max(0, self.hard - self.used)

    @property
    def enough(self) -> int:
        """The least hard with which this level would let the request pass."""
        return self.used + self.requested


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelFigures:
    """One level on the way to the root, for one resource.

    `hard` is None where the level does not limit it. `requested` is what reaches the level: a
    guarantee below may absorb a part.
    """

    level: Namespace
    scopes: ScopeSet
    resource: ResourceName
    requested: int
    used: int
    hard: int | None

    @property
    def available(self) -> int | None:
        """What is left of the limit, None without one."""
        return None if self.hard is None else max(0, self.hard - self.used)

    @property
    def refuses(self) -> bool:
        """Whether the level refuses what is requested."""
        return (
            self.hard is not None and self.requested > 0 and self.used + self.requested > self.hard
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumer:
    """A namespace that takes from a limit: `amount` of it, `reserved` if only by a guarantee."""

    namespace: Namespace
    amount: int
    reserved: bool = False
