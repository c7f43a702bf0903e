"""All numbers of a tree from scratch: plain, slow and independent of the ledger.

The commands show these numbers, and the property tests hold `engine.forest` against them. For one
scope set, resource by resource, in integers of 10⁻⁹::

    gross(a)  = held(a) + Σ charge(c)          over the children c of a
    charge(a) = max(guaranteed(a), gross(a))
    slack(a)  = charge(a) - gross(a) ≥ 0       what a's guarantee still absorbs

**available(n).** Let n = a₀, a₁, … be the path to the root and let n grow by d. The level aᵢ
receives dᵢ, with d₀ = d, and passes on what its slack does not absorb: dᵢ₊₁ = max(0, dᵢ -
slack(aᵢ)). So the charge of aₖ rises by max(0, d - Sₖ) with Sₖ = slack(a₀) + … + slack(aₖ). A level
refuses only a rise, and only one to above its hard: it accepts d if d ≤ Sₖ, or if d - Sₖ ≤ hard(aₖ)
- charge(aₖ). Its greatest acceptable d is Sₖ + max(0, hard(aₖ) - charge(aₖ)), and available(n) is
the least of these over the levels that have a hard.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from quotatree.model.names import Namespace
from quotatree.units.resources import EMPTY, Resources

Parents = Mapping[Namespace, Namespace | None]
Amounts = Mapping[Namespace, Resources]


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """What one namespace is charged for its subtree, and by how much it may grow itself.

    `available` names exactly the resources that the namespace or an ancestor limits.
    """

    charged: Resources
    available: Resources


def rollup(
    parents: Parents, *, hard: Amounts, guaranteed: Amounts, held: Amounts
) -> dict[Namespace, Numbers]:
    """Return the numbers of every namespace in `parents`.

    Namespaces without an entry in `hard`, `guaranteed` or `held` limit, reserve or hold nothing.
    """
    parents = acyclic(parents)
    gross = {name: held.get(name, EMPTY) for name in parents}
    charged: dict[Namespace, Resources] = {}
    for name in reversed(parents_first(parents)):
        charged[name] = gross[name].maximum(guaranteed.get(name, EMPTY))
        parent = parents[name]
        if parent is not None:
            gross[parent] += charged[name]
    slack = {name: charged[name] - gross[name] for name in parents}
    return {
        name: Numbers(
            charged=charged[name],
            available=_available(path_up(parents, name), hard=hard, charged=charged, slack=slack),
        )
        for name in parents
    }


def _available(
    path: Iterable[Namespace], *, hard: Amounts, charged: Amounts, slack: Amounts
) -> Resources:
    absorbed = EMPTY
    room: dict[str, int] = {}
    for level in path:
        absorbed += slack[level]
        for resource, ceiling in hard.get(level, EMPTY).nanos().items():
            left = max(0, ceiling - charged[level].nano(resource))
            here = absorbed.nano(resource) + left
            room[resource] = min(room.get(resource, here), here)
    return Resources.from_nano(room)


def subtree_sums(parents: Parents, amounts: Amounts) -> dict[Namespace, Resources]:
    """Return for every namespace the sum of `amounts` over itself and everything below it."""
    parents = acyclic(parents)
    sums = {name: amounts.get(name, EMPTY) for name in parents}
    for name in reversed(parents_first(parents)):
        parent = parents[name]
        if parent is not None:
            sums[parent] += sums[name]
    return sums


def acyclic(parents: Parents) -> dict[Namespace, Namespace | None]:
    """Return `parents` as a forest.

    A parent that is not a key itself is none. A cycle is cut at its least member, as
    `engine.forest` does.
    """
    forest = {n: p if p in parents else None for n, p in parents.items()}
    done: set[Namespace] = set()
    for start in parents:
        path: list[Namespace] = []
        current: Namespace | None = start
        while current is not None and current not in done and current not in path:
            path.append(current)
            current = forest[current]
        if current is not None and current in path:
            forest[min(path[path.index(current) :])] = None
        done.update(path)
    return forest


def path_up(parents: Parents, name: Namespace) -> list[Namespace]:
    """Return the namespace and its ancestors, the root last."""
    path = [name]
    while (parent := parents[path[-1]]) is not None:
        path.append(parent)
    return path


def parents_first(parents: Parents) -> list[Namespace]:
    """Return all namespaces by path: parents before their children, siblings by name."""
    return sorted(parents, key=lambda name: path_up(parents, name)[::-1])
