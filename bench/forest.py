"""The large forest of the scale scene: which namespaces, TreeQuotas and pods there are. Pure.

Two trees. `org` has five levels and a root limit above everything; a fifth of its namespaces have a
TreeQuota. `busy` is small and has a fifth of all pods: a new leader is to let it grow first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from bench.engine import ROOM
from bench.load import pod
from quotatree.model import names

LEVELS: Final = 5
SIZES: Final = 7
"""Different pods: real clusters have more of each kind than kinds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forest:
    """A forest of `namespaces` in `org`, and what else there is in proportion."""

    namespaces: int

    @property
    def branch(self) -> int:
        """Children of each namespace, so that there are five levels."""
        return max(2, int(self.namespaces ** (1 / (LEVELS - 1)) + 0.5))

    @property
    def busy(self) -> list[str]:
        """The namespaces of the small tree, its root first."""
        return [f"busy-{number:05}" for number in range(max(3, self.namespaces // 50))]

    @property
    def org(self) -> list[str]:
        """The namespaces of the large tree, level by level."""
        return [f"org-{number:05}" for number in range(self.namespaces)]

    @property
    def roots(self) -> dict[str, str]:
        """The root of each tree."""
        return {"org": "org-00000", "busy": "busy-00000"}

    @property
    def leaves(self) -> list[str]:
        """Namespaces of the large tree without children, from the last on."""
        first = (self.namespaces - 2) // self.branch + 1
        return self.org[first:][::-1]

    @property
    def limited(self) -> list[str]:
        """The namespaces with a TreeQuota, level by level, and the root of the small tree."""
        return [*self.org[: self.namespaces // 5], self.busy[0]]

    @property
    def pods(self) -> int:
        """How many pods there are in all."""
        return 5 * self.namespaces

    def parents(self) -> Iterator[tuple[str, str | None]]:
        """Yield every namespace with its parent."""
        org, busy = self.org, self.busy
        for number, name in enumerate(org):
            yield name, org[(number - 1) // self.branch] if number else None
        for name in busy:
            yield name, busy[0] if name != busy[0] else None

    def namespace(self, name: str, parent: str | None) -> dict[str, Any]:
        """Return a Namespace."""
        labels = {} if parent is None else {names.LABEL_PARENT: parent}
        return {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": name, "labels": labels},
        }

    def quota(self, hard: dict[str, str] | None = None) -> dict[str, Any]:
        """Return a TreeQuota."""
        return {
            "apiVersion": names.API_VERSION,
            "kind": "TreeQuota",
            "metadata": {"name": "quota"},
            "spec": {"hard": hard or ROOM},
        }

    def work(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield every pod with its namespace: a fifth in the small tree, evenly within each."""
        in_busy, busy, org = self.pods // 5, self.busy, self.org
        for number in range(self.pods):
            among = busy if number < in_busy else org
            body = pod(f"work-{number}")
            requests = body["spec"]["containers"][0]["resources"]["requests"]
            requests["cpu"] = f"{100 + number % SIZES}m"
            yield among[number % len(among)], body
