"""What applying a tree would do: the steps, and every node before and after."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from quotatree.model.names import Namespace, QuotaName
from quotatree.model.scope import UNSCOPED, ScopeSet


class Change(Enum):
    """What happens to an object. MOVE: a namespace gets another parent, or none any more."""

    CREATE = "create"
    CHANGE = "change"
    MOVE = "move"
    REMOVE = "remove"
    NOTHING = "unchanged"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """One field of an object, as text; empty where it is not set."""

    field: str
    before: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What happens to one Namespace or, with `quota`, to one TreeQuota."""

    namespace: Namespace
    quota: QuotaName | None = None
    change: Change
    fields: tuple[FieldChange, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The numbers of one namespace for one resource, in 10⁻⁹; None is no limit.

    `kept` is the guarantee asked for, `in_force` the part of it that would be. `used` and
    `charged` are of the whole subtree; `used` is what runs now, wherever it will belong.
    `unmeasured`: some of the subtree is not measured in this resource yet, and counts as nothing.
    """

    resource: str
    scopes: ScopeSet = UNSCOPED
    hard_before: int | None = None
    hard: int | None = None
    kept_before: int = 0
    kept: int = 0
    in_force: int = 0
    used: int = 0
    charged_before: int = 0
    charged: int = 0
    available: int | None = None
    unmeasured: bool = False

    @property
    def changes(self) -> bool:
        """Whether its limit or guarantee becomes another one."""
        return self.hard_before != self.hard or self.kept_before != self.kept

    @property
    def over(self) -> int:
        """By how much it would be over its limit."""
        return max(0, self.charged - self.hard) if self.hard is not None else 0

    @property
    def over_before(self) -> int:
        """By how much it is over its limit now."""
        before = self.hard_before
        return max(0, self.charged_before - before) if before is not None else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeForecast:
    """One namespace of the tree, before and after."""

    namespace: Namespace
    parent_before: Namespace | None = None
    parent: Namespace | None = None
    change: Change = Change.NOTHING
    rows: tuple[Row, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """All steps in their order, and all nodes of the trees that the file has a part in, by path."""

    steps: tuple[Step, ...]
    nodes: tuple[NodeForecast, ...]

    def count(self, change: Change) -> int:
        """Return how many objects undergo a change."""
        return sum(step.change is change for step in self.steps)

    @property
    def changes(self) -> bool:
        """Whether applying would do anything at all."""
        return any(step.change is not Change.NOTHING for step in self.steps)
