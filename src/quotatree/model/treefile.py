"""The tree as its owner writes it down: one file, every namespace with its quotas."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from quotatree.model.names import Namespace, QuotaName
from quotatree.model.observed import Lifecycle
from quotatree.model.quota import Quota

DEFAULT_QUOTA: Final = QuotaName("quota")
"""Name of the TreeQuota that `hard` and `guaranteed` directly on a node stand for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeNode:
    """One namespace of the file. `labels` and `annotations` are the user's own, none of ours."""

    namespace: Namespace
    parent: Namespace | None = None
    lifecycle: Lifecycle = Lifecycle.INDEPENDENT
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    quotas: tuple[Quota, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeFile:
    """All nodes of a file: parents before children, siblings as written."""

    nodes: tuple[TreeNode, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """A spot of a tree: a node, a quota of it, a field such as `hard`, a resource there."""

    namespace: Namespace
    quota: QuotaName | None = None
    field: str = ""
    resource: str = ""
