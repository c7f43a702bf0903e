"""Who may do what: the controller the least that it needs, people in three steps.

Not aggregated on purpose: the built-in `edit` and `admin` are what tenants hold inside their own
namespaces, where the TreeQuotas that bound them lie. Only reading is aggregated.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from quotatree.manifests import crd, objects, quota_policies, webhook
from quotatree.manifests.settings import InstallSettings
from quotatree.model import names

SERVICE_ACCOUNT: Final = "quotatree"
CONTROLLER_ROLE: Final = "quotatree-controller"
VIEW_ROLE: Final = "quotatree-view"
EDIT_ROLE: Final = "quotatree-edit"
MANAGE_ROLE: Final = "quotatree-manage"

_COMPONENT: Final = "rbac"
_RBAC: Final = "rbac.authorization.k8s.io"
_READ: Final = ("get", "list", "watch")
_WATCH: Final = ("list", "watch")


def controller_rights(settings: InstallSettings) -> list[objects.Manifest]:
    """Return the controller's ServiceAccount with its cluster-wide and its local rights."""
    return [
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": objects.local_metadata(settings, SERVICE_ACCOUNT, component=_COMPONENT),
        },
        _cluster_role(settings, CONTROLLER_ROLE, rules=_cluster_rules(settings)),
        {
            "apiVersion": f"{_RBAC}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": objects.metadata(settings, CONTROLLER_ROLE, component=_COMPONENT),
            "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": CONTROLLER_ROLE},
            "subjects": subjects(settings),
        },
        {
            "apiVersion": f"{_RBAC}/v1",
            "kind": "Role",
            "metadata": objects.local_metadata(settings, CONTROLLER_ROLE, component=_COMPONENT),
            "rules": _local_rules(),
        },
        {
            "apiVersion": f"{_RBAC}/v1",
            "kind": "RoleBinding",
            "metadata": objects.local_metadata(settings, CONTROLLER_ROLE, component=_COMPONENT),
            "roleRef": {"apiGroup": _RBAC, "kind": "Role", "name": CONTROLLER_ROLE},
            "subjects": subjects(settings),
        },
    ]


def subjects(settings: InstallSettings) -> list[dict[str, str]]:
    """Return the controller as subjects of a binding: its ServiceAccount and the users beside."""
    account = {
        "kind": "ServiceAccount",
        "name": SERVICE_ACCOUNT,
        "namespace": settings.namespace,
    }
    users = [
        {"apiGroup": _RBAC, "kind": "User", "name": user} for user in settings.controller_users
    ]
    return [account, *users]


def people_rights(settings: InstallSettings) -> list[objects.Manifest]:
    """Return the roles for people: view (aggregated), edit and manage (to be bound by hand)."""
    aggregate = {f"{_RBAC}/aggregate-to-{role}": "true" for role in ("view", "edit", "admin")}
    quotas = [names.GROUP], ["treequotas"]
    return [
        _cluster_role(settings, VIEW_ROLE, rules=[_rule(*quotas, verbs=_READ)], extra=aggregate),
        _cluster_role(
            settings,
            EDIT_ROLE,
            rules=[
                _rule(
                    *quotas,
                    verbs=(*_READ, "create", "update", "patch", "delete", "deletecollection"),
                )
            ],
        ),
        # Bound cluster-wide it lets a person step in for the controller: delete or edit managed
        # ResourceQuotas (uninstall does), or restore a backup with tree labels in it.
        _cluster_role(settings, MANAGE_ROLE, rules=[_rule(*quotas, verbs=("manage",))]),
    ]


def _cluster_rules(settings: InstallSettings) -> list[dict[str, Any]]:
    admission = ["admissionregistration.k8s.io"]
    namespaces_verbs: tuple[str, ...] = (*_READ, "patch")
    if settings.owner_references_enforced:
        namespaces_verbs = (*namespaces_verbs, "delete")
    return [
        _rule([""], ["namespaces"], verbs=namespaces_verbs),
        _rule([""], ["resourcequotas"], verbs=(*_READ, "create", "patch", "delete")),
        _rule([""], ["resourcequotas/status"], verbs=("patch",)),
        _rule([names.GROUP], ["treequotas"], verbs=_READ),
        _rule([names.GROUP], ["treequotas/status"], verbs=("patch",)),
        _rule(["", "events.k8s.io"], ["events"], verbs=("create", "patch")),
        # The objects themselves: what they cost, beside what the counters say, and for TreeQuotas
        # that only observe; other kinds are for whoever asks.
        _rule([""], ["persistentvolumeclaims", "pods", "services"], verbs=_WATCH),
        _rule(["resource.k8s.io"], ["deviceclasses", "resourceclaims"], verbs=("list",)),
        # The CA bundle of the webhooks, and the kinds that the birth gate covers.
        _rule(
            admission,
            ["validatingwebhookconfigurations", "mutatingwebhookconfigurations"],
            verbs=("get", "patch"),
            only=(webhook.WEBHOOK_CONFIGURATION,),
        ),
        _rule(
            admission,
            ["validatingadmissionpolicies"],
            verbs=("get", "patch"),
            only=(quota_policies.BIRTH_GATE,),
        ),
        # Whether the kind TreeQuota is there at all: when it goes, the last limits stay.
        _rule(
            ["apiextensions.k8s.io"],
            ["customresourcedefinitions"],
            verbs=("get",),
            only=(crd.CRD_NAME,),
        ),
    ]


def _local_rules() -> list[dict[str, Any]]:
    """Return the rights in the controller's own namespace; `create` cannot be bound to a name."""
    return [
        _rule(["coordination.k8s.io"], ["leases"], verbs=("create",)),
        _rule(
            ["coordination.k8s.io"],
            ["leases"],
            verbs=(*_READ, "update", "patch"),
            only=(objects.LEASE, objects.HEARTBEAT),
        ),
        # The label of the pod that leads; a pod that died with it cannot take it off.
        _rule([""], ["pods"], verbs=("list", "patch")),
        _rule([""], ["secrets"], verbs=("create",)),
        _rule(
            [""],
            ["secrets"],
            verbs=(*_READ, "update", "patch"),
            only=(objects.WEBHOOK_SECRET,),
        ),
    ]


def _cluster_role(
    settings: InstallSettings,
    name: str,
    *,
    rules: list[dict[str, Any]],
    extra: dict[str, str] | None = None,
) -> objects.Manifest:
    metadata = objects.metadata(settings, name, component=_COMPONENT)
    metadata["labels"] |= extra or {}
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "ClusterRole",
        "metadata": metadata,
        "rules": rules,
    }


def _rule(
    groups: list[str], resources: list[str], *, verbs: Sequence[str], only: Sequence[str] = ()
) -> dict[str, Any]:
    rule: dict[str, Any] = {"apiGroups": groups, "resources": resources}
    if only:
        rule["resourceNames"] = list(only)
    return {**rule, "verbs": list(verbs)}
