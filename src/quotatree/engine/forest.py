"""The forest of charges: who is whose child, and what each namespace is charged.

For every namespace a, resource r and scope set, with exact integers of 10⁻⁹::

    gross(a)  = held(a) + Σ charge(c)   over the children c of a
    charge(a) = max(guaranteed(a), gross(a))

One mutable object with one writer. Numbers are kept incrementally: a change costs one walk to the
root, and stops where a guarantee absorbs it. `engine.room` asks
what fits, `engine.rollup` computes the same numbers from scratch.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Final

from quotatree.model.names import Namespace
from quotatree.model.scope import ScopeSet

Amounts = dict[str, int]
"""Resource name to integer of 10⁻⁹; absent means zero."""

NOTHING: Final[Mapping[str, int]] = {}


class Book:
    """The numbers of one namespace in one scope set.

    Bare integers on purpose: these are read and written for every level of every decision.
    """

    __slots__ = ("gross", "guaranteed", "hard", "held")

    def __init__(self) -> None:
        self.hard: Mapping[str, int] = NOTHING
        self.guaranteed: Mapping[str, int] = NOTHING
        self.held: Amounts = {}
        self.gross: Amounts = {}

    def charge(self, resource: str) -> int:
        """Return what the parent is charged for this subtree."""
        gross = self.gross.get(resource, 0)
        floor = self.guaranteed.get(resource, 0) if self.guaranteed else 0
        return gross if gross > floor else floor

    def add(self, deltas: Mapping[str, int]) -> Mapping[str, int]:
        """Add `deltas` (none of them zero) to the gross; return by how much the charge changes."""
        gross, guaranteed = self.gross, self.guaranteed
        if not guaranteed:  # as on most levels: everything comes through
            for resource, delta in deltas.items():
                after = gross.get(resource, 0) + delta
                if after:
                    gross[resource] = after
                else:
                    gross.pop(resource, None)
            return deltas
        through: Amounts = {}
        for resource, delta in deltas.items():
            before = gross.get(resource, 0)
            after = before + delta
            if after:
                gross[resource] = after
            else:
                gross.pop(resource, None)
            floor = guaranteed.get(resource)
            change = delta if floor is None else max(floor, after) - max(floor, before)
            if change:
                through[resource] = change
        return through

    def charges(self) -> Amounts:
        """Return every non-zero charge."""
        found = {r: self.charge(r) for r in (*self.gross, *self.guaranteed)}
        return {r: amount for r, amount in found.items() if amount}


class Node:
    """A namespace in the forest; `exists` is False for a parent that is only named so far."""

    __slots__ = ("books", "children", "declared", "exists", "ghosts", "name", "parent")

    def __init__(self, name: Namespace) -> None:
        self.name = name
        self.exists = False
        self.declared: Namespace | None = None
        self.parent: Node | None = None
        self.ghosts: tuple[Node, ...] = ()
        self.children: set[Namespace] = set()
        self.books: dict[ScopeSet, Book] = {}

    def book(self, scopes: ScopeSet) -> Book:
        """Return the book of a scope set, made when first asked for."""
        book = self.books.get(scopes)
        if book is None:
            book = self.books[scopes] = Book()
        return book

    def uppers(self) -> Iterator[Node]:
        """Yield the nodes that this one is charged to: its parent, and those it may move to."""
        if self.parent is not None:
            yield self.parent
        yield from self.ghosts


class Forest:
    """All namespaces, linked by their declared parents, with their charges.

    `shape` grows whenever somebody gets another parent.
    """

    def __init__(self) -> None:
        self.shape = 0
        self._nodes: dict[Namespace, Node] = {}
        self._cut: set[Namespace] = set()
        self._ghosted: set[Namespace] = set()
        self._on_link: list[Callable[[Node, Node, int], None]] = []

    def on_link(self, told: Callable[[Node, Node, int], None]) -> None:
        """Have `told` called with a node, its parent and 1 or -1, at each link that comes or goes.

        The forest is one without cycles each time: whoever keeps sums moves them by that.
        """
        self._on_link.append(told)

    # -- topology ---------------------------------------------------------------------------

    def node(self, name: Namespace) -> Node:
        """Return the node of a namespace, made as "only named so far" when unknown."""
        node = self._nodes.get(name)
        if node is None:
            node = self._nodes[name] = Node(name)
        return node

    def get(self, name: Namespace) -> Node | None:
        """Return the node of a namespace, None when nobody ever named it."""
        return self._nodes.get(name)

    def nodes(self) -> Iterable[Node]:
        """Return all nodes, in no particular order."""
        return self._nodes.values()

    def path(self, name: Namespace) -> tuple[Namespace, ...]:
        """Return the namespace and its ancestors, the root last."""
        found: list[Namespace] = []
        node = self._nodes.get(name)
        while node is not None:
            found.append(node.name)
            node = node.parent
        return tuple(found)

    def above(self, node: Node) -> set[Node]:
        """Return the node and everything that it is charged to, pending moves included."""
        found: set[Node] = set()
        pending = [node]
        while pending:
            current = pending.pop()
            if current not in found:
                found.add(current)
                pending.extend(current.uppers())
        return found

    def is_charged_to(self, name: Namespace, levels: Collection[Namespace]) -> bool:
        """Whether a namespace is charged to one of these levels, pending moves included."""
        node = self._nodes.get(name)
        return node is not None and any(upper.name in levels for upper in self.above(node))

    def subtree(self, name: Namespace) -> Iterator[Namespace]:
        """Yield the namespace and all below it, parents before children, siblings by name."""
        pending = [name]
        while pending:
            current = pending.pop()
            yield current
            node = self._nodes.get(current)
            if node is not None:
                pending.extend(sorted(node.children, reverse=True))

    def cycle_of(self, name: Namespace) -> tuple[Namespace, ...]:
        """Return the members of the cycle of declared parents that `name` is on, else nothing."""
        seen: list[Namespace] = []
        current: Namespace | None = name
        while current is not None and current not in seen:
            seen.append(current)
            node = self._nodes.get(current)
            current = node.declared if node is not None else None
        return tuple(seen) if current == name else ()

    def declare(self, name: Namespace, parent: Namespace | None) -> None:
        """Say that `name` exists and names `parent`.

        A cycle is cut at its least member, whatever the order in which its edges came, so that
        two replicas see the same forest.
        """
        node = self.node(name)
        node.exists = True
        if node.declared == parent:
            return
        node.declared = parent
        self._relink(name)

    def remove(self, name: Namespace) -> None:
        """Forget a namespace that is gone: what it held goes, its children keep naming it.

        Its limits stay: they come and go with their TreeQuotas, whose events may be ahead.
        """
        node = self._nodes.get(name)
        if node is None:
            return
        self.unghost(node)
        for scopes in list(node.books):
            self.set_held(node, scopes, {})
        node.exists = False
        if node.declared is not None:
            node.declared = None
            self._relink(name)
        self._drop_if_unused(node)

    def _relink(self, name: Namespace) -> None:
        cycle = self.cycle_of(name)
        suspects = self._cut | {name} | ({min(cycle)} if cycle else set())
        wanted = {member: self._effective(member) for member in suspects}
        self._cut = {m for m, parent in wanted.items() if parent is None and self.node(m).declared}
        current = {member: self.node(member).parent for member in wanted}
        changed = {m: p for m, p in wanted.items() if p != _name(current[m])}
        ghosts = self._lift_ghosts() if changed else []
        for member in changed:  # first apart, then together: no cycle in between
            self._link(self.node(member), None)
        for member, parent in changed.items():
            if parent is not None:
                self._link(self.node(member), self.node(parent))
        for node, target in ghosts:
            self.ghost(node, target)

    def _lift_ghosts(self) -> list[tuple[Node, Node]]:
        """Take all double charging away for the time of a change; returns it."""
        lifted = []
        for name in list(self._ghosted):
            node = self.node(name)
            lifted += [(node, target) for target in node.ghosts]
            self.unghost(node)
        return lifted

    def _effective(self, name: Namespace) -> Namespace | None:
        cycle = self.cycle_of(name)
        return None if cycle and min(cycle) == name else self.node(name).declared

    def _link(self, node: Node, parent: Node | None) -> None:
        old = node.parent
        if old is parent:
            return
        node.parent = parent
        self.shape += 1
        if old is not None:
            old.children.discard(node.name)
            self._carry(node, old, sign=-1)
        if parent is not None:
            parent.children.add(node.name)
            self._carry(node, parent, sign=1)
        if old is not None:
            self._drop_if_unused(old)

    def _carry(self, node: Node, upper: Node, *, sign: int) -> None:
        """Bring what a subtree comes to above `upper`, or take it away from there."""
        self._charge(upper, node, sign=sign)
        for told in self._on_link:
            told(node, upper, sign)

    def _drop_if_unused(self, node: Node) -> None:
        if node.exists or node.children or node.parent is not None:
            return
        # What is held may have been seen before its Namespace was.
        if not any(b.hard or b.guaranteed or any(b.held.values()) for b in node.books.values()):
            self._nodes.pop(node.name, None)

    def ghost(self, node: Node, target: Node) -> None:
        """Charge `node` to `target` too, until a move is committed or lost.

        A move that has become a cycle meanwhile charges nothing: if it is committed, it is cut.
        """
        if node in self.above(target):
            return
        node.ghosts = (*node.ghosts, target)
        self._ghosted.add(node.name)
        self._charge(target, node, sign=1)

    def unghost(self, node: Node) -> None:
        """End all double charging of `node`."""
        ghosts, node.ghosts = node.ghosts, ()
        self._ghosted.discard(node.name)
        for target in ghosts:
            self._charge(target, node, sign=-1)

    # -- charges ----------------------------------------------------------------------------

    def _charge(self, upper: Node, node: Node, *, sign: int) -> None:
        for scopes, book in node.books.items():
            self._shift(upper, scopes, {r: sign * a for r, a in book.charges().items()})

    def _shift(self, node: Node, scopes: ScopeSet, deltas: Mapping[str, int]) -> None:
        """Add `deltas` to gross(node) and carry what comes through to everyone above."""
        current: Node | None = node
        while current is not None and deltas:
            book = current.books.get(scopes) or current.book(scopes)
            deltas = book.add(deltas)
            for target in current.ghosts:
                self._shift(target, scopes, deltas)
            current = current.parent

    def set_held(self, node: Node, scopes: ScopeSet, held: Amounts) -> None:
        """Set what the namespace itself holds; keys with zero may be left out. `held` is kept."""
        book = node.book(scopes)
        old = book.held
        deltas = {r: held.get(r, 0) - old.get(r, 0) for r in {**old, **held}}
        book.held = held
        self._shift(node, scopes, {r: d for r, d in deltas.items() if d})

    def change_held(self, node: Node, scopes: ScopeSet, deltas: Mapping[str, int]) -> None:
        """Add `deltas` (none of them zero) to what the namespace itself holds."""
        held = node.book(scopes).held
        for resource, delta in deltas.items():
            held[resource] = held.get(resource, 0) + delta
        self._shift(node, scopes, deltas)

    def set_limits(
        self,
        node: Node,
        scopes: ScopeSet,
        *,
        hard: Mapping[str, int],
        guaranteed: Mapping[str, int],
    ) -> None:
        """Set the ceiling and the guarantee in force; whether a guarantee fits is asked before."""
        book = node.book(scopes)
        book.hard = hard or NOTHING
        self._set_guarantee(node, book, guaranteed, scopes=scopes)
        self._drop_if_unused(node)

    def _set_guarantee(
        self, node: Node, book: Book, guaranteed: Mapping[str, int], *, scopes: ScopeSet
    ) -> None:
        if book.guaranteed == guaranteed:
            return
        before = book.charges()
        book.guaranteed = guaranteed or NOTHING
        after = book.charges()
        deltas = {r: after.get(r, 0) - before.get(r, 0) for r in {**before, **after}}
        moved = {r: d for r, d in deltas.items() if d}
        for upper in node.uppers():
            self._shift(upper, scopes, moved)


def _name(node: Node | None) -> Namespace | None:
    return None if node is None else node.name
