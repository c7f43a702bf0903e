"""No escape: what a tenant with every right inside its namespaces tries, one request each."""

import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.cluster import tenancy
from tests.cluster.people import People, refused
from tests.cluster.tenancy import (
    APP,
    APPLY,
    BELONGS,
    DEPTH,
    FORCE,
    JSON,
    JSON_PATCH,
    MANAGED,
    MARKED,
    MERGE,
    NAMESPACE,
    NAMESPACES,
    ORG,
    OTHER,
    PARENT,
    QUOTAS,
    RBAC,
    RIGHT_IN_TEAM,
    RUN,
    SETTINGS,
    SLICE,
    TEAM,
    TENANT,
    TREE_QUOTAS,
    WRITTEN,
    annotated,
    bound,
    namespace,
    owner,
    quota,
    tree_quota,
)

from quotatree.cluster import paths
from quotatree.manifests import quota_policies, rbac

pytestmark = pytest.mark.cluster


@pytest.fixture
async def people(kubeconfig: Path) -> AsyncIterator[People]:
    async with People(kubeconfig) as everyone:
        await tenancy.stand(everyone)
        yield everyone


@dataclasses.dataclass(frozen=True, kw_only=True)
class Attempt:
    """One way past a limit: the request, and the words that refuse it."""

    method: str
    path: str
    body: Any = None
    content_type: str = MERGE
    params: dict[str, str] | None = None
    want: str


ATTEMPTS = {
    "raise the managed quota": Attempt(
        method="PATCH", path=MANAGED, body={"spec": {"hard": {"pods": "99"}}}, want=BELONGS
    ),
    "raise it by JSON patch": Attempt(
        method="PATCH",
        path=MANAGED,
        body=[{"op": "remove", "path": "/spec/hard/pods"}],
        content_type=JSON_PATCH,
        want=BELONGS,
    ),
    "raise it by server-side apply": Attempt(
        method="PATCH",
        path=MANAGED,
        body=quota(pods="99"),
        content_type=APPLY,
        params=FORCE,
        want=BELONGS,
    ),
    "replace it": Attempt(
        method="PUT", path=MANAGED, body=quota(pods="99"), content_type=JSON, want=BELONGS
    ),
    "delete it": Attempt(method="DELETE", path=MANAGED, want=BELONGS),
    "delete all ResourceQuotas at once": Attempt(
        method="DELETE", path=QUOTAS.path(APP), want=BELONGS
    ),
    "write usage back to nothing": Attempt(
        method="PATCH",
        path=f"{MANAGED}/status",
        body={"status": {"used": {"pods": "0"}, "hard": {"pods": "99"}}},
        want=BELONGS,
    ),
    "empty the status, which enforces nothing": Attempt(
        method="PATCH", path=f"{MANAGED}/status", body={"status": None}, want=BELONGS
    ),
    "plant a slice": Attempt(
        method="PATCH", path=MANAGED, body=annotated("annotations", SLICE), want=BELONGS
    ),
    "plant a slice through the status": Attempt(
        method="PATCH",
        path=f"{MANAGED}/status",
        body=annotated("annotations", SLICE),
        want=BELONGS,
    ),
    "set the epoch of a leader to come": Attempt(
        method="PATCH",
        path=MANAGED,
        body=annotated("annotations", "quotatree.dev/epoch"),
        want=BELONGS,
    ),
    "let growth pass while the controller is dead": Attempt(
        method="PATCH",
        path=MANAGED,
        body=annotated("labels", "quotatree.dev/failure-policy", value="Ignore"),
        want=BELONGS,
    ),
    "let growth pass through the status": Attempt(
        method="PATCH",
        path=f"{MANAGED}/status",
        body=annotated("labels", "quotatree.dev/failure-policy", value="Ignore"),
        want=BELONGS,
    ),
    "take the managed label off": Attempt(
        method="PATCH",
        path=MANAGED,
        body=annotated("labels", "quotatree.dev/managed", value=None),
        want=BELONGS,
    ),
    "have the garbage collector delete it": Attempt(
        method="PATCH", path=MANAGED, body=owner("gone", "ConfigMap"), want=BELONGS
    ),
    "keep it from ever going": Attempt(
        method="PATCH",
        path=MANAGED,
        body={"metadata": {"finalizers": ["example.com/stay"]}},
        want=BELONGS,
    ),
    "make a scoped one more": Attempt(
        method="POST", path=QUOTAS.path(APP), body=quota("quotatree.mine"), want=BELONGS
    ),
    "make one with a generated name": Attempt(
        method="POST",
        path=QUOTAS.path(APP),
        body={**quota(), "metadata": {"generateName": "quotatree.a"}},
        want=BELONGS,
    ),
    "be there before the controller": Attempt(
        method="POST", path=QUOTAS.path(OTHER), body=quota(), want=BELONGS
    ),
    "make an own quota that looks managed": Attempt(
        method="POST",
        path=QUOTAS.path(APP),
        body=quota("mine", labels={"quotatree.dev/managed": "true"}),
        want="marks ResourceQuotas of quotatree",
    ),
    "make an existing quota look managed": Attempt(
        method="PATCH",
        path=QUOTAS.path(OTHER, "own"),
        body=annotated("labels", "quotatree.dev/managed", value="true"),
        want="marks ResourceQuotas of quotatree",
    ),
    "leave the tree": Attempt(
        method="PATCH",
        path=NAMESPACE,
        body=annotated("labels", PARENT, value=None),
        want=f"to take it from {TEAM}",
    ),
    "leave it by JSON patch": Attempt(
        method="PATCH",
        path=NAMESPACE,
        body=[{"op": "remove", "path": "/metadata/labels/quotatree.dev~1parent"}],
        content_type=JSON_PATCH,
        want=f"to take it from {TEAM}",
    ),
    "leave it by replacing the Namespace": Attempt(
        method="PUT",
        path=NAMESPACE,
        body=MARKED,
        content_type=JSON,
        want=f"to take it from {TEAM}",
    ),
    "leave it through the status": Attempt(
        method="PATCH",
        path=f"{NAMESPACE}/status",
        body=annotated("labels", PARENT, value=None),
        want=f"to take it from {TEAM}",
    ),
    "leave it through finalize": Attempt(
        method="PUT",
        path=f"{NAMESPACE}/finalize",
        body={**MARKED, "spec": {"finalizers": ["kubernetes"]}},
        content_type=JSON,
        want=f"to take it from {TEAM}",
    ),
    "move under a namespace of one's own": Attempt(
        method="PATCH",
        path=NAMESPACE,
        body=annotated("labels", PARENT, value=OTHER),
        want=f"to take it from {TEAM}",
    ),
    "move by server-side apply": Attempt(
        method="PATCH",
        path=NAMESPACE,
        body=namespace(APP, parent=OTHER),
        content_type=APPLY,
        params=FORCE,
        want=f"to take it from {TEAM}",
    ),
    "lie under nobody": Attempt(
        method="PATCH",
        path=NAMESPACE,
        body=annotated("labels", PARENT, value=""),
        want="label quotatree.dev/parent is empty",
    ),
    "burden someone else's tree": Attempt(
        method="PATCH",
        path=NAMESPACES.path(None, OTHER),
        body=annotated("labels", PARENT, value=ORG),
        want=f"needs the right to update treequotas in namespace {ORG}",
    ),
    "charge someone else's tree to one's own limit": Attempt(
        method="PATCH",
        path=NAMESPACES.path(None, ORG),
        body=annotated("labels", PARENT, value=APP),
        want=f"needs the right to update treequotas in namespace {ORG}",
    ),
    "make a namespace in someone else's tree": Attempt(
        method="POST",
        path=NAMESPACES.path(),
        body=namespace(f"new-{RUN}", parent=ORG),
        want=f"needs the right to update treequotas in namespace {ORG}",
    ),
    "put the cluster's own namespace under oneself": Attempt(
        method="PATCH",
        path=NAMESPACES.path(None, "kube-system"),
        body=annotated("labels", PARENT, value=APP),
        want="keeps the cluster itself running",
    ),
    "change the lifecycle": Attempt(
        method="PATCH",
        path=NAMESPACE,
        body=annotated("labels", "quotatree.dev/lifecycle", value="Owned"),
        want=RIGHT_IN_TEAM,
    ),
    "forge a tree label": Attempt(
        method="PATCH", path=NAMESPACE, body=annotated("labels", DEPTH, value="0"), want=WRITTEN
    ),
    "take a tree label off through the status": Attempt(
        method="PATCH",
        path=f"{NAMESPACE}/status",
        body=annotated("labels", DEPTH, value=None),
        want=WRITTEN,
    ),
    "say that one is not enforced": Attempt(
        method="PATCH",
        path=NAMESPACE,
        body=annotated("labels", "quotatree.dev/enforced", value=None),
        want=WRITTEN,
    ),
    "deny the children": Attempt(
        method="PATCH",
        path=NAMESPACES.path(None, TEAM),
        body=annotated("annotations", "quotatree.dev/children", value="0"),
        want=WRITTEN,
    ),
    "take the parent's finalizer off": Attempt(
        method="PATCH",
        path=NAMESPACES.path(None, TEAM),
        body={"metadata": {"finalizers": None}},
        want=WRITTEN,
    ),
    "name a Namespace as owner": Attempt(
        method="PATCH",
        path=NAMESPACES.path(None, OTHER),
        body=owner(APP),
        want="names another Namespace as its owner",
    ),
    "allow someone else's subtree to be deleted": Attempt(
        method="PATCH",
        path=NAMESPACES.path(None, TEAM),
        body=annotated("annotations", "quotatree.dev/allow-cascading-deletion", value="true"),
        want=RIGHT_IN_TEAM,
    ),
    "delete a parent": Attempt(
        method="DELETE",
        path=NAMESPACES.path(None, TEAM),
        want="1 namespaces under it; move or delete them first",
    ),
    "raise the TreeQuota in one's namespace": Attempt(
        method="PATCH",
        path=TREE_QUOTAS.path(APP, "limit"),
        body={"spec": {"hard": {"pods": "99"}}},
        want=RIGHT_IN_TEAM,
    ),
    "delete the TreeQuota in one's namespace": Attempt(
        method="DELETE", path=TREE_QUOTAS.path(APP, "limit"), want=RIGHT_IN_TEAM
    ),
    "delete all TreeQuotas at once": Attempt(
        method="DELETE", path=TREE_QUOTAS.path(APP), want=RIGHT_IN_TEAM
    ),
    "have the garbage collector delete the TreeQuota": Attempt(
        method="PATCH",
        path=TREE_QUOTAS.path(APP, "limit"),
        body=owner("gone", "ConfigMap"),
        want=RIGHT_IN_TEAM,
    ),
    "reserve the ancestors' room": Attempt(
        method="POST",
        path=TREE_QUOTAS.path(APP),
        body=tree_quota("greed", guaranteed={"pods": "10"}),
        want=RIGHT_IN_TEAM,
    ),
    "forge a granted guarantee": Attempt(
        method="PATCH",
        path=f"{TREE_QUOTAS.path(APP, 'limit')}/status",
        body={"status": {"guaranteed": {"pods": "10"}}},
        want="written by quotatree's controller only",
    ),
    "hand oneself the right in the parent": Attempt(
        method="POST",
        path=paths.ROLE_BINDINGS.path(TEAM),
        body=bound(TENANT, ("ClusterRole", rbac.EDIT_ROLE), TEAM),
        want=RBAC,
    ),
    "hand oneself the right to manage": Attempt(
        method="POST",
        path=paths.CLUSTER_ROLE_BINDINGS.path(),
        body=bound(TENANT, ("ClusterRole", rbac.MANAGE_ROLE)),
        want=RBAC,
    ),
    "mint a token of the controller": Attempt(
        method="POST",
        path=f"{paths.SERVICE_ACCOUNTS.path(SETTINGS.namespace, 'quotatree')}/token",
        body={"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}},
        want=RBAC,
    ),
    "take the policies away": Attempt(
        method="DELETE",
        path=paths.POLICIES.path(None, quota_policies.MANAGED_QUOTAS),
        want=RBAC,
    ),
}


async def snapshot(people: People) -> dict[str, str]:
    """Return the resourceVersion of everything that the attempts aim at."""
    admin = people.admin
    found = [await admin.get(NAMESPACES, name) for name in (ORG, TEAM, APP, OTHER)]
    for kind in (QUOTAS, TREE_QUOTAS):
        for ns in (ORG, TEAM, APP, OTHER):
            found += (await admin.list_all(kind, namespace=ns))[0]
    return {it["metadata"]["uid"]: it["metadata"]["resourceVersion"] for it in found}


@pytest.mark.parametrize("attempt", ATTEMPTS.values(), ids=ATTEMPTS.keys())
async def test_a_tenant_with_every_right_inside_does_not_escape(
    people: People, attempt: Attempt
) -> None:
    before = await snapshot(people)
    said = await refused(
        people.person(TENANT).request(
            attempt.method,
            attempt.path,
            body=attempt.body,
            content_type=JSON if attempt.method in {"POST", "DELETE"} else attempt.content_type,
            params=attempt.params,
        )
    )
    assert attempt.want in said
    assert await snapshot(people) == before
