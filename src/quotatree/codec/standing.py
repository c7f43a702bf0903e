"""A tree as it will stand: a file merged into what the cluster shows, as server-side apply does it.

The API server keeps for each field who set it (`metadata.managedFields`, Kubernetes 1.36,
sigs.k8s.io/structured-merge-diff). Applying sets what the file names; drops what an earlier apply
set, the file names no more and nobody else has set; keeps all else; and refuses to change what
somebody else has set to another value (a conflict), unless forced.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from quotatree.codec import desired, fields, namespaces, quotas
from quotatree.codec.findings import Key, Path, path_text, shown
from quotatree.model import names
from quotatree.model.forecast import FieldChange
from quotatree.model.names import Namespace, QuotaName
from quotatree.model.treefile import TreeFile, TreeNode

Objects = Mapping[tuple[str, str], Mapping[str, Any]]
"""Live objects by (namespace, name); a Namespace is in no namespace."""

_OPEN: Final = frozenset({"labels", "annotations", "hard", "guaranteed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """A field that somebody else has set to another value."""

    namespace: Namespace
    quota: QuotaName | None
    field: str
    value: str
    managers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The tree as it will stand, what becomes of labels and annotations, and what is refused."""

    tree: TreeFile
    labels: Mapping[Namespace, tuple[FieldChange, ...]]
    conflicts: tuple[Conflict, ...] = ()


def standing(tree: TreeFile, roots: Mapping[Namespace, Namespace], objects: Objects) -> Standing:
    """Return what applying `tree` makes of the live objects; `roots` are the roots of its nodes."""
    nodes: list[TreeNode] = []
    labels: dict[Namespace, tuple[FieldChange, ...]] = {}
    conflicts: list[Conflict] = []
    for node in tree.nodes:
        root = roots[node.namespace]
        live = objects.get(("", node.namespace))
        merge = _Merge(live, desired.namespace(node, root))
        quotas_of = [
            (q, _Merge(objects.get(q.key), desired.tree_quota(q, root))) for q in node.quotas
        ]
        nodes.append(_node(node, merge, [found for _, found in quotas_of]))
        labels[node.namespace] = () if live is None else tuple(_label_changes(live, merge.after))
        conflicts += merge.conflicts_of(node.namespace, None)
        for quota, found in quotas_of:
            conflicts += found.conflicts_of(node.namespace, quota.name)
    return Standing(tree=TreeFile(nodes=tuple(nodes)), labels=labels, conflicts=tuple(conflicts))


def _node(node: TreeNode, merge: _Merge, quotas_of: list[_Merge]) -> TreeNode:
    stands = namespaces.parse(merge.after)
    return replace(
        node,
        parent=stands.parent,
        lifecycle=stands.lifecycle,
        annotations={**node.annotations, **stands.annotations},
        quotas=tuple(
            replace(quotas.parse(found.after), generation=0, status=None) for found in quotas_of
        ),
    )


class _Merge:
    """One live object and what is applied to it. Lists are taken for one value."""

    def __init__(self, live: Mapping[str, Any] | None, wanted: Mapping[str, Any]) -> None:
        self._ours: list[Mapping[str, Any]] = []
        self._others: list[tuple[str, Mapping[str, Any]]] = []
        self._found: list[tuple[Path, Any, tuple[str, ...]]] = []
        metadata = fields.mapping(live or {}, "metadata")
        for entry in fields.items(metadata, "managedFields"):
            owned = fields.mapping(entry, "fieldsV1")
            manager = fields.text(entry, "manager")
            if manager == names.FIELD_OWNER and entry.get("operation") == "Apply":
                self._ours.append(owned)
            else:
                self._others.append((manager, owned))
        self.after = self._object(live or {}, wanted)

    def conflicts_of(self, namespace: Namespace, quota: QuotaName | None) -> Iterator[Conflict]:
        """Yield what applying would be refused for, unless forced."""
        for path, value, managers in self._found:
            yield Conflict(
                namespace=namespace,
                quota=quota,
                field=path_text(path),
                value=shown(value),
                managers=managers,
            )

    def _object(self, live: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
        metadata = fields.mapping(live, "metadata")
        sought = fields.mapping(wanted, "metadata")
        parts = {
            key: self._merged(
                fields.mapping(metadata, key), fields.mapping(sought, key), ("metadata", key)
            )
            for key in ("labels", "annotations")
        }
        # The spec of a Namespace is the API server's own.
        spec = self._merged(fields.mapping(live, "spec"), fields.mapping(wanted, "spec"), ("spec",))
        return {**live, **wanted, "metadata": {**metadata, **sought, **parts}, "spec": spec}

    def _merged(
        self, live: Mapping[str, Any], wanted: Mapping[str, Any], path: Path
    ) -> dict[str, Any]:
        after: dict[str, Any] = {}
        for key in {**live, **wanted}:
            here = (*path, Key(key) if path[-1] in _OPEN else key)
            old, new = live.get(key), wanted.get(key)
            if isinstance(old, dict) and isinstance(new, dict | None):
                if inner := self._merged(old, new or {}, here):
                    after[key] = inner
            elif key in wanted:
                self._note(here, old, new)
                after[key] = new
            elif not self._dropped(here):
                after[key] = old
        return after

    def _note(self, path: Path, old: object, new: object) -> None:
        if old is not None and old != new:
            managers = tuple(sorted({m for m, owned in self._others if _owns(owned, path)}))
            if managers:
                self._found.append((path, old, managers))

    def _dropped(self, path: Path) -> bool:
        return any(_owns(owned, path) for owned in self._ours) and not any(
            _owns(owned, path) for _, owned in self._others
        )


def _owns(owned: Mapping[str, Any], path: Path) -> bool:
    for step in path:
        inner = owned.get(f"f:{step}")
        if not isinstance(inner, dict):
            return False
        owned = inner
    return True


def _label_changes(live: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[FieldChange]:
    """Yield what changes of labels and annotations that are not quotatree's own."""
    for kind in ("labels", "annotations"):
        old = fields.mapping(fields.mapping(live, "metadata"), kind)
        new = fields.mapping(fields.mapping(after, "metadata"), kind)
        for key in sorted({*old, *new}):
            before, later = str(old.get(key, "")), str(new.get(key, ""))
            if before != later and key not in (names.LABEL_PARENT, names.LABEL_LIFECYCLE):
                yield FieldChange(field=f"{kind}[{key}]", before=before, after=later)
