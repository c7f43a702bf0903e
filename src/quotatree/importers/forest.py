"""The tree while it is put together: who lies below whom, stand-ins included."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from quotatree.codec import quota_rules, treefile_rules
from quotatree.codec.findings import quoted, some
from quotatree.importers.draft import Link, Note, Selection, StandIn


class Forest:
    """Nodes with their parents; refuses, with a note, what would make it no forest."""

    def __init__(self, stand_ins: Iterable[StandIn]) -> None:
        self.stand_ins = {item.key: item for item in stand_ins}
        self.parents: dict[str, str | None] = dict.fromkeys(self.stand_ins)
        self.owned: set[str] = set()
        self.notes: list[Note] = []

    def put(self, node: str) -> None:
        """Add a node, as a root unless it is there."""
        self.parents.setdefault(node, None)

    def link(self, link: Link) -> None:
        """Put a node below another one."""
        if reason := self._problem(link):
            self.notes.append(Note(source=link.source, message=reason))
            return
        self.put(link.parent)
        self.parents[link.child] = link.parent
        if link.owned:
            self.owned.add(link.child)

    def _problem(self, link: Link) -> str:
        for node in (link.child, link.parent):
            if reason := self.unfit(node):
                return reason
        before = self.parents.get(link.child)
        if before is not None and before != link.parent:
            return f"{link.child} is below {before} already, and a namespace has one parent"
        if link.child in self.path(link.parent):
            return f"{link.child} below {link.parent} would make a cycle"
        return ""

    def unfit(self, node: str) -> str:
        """Return why a node cannot be one of a tree, empty when it can."""
        if node in self.stand_ins:
            return ""
        if not node:
            return "it names no namespace"
        if not quota_rules.DNS_LABEL.fullmatch(node):
            return f"{quoted(node)} is no name for a namespace"
        if node in treefile_rules.RESERVED:
            return f"namespace {node} belongs to the cluster itself"
        return ""

    def path(self, node: str) -> Iterator[str]:
        """Yield the node and its ancestors."""
        current: str | None = node
        while current is not None:
            yield current
            current = self.parents.get(current)

    def children(self) -> dict[str | None, list[str]]:
        """Return the nodes by parent, siblings by name."""
        found: dict[str | None, list[str]] = {}
        for node in sorted(self.parents):
            found.setdefault(self.parents[node], []).append(node)
        return found

    def namespaces_below(self) -> dict[str, set[str]]:
        """Return for each node the real namespaces of its subtree, itself included."""
        found: dict[str, set[str]] = {node: set() for node in self.parents}
        for node in self.parents:
            if node not in self.stand_ins:
                for above in self.path(node):
                    found[above].add(node)
        return found

    def select(self, selection: Selection) -> str | None:
        """Return the node whose subtree is just what is selected, made if need be.

        None, with a note, when no tree can have such a node: the selection overlaps another one,
        or leaves out what lies below a member.
        """
        source = selection.stand_in.source
        members = {member for member in selection.members if not self.unfit(member)}
        for member in selection.members - members:
            message = f"{self.unfit(member)}: left out"
            self.notes.append(Note(source=source, message=message))
        for member in members:
            self.put(member)
        below = self.namespaces_below()
        if left := sorted(set().union(*(below[m] for m in members)) - members):
            message = f"it leaves out {some(left)}, below a namespace that it selects"
            self.notes.append(Note(source=source, message=message))
            return None
        inside = {node for node, found in below.items() if found and found <= members}
        tops = sorted(node for node in inside if self.parents[node] not in inside)
        parents = {self.parents[node]: node for node in tops}
        if not parents:
            return None
        if len(parents) > 1:
            places = " and ".join(
                f"{node} {f'below {parent}' if parent else 'below nothing'}"
                for parent, node in sorted(parents.items(), key=lambda item: item[1])
            )
            message = f"a set that overlaps another one is no subtree: {places}"
            self.notes.append(Note(source=source, message=message))
            return None
        if len(tops) == 1:
            return tops[0]
        made = selection.stand_in
        self.stand_ins[made.key] = made
        self.parents[made.key] = next(iter(parents))
        self.parents |= dict.fromkeys(tops, made.key)
        return made.key
