"""May a namespace take this place in the tree?

A move is a growth of the new ancestors by all that the subtree is charged. It is charged in both
places until it is committed or lost. From a common ancestor on nothing changes, so the check ends
there. A parent that is created above children that wait for it is such a move too.
"""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import Final

from quotatree.engine import explain, room
from quotatree.engine.forest import Book, Node
from quotatree.engine.ledger import Ledger
from quotatree.model.names import LABEL_PARENT, Namespace
from quotatree.model.review import NamespaceReview
from quotatree.model.scope import ScopeSet
from quotatree.model.verdict import Admit, Cause, Limit, Refuse, TryLater, Verdict, Wait

CREATED: Final = 0
"""The base of a creation: below every resourceVersion."""


def decide(ledger: Ledger, review: NamespaceReview, *, now: float, arrived: float) -> Verdict:
    """Return the verdict on the parent that `review.new` names, having reserved a granted move."""
    child, parent = review.new.name, review.new.parent
    if parent is None or (review.old is not None and review.old.parent == parent):
        return Admit(reserved=False)
    if parent == child:
        return Refuse(
            message=f"namespace {child} cannot be its own parent: "
            f"set label {LABEL_PARENT} to another namespace, or remove it"
        )
    if ledger.uid_of(parent) is None:
        return _no_such_parent(ledger, child, parent, now=now, arrived=arrived)
    node, target = _node(ledger, child), ledger.forest.node(parent)
    if node in ledger.forest.above(target):
        chain = explain.chain(ledger.forest.path(parent))
        return Refuse(
            message=f"namespace {child} cannot be put under {parent}: {parent} is itself below "
            f"{child} ({chain}), which would make a cycle; move {parent} out of {child} first"
        )
    until = arrived + ledger.timing.hold
    if review.old is None and node.children and ledger.uid_of(child) and now < until:
        # The one before it is gone, which is yet to be seen.
        return Wait(until=until, limits=(), cause=Cause.UNSEEN)
    return _decide_move(ledger, review, node, target=target, now=now, arrived=arrived)


def _node(ledger: Ledger, name: Namespace) -> Node:
    """Return the node of a namespace; one that nobody knows yet leaves no trace by being asked."""
    return ledger.forest.get(name) or Node(name)


def _no_such_parent(
    ledger: Ledger, child: Namespace, parent: Namespace, *, now: float, arrived: float
) -> Verdict:
    """Wait for a parent that was created a moment ago: the watch may be behind the request."""
    until = arrived + ledger.timing.hold
    if now < until:
        return Wait(until=until, limits=(), cause=Cause.UNSEEN)
    return Refuse(
        message=f"namespace {child} names the parent {parent}, which does not exist: "
        f"create namespace {parent} first, or correct label {LABEL_PARENT}"
    )


def _decide_move(
    ledger: Ledger,
    review: NamespaceReview,
    node: Node,
    *,
    target: Node,
    now: float,
    arrived: float,
) -> Verdict:
    if review.old is not None and ledger.uid_of(review.new.name) is None:
        reason = f"namespace {review.new.name} is not known to the leader yet"
        return TryLater(reason=reason, cause=Cause.UNSEEN)
    # One that is created holds nothing itself, but children may have been waiting for it.
    limits = obstacles(ledger, node, target)
    if limits:
        if _take_back(ledger, node, target, now=now):
            until = arrived + ledger.lessor.settings.wait
            wait = Wait(until=until, limits=tuple(limits), cause=Cause.SLICES)
            later = TryLater(reason=explain.TAKING_BACK, cause=Cause.SLICES)
            return wait if now < until else later
        until = arrived + ledger.timing.wait
        if ledger.unsettled and now < until:
            return Wait(until=until, limits=tuple(limits), cause=Cause.IN_FLIGHT)
        return Refuse(message=explain.move(review.new.name, target.name, limits))
    if review.dry_run or (review.old is None and not node.children):
        return Admit(reserved=False)
    # Before a creation there was nothing: whatever is seen of that name first settles it.
    base = CREATED if review.old is None else review.old.resource_version
    ledger.moves.reserve(review.new.name, target.name, base=base, now=now)
    return Admit(reserved=True)


def _take_back(ledger: Ledger, node: Node, target: Node, *, now: float) -> bool:
    """Have slices taken back if the move fits without them: those there, and those that move."""
    lessor, shared = ledger.lessor, common_ancestor(ledger, node, target)
    pressing: list[tuple[ScopeSet, list[Limit]]] = []
    for scopes, book in node.books.items():

        def ask(scopes: ScopeSet = scopes, book: Book = book) -> list[Limit]:
            return room.obstacles(target, scopes, book.charges(), below=shared)

        here, there = (node.name, scopes), (target.name, scopes)
        if lessor.without(here, functools.partial(lessor.without, there, ask)):
            return False
        pressing.append((scopes, ask()))
    for scopes, limits in pressing:
        lessor.press(limits, (target.name, scopes), now=now)
        moving = [replace(limit, ancestor=node.name) for limit in limits]
        lessor.press(moving, (node.name, scopes), now=now)
    return True


def obstacles(ledger: Ledger, node: Node, target: Node) -> list[Limit]:
    """Return every new ancestor without room for the charge of `node`."""
    shared = common_ancestor(ledger, node, target)
    return [
        limit
        for scopes, book in node.books.items()
        for limit in room.obstacles(target, scopes, book.charges(), below=shared)
    ]


def common_ancestor(ledger: Ledger, node: Node, target: Node) -> Node | None:
    """Return the nearest node that both are charged to, None when they are in two trees."""
    if node.parent is None:
        return None
    old = set(ledger.forest.path(node.parent.name))
    for name in ledger.forest.path(target.name):
        if name in old:
            return ledger.forest.node(name)
    return None
