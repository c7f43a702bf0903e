"""The fence of an epoch: the trees in which a grant of an earlier leader may still be committed.

A leader grants only on managed ResourceQuotas that carry its epoch. Where one carries another, a
grant that nobody counts here may land, and its charge goes to every ancestor: so nothing is granted
in a tree until this leader has written its own there. On one without an epoch nobody grants.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from quotatree.engine.account import AccountKey
from quotatree.engine.forest import Forest
from quotatree.model.names import Namespace
from quotatree.model.scope import ScopeSet


def order(forest: Forest, pods: Mapping[Namespace, int]) -> list[Namespace]:
    """Return the namespaces in the order in which to fence them; `pods` has how many each runs.

    A tree grows when all of it is fenced, so trees come one after the other, and those with the
    most pods for each namespace first: nothing else keeps fewer pods' owners waiting in sum.
    """
    trees: dict[Namespace, list[Namespace]] = {}
    for name in pods:
        path = forest.path(name)
        trees.setdefault(path[-1] if path else name, []).append(name)

    def idle(members: Iterable[Namespace]) -> float:
        counts = [pods[name] for name in members]
        return -sum(counts) / len(counts)

    return [name for members in sorted(trees.values(), key=idle) for name in members]


class Fence:
    """The accounts with another epoch than this leader's, counted by tree.

    Each review asks, while a new leader works through thousands of them; so the counts are kept,
    and counted anew only when the forest has changed its shape.
    """

    def __init__(self, forest: Forest) -> None:
        self._forest = forest
        self._open: set[AccountKey] = set()
        self._by_tree: Counter[AccountKey] = Counter()
        self._shape = forest.shape

    def note(self, key: AccountKey, *, fenced: bool) -> bool:
        """Take in whether a managed ResourceQuota carries the epoch, or none.

        Returns whether it was the last of its tree that did not: there growth may be granted now.
        """
        if fenced:
            return self.drop(key) and self.stands(*key)
        if key not in self._open:
            self._count_anew()
            self._open.add(key)
            self._by_tree[self._tree(key)] += 1
        return False

    def drop(self, key: AccountKey) -> bool:
        """Forget a managed ResourceQuota that is gone, or fenced; returns whether it was open."""
        if key not in self._open:
            return False
        self._count_anew()
        self._open.discard(key)
        self._by_tree[self._tree(key)] -= 1
        return True

    def stands(self, name: Namespace, scopes: ScopeSet) -> bool:
        """Whether no managed ResourceQuota of the tree of `name` carries another epoch."""
        if not self._open:
            return True
        self._count_anew()
        return not self._by_tree[self._tree((name, scopes))]

    def _tree(self, key: AccountKey) -> AccountKey:
        path = self._forest.path(key[0])
        return (path[-1] if path else key[0], key[1])

    def _count_anew(self) -> None:
        if self._shape != self._forest.shape:
            self._shape = self._forest.shape
            self._by_tree = Counter(map(self._tree, self._open))
