"""How far our watches are behind our own writes: from an answer to the event that shows it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final

from quotatree.cluster import paths
from quotatree.metrics import Metrics
from quotatree.model import effect

MOST: Final = 1000
"""Writes that are waited for; beyond it the oldest is forgotten, and its lag is not told."""
MANAGED: Final = (
    effect.CreateManaged,
    effect.PatchManaged,
    effect.PatchManagedStatus,
    effect.WriteSlice,
)
SPACES: Final = (effect.PatchNamespace, effect.Remember, effect.SetOwner, effect.SetFinalizer)


class Lag:
    """Our writes that our watch has not shown yet, by the kind of what was written."""

    def __init__(self, metrics: Metrics, clock: Callable[[], float]) -> None:
        self._metrics = metrics
        self._clock = clock
        kinds = (paths.NAMESPACES, paths.RESOURCE_QUOTAS, paths.TREE_QUOTAS)
        self._waiting: dict[str, deque[tuple[int, float]]] = {
            kind.plural: deque(maxlen=MOST) for kind in kinds
        }
        self._seen = dict.fromkeys(self._waiting, 0)

    def wrote(self, what: effect.Effect, written: Mapping[str, Any]) -> None:
        """Take in the answer to a write."""
        kind = kind_of(what)
        version = (written.get("metadata") or {}).get("resourceVersion")
        if kind is None or not isinstance(version, str) or not version.isdecimal():
            return
        if int(version) <= self._seen[kind.plural]:
            self._metrics.lag.labels(kind.plural).observe(0.0)  # the watch was faster
        else:
            self._waiting[kind.plural].append((int(version), self._clock()))

    def saw(self, kind: paths.Kind, version: int) -> None:
        """Take in that a watch has shown everything up to a resourceVersion."""
        self._seen[kind.plural] = max(self._seen[kind.plural], version)
        waiting = self._waiting[kind.plural]
        now = self._clock() if waiting else 0.0
        # Two writes at once may be answered in the wrong order; the later then waits its turn.
        while waiting and waiting[0][0] <= version:
            self._metrics.lag.labels(kind.plural).observe(now - waiting.popleft()[1])

    def tell(self) -> None:
        """Bring the gauges of what is behind up to date."""
        now = self._clock()
        for plural, waiting in self._waiting.items():
            age = now - waiting[0][1] if waiting else 0.0
            self._metrics.behind.labels(plural).set(age)


def kind_of(what: effect.Effect) -> paths.Kind | None:
    """Return the watched kind that an effect writes, None where there is none."""
    if isinstance(what, MANAGED):
        return paths.RESOURCE_QUOTAS
    if isinstance(what, SPACES):
        return paths.NAMESPACES
    return paths.TREE_QUOTAS if isinstance(what, effect.WriteStatus) else None
