"""The TreeState document: `quotatree tree -o json`, also read back by later commands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

import orjson

from quotatree.codec import fields, quota_rules, quotas
from quotatree.codec.findings import Finding, Path, wrong_type
from quotatree.model.names import API_VERSION, Namespace
from quotatree.model.observed import Lifecycle
from quotatree.model.problem import Problem, in_order
from quotatree.model.quota import Quota
from quotatree.model.state import Figures, NodeState, ScopedFigures, TreeState

KIND: Final = "TreeState"
MAX_BYTES: Final = 64 * 2**20
"""Size of the greatest file that is read: some fifty thousand namespaces."""

_AMOUNTS: Final = ("held", "used", "charged", "available", "hard", "guaranteed")
_LIFECYCLES: Final = {kind.value: kind for kind in Lifecycle}


def to_dict(state: TreeState) -> dict[str, Any]:
    """Return the document: nodes sorted by path, quantities as canonical strings."""
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "resourceVersion": str(state.resource_version),
        "nodes": [_node_to_dict(node) for node in state.nodes],
    }


def _node_to_dict(node: NodeState) -> dict[str, Any]:
    written: dict[str, Any] = {
        "namespace": node.namespace,
        "parent": node.parent,
        "enforced": node.enforced,
        "lifecycle": node.lifecycle.value,
        **_figures_to_dict(node.figures),
        "quotas": [_quota_to_dict(quota) for quota in node.quotas],
    }
    if node.terminating:
        written["terminating"] = True
    if node.applied:
        written["applied"] = node.applied
    if node.scoped:
        written["scoped"] = [
            quotas.scopes_to_dict(item.scopes) | _figures_to_dict(item.figures)
            for item in node.scoped
        ]
    return written


def _figures_to_dict(figures: Figures) -> dict[str, Any]:
    return {name: getattr(figures, name).to_strings() for name in _AMOUNTS}


def _quota_to_dict(quota: Quota) -> dict[str, Any]:
    written = {"name": quota.name} | quotas.spec_to_dict(quota)
    if not quota.enforced and quota.status is not None:
        written["observed"] = {
            "used": quota.status.used.to_strings(),
            "charged": quota.status.charged.to_strings(),
            "available": quota.status.available.to_strings(),
        }
    if quota.granted:
        written["granted"] = quota.granted.to_strings()
    if quota.applied:
        written["applied"] = quota.applied
    return written


def read(data: bytes) -> TreeState | tuple[Problem, ...]:
    """Return the state that a file holds, or everything that is wrong with it."""
    if len(data) > MAX_BYTES:
        message = f"the file is too large: at most {MAX_BYTES // 2**20} MiB are read"
        return (Problem(path="", message=message),)
    try:
        return parse(orjson.loads(data))
    except orjson.JSONDecodeError as error:
        return (
            Problem(
                path="",
                message=f"is no JSON: {error.msg}",
                line=error.lineno,
                column=error.colno,
                hint="a state file is what quotatree tree -o json prints",
            ),
        )


def parse(obj: object) -> TreeState | tuple[Problem, ...]:
    """Return the state that a decoded document holds, or everything that is wrong with it."""
    if found := in_order(finding.problem() for finding in _findings(obj)):
        return found
    assert isinstance(obj, dict)
    return TreeState(
        resource_version=fields.whole(obj.get("resourceVersion")) or 0,
        nodes=tuple(_node(item) for item in obj["nodes"]),
    )


def _node(item: Mapping[str, Any]) -> NodeState:
    namespace = item["namespace"]
    parent = item.get("parent")
    return NodeState(
        namespace=Namespace(namespace),
        parent=Namespace(parent) if parent else None,
        enforced=item.get("enforced") is True,
        terminating=item.get("terminating") is True,
        lifecycle=_LIFECYCLES.get(fields.text(item, "lifecycle"), Lifecycle.INDEPENDENT),
        applied=fields.text(item, "applied"),
        figures=_figures(item),
        scoped=tuple(
            ScopedFigures(scopes=fields.scopes(entry), figures=_figures(entry))
            for entry in fields.items(item, "scoped")
        ),
        quotas=tuple(_quota(namespace, entry) for entry in fields.items(item, "quotas")),
    )


def _figures(item: Mapping[str, Any]) -> Figures:
    return Figures(**{name: fields.amounts(item, name) for name in _AMOUNTS})


def _quota(namespace: str, entry: Mapping[str, Any]) -> Quota:
    metadata = {"namespace": namespace, "name": entry.get("name")}
    quota = quotas.parse({"metadata": metadata, "spec": entry})
    return replace(
        quota, granted=fields.amounts(entry, "granted"), applied=fields.text(entry, "applied")
    )


# -- checks ---------------------------------------------------------------------------------


def _findings(obj: object) -> Iterator[Finding]:
    if not isinstance(obj, dict):
        yield wrong_type(obj, f"a document of kind {KIND}", ())
        return
    for key, want in (("apiVersion", API_VERSION), ("kind", KIND)):
        if obj.get(key) != want:
            yield wrong_type(obj.get(key), want, (key,))
    nodes = obj.get("nodes")
    if not isinstance(nodes, list):
        yield wrong_type(nodes, "a list", ("nodes",))
        return
    for index, item in enumerate(nodes):
        yield from _node_findings(item, ("nodes", index))


def _node_findings(item: object, path: Path) -> Iterator[Finding]:
    if not isinstance(item, dict):
        yield wrong_type(item, "a map", path)
        return
    for key in ("namespace", "parent"):
        name = item.get(key)
        good = isinstance(name, str) and quota_rules.DNS_LABEL.fullmatch(name)
        if not good and not (key == "parent" and name is None):
            yield wrong_type(name, "the name of a namespace", (*path, key))
    yield from _figure_findings(item, path)
    for key in ("quotas", "scoped"):
        for index, entry in enumerate(_entries(item, key)):
            here = (*path, key, index)
            if not isinstance(entry, dict):
                yield wrong_type(entry, "a map", here)
                continue
            if key == "quotas":
                yield from quota_rules.name_findings(entry.get("name"), (*here, "name"))
                yield from quota_rules.value_findings(entry, here)
            else:
                yield from _figure_findings(entry, here)


def _entries(item: Mapping[str, Any], key: str) -> list[Any]:
    found = item.get(key, [])
    return found if isinstance(found, list) else [found]


def _figure_findings(item: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    for name in _AMOUNTS:
        if name in item:
            yield from quota_rules.amount_findings(item[name], (*path, name))
