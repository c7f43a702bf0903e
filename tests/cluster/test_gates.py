"""Nothing is born or grows uncounted, and nothing is kept from ending."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.cluster import tenancy
from tests.cluster.people import People, eventually, refused
from tests.cluster.tenancy import (
    CONTROLLER,
    DRY_RUN,
    MERGE,
    NAMESPACES,
    PARENT,
    QUOTAS,
    RUN,
    SETTINGS,
    TEAM,
    TREE_QUOTAS,
    annotated,
    namespace,
    open_gate,
    pod,
    stand_quota,
    tree_quota,
)

from quotatree.cluster import client as clients
from quotatree.cluster import paths
from quotatree.manifests import gate, quota_policies

pytestmark = pytest.mark.cluster


@pytest.fixture
async def people(kubeconfig: Path) -> AsyncIterator[People]:
    async with People(kubeconfig) as everyone:
        await tenancy.stand(everyone)
        yield everyone


async def test_nothing_is_born_before_its_quota_is_measured(people: People) -> None:
    admin, name = people.admin, f"young-{RUN}"
    await admin.create(NAMESPACES, namespace(name, parent=TEAM))
    create = paths.PODS.path(name)

    async def pod_refused(**params: str) -> str:
        return await refused(admin.request("POST", create, body=pod("p"), params=params))

    assert quota_policies.BIRTH_GATE_BINDING in await pod_refused()
    assert quota_policies.BIRTH_GATE_BINDING in await pod_refused(dryRun="All")
    await stand_quota(people, name, ready=False)

    async def by_expression() -> bool:
        return f"the quota of namespace {name} is not measured yet; retry" in await pod_refused()

    await eventually(by_expression, what="the gate sees the quota")
    await open_gate(people, name)

    async def born() -> bool:
        return not await pod_refused()

    await eventually(born, what="the gate opens")
    await people.person(CONTROLLER).delete(QUOTAS, "quotatree", namespace=name)

    async def closed() -> bool:
        return bool(await refused(admin.request("POST", create, body=pod("q"), params=DRY_RUN)))

    await eventually(closed, what="the gate closes when the quota is gone")


async def test_what_the_control_plane_makes_is_born_behind_the_closed_gate(
    people: People,
) -> None:
    admin, name = people.admin, f"closed-{RUN}"
    await admin.create(NAMESPACES, namespace(name, parent=TEAM))

    async def made() -> bool:
        root = await admin.find(paths.CONFIG_MAPS, "kube-root-ca.crt", namespace=name)
        account = await admin.find(paths.SERVICE_ACCOUNTS, "default", namespace=name)
        return root is not None and account is not None

    await eventually(made, what="the control plane's own objects exist")
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "mine"}}
    said = await refused(admin.create(paths.CONFIG_MAPS, body, namespace=name))
    assert quota_policies.BIRTH_GATE_BINDING in said


def _resize(people: People, ns: str) -> Any:
    container = {"name": "c", "resources": {"requests": {"cpu": "2"}}}
    return people.admin.request(
        "PATCH",
        paths.PODS.path(ns, "small", "resize"),
        body={"spec": {"containers": [container]}},
        content_type="application/strategic-merge-patch+json",
        params=DRY_RUN,
    )


def _storage(people: People, ns: str) -> Any:
    body = {"spec": {"resources": {"requests": {"storage": "2Gi"}}}}
    return people.admin.request(
        "PATCH", paths.CLAIMS.path(ns, "small"), body=body, content_type=MERGE, params=DRY_RUN
    )


def _deadline(people: People, ns: str) -> Any:
    return people.admin.request(
        "PATCH",
        paths.PODS.path(ns, "small"),
        body={"spec": {"activeDeadlineSeconds": 60}},
        content_type=MERGE,
        params=DRY_RUN,
    )


def _ports(people: People, ns: str) -> Any:
    return people.admin.request(
        "PATCH",
        paths.SERVICES.path(ns, "small"),
        body={"spec": {"type": "NodePort"}},
        content_type=MERGE,
        params=DRY_RUN,
    )


async def test_nothing_grows_while_the_quota_is_not_measured(people: People) -> None:
    admin, name = people.admin, f"grown-{RUN}"
    await admin.create(NAMESPACES, namespace(name))
    await bound_claim(people, name)
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "small"},
        "spec": {"ports": [{"port": 80}], "selector": {"a": "b"}},
    }
    await admin.create(paths.SERVICES, service, namespace=name)
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
    await refused_or_there(admin.create(paths.SERVICE_ACCOUNTS, account, namespace=name))
    await admin.create(paths.PODS, pod("small"), namespace=name)
    await admin.patch(NAMESPACES, name, body=annotated("labels", PARENT, value=TEAM))
    await stand_quota(people, name, ready=False)
    for grow in (_resize, _storage, _deadline, _ports):
        assert "retry this change in a second" in await refused(grow(people, name))
    await admin.patch(
        paths.PODS, "small", body=annotated("labels", "app", value="x"), namespace=name
    )


async def bound_claim(people: People, ns: str) -> None:
    """Make claim `small`, bound to a volume of a class that may grow: only those are resized."""
    admin, volume = people.admin, f"small-{RUN}"
    storage = {"accessModes": ["ReadWriteOnce"], "storageClassName": volume}
    growing = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": volume},
        "provisioner": "example.com/none",
        "allowVolumeExpansion": True,
    }
    one = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": volume},
        "spec": {**storage, "capacity": {"storage": "1Gi"}, "hostPath": {"path": "/none"}},
    }
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "small"},
        "spec": {
            **storage,
            "volumeName": volume,
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }
    await admin.request("POST", "/apis/storage.k8s.io/v1/storageclasses", body=growing)
    await admin.request("POST", "/api/v1/persistentvolumes", body=one)
    await admin.create(paths.CLAIMS, claim, namespace=ns)

    async def is_bound() -> bool:
        found = await admin.get(paths.CLAIMS, "small", namespace=ns)
        return bool(found["status"].get("phase") == "Bound")

    await eventually(is_bound, what="the claim is bound")


async def refused_or_there(request: Any) -> None:
    """Let pass what the control plane has made in the meantime."""
    try:
        await request
    except clients.ClusterError as error:
        if error.reason != "AlreadyExists":
            raise


async def test_a_namespace_of_a_tree_terminates_with_finalizers_in_it(people: People) -> None:
    admin, name = people.admin, f"ending-{RUN}"
    await admin.create(NAMESPACES, namespace(name, parent=TEAM))
    await stand_quota(people, name)
    held = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "held", "finalizers": ["example.com/last"]},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }

    async def claimed() -> bool:
        return not await refused(admin.create(paths.CLAIMS, held, namespace=name))

    await eventually(claimed, what="the gate opens")
    await admin.create(TREE_QUOTAS, tree_quota("t"), namespace=name)
    await admin.delete(NAMESPACES, name)

    async def quota_gone() -> bool:
        return await admin.find(QUOTAS, "quotatree", namespace=name) is None

    await eventually(quota_gone, what="the quota goes with its namespace")
    body = {"metadata": {"finalizers": None}}
    await admin.patch(paths.CLAIMS, "held", body=body, namespace=name)

    async def gone() -> bool:
        return await admin.find(NAMESPACES, name) is None

    await eventually(gone, what="the namespace is gone")


async def test_a_new_kind_is_gated_by_patching_the_rules(people: People) -> None:
    rules = gate.birth_rules((*SETTINGS.gated, "count/secrets"))
    await people.person(CONTROLLER).patch(
        paths.POLICIES,
        quota_policies.BIRTH_GATE,
        body={"spec": {"matchConstraints": {"resourceRules": rules}}},
    )
    name = f"later-{RUN}"
    await people.admin.create(NAMESPACES, namespace(name, parent=TEAM))
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}

    async def gated() -> bool:
        request = people.admin.request(
            "POST", paths.SECRETS.path(name), body=secret, params=DRY_RUN
        )
        return bool(await refused(request))

    await eventually(gated, what="secrets are gated")
