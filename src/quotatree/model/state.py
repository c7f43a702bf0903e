"""The tree as it stands: what `quotatree tree` shows and later commands read back."""

from __future__ import annotations

from dataclasses import dataclass

from quotatree.model.names import Namespace
from quotatree.model.observed import Lifecycle
from quotatree.model.quota import Quota
from quotatree.model.scope import ScopeSet
from quotatree.units.resources import EMPTY, Resources


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The numbers of one namespace in one scope set.

    `hard` and `guaranteed` are its own: the least hard of its TreeQuotas and the greatest guarantee
    that is in force. `held` is its own too; `used` and `charged` are those of the whole subtree.
    """

    held: Resources = EMPTY
    used: Resources = EMPTY
    charged: Resources = EMPTY
    available: Resources = EMPTY
    hard: Resources = EMPTY
    guaranteed: Resources = EMPTY


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopedFigures:
    """The numbers of one namespace in a scope set that is not "everything"."""

    scopes: ScopeSet
    figures: Figures


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeState:
    """One namespace. `parent` is what its label says, whether or not that namespace exists.

    `applied` is the root of the tree that `quotatree apply` wrote it with, empty for others'.
    """

    namespace: Namespace
    parent: Namespace | None = None
    enforced: bool = False
    terminating: bool = False
    lifecycle: Lifecycle = Lifecycle.INDEPENDENT
    applied: str = ""
    figures: Figures = Figures()
    scoped: tuple[ScopedFigures, ...] = ()
    quotas: tuple[Quota, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeState:
    """All namespaces that belong to a tree, sorted by path.

    Every change up to `resource_version` is in it; some later ones may be.
    """

    resource_version: int = 0
    nodes: tuple[NodeState, ...] = ()
