"""All tools' parts to one tree. Pure: the same objects give the same file, in any order."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from quotatree.codec import quota_rules, quotas, treefile_rules
from quotatree.importers import draft
from quotatree.importers.draft import Dress, Limit, Note, Part
from quotatree.importers.forest import Forest
from quotatree.model.names import API_VERSION, Namespace
from quotatree.model.observed import Lifecycle
from quotatree.model.quota import Quota
from quotatree.model.treefile import DEFAULT_QUOTA, TreeFile, TreeNode

_LONGEST_NAME: Final = 63
_NO_NAME: Final = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """The tree, and everything that is not in it as it was."""

    tree: TreeFile
    notes: tuple[Note, ...]


def assemble(part: Part, known: Iterable[str] = ()) -> Imported:
    """Return the tree of all objects; `known` are namespaces whose names are taken."""
    forest = Forest(part.stand_ins)
    for link in part.links:
        forest.link(link)
    limits, notes = list(part.limits), list(part.notes)
    # From the greatest set to the least, so that each finds its place inside another one.
    for selection in sorted(part.selections, key=lambda s: (-len(s.members), s.stand_in.key)):
        node = forest.select(selection)
        if node is not None:
            limits += [_moved(limit, node) for limit in selection.limits]
            message = "namespaces are members by name now; one that gets the labels later is not"
            notes.append(Note(source=selection.stand_in.source, message=message, lost=False))
    notes += forest.notes
    by_node = _limits_by_node(forest, limits, notes)
    for node in by_node:
        forest.put(node)
    names = _names(forest, taken=known, notes=notes)
    dresses = _dresses(forest, part.dresses, notes)
    tree = _tree(forest, names=names, limits=by_node, dresses=dresses)
    return Imported(tree=tree, notes=tuple(sorted(set(notes))))


def _moved(limit: Limit, node: str) -> Limit:
    return Limit(node=node, name=limit.name, spec=limit.spec, source=limit.source)


def _limits_by_node(
    forest: Forest, limits: Iterable[Limit], notes: list[Note]
) -> dict[str, list[Limit]]:
    with_children = {parent for parent in forest.parents.values() if parent is not None}
    found: dict[str, list[Limit]] = {}
    for limit in limits:
        reason = forest.unfit(limit.node) or _problem(limit, with_children)
        if reason:
            notes.append(Note(source=limit.source, message=reason))
        else:
            found.setdefault(limit.node, []).append(limit)
    return found


def _problem(limit: Limit, with_children: set[str]) -> str:
    """Return why a limit cannot stand where it is, empty when it can."""
    if not limit.subtree and limit.node in with_children:
        return (
            f"it counts {limit.node} alone, a limit here counts all below it too; "
            "it goes on working beside quotatree as it is"
        )
    return "; ".join(draft.words(finding) for finding in quota_rules.value_findings(limit.spec, ()))


# -- names ----------------------------------------------------------------------------------


def _names(forest: Forest, *, taken: Iterable[str], notes: list[Note]) -> dict[str, str]:
    """Return what each node is called; stand-ins get names that no namespace has."""
    names = {node: node for node in forest.parents if node not in forest.stand_ins}
    used = {*names, *taken, *treefile_rules.RESERVED}
    for key in sorted(forest.stand_ins):
        item = forest.stand_ins[key]
        name = next(name for name in _wishes(item.name, item.suffix) if name not in used)
        used.add(name)
        names[key] = name
        if forest.parents[key] is not None or key in forest.parents.values():
            message = f"namespace {name} stands for it, and is made when the file is applied"
            notes.append(Note(source=item.source, message=message, lost=False))
    return names


def _wishes(wanted: str, suffix: str) -> Iterable[str]:
    base = _NO_NAME.sub("-", wanted.lower()).strip("-") or suffix
    room = _LONGEST_NAME - len(suffix) - 8
    yield base[:_LONGEST_NAME].rstrip("-")
    yield f"{base[:room].rstrip('-')}-{suffix}"
    number = 2
    while True:
        yield f"{base[:room].rstrip('-')}-{suffix}-{number}"
        number += 1


# -- labels and annotations -----------------------------------------------------------------


def _dresses(
    forest: Forest, dresses: Iterable[Dress], notes: list[Note]
) -> dict[str, tuple[dict[str, str], dict[str, str]]]:
    """Return labels and annotations by node; what stands nearer to a node wins."""
    found: dict[str, tuple[dict[str, str], dict[str, str]]] = {}
    wearing = [_sound(dress, notes) for dress in dresses]
    depth = {node: len(list(forest.path(node))) for node in forest.parents}
    for dress in sorted(wearing, key=lambda d: (depth.get(d.node, 0), d.node)):
        nodes = [dress.node]
        if dress.spread:
            nodes = [node for node in forest.parents if dress.node in forest.path(node)]
        for node in nodes:
            labels, annotations = found.setdefault(node, ({}, {}))
            labels.update(dress.labels)
            annotations.update(dress.annotations)
    return found


def _sound(dress: Dress, notes: list[Note]) -> Dress:
    """Return only the labels and annotations that a file may hold."""
    kept: dict[str, dict[str, str]] = {"labels": {}, "annotations": {}}
    for kind, found in (("labels", dress.labels), ("annotations", dress.annotations)):
        for key, value in found.items():
            root = {"apiVersion": API_VERSION, "kind": treefile_rules.KIND}
            tree = {"tree": {"x": {kind: {key: value}}}}
            wrong = next(treefile_rules.findings(root | tree), None)
            if wrong is None:
                kept[kind][key] = value
            else:
                notes.append(Note(source=dress.source, message=f"{kind}: {wrong.message}"))
    return Dress(node=dress.node, source=dress.source, spread=dress.spread, **kept)


# -- nodes ----------------------------------------------------------------------------------


def _tree(
    forest: Forest,
    *,
    names: Mapping[str, str],
    limits: Mapping[str, list[Limit]],
    dresses: Mapping[str, tuple[dict[str, str], dict[str, str]]],
) -> TreeFile:
    """Return the nodes parents first; what neither limits nor is part of a tree is left out."""
    children = forest.children()
    nodes: list[TreeNode] = []
    stack = sorted(children.get(None, ()), key=names.__getitem__, reverse=True)
    while stack:
        node = stack.pop()
        below = children.get(node, [])
        parent = forest.parents[node]
        if not below and parent is None and node not in limits:
            continue
        labels, annotations = dresses.get(node, ({}, {}))
        nodes.append(
            TreeNode(
                namespace=Namespace(names[node]),
                parent=Namespace(names[parent]) if parent is not None else None,
                lifecycle=Lifecycle.OWNED if node in forest.owned else Lifecycle.INDEPENDENT,
                labels=labels,
                annotations=annotations,
                quotas=_quotas(names[node], limits.get(node, ())),
            )
        )
        stack += sorted(below, key=names.__getitem__, reverse=True)
    return TreeFile(nodes=tuple(nodes))


def _quotas(namespace: str, limits: Iterable[Limit]) -> tuple[Quota, ...]:
    """Return the TreeQuotas of a node; one that is alone without scopes is the node's own."""
    made: list[tuple[str, dict[str, Any]]] = []
    ordered = sorted(limits, key=lambda limit: (limit.name, limit.source))
    plain = [limit for limit in ordered if not _scoped(limit)]
    used: set[str] = set()
    for limit in ordered:
        alone = len(plain) == 1 and limit is plain[0]
        name = _free(str(DEFAULT_QUOTA) if alone else limit.name, used, own=alone)
        used.add(name)
        made.append((name, dict(limit.spec)))
    return tuple(
        quotas.parse({"metadata": {"namespace": namespace, "name": name}, "spec": spec})
        for name, spec in sorted(made, key=lambda item: item[0] != DEFAULT_QUOTA)
    )


def _scoped(limit: Limit) -> bool:
    return bool(limit.spec.get("scopes") or limit.spec.get("scopeSelector"))


def _free(wanted: str, used: set[str], *, own: bool) -> str:
    """Return a name that no other quota of the node has; `quota` is that of the node's own."""
    good = next(quota_rules.name_findings(wanted, ()), None) is None
    base = wanted if good else "imported"
    candidates = (base, *(f"{base}-{number}" for number in range(2, 10_000)))
    reserved = set() if own else {str(DEFAULT_QUOTA)}
    return next(name for name in candidates if name not in used | reserved)
