"""Names as types, so that a namespace is never taken for a quota."""

from __future__ import annotations

from typing import Final, NewType

Namespace = NewType("Namespace", str)
QuotaName = NewType("QuotaName", str)
Uid = NewType("Uid", str)
ResourceName = NewType("ResourceName", str)

GROUP: Final = "quotatree.dev"
API_VERSION: Final = f"{GROUP}/v1alpha1"
FIELD_OWNER: Final = "quotatree"

# Labels that people set on a Namespace.
LABEL_PARENT: Final = f"{GROUP}/parent"
LABEL_LIFECYCLE: Final = f"{GROUP}/lifecycle"
# Label that `quotatree apply` writes; its value is the root of the tree.
LABEL_APPLIED: Final = f"{GROUP}/applied"
# Labels that the controller answers with.
LABEL_ENFORCED: Final = f"{GROUP}/enforced"
LABEL_MANAGED: Final = f"{GROUP}/managed"
LABEL_FAILURE_POLICY: Final = f"{GROUP}/failure-policy"
TREE_LABEL_SUFFIX: Final = f".tree.{GROUP}/depth"
# Annotations.
ANNOTATION_CHILDREN: Final = f"{GROUP}/children"
LABEL_LEADER: Final = f"{GROUP}/leader"
ANNOTATION_HELD: Final = f"{GROUP}/held"
ANNOTATION_MADE_BY: Final = f"{GROUP}/made-by"
ANNOTATION_CASCADE: Final = f"{GROUP}/allow-cascading-deletion"
ANNOTATION_READY: Final = f"{GROUP}/ready"
ANNOTATION_EPOCH: Final = f"{GROUP}/epoch"
ANNOTATION_SETTLED: Final = f"{GROUP}/settled"
ANNOTATION_TOUCHED: Final = f"{GROUP}/touched"
ANNOTATION_LOOKOUT: Final = f"{GROUP}/lookout"
ANNOTATION_LIMITS: Final = f"{GROUP}/limits"
ANNOTATION_LIMITED_BY: Final = f"{GROUP}/limited-by"
ANNOTATION_HEARTBEAT: Final = f"{GROUP}/heartbeat"
ANNOTATION_ADDRESS: Final = f"{GROUP}/address"
SLICE_PREFIX: Final = f"slice.{GROUP}/"
FINALIZER_PARENT: Final = f"{GROUP}/has-children"

MANAGED_QUOTA: Final = "quotatree"
"""Name of the managed ResourceQuota without scopes; scoped ones are `quotatree.<scopes>`."""


RECOUNT: Final = f"count/recounts.{GROUP}"
"""A kind that does not exist. Put into `spec.hard` and taken out again, it makes the native
controller count (`updateQuota` in pkg/controller/resourcequota/resource_quota_controller.go)."""


MOST_SLICES: Final = 32
"""Slices that one managed ResourceQuota carries at the most; each is some 100 bytes."""
_LONGEST_NAME: Final = 63  # of what stands behind the `/` in the key of an annotation


def slice_annotation(resource: str) -> str | None:
    """Return the annotation for the slice of a resource, None for a name that is too long."""
    name = resource.replace("/", "_")
    return f"{SLICE_PREFIX}{name}" if len(name) <= _LONGEST_NAME else None


def tree_label(ancestor: Namespace) -> str:
    """Return the label that names `ancestor` on every namespace of its subtree."""
    return f"{ancestor}{TREE_LABEL_SUFFIX}"


def managed_prefix() -> str:
    """Return what the names of all scoped managed ResourceQuotas begin with."""
    return f"{MANAGED_QUOTA}."
