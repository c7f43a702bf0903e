"""What a tree in a file must be like: keys, names, labels, and each quota by `quota_rules`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from quotatree.codec import quota_rules
from quotatree.codec.findings import (
    Finding,
    Key,
    Path,
    closest,
    path_text,
    quoted,
    shown,
    unknown_keys,
    wrong_type,
)
from quotatree.model import names
from quotatree.model.names import API_VERSION
from quotatree.model.observed import Lifecycle
from quotatree.model.treefile import DEFAULT_QUOTA

KIND: Final = "Tree"
QUOTA_KEYS: Final = ("hard", "guaranteed", "failurePolicy", "mode")
"""Keys that make a node's TreeQuota named `quota`."""

NODE_KEYS: Final = (*QUOTA_KEYS, "quotas", "lifecycle", "labels", "annotations", "children")
RESERVED: Final = frozenset({"kube-system", "kube-public", "kube-node-lease", "quotatree-system"})
"""Where the control plane and quotatree itself live: a quota there could stop the cluster."""

LABEL_NAME: Final = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?", re.ASCII)
_LONGEST_PREFIX: Final = 253
_LONGEST_ANNOTATIONS: Final = 256 * 2**10  # bytes of keys and values together, in apimachinery


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One node as it stands in the file."""

    path: Path
    namespace: str
    parent: str | None
    node: Any


def walk(tree: Mapping[str, Any]) -> Iterator[Entry]:
    """Yield all nodes, parents before children, siblings as written."""
    stack = [_entries(tree, parent=None, path=("tree",))]
    while stack:
        entry = next(stack[-1], None)
        if entry is None:
            stack.pop()
            continue
        yield entry
        children = entry.node.get("children") if isinstance(entry.node, dict) else None
        if isinstance(children, dict):
            path = (*entry.path, "children")
            stack.append(_entries(children, parent=entry.namespace, path=path))


def _entries(nodes: Mapping[str, Any], *, parent: str | None, path: Path) -> Iterator[Entry]:
    for namespace, node in nodes.items():
        yield Entry(path=(*path, namespace), namespace=namespace, parent=parent, node=node)


def findings(root: object) -> Iterator[Finding]:
    """Yield every mistake of a file's content."""
    if not isinstance(root, dict):
        example = f"apiVersion: {API_VERSION}, kind: {KIND} and tree"
        what = "the file is empty" if root is None else "the file holds no map"
        yield Finding(path=(), message=what, hint=f"it needs {example}")
        return
    yield from unknown_keys(root, ("apiVersion", "kind", "tree"), ())
    for key, want in (("apiVersion", API_VERSION), ("kind", KIND)):
        if key not in root:
            yield Finding(path=(key,), message="is missing", hint=f"write {key}: {want}")
        elif root[key] != want:
            yield wrong_type(root[key], want, (key,))
    if "tree" not in root:
        yield Finding(path=("tree",), message="is missing", hint="it maps namespaces to nodes")
    elif not isinstance(root["tree"], dict):
        yield wrong_type(root["tree"], "a map of namespaces to nodes", ("tree",))
    else:
        yield from _tree_findings(root["tree"])


def _tree_findings(tree: Mapping[str, Any]) -> Iterator[Finding]:
    seen: dict[str, Path] = {}
    for entry in walk(tree):
        yield from _namespace_findings(entry)
        if entry.namespace in seen:
            yield Finding(
                path=entry.path,
                message=f"namespace {quoted(entry.namespace)} has a second place in the tree",
                hint=f"its first is {path_text(seen[entry.namespace])}; keep one",
                at_key=True,
            )
        seen.setdefault(entry.namespace, entry.path)
        if isinstance(entry.node, dict):
            yield from _node_findings(entry)
        elif entry.node is not None:
            yield wrong_type(entry.node, "a map", entry.path)


def _namespace_findings(entry: Entry) -> Iterator[Finding]:
    if not quota_rules.DNS_LABEL.fullmatch(entry.namespace):
        yield Finding(
            path=entry.path,
            message=f"{quoted(entry.namespace)} is no name for a namespace",
            hint="use lower-case letters, digits and '-', at most 63 characters",
            at_key=True,
        )
    elif entry.namespace in RESERVED:
        message = f"namespace {entry.namespace} belongs to the cluster itself"
        hint = "take it out: a quota there can stop the whole cluster"
        yield Finding(path=entry.path, message=message, hint=hint, at_key=True)


def _node_findings(entry: Entry) -> Iterator[Finding]:
    node, path = entry.node, entry.path
    yield from unknown_keys(node, NODE_KEYS, path)
    yield from quota_rules.value_findings({k: node[k] for k in QUOTA_KEYS if k in node}, path)
    for key in ("failurePolicy", "mode"):
        if key in node and not _has_amounts(node):
            message = "belongs to a quota, and this node has neither hard nor guaranteed"
            yield Finding(path=(*path, key), message=message, at_key=True)
    if "quotas" in node:
        yield from _quotas_findings(node, (*path, "quotas"))
    if "children" in node and not isinstance(node["children"], dict | None):
        yield wrong_type(node["children"], "a map of namespaces to nodes", (*path, "children"))
    yield from _lifecycle_findings(entry)
    for key in ("labels", "annotations"):
        if key in node:
            yield from _metadata_findings(key, node[key], path)


def _has_amounts(spec: Mapping[str, Any]) -> bool:
    return "hard" in spec or "guaranteed" in spec


def _lifecycle_findings(entry: Entry) -> Iterator[Finding]:
    if "lifecycle" not in entry.node:
        return
    path = (*entry.path, "lifecycle")
    kinds = [kind.value for kind in Lifecycle]
    lifecycle = entry.node["lifecycle"]
    if lifecycle not in kinds:
        finding = wrong_type(lifecycle, " or ".join(kinds), path)
        hint = closest(lifecycle, kinds) if isinstance(lifecycle, str) else ""
        yield Finding(path=path, message=finding.message, hint=hint)
    elif lifecycle == Lifecycle.OWNED.value and entry.parent is None:
        message = "a root has no parent that could own it"
        yield Finding(path=path, message=message, hint="remove lifecycle, or nest it in a parent")


# -- quotas ---------------------------------------------------------------------------------


def _quotas_findings(node: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    quotas = node["quotas"]
    if not isinstance(quotas, list):
        yield wrong_type(quotas, "a list of quotas", path)
        return
    taken = {str(DEFAULT_QUOTA): "that of the node's own hard"} if _has_amounts(node) else {}
    for index, spec in enumerate(quotas):
        here = (*path, index)
        if not isinstance(spec, dict):
            yield wrong_type(spec, "a map with name and hard", here)
            continue
        yield from unknown_keys(spec, ("name", *quota_rules.SPEC_KEYS), here)
        yield from quota_rules.value_findings(spec, here)
        if not _has_amounts(spec):
            yield Finding(path=here, message="limits nothing", hint="give it hard or guaranteed")
        if "name" not in spec:
            yield Finding(path=(*here, "name"), message="is missing", hint="name the TreeQuota")
            continue
        yield from quota_rules.name_findings(spec["name"], (*here, "name"))
        yield from _taken_findings(spec["name"], taken, (*here, "name"))
        if isinstance(spec["name"], str):
            taken.setdefault(spec["name"], f"that of {path_text(here)}")


def _taken_findings(name: object, taken: Mapping[str, str], path: Path) -> Iterator[Finding]:
    if isinstance(name, str) and name in taken:
        message = f"the name {quoted(name)} is taken: it is {taken[name]}"
        yield Finding(path=path, message=message, hint="choose another one")


# -- labels and annotations -----------------------------------------------------------------


def _metadata_findings(kind: str, found: object, path: Path) -> Iterator[Finding]:
    here = (*path, kind)
    if not isinstance(found, dict):
        yield wrong_type(found, "a map of texts", here)
        return
    for key, value in found.items():
        yield from _key_findings(kind, key, (*here, Key(key)))
        if type(value) is not str:
            finding = wrong_type(value, "a text", (*here, Key(key)))
            hint = f"write it in quotes: {quoted(value)}" if isinstance(value, str) else ""
            yield Finding(path=finding.path, message=finding.message, hint=hint)
        elif kind == "labels" and value and not LABEL_NAME.fullmatch(value):
            yield Finding(
                path=(*here, Key(key)),
                message=f"{quoted(value)} is no value for a label",
                hint="use at most 63 letters, digits, '-', '_' and '.', "
                "with a letter or digit at both ends",
            )
    size = sum(len(k.encode()) + len(str(v).encode()) for k, v in found.items())
    if kind == "annotations" and size > _LONGEST_ANNOTATIONS:
        yield Finding(path=here, message=f"{size} bytes, the API server takes 262144")


def _key_findings(kind: str, key: str, path: Path) -> Iterator[Finding]:
    prefix, slash, name = key.rpartition("/")
    good_prefix = len(prefix) <= _LONGEST_PREFIX and quota_rules.DNS_SUBDOMAIN.fullmatch(prefix)
    if not LABEL_NAME.fullmatch(name) or (slash and not good_prefix):
        message = f"{quoted(key)} is no key for {kind}"
        hint = "a key is a name of at most 63 letters, digits, '-', '_' and '.', and may have a "
        yield Finding(
            path=path, message=message, hint=hint + "DNS name and '/' before it", at_key=True
        )
    elif _is_ours(prefix) and (kind, key) != ("annotations", names.ANNOTATION_CASCADE):
        hint = _OURS.get(key, "remove it: the controller writes it")
        yield Finding(path=path, message=f"{shown(key)} is not for files", hint=hint, at_key=True)


def _is_ours(prefix: str) -> bool:
    return prefix == names.GROUP or prefix.endswith(f".{names.GROUP}")


_OURS: Final = {
    names.LABEL_PARENT: "put the namespace among the children of its parent",
    names.LABEL_LIFECYCLE: "write lifecycle: beside labels:",
    names.ANNOTATION_CASCADE: "it is an annotation",
}
