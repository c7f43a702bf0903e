"""What an installation may differ in; everything else about it is fixed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from quotatree import errors
from quotatree.model import quota

DEFAULT_NAMESPACE: Final = "quotatree-system"


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallSettings:
    """One installation as a value; `installation` turns it into objects.

    Raises:
        InputError: A combination that no installation can have; the text names the setting.
    """

    namespace: str = DEFAULT_NAMESPACE
    """Where the controller lives; its ServiceAccount there is the one user that policies trust."""

    version: str
    """Version of quotatree, written on every object as `app.kubernetes.io/version`."""

    image: str = ""
    """Container image of the controller; not used with `webhook_url`."""

    replicas: int = 2
    """Pods of the controller; one of them leads, the others take over and hand reviews on."""

    webhook_url: str | None = None
    """Base URL of a controller outside the cluster (`https://127.0.0.1:PORT`).

    With it the Deployment, Service and PodDisruptionBudget are left out.
    """

    ca_bundle: str = ""
    """Base64 of the PEM certificates that vouch for the webhook; empty: the controller adds it."""

    usage_timeout_seconds: int = 1
    """Seconds that one decision about usage may take; quota admission calls up to four times."""

    slices: bool = True
    """Whether namespaces get slices, within which they grow without asking. Without, every growth
    asks the controller, and waits for one while there is none."""

    api_servers: tuple[str, ...] = ()
    """Base URLs of all API servers of the cluster, each reached by itself. Without, room that a
    failed creation holds comes back after 40 s."""

    failure_policy: quota.FailurePolicy = quota.FailurePolicy.FAIL
    """What happens to growth beyond the slices while no replica answers, where no TreeQuota lets it
    pass by itself."""

    gated: tuple[str, ...] = ()
    """Resource names (`count/…`) that TreeQuotas use beside the usual ones, gated at birth."""

    controller_users: tuple[str, ...] = ()
    """User names trusted as the controller beside its ServiceAccount (one outside the cluster)."""

    owner_references_enforced: bool = False
    """Whether the API server runs `OwnerReferencesPermissionEnforcement`.

    It lets nobody change the ownerReferences of an object without the right to delete it, so
    `lifecycle: Owned` costs the controller the right to delete Namespaces.
    """

    def __post_init__(self) -> None:
        if self.webhook_url is None and not self.image:
            raise errors.InputError(
                "image: needed for a controller inside the cluster; "
                "give an image, or the URL of a controller outside"
            )
        if self.webhook_url is not None and not self.webhook_url.startswith("https://"):
            raise errors.InputError(
                f"webhook URL {self.webhook_url!r}: the API server calls webhooks over TLS only; "
                "it must begin with https://"
            )
        if not 1 <= self.usage_timeout_seconds <= 30:
            raise errors.InputError(
                f"timeout {self.usage_timeout_seconds} s: "
                "the API server takes whole seconds from 1 to 30"
            )
        if self.replicas < 1:
            raise errors.InputError(f"replicas {self.replicas}: at least one pod has to run")

    @property
    def controllers(self) -> tuple[str, ...]:
        """All user names that the policies take for the controller."""
        return (f"system:serviceaccount:{self.namespace}:quotatree", *self.controller_users)
