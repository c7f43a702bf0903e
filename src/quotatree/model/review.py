"""What an AdmissionReview asks, as values."""

from __future__ import annotations

from dataclasses import dataclass

from quotatree.model.names import Uid
from quotatree.model.observed import ManagedQuota, ObservedNamespace
from quotatree.model.quota import Quota
from quotatree.units.resources import Resources


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageReview:
    """A write of `resourcequotas/status` by native quota admission: from `old` to `new`."""

    uid: Uid
    old: ManagedQuota
    new: ManagedQuota
    dry_run: bool

    @property
    def growth(self) -> Resources:
        """What the requests ask for together."""
        return self.new.used.growth(self.old.used)

    @property
    def lost(self) -> bool:
        """Whether it replaces another version than the one that is there.

        That is a conflict; with none, or 0, it is not compared (`Update` in apiserver's
        pkg/registry/generic/registry/store.go).
        """
        return self.new.resource_version not in {0, self.old.resource_version}


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespaceReview:
    """A Namespace that is created (`old` is None) or changed."""

    uid: Uid
    old: ObservedNamespace | None
    new: ObservedNamespace
    dry_run: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaReview:
    """A TreeQuota that is created (`old` is None) or changed; it has passed `codec.quotas`."""

    uid: Uid
    old: Quota | None
    new: Quota
    dry_run: bool
