"""Nodes of a tree file to the objects to apply, and what an applied object says of its origin.

Every object that `quotatree apply` writes carries the root of its tree as a label. Pruning looks
only at objects so marked with a root of the file at hand: what was made by hand or belongs to
another file's tree is never touched.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from quotatree.codec import fields, quotas
from quotatree.model import names
from quotatree.model.names import Namespace
from quotatree.model.observed import Lifecycle
from quotatree.model.quota import Quota
from quotatree.model.treefile import TreeNode

LABEL_APPLIED: Final = names.LABEL_APPLIED
"""Label on what `quotatree apply` wrote; its value is the root of the tree."""

# Written by others between two applies: no change of ours.
_BOOKKEEPING: Final = frozenset(
    {names.LABEL_ENFORCED, names.ANNOTATION_CHILDREN, "kubernetes.io/metadata.name"}
)


def namespace(node: TreeNode, root: Namespace) -> dict[str, Any]:
    """Return the Namespace to apply. A field that the file does not name stays as it is."""
    labels = {**node.labels, LABEL_APPLIED: root}
    if node.parent is not None:
        labels[names.LABEL_PARENT] = node.parent
    if node.lifecycle is not Lifecycle.INDEPENDENT:
        labels[names.LABEL_LIFECYCLE] = node.lifecycle.value
    metadata: dict[str, Any] = {"name": node.namespace, "labels": labels}
    if node.annotations:
        metadata["annotations"] = dict(node.annotations)
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def tree_quota(quota: Quota, root: Namespace) -> dict[str, Any]:
    """Return the TreeQuota to apply."""
    written = quotas.to_dict(quota)
    written["metadata"]["labels"] = {LABEL_APPLIED: root}
    return written


def applied_root(obj: Mapping[str, Any]) -> Namespace:
    """Return the root that an object was applied under, empty for what `apply` did not write."""
    labels = fields.mapping(fields.mapping(obj, "metadata"), "labels")
    return Namespace(fields.text(labels, LABEL_APPLIED))


def same(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether an apply changed nothing; what the controller writes meanwhile does not count."""
    return _substance(before) == _substance(after)


def _substance(obj: Mapping[str, Any]) -> tuple[Any, ...]:
    metadata = fields.mapping(obj, "metadata")
    # The spec of a Namespace is the API server's own.
    spec = obj.get("spec") if obj.get("kind") == quotas.KIND else None
    return (
        metadata.get("uid"),
        _without_bookkeeping(fields.mapping(metadata, "labels")),
        _without_bookkeeping(fields.mapping(metadata, "annotations")),
        spec,
    )


def _without_bookkeeping(found: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: value
        for key, value in found.items()
        if key not in _BOOKKEEPING and not key.endswith(names.TREE_LABEL_SUFFIX)
    }
