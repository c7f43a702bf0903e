"""quotatree.yaml to values and back.

One reading finds every mistake, each with its path and its place in the file. The grammar::

    apiVersion: quotatree.dev/v1alpha1
    kind: Tree
    tree:                      # namespace → node; several roots are allowed
      <namespace>:
        hard: {<resource>: <quantity>}            # with the next three: the TreeQuota `quota`
        guaranteed: {<resource>: <quantity>}
        failurePolicy: Fail | Ignore
        mode: Enforce | Observe
        quotas:                                   # further ones, e.g. with scopes
        - {name: …, hard: …, guaranteed: …, scopes: […], scopeSelector: …, failurePolicy: …,
           mode: …}
        lifecycle: Independent | Owned
        labels: {…}
        annotations: {…}
        children: {<namespace>: <node>}
"""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final, cast

import yaml

from quotatree.codec import quotas, treefile_rules, yaml_tree
from quotatree.codec.findings import Finding, Key, Path, path_text
from quotatree.codec.treefile_rules import Entry
from quotatree.model import report
from quotatree.model.names import API_VERSION, Namespace
from quotatree.model.observed import Lifecycle
from quotatree.model.problem import Problem, in_order
from quotatree.model.quota import Quota
from quotatree.model.treefile import DEFAULT_QUOTA, Spot, TreeFile, TreeNode

MAX_BYTES: Final = 10 * 2**20
"""Size of the greatest file that is read: some fifty thousand namespaces."""

_OPEN_MAPS: Final = frozenset({"hard", "guaranteed", "labels", "annotations"})
_NODE_MAPS: Final = frozenset({"tree", "children"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """A tree and where each spot of it stands in its file."""

    tree: TreeFile
    document: yaml_tree.Document
    paths: Mapping[str, Path]

    def place(self, spot: Spot, *, file: str) -> report.Place:
        """Return where a spot stands, or the nearest thing above it that is in the file."""
        path = self.paths.get(spot.namespace)
        if path is None:
            return report.Place()
        path = (*path, *self._within(path, spot))
        line, column = self.document.place(path, at_key=not spot.resource)
        return report.Place(file=file, line=line, column=column, path=path_text(path))

    def _within(self, path: Path, spot: Spot) -> Path:
        node = self.document.data
        for step in path:
            node = node[step]
        inside: Path = (spot.field,) if spot.field else ()
        if spot.resource:
            inside = (*inside, Key(spot.resource))
        entries = node.get("quotas", ()) if isinstance(node, dict) else ()
        for index, entry in enumerate(entries):
            if entry.get("name") == spot.quota:
                return ("quotas", index, *inside)
        return inside


def parse(data: bytes) -> TreeFile | tuple[Problem, ...]:
    """Return the tree that a file holds, or everything that is wrong with it."""
    found = read(data)
    return found.tree if isinstance(found, Located) else found


def read(data: bytes) -> Located | tuple[Problem, ...]:
    """Return the tree that a file holds with its places, or everything that is wrong with it."""
    if len(data) > MAX_BYTES:
        message = "the file is too large: at most 10 MiB are read"
        return (Problem(path="", message=message),)
    try:
        text = data.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        message = f"byte 0x{data[error.start]:02X} is not UTF-8: this is no text file"
        return (Problem(path="", message=message, line=line, column=column),)
    return _read(text)


def _read(text: str) -> Located | tuple[Problem, ...]:
    document = yaml_tree.read(text)
    form = [yaml_tree.problem_of(_typed(f), mark) for f, mark in document.findings]
    if document.data is None and form:
        return in_order(form)
    meaning = [
        yaml_tree.problem_of(f, document.place(f.path, at_key=f.at_key))
        for f in treefile_rules.findings(document.data)
    ]
    if form or meaning:
        return in_order(chain(form, meaning))
    nodes = document.data["tree"]
    paths = {entry.namespace: entry.path for entry in treefile_rules.walk(nodes)}
    return Located(tree=_tree(nodes), document=document, paths=paths)


def from_data(root: object) -> TreeFile | tuple[Problem, ...]:
    """Return the tree that plain data holds, or everything that is wrong with it.

    For trees that never were a text, such as the values of a program. Every key has to be a text,
    and no map may contain itself. Problems have no line.
    """
    found = in_order(finding.problem() for finding in treefile_rules.findings(root))
    return found or _tree(cast("Mapping[str, Any]", root)["tree"])


def _tree(nodes: Mapping[str, Any]) -> TreeFile:
    return TreeFile(nodes=tuple(_node(entry) for entry in treefile_rules.walk(nodes)))


def _typed(finding: Finding) -> Finding:
    """Return a finding of the reader with resource names and label keys written in brackets."""
    typed: list[str | int] = []
    before = ""
    for part in finding.path:
        is_key = before in _OPEN_MAPS and isinstance(part, str)
        typed.append(Key(part) if is_key and isinstance(part, str) else part)
        # What stands below `tree` or `children` is a namespace, whatever its name.
        before = part if isinstance(part, str) and before not in _NODE_MAPS else ""
    return Finding(path=tuple(typed), message=finding.message, hint=finding.hint)


def _node(entry: Entry) -> TreeNode:
    node = entry.node or {}
    own = {key: node[key] for key in treefile_rules.QUOTA_KEYS if key in node}
    named = [(str(DEFAULT_QUOTA), own)] if own else []
    named += [(spec["name"], spec) for spec in node.get("quotas", ())]
    return TreeNode(
        namespace=Namespace(entry.namespace),
        parent=Namespace(entry.parent) if entry.parent is not None else None,
        lifecycle=Lifecycle(node.get("lifecycle", Lifecycle.INDEPENDENT.value)),
        labels=dict(node.get("labels", ())),
        annotations=dict(node.get("annotations", ())),
        quotas=tuple(_quota(entry.namespace, name, spec) for name, spec in named),
    )


def _quota(namespace: str, name: str, spec: dict[str, Any]) -> Quota:
    return quotas.parse({"metadata": {"namespace": namespace, "name": name}, "spec": spec})


# -- back to text ---------------------------------------------------------------------------


class _Inline(dict[str, Any]):
    """A map written on one line."""


class _Dumper(yaml.SafeDumper):
    """Writes equal values twice rather than by alias."""

    def ignore_aliases(self, _data: object) -> bool:
        return True


_Dumper.add_representer(
    _Inline,
    lambda dumper, data: dumper.represent_mapping(
        "tag:yaml.org,2002:map", data.items(), flow_style=True
    ),
)


def to_text(tree: TreeFile) -> str:
    """Return the file that holds `tree`; parsing it gives an equal tree, nodes in file order."""
    document = to_data(tree)
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1000)


def to_data(tree: TreeFile) -> dict[str, Any]:
    """Return the document that holds `tree`, as plain data: `from_data` reads it back."""
    below: dict[Namespace | None, list[TreeNode]] = {}
    for node in tree.nodes:
        below.setdefault(node.parent, []).append(node)
    return {
        "apiVersion": API_VERSION,
        "kind": treefile_rules.KIND,
        "tree": _nodes_to_dict(below, None),
    }


def _nodes_to_dict(
    below: dict[Namespace | None, list[TreeNode]], parent: Namespace | None
) -> dict[str, Any]:
    return {str(node.namespace): _node_to_dict(below, node) for node in below.get(parent, ())}


def _node_to_dict(below: dict[Namespace | None, list[TreeNode]], node: TreeNode) -> dict[str, Any]:
    written: dict[str, Any] = {}
    own = [quota for quota in node.quotas if _is_own(quota)]
    others = [quota for quota in node.quotas if not _is_own(quota)]
    for quota in own:
        written |= _spec_to_dict(quota)
    if others:
        written["quotas"] = [{"name": str(q.name)} | _spec_to_dict(q) for q in others]
    if node.lifecycle is not Lifecycle.INDEPENDENT:
        written["lifecycle"] = node.lifecycle.value
    for key, values in (("labels", node.labels), ("annotations", node.annotations)):
        if values:
            written[key] = _Inline(values)
    if children := _nodes_to_dict(below, node.namespace):
        written["children"] = children
    return written


def _is_own(quota: Quota) -> bool:
    return quota.name == DEFAULT_QUOTA and not quota.scopes


def _spec_to_dict(quota: Quota) -> dict[str, Any]:
    # A quota without any amount stays one that can be read again.
    spec = ({} if quota.guaranteed else {"hard": {}}) | quotas.spec_to_dict(quota)
    return {k: _Inline(v) if k in _OPEN_MAPS else v for k, v in spec.items()}
