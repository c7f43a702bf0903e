"""Values of a program to the plain data of a quotatree.yaml, so that one set of rules judges both.

The shape of a tree has to be known when the program is written: Pulumi registers resources before
it knows any Output. Amounts, labels and annotations may come later. They are left out of the
document at first, and put in when they are known, to be judged then.
"""

import inspect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import pulumi

from quotatree.codec import findings, treefile_rules, yaml_tree
from quotatree.codec.findings import Finding, Key
from quotatree.model.names import API_VERSION
from quotatree.model.problem import Problem

Path = tuple[str | int, ...]

OPEN: Final = frozenset({"hard", "guaranteed", "labels", "annotations"})
"""Where Outputs are allowed: as the whole map, or as one of its values."""

_WRITTEN: Final = {
    "failure_policy": "failurePolicy",
    "scope_selector": "scopeSelector",
    "match_expressions": "matchExpressions",
    "scope_name": "scopeName",
}
"""Names in Python, and in quotatree.yaml."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Later:
    """A value that is not known yet, and where it belongs."""

    path: Path
    value: pulumi.Output[Any]


@dataclass(slots=True, kw_only=True)
class Draft:
    """A document without its later values, and what is wrong already."""

    tree: Any = field(default_factory=dict)
    later: list[Later] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is wrong already."""
        return tuple(finding.problem() for finding in self.findings)

    def document(self, known: Sequence[Any] | None = None) -> dict[str, Any]:
        """Return the document; `known` are the later values, in their order."""
        tree: Any = _copied(self.tree)
        for later, value in zip(self.later, known or (), strict=known is not None):
            place: Any = tree
            for step in later.path[:-1]:
                place = place[step]
            place[later.path[-1]] = _copied(value)
        return {"apiVersion": API_VERSION, "kind": treefile_rules.KIND, "tree": tree}

    def outputs(self) -> list[pulumi.Output[Any]]:
        """Return the later values."""
        return [later.value for later in self.later]


def is_later(value: object) -> bool:
    """Whether a value is not known while the program is being written down."""
    return isinstance(value, pulumi.Output) or inspect.isawaitable(value)


def has_later(value: object) -> bool:
    """Whether something in plain data is not known yet."""
    if isinstance(value, Mapping):
        return any(has_later(entry) for entry in value.values())
    if isinstance(value, list | tuple):
        return any(has_later(item) for item in value)
    return is_later(value)


def nested(tree: object) -> Draft:
    """Return the draft of a tree whose nodes hold their children."""
    draft = Draft()
    reader = _Reader(draft)
    draft.tree = reader.nodes(tree, ("tree",))
    return draft


def listed(nodes: object) -> Draft:
    """Return the draft of a tree whose nodes name their parents.

    A mistake in the list itself (a parent that is not there, a cycle) leaves nothing to be nested:
    then the draft has findings and no tree.
    """
    draft = Draft()
    if not isinstance(nodes, Sequence) or isinstance(nodes, str):
        draft.findings.append(findings.wrong_type(nodes, "a list of nodes", ("nodes",)))
        return draft
    entries = [entry for i, node in enumerate(nodes) for entry in _entry(draft, node, i)]
    first: dict[str, _Entry] = {}
    for entry in entries:
        first.setdefault(entry.namespace, entry)
    draft.findings += [*_twice(entries, first), *_orphans(entries, first), *_cycles(first)]
    if draft.findings:
        return draft
    _nest(draft, entries)
    return draft


# -- plain data -----------------------------------------------------------------------------


class _Reader:
    """Copies values into a draft: Python's names to those of the file, Outputs set aside."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self._inside: set[int] = set()

    def nodes(self, value: object, path: Path) -> object:
        """Return a map of namespaces to nodes."""
        if is_later(value):
            self._unknown(value, path)
            return {}  # nothing more is to be said of it
        if not isinstance(value, Mapping):
            return self.closed(value, path)
        if id(value) in self._inside:
            message = "contains itself: a namespace cannot be below itself"
            self._wrong(path, message)
            return None
        if len(path) > yaml_tree.MAX_NESTING:
            self._wrong(path, f"nested more than {yaml_tree.MAX_NESTING} deep")
            return None
        self._inside.add(id(value))
        found = {
            key: None if node is None else self.node(node, (*path, key))
            for key, node in self._texts(value, path)
        }
        self._inside.discard(id(value))
        return found

    def node(self, value: object, path: Path) -> object:
        """Return a node or a quota; what is None counts as not given."""
        if not isinstance(value, Mapping):
            return self.closed(value, path)
        found: dict[str, Any] = {}
        for name, given in self._texts(value, path):
            key = _WRITTEN.get(name, name)
            if given is None:
                continue
            match key:
                case "children":
                    found[key] = self.nodes(given, (*path, key))
                case "quotas" if isinstance(given, Sequence) and not isinstance(given, str):
                    here = (*path, key)
                    found[key] = [self.node(quota, (*here, i)) for i, quota in enumerate(given)]
                case _ if key in OPEN:
                    found[key] = self._open(given, (*path, key))
                case _:
                    found[key] = self.closed(given, (*path, key))
        return found

    def closed(self, value: object, path: Path) -> object:
        """Return plain data; no Output may stand in it."""
        if is_later(value):
            self._unknown(value, path)
            return None
        if isinstance(value, Mapping):
            pairs = list(self._texts(value, path))
            return {_WRITTEN.get(k, k): self.closed(v, (*path, k)) for k, v in pairs}
        if isinstance(value, Sequence) and not isinstance(value, str):
            return [self.closed(item, (*path, i)) for i, item in enumerate(value)]
        if value is None or isinstance(value, str | bool | int | float):
            return value
        self._wrong(path, f"must be plain data, is a {type(value).__name__}")
        return None

    def _open(self, value: object, path: Path) -> object:
        if is_later(value):
            self._set_aside(value, path)
            return {}
        if not isinstance(value, Mapping):
            return self.closed(value, path)
        found = {}
        for key, entry in self._texts(value, path):
            here = (*path, Key(key))
            if is_later(entry):
                self._set_aside(entry, here)
            else:
                found[key] = self.closed(entry, here)
        return found

    def _set_aside(self, value: object, path: Path) -> None:
        self.draft.later.append(Later(path=path[1:], value=pulumi.Output.from_input(value)))

    def _texts(self, value: Mapping[Any, Any], path: Path) -> Iterable[tuple[str, Any]]:
        for key, entry in value.items():
            if isinstance(key, str):
                yield key, entry
            else:
                self._wrong(path, f"a key must be a text, is {findings.shown(repr(key))}")

    def _unknown(self, value: object, path: Path) -> None:
        if inspect.iscoroutine(value):
            value.close()
        hint = "amounts, labels and annotations may be Outputs, what the tree looks like may not"
        message = "is an Output, and has to be known when the program starts"
        self.draft.findings.append(Finding(path=path, message=message, hint=hint))

    def _wrong(self, path: Path, message: str) -> None:
        self.draft.findings.append(Finding(path=path, message=message))


def _copied(value: object) -> object:
    """Return maps and lists as new plain ones."""
    if isinstance(value, Mapping):
        return {key: _copied(entry) for key, entry in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_copied(item) for item in value]
    return value


# -- lists of nodes -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """One node of a list."""

    index: int
    namespace: str
    parent: str | None
    node: dict[str, Any]
    later: tuple[Later, ...]


def _entry(draft: Draft, value: object, index: int) -> Iterable[_Entry]:
    path = ("nodes", index)
    if not isinstance(value, Mapping):
        draft.findings.append(findings.wrong_type(value, "a map with namespace", path))
        return
    own = Draft()
    reader = _Reader(own)
    rest = {key: entry for key, entry in value.items() if key not in {"namespace", "parent"}}
    node: Any = reader.node(rest, path)
    names = {key: reader.closed(value.get(key), (*path, key)) for key in ("namespace", "parent")}
    if not own.findings:
        own.findings += _name_findings(names, path)
    if "children" in node:
        hint = "give each of them an entry of its own, with its parent"
        message = "belongs to the nested form of a tree"
        own.findings.append(Finding(path=(*path, "children"), message=message, hint=hint))
    draft.findings += own.findings
    if own.findings:
        return
    # Relative to the node: where it will stand is not known before all of them are read.
    later = tuple(Later(path=found.path[1:], value=found.value) for found in own.later)
    parent = None if names["parent"] is None else str(names["parent"])
    namespace = str(names["namespace"])
    yield _Entry(index=index, namespace=namespace, parent=parent, node=node, later=later)


def _name_findings(names: Mapping[str, object], path: Path) -> Iterable[Finding]:
    for key, said in names.items():
        if not isinstance(said, str) and (key == "namespace" or said is not None):
            yield findings.wrong_type(said, "the name of a namespace", (*path, key))


def _twice(entries: Sequence[_Entry], first: Mapping[str, _Entry]) -> Iterable[Finding]:
    for entry in entries:
        other = first[entry.namespace]
        if other is not entry:
            yield Finding(
                path=("nodes", entry.index, "namespace"),
                message=f"namespace {findings.quoted(entry.namespace)} is listed twice",
                hint=f"the first is nodes[{other.index}]; keep one",
            )


def _orphans(entries: Sequence[_Entry], first: Mapping[str, _Entry]) -> Iterable[Finding]:
    for entry in entries:
        if entry.parent is not None and entry.parent not in first:
            yield Finding(
                path=("nodes", entry.index, "parent"),
                message=f"namespace {findings.quoted(entry.namespace)} names the parent "
                f"{findings.quoted(entry.parent)}, which is not in the list",
                hint=findings.closest(entry.parent, first)
                or "list it too; for one outside of this tree use the tree's own `parent`",
            )


def _cycles(first: Mapping[str, _Entry]) -> Iterable[Finding]:
    done: set[str] = set()
    for start in first:
        chain: list[str] = []
        entry = first.get(start)
        while entry and entry.namespace not in done and entry.namespace not in chain:
            chain.append(entry.namespace)
            entry = first.get(entry.parent or "")
        if entry and entry.namespace in chain:
            cycle = chain[chain.index(entry.namespace) :]
            shown = " > ".join(findings.shown(name) for name in [cycle[0], *reversed(cycle)])
            yield Finding(
                path=("nodes", entry.index, "parent"),
                message=f"namespace {findings.quoted(entry.namespace)} is below itself: {shown}",
                hint="give one of them another parent, or none",
            )
        done.update(chain)


def _nest(draft: Draft, entries: Sequence[_Entry]) -> None:
    places: dict[str | None, tuple[dict[str, Any], Path]] = {None: (draft.tree, ())}
    below: dict[str | None, list[_Entry]] = {}
    for entry in entries:
        below.setdefault(entry.parent, []).append(entry)
    waiting: list[str | None] = [None]
    for parent in waiting:
        siblings, path = places[parent]
        for entry in below.get(parent, ()):
            siblings[entry.namespace] = entry.node
            here = (*path, entry.namespace)
            draft.later += [Later(path=(*here, *it.path), value=it.value) for it in entry.later]
            if entry.namespace in below:
                children = entry.node.setdefault("children", {})
                places[entry.namespace] = (children, (*here, "children"))
                waiting.append(entry.namespace)
