"""Metrics: what a replica counts of itself, in the text format that Prometheus reads.

Few and bounded series: no label has a namespace in it. Where a label names a tree, it names the
root, and of no more than `MOST_TREES` of them. `docs/reference/metrics.md` is written from here.

Counts belong to the process and outlast a term. Gauges are put up to date when they are asked for.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    ProcessCollector,
    exposition,
)

if TYPE_CHECKING:  # an acceptor counts too, and has no engine
    from quotatree.engine.tally import Tally

CONTENT_TYPE: Final = exposition.CONTENT_TYPE_PLAIN_0_0_4
MOST_TREES: Final = 50
"""Trees that have series of their own; all others share one."""
OTHERS: Final = "(others)"

_QUICK: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
_PAUSES: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
_LAGS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """One metric for the reference: its name as it is read, kind, words and labels."""

    name: str
    kind: str
    words: str
    labels: tuple[str, ...]


class _Series:
    """Makes metrics in a registry of its own, and remembers how they are described."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=False)
        self.described: list[Described] = []

    def counter(self, name: str, words: str, *labels: str) -> Counter:
        self._describe(f"{name}_total", "counter", words=words, labels=labels)
        return Counter(name, words, labels, registry=self.registry)

    def gauge(self, name: str, words: str, *labels: str) -> Gauge:
        self._describe(name, "gauge", words=words, labels=labels)
        return Gauge(name, words, labels, registry=self.registry)

    def histogram(self, name: str, words: str, *labels: str, buckets: Iterable[float]) -> Histogram:
        self._describe(name, "histogram", words=words, labels=labels)
        return Histogram(name, words, labels, buckets=tuple(buckets), registry=self.registry)

    def _describe(self, name: str, kind: str, *, words: str, labels: tuple[str, ...]) -> None:
        self.described.append(Described(name=name, kind=kind, words=words, labels=labels))

    def text(self) -> bytes:
        return exposition.generate_latest(self.registry)


class Metrics:
    """What a decider counts, from its start on."""

    def __init__(self) -> None:
        made = self._made = _Series()
        self.described = made.described
        # -- reviews
        self.reviews = made.counter(
            "quotatree_reviews",
            "Reviews answered, by entry, by answer (`admit`; `lost`: the write has lost already; "
            "`deny`; `tighten`: a batch that is judged one by one; `open`: an account is opened "
            "first; `later`: 429; `refuse`: a move or an object that is wrong; `allow`) and by the "
            "cause of a `later`.",
            "entry",
            "answer",
            "cause",
        )
        self.waits = made.counter(
            "quotatree_review_waits",
            "Reviews that were held back before their answer, by what they waited for.",
            "entry",
            "cause",
        )
        self.decision = made.histogram(
            "quotatree_decision_seconds",
            "From the arrival of a review at the decider to its answer, waits included.",
            "entry",
            buckets=_QUICK,
        )
        self.refusals = made.counter(
            "quotatree_refusals",
            f"Growth refused (`deny` and `tighten`), by the root of the tree. At most {MOST_TREES} "
            f"trees have series of their own, the rest is `{OTHERS}`.",
            "tree",
        )
        self.would_refuse = made.counter(
            "quotatree_would_refuse",
            "Namespaces whose growth TreeQuotas with `mode: Observe` would have refused, each once "
            "a count, by the root of the tree as above.",
            "tree",
        )
        # -- truth
        self.drift = made.counter(
            "quotatree_drift",
            "Times that the counter of a namespace was wrong and was put right: `low` by a recount "
            "that said less than there is, `high` by charges that nothing stands for.",
            "direction",
        )
        self.phantoms_released = made.counter(
            "quotatree_phantoms_released",
            "Grants released because no object ever came of them.",
        )
        self.phantoms_appeared = made.counter(
            "quotatree_phantoms_appeared",
            "Objects that appeared after all, after their grant had been released: should be 0.",
        )
        # -- writes and watches
        self.writes = made.counter(
            "quotatree_writes",
            "Writes of the controller, by what was written and by outcome (`done`; `conflict`: it "
            "lost its compare-and-swap; `gone`; `refused`; `failed`: no answer, or 5xx).",
            "effect",
            "outcome",
        )
        self.slices_leased = made.counter(
            "quotatree_slices_leased", "Writes that gave a namespace a slice, or a larger one."
        )
        self.slices_revoked = made.counter(
            "quotatree_slices_revoked", "Writes that took a slice back, or a part of it."
        )
        self.lists = made.counter(
            "quotatree_watch_lists",
            "Lists of a kind: one at the beginning of each term, more when a watch lost its place.",
            "resource",
        )
        self.lag = made.histogram(
            "quotatree_watch_lag_seconds",
            "From the answer to a write of ours to its event on our watch.",
            "resource",
            buckets=_LAGS,
        )
        self.behind = made.gauge(
            "quotatree_watch_behind_seconds",
            "Age of the oldest write of ours that our watch has not shown yet, 0 for none.",
            "resource",
        )
        self._made_standing(made)
        # -- the process
        self._pauses = made.histogram(
            "quotatree_gc_pause_seconds",
            "Time that a collection of garbage held the decider up.",
            "generation",
            buckets=_PAUSES,
        )
        self._trees: set[str] = set()
        ProcessCollector(registry=made.registry)
        GCCollector(registry=made.registry)

    def _made_standing(self, made: _Series) -> None:
        self._leader = made.gauge("quotatree_leader", "1 where this replica leads, else 0.")
        self._epoch = made.gauge("quotatree_epoch", "The epoch in which it leads, else 0.")
        self._loaded = made.gauge(
            "quotatree_ledger_loaded", "1 when the leader has read everything and decides."
        )
        self._namespaces = made.gauge("quotatree_namespaces", "Namespaces that the leader knows.")
        self._tree_quotas = made.gauge("quotatree_tree_quotas", "TreeQuotas that it knows.")
        self._managed = made.gauge(
            "quotatree_managed_quotas", "Managed ResourceQuotas that it knows."
        )
        self._fenced = made.gauge(
            "quotatree_fenced_ratio",
            "Share of the managed ResourceQuotas that carry no epoch but the leader's, 0 to 1.",
        )
        self._reservations = made.gauge(
            "quotatree_pending_grants",
            "Reservations in the ledger: `pending` and `overdue` are grants whose write was not "
            "seen yet, `held` is room kept for the retry of a batch.",
            "state",
        )
        self._tightenings = made.gauge(
            "quotatree_tightenings", "Namespaces whose `status.hard` is lowered just now."
        )
        self._slices = made.gauge("quotatree_slices", "Namespaces that have a slice.")
        self._objects = made.gauge("quotatree_objects", "Objects in the account of the truth.")
        self._observed_over = made.gauge(
            "quotatree_observed_over",
            "TreeQuotas with `mode: Observe` that were above their hard at the last count.",
        )

    # -- counting -----------------------------------------------------------------------------

    def answered(self, entry: str, answer: str, cause: str = "") -> None:
        """Count an answer."""
        self.reviews.labels(entry, answer, cause).inc()

    def tree(self, root: str) -> str:
        """Return the label of a tree: its root, or that of all others when there are many."""
        if root not in self._trees:
            if len(self._trees) >= MOST_TREES:
                return OTHERS
            self._trees.add(root)
        return root

    def time_collections(self) -> Callable[[], None]:
        """Time the collections of garbage of this process; returns what ends that."""
        began = 0.0

        def note(phase: str, info: Mapping[str, Any]) -> None:
            nonlocal began
            if phase == "start":
                began = time.perf_counter()
            else:
                pause = time.perf_counter() - began
                self._pauses.labels(str(info["generation"])).observe(pause)

        gc.callbacks.append(note)
        return lambda: gc.callbacks.remove(note)

    # -- showing ------------------------------------------------------------------------------

    def text(self, now: Tally, *, leads: bool, loaded: bool) -> bytes:
        """Return everything as text, the gauges as they stand `now`."""
        self._leader.set(leads)
        self._epoch.set(now.epoch)
        self._loaded.set(loaded)
        self._namespaces.set(now.namespaces)
        self._tree_quotas.set(now.tree_quotas)
        self._managed.set(now.managed)
        self._fenced.set(now.fenced / now.managed if now.managed else loaded)
        for state, count in now.reservations.items():
            self._reservations.labels(state.name.lower()).set(count)
        self._tightenings.set(now.tightened)
        self._slices.set(now.leased)
        self._objects.set(now.objects)
        self._observed_over.set(now.over)
        return self._made.text()


class AcceptorMetrics:
    """What an acceptor counts: it can be asked while its decider hangs."""

    def __init__(self) -> None:
        made = self._made = _Series()
        self.described = made.described
        self.review = made.histogram(
            "quotatree_acceptor_review_seconds",
            "From the arrival of a review at the acceptor to its answer, by who was asked: `own`, "
            "this replica's decider, or `leader`, another replica.",
            "way",
            buckets=_QUICK,
        )
        self.unanswered = made.counter(
            "quotatree_acceptor_unanswered",
            "Reviews that nobody decided in time; those that may be were refused with 429.",
            "way",
        )
        self._up = made.gauge(
            "quotatree_decider_up",
            "1 where this replica's decider answered this scrape; at 0 its metrics are missing.",
        )
        ProcessCollector(namespace="quotatree_acceptor", registry=made.registry)

    def text(self, decider: bytes | None) -> bytes:
        """Return everything as text, with that of the decider where it gave one."""
        self._up.set(decider is not None)
        return self._made.text() + (decider or b"")
