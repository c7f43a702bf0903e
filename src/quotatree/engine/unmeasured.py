"""Who is not measured yet in what: usage that is there, and that no figure stands for.

A name that is limited for the first time above running workloads has to reach their managed
ResourceQuotas, and the native controller has to count, before anybody knows what they hold. Until
then the room that a level seems to have may be taken, so growth in that name is put off below it.

Only a namespace whose gate is open counts as unmeasured: behind a closed one nothing has been
created (`docs/explanation/no-gap-at-birth.md`), and a crowd of newborn namespaces must not stop
their tree.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from quotatree.engine import room
from quotatree.engine.account import Account, AccountKey
from quotatree.engine.forest import Forest
from quotatree.model.names import Namespace


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """`namespace`, below `ancestor` which limits `resource`, is not measured in it yet."""

    namespace: Namespace
    ancestor: Namespace
    resource: str

    def __str__(self) -> str:
        return (
            f"{self.ancestor} limits {self.resource}, and what namespace {self.namespace} "
            "uses of it is still being counted"
        )


class Unmeasured:
    """The accounts that lack a figure which their line in the forest asks for."""

    def __init__(self, forest: Forest) -> None:
        self._forest = forest
        self._missing: dict[AccountKey, set[str]] = {}

    def __len__(self) -> int:
        return len(self._missing)

    def note(self, key: AccountKey, account: Account) -> None:
        """Look at an account anew: it, its place or the limits above it have changed."""
        missing: set[str] = set()
        if account.ready:
            wanted = room.ceilings(self._forest.get(key[0]), key[1])
            missing = wanted.keys() - account.used.keys()
        if missing:
            self._missing[key] = missing
        else:
            self._missing.pop(key, None)

    def drop(self, key: AccountKey) -> None:
        """Forget an account."""
        self._missing.pop(key, None)

    def below(self, asking: AccountKey, growing: Collection[str]) -> Unknown | None:
        """Return who keeps a level above `asking` from knowing its room for `growing`, if anyone.

        Empty but for the seconds after a new name was limited, so it is searched, not indexed.
        """
        limits = self._limits(asking, growing)
        for (name, scopes), missing in self._missing.items():
            if scopes != asking[1] or limits.keys().isdisjoint(missing):
                continue
            line = self._forest.path(name)
            for resource in sorted(limits.keys() & missing):
                for ancestor in line:
                    if ancestor in limits[resource]:
                        return Unknown(namespace=name, ancestor=ancestor, resource=resource)
        return None

    def _limits(self, asking: AccountKey, growing: Collection[str]) -> dict[str, set[Namespace]]:
        """Return the levels that limit each growing resource, pending moves included."""
        found: dict[str, set[Namespace]] = {}
        for node in self._forest.above(self._forest.node(asking[0])):
            book = node.books.get(asking[1])
            for resource in growing if book is not None else ():
                if book is not None and resource in book.hard:
                    found.setdefault(resource, set()).add(node.name)
        return found
