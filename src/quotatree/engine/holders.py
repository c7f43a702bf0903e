"""Holders: who has a slice, by the tree that it is in.

No I/O, no clock.
"""

from __future__ import annotations

from collections.abc import Iterator

from quotatree.engine.account import AccountKey
from quotatree.engine.forest import Forest


class Holders:
    """Accounts of a forest; sorted by trees again when the forest has changed its shape."""

    def __init__(self, forest: Forest) -> None:
        self._forest = forest
        self._all: set[AccountKey] = set()
        self._trees: dict[AccountKey, set[AccountKey]] = {}
        self._shape = -1

    def __iter__(self) -> Iterator[AccountKey]:
        return iter(self._all)

    def __bool__(self) -> bool:
        return bool(self._all)

    def add(self, key: AccountKey) -> None:
        """Take in that an account has a slice, or is about to."""
        if key not in self._all:
            self._all.add(key)
            self._shape = -1

    def discard(self, key: AccountKey) -> None:
        """Take in that an account has none."""
        if key in self._all:
            self._all.discard(key)
            self._shape = -1

    def in_tree(self, key: AccountKey) -> set[AccountKey]:
        """Return who has a slice in the tree, and the scope set, of an account."""
        if self._shape != self._forest.shape:
            self._shape = self._forest.shape
            self._trees = {}
            for holder in self._all:
                self._trees.setdefault(self.root(holder), set()).add(holder)
        return self._trees.get(self.root(key), set())

    def root(self, key: AccountKey) -> AccountKey:
        """Return what stands for the tree of an account."""
        path = self._forest.path(key[0])
        return (path[-1] if path else key[0], key[1])
