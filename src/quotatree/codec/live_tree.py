"""Objects of a cluster to the tree file that would make them: what people set, nothing of ours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from quotatree.codec import fields
from quotatree.model import names
from quotatree.model.names import Namespace
from quotatree.model.observed import Lifecycle
from quotatree.model.state import NodeState
from quotatree.model.treefile import TreeFile, TreeNode

# Written by the API server and by kubectl, on every object or on each that they touch.
_LABELS_OF_OTHERS: Final = frozenset({"kubernetes.io/metadata.name"})
_ANNOTATIONS_OF_OTHERS: Final = frozenset({"kubectl.kubernetes.io/last-applied-configuration"})


def of_nodes(nodes: Iterable[NodeState], objects: Iterable[Mapping[str, Any]]) -> TreeFile:
    """Return the file of `nodes`, parents first; `objects` are their Namespaces.

    A node whose parent is not among them becomes a root, and a root has no lifecycle.
    """
    by_name = {fields.text(fields.mapping(it, "metadata"), "name"): it for it in objects}
    kept = list(nodes)
    inside = {node.namespace for node in kept}
    return TreeFile(
        nodes=tuple(_node(node, by_name.get(node.namespace, {}), inside) for node in kept)
    )


def _node(node: NodeState, obj: Mapping[str, Any], inside: set[Namespace]) -> TreeNode:
    nested = node.parent in inside
    return TreeNode(
        namespace=node.namespace,
        parent=node.parent if nested else None,
        lifecycle=node.lifecycle if nested else Lifecycle.INDEPENDENT,
        labels=own_labels(obj),
        annotations=own_annotations(obj),
        quotas=node.quotas,
    )


def own_labels(obj: Mapping[str, Any]) -> dict[str, str]:
    """Return the labels that people set on a Namespace, sorted."""
    found = fields.mapping(fields.mapping(obj, "metadata"), "labels")
    return _others(found, without=_LABELS_OF_OTHERS)


def own_annotations(obj: Mapping[str, Any]) -> dict[str, str]:
    """Return the annotations that people set on a Namespace, sorted.

    The consent to deletion is theirs too. What Pulumi reads is no part of the object.
    """
    found = fields.mapping(fields.mapping(obj, "metadata"), "annotations")
    consent = {k: v for k, v in found.items() if k == names.ANNOTATION_CASCADE}
    others = _others(found, without=_ANNOTATIONS_OF_OTHERS)
    kept = {k: v for k, v in others.items() if not k.startswith("pulumi.com/")}
    return dict(sorted({**kept, **consent}.items()))


def _others(found: Mapping[str, Any], *, without: frozenset[str]) -> dict[str, str]:
    ours = fields.own(found)
    return {
        key: value
        for key, value in sorted(found.items())
        if type(value) is str and key not in ours and key not in without
    }
