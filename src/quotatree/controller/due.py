"""Whose status is to be looked at: at once where something changed, in turn elsewhere.

A changed usage is in the status of the namespace and of all its ancestors, at once. It also changes
what is *available* to everybody else in the tree, since they share ancestors; those that have
TreeQuotas are gone through in turn, a few in each round, so that the cost of an event does not grow
with the tree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from quotatree.engine.forest import Forest
from quotatree.model.names import Namespace


class Due:
    """The namespaces whose TreeQuotas are due; `bears` says of each whether it has any."""

    def __init__(self, forest: Forest, *, bears: Callable[[Namespace], bool]) -> None:
        self._forest = forest
        self._bears = bears
        self._soon: set[Namespace] = set()
        self._stirred: dict[Namespace, None] = {}
        self._walks: dict[Namespace, Iterator[Namespace]] = {}

    def changed(self, names: Iterable[Namespace]) -> None:
        """Note that something changed in each of `names`."""
        for name in names:
            path = self._forest.path(name)
            self._soon.update(path or (name,))
            if path:
                self._stirred[path[-1]] = None

    def again(self, name: Namespace) -> None:
        """Note that the status of a namespace itself is to be looked at, and nobody else's."""
        self._soon.add(name)

    def take(self, most: int) -> list[Namespace]:
        """Return those on the lines of what changed, and up to `most` others of their trees."""
        found, self._soon = self._soon, set()
        for root in [root for root in self._stirred if root not in self._walks]:
            del self._stirred[root]
            self._walks[root] = filter(self._bears, self._forest.subtree(root))
        for root in list(self._walks):
            if most <= 0:
                break
            walk = self._walks.pop(root)
            visited = list(islice(walk, most))
            found.update(visited)
            if len(visited) == most:
                self._walks[root] = walk  # behind the others
            most -= len(visited)
        return sorted(found)
