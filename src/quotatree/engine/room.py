"""Room in the forest: what growth finds above it, and how much would still fit.

Growth by d at n raises `charge(n)` by ``max(0, d − slack(n))`` with ``slack(a) = charge(a) −
gross(a)``, and so on upwards: the slack of the levels passed adds up, since each of them absorbs
its part before anything reaches the next. Hence along the path n = a₀, a₁, … to the root::

    available(n) = min over k with a hard at aₖ of
                   Σ_{i≤k} slack(aᵢ) + max(0, hard(aₖ) − charge(aₖ))

Questions only: nothing here changes a node.
"""

from __future__ import annotations

from collections.abc import Mapping

from quotatree.engine.forest import Amounts, Book, Node
from quotatree.model.names import Namespace, ResourceName
from quotatree.model.scope import ScopeSet
from quotatree.model.verdict import Limit


def obstacles(
    node: Node,
    scopes: ScopeSet,
    growth: Mapping[str, int],
    *,
    below: Node | None = None,
    first: bool = False,
) -> list[Limit]:
    """Return every level that growth of `node` by `growth` would take above its hard.

    Nearest first; empty means that it fits. The walk ends before `below`, for moves that
    change nothing from a common ancestor on, and with `first` at the first level that refuses. Only
    growth of a charge can be refused, so a level that is already exceeded refuses only what comes
    through to it.
    """
    found: list[Limit] = []
    growing: Mapping[str, int] = {r: d for r, d in growth.items() if d > 0}
    pending: list[tuple[Node | None, Mapping[str, int]]] = [(node, growing)]
    while pending:
        current, deltas = pending.pop()
        while current is not None and current is not below and deltas:
            book = current.books.get(scopes)
            if book is not None:
                deltas = _climb(current.name, book, deltas, found=found)
                if first and found:
                    return found
            if current.ghosts:
                pending.extend((ghost, deltas) for ghost in current.ghosts)
            current = current.parent
    return found


def guarantee_obstacles(node: Node, scopes: ScopeSet, guaranteed: Mapping[str, int]) -> list[Limit]:
    """Return every level without room for a greater guarantee of `node`."""
    book = node.book(scopes)
    growth = {r: g - book.charge(r) for r, g in guaranteed.items() if g > book.charge(r)}
    own = [
        Limit(
            ancestor=node.name,
            resource=ResourceName(r),
            requested=d,
            charged=book.charge(r),
            hard=book.hard[r],
        )
        for r, d in growth.items()
        if r in book.hard and book.charge(r) + d > book.hard[r]
    ]
    above = [obstacles(upper, scopes, growth) for upper in node.uppers()]
    return own + [limit for limits in above for limit in limits]


def available(node: Node, scopes: ScopeSet, resource: str) -> int | None:
    """Return the largest growth of `node` that fits now, None when nothing limits it."""
    room: int | None = None
    pending: list[tuple[Node | None, int]] = [(node, 0)]
    while pending:
        current, slack = pending.pop()
        while current is not None:
            book = current.books.get(scopes)
            if book is not None:
                charge = book.charge(resource)
                slack += charge - book.gross.get(resource, 0)
                hard = book.hard.get(resource)
                if hard is not None:
                    here = slack + max(0, hard - charge)
                    room = here if room is None else min(room, here)
            pending.extend((ghost, slack) for ghost in current.ghosts)
            current = current.parent
    return room


def ceilings(node: Node | None, scopes: ScopeSet) -> dict[str, int | None]:
    """Return every key that `name` or an ancestor limits or guarantees, with its least hard.

    None stands for a key that is only guaranteed: it has to be measured, not limited.
    """
    found: dict[str, int | None] = {}
    while node is not None:
        book = node.books.get(scopes)
        if book is not None:
            for resource, hard in book.hard.items():
                known = found.get(resource)
                found[resource] = hard if known is None else min(known, hard)
            for resource in book.guaranteed:
                found.setdefault(resource, None)
        node = node.parent
    return found


def _climb(
    name: Namespace, book: Book, deltas: Mapping[str, int], *, found: list[Limit]
) -> Mapping[str, int]:
    """Return what of `deltas` (all above zero) comes through, noting in `found` who refuses."""
    gross, guaranteed, hard = book.gross, book.guaranteed, book.hard
    if not guaranteed:  # as on most levels: everything comes through
        for resource, delta in deltas.items():
            ceiling = hard.get(resource)
            if ceiling is not None and (charged := gross.get(resource, 0)) + delta > ceiling:
                found.append(_limit(name, resource, delta, charged=charged, hard=ceiling))
        return deltas
    through: Amounts = {}
    for resource, delta in deltas.items():
        before = gross.get(resource, 0)
        after = before + delta
        floor = guaranteed.get(resource)
        if floor is not None:
            before, after = max(floor, before), max(floor, after)
        if after > before:
            through[resource] = after - before
            ceiling = hard.get(resource)
            if ceiling is not None and after > ceiling:
                found.append(_limit(name, resource, after - before, charged=before, hard=ceiling))
    return through


def _limit(name: Namespace, resource: str, requested: int, *, charged: int, hard: int) -> Limit:
    return Limit(
        ancestor=name,
        resource=ResourceName(resource),
        requested=requested,
        charged=charged,
        hard=hard,
    )
