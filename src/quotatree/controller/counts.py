"""What the controller's own writes come to in metrics."""

from __future__ import annotations

from typing import Final

from quotatree.errors import ClusterError
from quotatree.metrics import Metrics
from quotatree.model import effect
from quotatree.model.observed import ManagedQuota

NAMES: Final[dict[type[effect.Effect], str]] = {
    effect.PatchNamespace: "namespace",
    effect.Remember: "namespace-remember",
    effect.SetOwner: "namespace-owner",
    effect.SetFinalizer: "namespace-finalizer",
    effect.CreateManaged: "managed-create",
    effect.PatchManaged: "managed",
    effect.PatchManagedStatus: "managed-status",
    effect.AskRecount: "recount",
    effect.WriteSlice: "managed-slice",
    effect.DeleteManaged: "managed-delete",
    effect.WriteStatus: "treequota-status",
    effect.Emit: "event",
    effect.GateKinds: "gate",
}
"""What metrics call an effect."""

_OUTCOMES: Final = {404: "gone", 409: "conflict"}


def failed(metrics: Metrics, what: effect.Effect, error: ClusterError) -> None:
    """Count a write that came to nothing."""
    refused = "refused" if 400 <= error.status < 500 else "failed"
    outcome = _OUTCOMES.get(error.status, refused)
    metrics.writes.labels(NAMES[type(what)], outcome).inc()


def done(metrics: Metrics, what: effect.Effect, before: ManagedQuota | None) -> None:
    """Count a write that was carried out; `before` is what was known of its ResourceQuota."""
    metrics.writes.labels(NAMES[type(what)], "done").inc()
    match what:
        case effect.PatchManagedStatus() if before is not None and lowers(what, before):
            metrics.drift.labels("high").inc()
        case effect.WriteSlice(slice=slice_):
            had = before.slice if before is not None else slice_.without(slice_)
            if slice_.growth(had):
                metrics.slices_leased.inc()
            if had.growth(slice_):
                metrics.slices_revoked.inc()
        case _:
            pass


def lowers(what: effect.PatchManagedStatus, before: ManagedQuota) -> bool:
    """Whether a write says less usage than the managed ResourceQuota `before` it did."""
    return bool(before.used.mask(what.used).growth(what.used))
