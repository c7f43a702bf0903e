"""What the API server shows of the objects that quotatree keeps in step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from quotatree.model import names
from quotatree.model.names import Namespace, Uid
from quotatree.model.quota import FailurePolicy, Quota
from quotatree.model.scope import UNSCOPED, ScopeSet
from quotatree.units.resources import EMPTY, Resources

Held = Mapping[ScopeSet, Resources]
"""Committed usage by scope set."""


class Lifecycle(Enum):
    """Whether a namespace is deleted with its parent (`Owned`) or by labels alone stays."""

    INDEPENDENT = "Independent"
    OWNED = "Owned"


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerReference:
    """The parts of an ownerReference that quotatree reads and writes; `raw_others` are kept."""

    name: str
    uid: Uid
    kind: str = "Namespace"
    api_version: str = "v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedNamespace:
    """A Namespace: who its parent is said to be, and what the controller wrote on it.

    `labels` and `annotations` hold only keys of quotatree's own domains. `held` is what it held
    when its managed ResourceQuotas went, remembered for as long as it terminates.
    """

    name: Namespace
    uid: Uid
    resource_version: int
    parent: Namespace | None = None
    lifecycle: Lifecycle = Lifecycle.INDEPENDENT
    terminating: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    finalizers: tuple[str, ...] = ()
    owners: tuple[OwnerReference, ...] = ()
    held: Held = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagedQuota:
    """A managed ResourceQuota: the API server's own measurement of one namespace.

    `epoch` is the fence that the leader wrote (None before the first), `slice` the part that may
    grow without a call, `status_hard` the ceiling that native admission applies at this moment.
    `limits` are the TreeQuotas of the namespace as it remembers them, should their kind vanish.
    `failure_policy` says which entry of the webhook configuration its growth is judged by.
    """

    namespace: Namespace
    name: str
    uid: Uid
    resource_version: int
    scopes: ScopeSet = UNSCOPED
    spec_hard: Resources = EMPTY
    status_hard: Resources = EMPTY
    used: Resources = EMPTY
    slice: Resources = EMPTY
    epoch: int | None = None
    ready: bool = False
    limited_by: str = ""
    terminating: bool = False
    labelled: bool = True
    failure_policy: FailurePolicy = FailurePolicy.FAIL
    limits: tuple[Quota, ...] = ()

    @property
    def measured(self) -> bool:
        """Whether native admission enforces every key of the spec: each has a status and a use."""
        return all(
            k in self.status_hard and k in self.used for k in self.spec_hard if k != names.RECOUNT
        )
