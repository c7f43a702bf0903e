"""Where each kind of object lives in the API: a table of kinds and the paths made from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from quotatree.errors import InputError
from quotatree.model import names


@dataclass(frozen=True, slots=True)
class Kind:
    """One resource of the API: `plural` is its name in paths, `kind` its name in objects."""

    group: str
    version: str
    plural: str
    namespaced: bool
    kind: str = ""

    @property
    def api_version(self) -> str:
        """What stands in `apiVersion`: `v1` for the core group, else `<group>/<version>`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(
        self,
        namespace: str | None = None,
        name: str | None = None,
        subresource: str | None = None,
    ) -> str:
        """Return the path of a collection, an object or its subresource.

        A namespaced kind without `namespace` and `name` is the collection over all namespaces.

        Raises:
            InputError: a cluster-wide kind was given a namespace, an object of a namespaced kind
                none, or a subresource no object.
        """
        self._check(namespace, name, subresource)
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        parts = [root]
        if namespace is not None:
            parts += ["namespaces", quote(namespace, safe="")]
        parts.append(self.plural)
        # RBAC names may hold colons; nothing else of a name survives into a path unquoted.
        parts += [quote(part, safe=":") for part in (name, subresource) if part is not None]
        return "/".join(parts)

    def _check(self, namespace: str | None, name: str | None, subresource: str | None) -> None:
        if namespace is not None and not self.namespaced:
            raise InputError(f"{self.plural} are cluster-wide, they have no namespace {namespace}")
        if name is not None and namespace is None and self.namespaced:
            raise InputError(f"{self.plural} {name!r}: the namespace is missing")
        if subresource is not None and name is None:
            raise InputError(f"{self.plural}/{subresource}: the object's name is missing")
        if "" in (namespace, name, subresource):
            # An empty part would turn one object's path into its whole collection's.
            raise InputError(f"{self.plural}: an empty name was given")


_ADMISSION: Final = "admissionregistration.k8s.io"
_FLOW: Final = "flowcontrol.apiserver.k8s.io"
_RBAC: Final = "rbac.authorization.k8s.io"

NAMESPACES: Final = Kind("", "v1", "namespaces", False, "Namespace")
RESOURCE_QUOTAS: Final = Kind("", "v1", "resourcequotas", True, "ResourceQuota")
TREE_QUOTAS: Final = Kind(names.GROUP, "v1alpha1", "treequotas", True, "TreeQuota")
NODES: Final = Kind("", "v1", "nodes", False, "Node")
# The newest version first: v1 is served since Kubernetes 1.34.
DEVICE_CLASSES: Final = tuple(
    Kind("resource.k8s.io", version, "deviceclasses", False, "DeviceClass")
    for version in ("v1", "v1beta2", "v1beta1")
)
PODS: Final = Kind("", "v1", "pods", True, "Pod")
SERVICES: Final = Kind("", "v1", "services", True, "Service")
SECRETS: Final = Kind("", "v1", "secrets", True, "Secret")
CONFIG_MAPS: Final = Kind("", "v1", "configmaps", True, "ConfigMap")
CLAIMS: Final = Kind("", "v1", "persistentvolumeclaims", True, "PersistentVolumeClaim")
SERVICE_ACCOUNTS: Final = Kind("", "v1", "serviceaccounts", True, "ServiceAccount")
LIMIT_RANGES: Final = Kind("", "v1", "limitranges", True, "LimitRange")
CORE_EVENTS: Final = Kind("", "v1", "events", True, "Event")
EVENTS: Final = Kind("events.k8s.io", "v1", "events", True, "Event")
LEASES: Final = Kind("coordination.k8s.io", "v1", "leases", True, "Lease")
DEPLOYMENTS: Final = Kind("apps", "v1", "deployments", True, "Deployment")
JOBS: Final = Kind("batch", "v1", "jobs", True, "Job")
DISRUPTION_BUDGETS: Final = Kind(
    "policy", "v1", "poddisruptionbudgets", True, "PodDisruptionBudget"
)
NETWORK_POLICIES: Final = Kind("networking.k8s.io", "v1", "networkpolicies", True, "NetworkPolicy")
ROLES: Final = Kind(_RBAC, "v1", "roles", True, "Role")
ROLE_BINDINGS: Final = Kind(_RBAC, "v1", "rolebindings", True, "RoleBinding")
CLUSTER_ROLES: Final = Kind(_RBAC, "v1", "clusterroles", False, "ClusterRole")
CLUSTER_ROLE_BINDINGS: Final = Kind(_RBAC, "v1", "clusterrolebindings", False, "ClusterRoleBinding")
CRDS: Final = Kind(
    "apiextensions.k8s.io", "v1", "customresourcedefinitions", False, "CustomResourceDefinition"
)
VALIDATING_WEBHOOKS: Final = Kind(
    _ADMISSION,
    "v1",
    "validatingwebhookconfigurations",
    False,
    "ValidatingWebhookConfiguration",
)
MUTATING_WEBHOOKS: Final = Kind(
    _ADMISSION, "v1", "mutatingwebhookconfigurations", False, "MutatingWebhookConfiguration"
)
POLICIES: Final = Kind(
    _ADMISSION, "v1", "validatingadmissionpolicies", False, "ValidatingAdmissionPolicy"
)
POLICY_BINDINGS: Final = Kind(
    _ADMISSION,
    "v1",
    "validatingadmissionpolicybindings",
    False,
    "ValidatingAdmissionPolicyBinding",
)
FLOW_SCHEMAS: Final = Kind(_FLOW, "v1", "flowschemas", False, "FlowSchema")
PRIORITY_LEVELS: Final = Kind(
    _FLOW, "v1", "prioritylevelconfigurations", False, "PriorityLevelConfiguration"
)
PRIORITY_CLASSES: Final = Kind("scheduling.k8s.io", "v1", "priorityclasses", False, "PriorityClass")

KINDS: Final[Mapping[tuple[str, str], Kind]] = {
    (kind.api_version, kind.kind): kind
    for kind in tuple(globals().values())
    if isinstance(kind, Kind)
}
"""Every kind above by what an object says of itself: (`apiVersion`, `kind`)."""


def of_object(obj: Mapping[str, Any]) -> Kind:
    """Return the kind that `obj` says it is.

    Raises:
        InputError: quotatree does not know this `apiVersion` and `kind`.
    """
    api_version, kind = obj.get("apiVersion"), obj.get("kind")
    found = KINDS.get((str(api_version), str(kind)))
    if found is None:
        raise InputError(f"apiVersion {api_version!r}, kind {kind!r}: not a kind quotatree handles")
    return found


def of(obj: Mapping[str, Any], subresource: str | None = None) -> str:
    """Return the path of the object `obj`, by its own apiVersion, kind, namespace and name.

    Raises:
        InputError: the kind is unknown, or a namespaced object names no namespace.
    """
    metadata = obj.get("metadata") or {}
    return of_object(obj).path(metadata.get("namespace"), metadata.get("name"), subresource)
