"""What `quotatree uninstall` has to do, decided from what was read. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from quotatree.codec import fields
from quotatree.codec.desired import LABEL_APPLIED
from quotatree.model import names

_OWN_LABELS: Final = frozenset(
    {names.LABEL_PARENT, names.LABEL_LIFECYCLE, names.LABEL_ENFORCED, LABEL_APPLIED}
)
_OWN_ANNOTATIONS: Final = frozenset({names.ANNOTATION_CHILDREN, names.ANNOTATION_CASCADE})


def cleaned(namespace: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the merge patch that takes everything of ours off a Namespace, None if nothing is.

    Labels, finalizer and ownerReferences go in one write: a namespace is never seen with a
    reference that the garbage collector may follow and without the labels that explain it. When a
    list is replaced, which is only possible as a whole, the write carries the resourceVersion.
    """
    metadata = fields.mapping(namespace, "metadata")
    labels = [key for key in fields.mapping(metadata, "labels") if _is_ours(key, _OWN_LABELS)]
    annotations = [
        key for key in fields.mapping(metadata, "annotations") if _is_ours(key, _OWN_ANNOTATIONS)
    ]
    finalizers = list(fields.texts(metadata, "finalizers"))
    owners = list(fields.items(metadata, "ownerReferences"))
    patch: dict[str, Any] = {}
    if labels:
        patch["labels"] = dict.fromkeys(labels)
    if annotations:
        patch["annotations"] = dict.fromkeys(annotations)
    if names.FINALIZER_PARENT in finalizers:
        patch["finalizers"] = [f for f in finalizers if f != names.FINALIZER_PARENT]
    if any(_is_namespace(owner) for owner in owners):
        patch["ownerReferences"] = [owner for owner in owners if not _is_namespace(owner)]
    if not patch:
        return None
    # Keys are taken off whatever else has changed; the uid spares a re-created namespace.
    identity = {"uid": metadata.get("uid")}
    if "finalizers" in patch or "ownerReferences" in patch:
        identity["resourceVersion"] = metadata.get("resourceVersion")
    return {"metadata": identity | patch}


def _is_ours(key: str, known: frozenset[str]) -> bool:
    return key in known or key.endswith(names.TREE_LABEL_SUFFIX)


def _is_namespace(owner: Mapping[str, Any]) -> bool:
    return owner.get("kind") == "Namespace" and owner.get("apiVersion") == "v1"


def holder(lease: Mapping[str, Any] | None) -> str:
    """Return who leads by a Lease, empty for nobody."""
    return fields.text(fields.mapping(lease or {}, "spec"), "holderIdentity")


def renewed(lease: Mapping[str, Any] | None) -> str:
    """Return when a Lease was renewed last, as written."""
    return fields.text(fields.mapping(lease or {}, "spec"), "renewTime")


def removal_commands(left: Iterable[tuple[str, str, str | None]]) -> list[str]:
    """Return the kubectl commands that remove what is left: (plural.group, name, namespace)."""
    found = sorted(left)
    spaces = {name for plural, name, _ in found if plural == "namespaces"}
    grouped: dict[str, list[str]] = {}
    for plural, name, namespace in found:
        if namespace not in spaces:  # what lies in a namespace goes with it
            grouped.setdefault(f"{plural}|{namespace or ''}", []).append(name)
    commands = []
    for key, members in grouped.items():
        plural, _, namespace = key.partition("|")
        where = f" -n {namespace}" if namespace else ""
        commands.append(f"kubectl delete {plural} {' '.join(members)}{where}")
    return commands
