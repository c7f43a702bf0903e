"""A small organisation on a real API server: org > team > app, `other` beside it, and its people.

The controller is not running: its writes are made by impersonating its ServiceAccount, so that what
refuses is the policies alone. The tenant holds every right inside `app` and `other` (all verbs on
all kinds) and may update every Namespace object, its subresources included. The lead edits
TreeQuotas in `org`, `team` and `app`.
"""

import secrets
from typing import Any

from tests.cluster.people import People, apply_all, eventually, refused, served

from quotatree.cluster import client as clients
from quotatree.cluster import paths
from quotatree.manifests import install, objects, rbac
from quotatree.manifests.settings import InstallSettings

RUN = secrets.token_hex(3)
ORG, TEAM, APP, OTHER = (f"{name}-{RUN}" for name in ("org", "team", "app", "other"))
TENANT, LEAD, OPERATOR = (f"{name}-{RUN}" for name in ("tenant", "lead", "operator"))
SETTINGS = InstallSettings(
    version="test",
    webhook_url="https://127.0.0.1:1",
    gated=("count/configmaps", "count/serviceaccounts"),
    controller_users=(f"second-{RUN}",),
)
CONTROLLER = SETTINGS.controllers[0]

NAMESPACES, QUOTAS, TREE_QUOTAS = paths.NAMESPACES, paths.RESOURCE_QUOTAS, paths.TREE_QUOTAS
MERGE, APPLY, JSON_PATCH = clients.MERGE_PATCH, clients.APPLY_PATCH, clients.JSON_PATCH
MANAGED = QUOTAS.path(APP, "quotatree")
NAMESPACE = NAMESPACES.path(None, APP)
DRY_RUN = {"dryRun": "All"}


BELONGS = "belongs to quotatree; to change a limit, change a TreeQuota"
RIGHT_IN_TEAM = f"needs the right to update treequotas in namespace {TEAM}"
WRITTEN = "written by quotatree only"
RBAC = "cannot"
FORCE = {"fieldManager": "tenant", "force": "true"}
JSON = clients.JSON
SLICE = "slice.quotatree.dev/pods"
PARENT = "quotatree.dev/parent"
DEPTH = f"{ORG}.tree.quotatree.dev/depth"
MARKS = {
    "labels": {DEPTH: "2", "quotatree.dev/enforced": "true"},
    "annotations": {"quotatree.dev/children": "0"},
}


def namespace(name: str, *, parent: str = "", **metadata: Any) -> dict[str, Any]:
    labels = {"quotatree.dev/parent": parent} if parent else {}
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": labels, **metadata},
    }


MARKED = namespace(APP, **MARKS)


def quota(name: str = "quotatree", pods: str = "10", **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": name, **metadata},
        "spec": {"hard": {"pods": pods}},
    }


def tree_quota(name: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "quotatree.dev/v1alpha1",
        "kind": "TreeQuota",
        "metadata": {"name": name},
        "spec": spec or {"hard": {"pods": "5"}},
    }


def pod(name: str) -> dict[str, Any]:
    container = {"name": "c", "image": "none", "resources": {"requests": {"cpu": "1"}}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"containers": [container]},
    }


def annotated(*path: str, value: str | None = "9") -> dict[str, Any]:
    """Return a merge patch that sets one annotation (or label) to `value`."""
    kind, key = path
    return {"metadata": {kind: {key: value}}}


def role(name: str, ns: str, rules: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role" if ns else "ClusterRole",
        "metadata": {"name": name, **({"namespace": ns} if ns else {})},
        "rules": rules,
    }


def bound(user: str, to: tuple[str, str], ns: str = "") -> dict[str, Any]:
    api = "rbac.authorization.k8s.io"
    kind, name = to
    return {
        "apiVersion": f"{api}/v1",
        "kind": "RoleBinding" if ns else "ClusterRoleBinding",
        "metadata": {"name": f"{user}-{name}", **({"namespace": ns} if ns else {})},
        "roleRef": {"apiGroup": api, "kind": kind, "name": name},
        "subjects": [{"apiGroup": api, "kind": "User", "name": user}],
    }


def owner(name: str, kind: str = "Namespace") -> dict[str, Any]:
    reference = {"apiVersion": "v1", "kind": kind, "name": name, "uid": "1234"}
    return {"metadata": {"ownerReferences": [reference]}}


EVERYTHING = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
NAMESPACE_OBJECTS = [
    {
        "apiGroups": [""],
        "resources": ["namespaces", "namespaces/status", "namespaces/finalize"],
        "verbs": ["get", "list", "create", "update", "patch", "delete"],
    }
]
RIGHTS = [
    role(f"objects-{RUN}", "", NAMESPACE_OBJECTS),
    *(bound(user, ("ClusterRole", f"objects-{RUN}")) for user in (TENANT, LEAD)),
    *(role("everything", ns, EVERYTHING) for ns in (APP, OTHER)),
    *(bound(TENANT, ("Role", "everything"), ns) for ns in (APP, OTHER)),
    *(bound(LEAD, ("ClusterRole", rbac.EDIT_ROLE), ns) for ns in (ORG, TEAM, APP)),
    bound(OPERATOR, ("ClusterRole", "cluster-admin")),
]


async def stand_quota(people: People, ns: str, *, ready: bool = True) -> None:
    """Put up a managed ResourceQuota as the controller does, measured by the native controller."""
    controller = people.person(CONTROLLER)
    body = quota(labels={"quotatree.dev/managed": "true"})
    await controller.create(QUOTAS, body, namespace=ns)
    await measured(people, ns, "quotatree")
    if ready:
        await open_gate(people, ns)


async def measured(people: People, ns: str, name: str) -> None:
    """Return when the native controller has written what a ResourceQuota counts."""

    async def is_measured() -> bool:
        found = await people.admin.get(QUOTAS, name, namespace=ns)
        return "pods" in found.get("status", {}).get("used", {})

    await eventually(is_measured, what=f"the native controller measures {ns}")


async def open_gate(people: People, ns: str) -> None:
    body = {"metadata": {"annotations": {"quotatree.dev/ready": "true"}}}
    await people.person(CONTROLLER).patch(QUOTAS, "quotatree", body=body, namespace=ns)


def without_webhooks(settings: InstallSettings) -> list[objects.Manifest]:
    """Return the installation as it is before anybody answers reviews."""
    manifests = install.installation(settings)
    return [it for it in manifests if not it["kind"].endswith("WebhookConfiguration")]


async def install_policies(people: People) -> None:
    admin = people.admin
    await apply_all(admin, without_webhooks(SETTINGS))
    await served(admin, TREE_QUOTAS)
    await admin.create(NAMESPACES, namespace(f"probe-{RUN}"))

    async def in_force() -> bool:
        """Whether this run's policies stand, not those of a run before it: its users are known."""
        path = NAMESPACES.path(None, f"probe-{RUN}")
        asked = {"body": owner("gone"), "content_type": MERGE, "params": DRY_RUN}
        others = await refused(admin.request("PATCH", path, **asked))
        ours = await refused(people.person(SETTINGS.controllers[1]).request("PATCH", path, **asked))
        return bool(others) and not ours

    # One of the policies that were applied last; all are compiled in the same round.
    await eventually(in_force, what="the policies are in force")


async def build(people: People) -> None:
    admin, controller = people.admin, people.person(CONTROLLER)
    await install_policies(people)
    for name, parent in ((ORG, ""), (TEAM, ORG), (APP, TEAM), (OTHER, "")):
        await admin.create(NAMESPACES, namespace(name, parent=parent))
    for right in RIGHTS:
        await admin.create(paths.of_object(right), right)
    for ns in (ORG, TEAM, APP):
        await stand_quota(people, ns)
    await controller.patch(NAMESPACES, APP, body={"metadata": MARKS})
    parents = {
        "annotations": {"quotatree.dev/children": "1"},
        "finalizers": ["quotatree.dev/has-children"],
    }
    await controller.patch(NAMESPACES, TEAM, body={"metadata": parents})
    await people.person(LEAD).create(TREE_QUOTAS, tree_quota("limit"), namespace=APP)
    await admin.create(QUOTAS, quota("own"), namespace=OTHER)
    await measured(people, OTHER, "own")


_STANDING: set[str] = set()


async def stand(people: People) -> None:
    """Put everything up, once for all test modules that ask."""
    server = people.admin.server
    if server not in _STANDING:
        await build(people)
        _STANDING.add(server)
