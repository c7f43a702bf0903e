"""Who may do what: people with rights, the controller, the control plane itself."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.cluster import tenancy
from tests.cluster.people import People, eventually, refused
from tests.cluster.tenancy import (
    APP,
    BELONGS,
    CONTROLLER,
    DEPTH,
    DRY_RUN,
    JSON,
    LEAD,
    MANAGED,
    MERGE,
    NAMESPACES,
    OPERATOR,
    ORG,
    OTHER,
    PARENT,
    QUOTAS,
    RIGHT_IN_TEAM,
    RUN,
    SLICE,
    TEAM,
    TENANT,
    TREE_QUOTAS,
    WRITTEN,
    annotated,
    bound,
    namespace,
    owner,
    pod,
    quota,
    role,
    tree_quota,
)

from quotatree.cluster import paths
from quotatree.manifests import deployment, rbac

pytestmark = pytest.mark.cluster


@pytest.fixture
async def people(kubeconfig: Path) -> AsyncIterator[People]:
    async with People(kubeconfig) as everyone:
        await tenancy.stand(everyone)
        yield everyone


async def test_a_service_account_with_the_controllers_name_elsewhere_is_a_tenant(
    people: People,
) -> None:
    await people.admin.create(
        paths.ROLE_BINDINGS,
        bound(f"system:serviceaccount:{APP}:quotatree", ("Role", "everything"), APP)
        | {"metadata": {"name": "namesake", "namespace": APP}},
    )
    namesake = people.person(f"system:serviceaccount:{APP}:quotatree")
    body = {"spec": {"hard": {"pods": "99"}}}
    assert BELONGS in await refused(namesake.patch(QUOTAS, "quotatree", body=body, namespace=APP))


async def test_the_built_in_admin_of_a_namespace_reads_tree_quotas_and_no_more(
    people: People,
) -> None:
    user = f"admin-{RUN}"
    await people.admin.create(
        paths.ROLE_BINDINGS, bound(user, ("ClusterRole", "admin"), APP), namespace=APP
    )
    admin = people.person(user)

    async def aggregated() -> bool:
        return not await refused(admin.get(TREE_QUOTAS, "limit", namespace=APP))

    await eventually(aggregated, what="quotatree-view is aggregated to admin")
    body = {"spec": {"hard": {"pods": "99"}}}
    assert "cannot patch" in await refused(
        admin.patch(TREE_QUOTAS, "limit", body=body, namespace=APP)
    )


async def test_own_quotas_of_a_tenant_stay_its_own(people: People) -> None:
    tenant = people.person(TENANT)
    await tenant.create(QUOTAS, quota("mine"), namespace=APP)
    await tenant.patch(QUOTAS, "mine", body={"spec": {"hard": {"pods": "3"}}}, namespace=APP)
    await tenant.delete(QUOTAS, "mine", namespace=APP)


async def test_ordinary_labels_of_a_namespace_stay_free(people: People) -> None:
    body = annotated("labels", "stage", value="prod")
    await people.person(TENANT).patch(NAMESPACES, APP, body=body)


async def test_quota_admission_and_the_native_controller_measure_as_ever(people: People) -> None:
    await people.person(TENANT).create(paths.PODS, pod("counted"), namespace=APP)
    found = await people.admin.get(QUOTAS, "quotatree", namespace=APP)
    assert found["status"]["used"] == {"pods": "1"}
    await people.person(TENANT).delete(paths.PODS, "counted", namespace=APP)

    async def recounted() -> bool:
        now = await people.admin.get(QUOTAS, "quotatree", namespace=APP)
        return bool(now["status"]["used"] == {"pods": "0"})

    await eventually(recounted, what="the native controller counts the pod no more")


async def test_who_measures_everywhere_may_write_the_status_and_nothing_else(
    people: People,
) -> None:
    user = f"measurer-{RUN}"
    rule = {
        "apiGroups": [""],
        "resources": ["resourcequotas/status"],
        "verbs": ["update", "patch"],
    }
    measure = role(f"measure-{RUN}", "", [rule])
    await people.admin.create(paths.CLUSTER_ROLES, measure)
    await people.admin.create(
        paths.CLUSTER_ROLE_BINDINGS, bound(user, ("ClusterRole", f"measure-{RUN}"))
    )
    measurer = people.person(user)

    async def writes(body: dict[str, Any]) -> str:
        return await refused(
            measurer.request(
                "PATCH", f"{MANAGED}/status", body=body, content_type=MERGE, params=DRY_RUN
            )
        )

    async def passes() -> bool:
        return not await writes({"status": {"used": {"pods": "3"}}})

    await eventually(passes, what="the fresh right is known")
    assert BELONGS in await writes(annotated("annotations", SLICE))
    assert BELONGS in await writes(owner("gone", "ConfigMap"))


async def test_a_manager_steps_in_for_the_controller(people: People) -> None:
    body = {"spec": {"hard": {"pods": "7"}}, "metadata": {"labels": {"x": "y"}}}
    await people.person(OPERATOR).request(
        "PATCH", MANAGED, body=body, content_type=MERGE, params=DRY_RUN
    )


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("DELETE", MANAGED, None),
        ("PATCH", MANAGED, {"spec": {"hard": {"pods": None}}}),
        ("PATCH", MANAGED, {"spec": None}),
        ("PATCH", f"{MANAGED}/status", {"status": {"hard": {"pods": None}}}),
        ("PATCH", f"{MANAGED}/status", {"status": None}),
    ],
    ids=["deleted", "a name fewer", "no spec", "a name fewer in the status", "no status"],
)
async def test_not_even_a_manager_ends_the_measuring(
    people: People, method: str, path: str, body: object
) -> None:
    """Requests that are past the gate would be charged to nobody."""
    media = MERGE if body else JSON
    asked = people.person(OPERATOR).request(
        method, path, body=body, content_type=media, params=DRY_RUN
    )
    assert BELONGS in await refused(asked)


async def test_not_even_a_manager_brings_an_owner_from_a_backup(people: People) -> None:
    restored = namespace(f"restored-{RUN}", parent=TEAM) | owner(TEAM)
    restored["metadata"] |= {"name": f"restored-{RUN}", "labels": {PARENT: TEAM}}
    said = await refused(people.person(OPERATOR).create(NAMESPACES, restored))
    assert "remove metadata.ownerReferences and set the label" in said


async def test_a_manager_restores_a_namespace_with_its_tree_labels(people: People) -> None:
    labels = {PARENT: TEAM, DEPTH: "2", "quotatree.dev/enforced": "true"}
    body = namespace(f"backup-{RUN}", labels=labels)
    await people.person(OPERATOR).request("POST", NAMESPACES.path(), body=body, params=DRY_RUN)
    said = await refused(
        people.person(LEAD).request("POST", NAMESPACES.path(), body=body, params=DRY_RUN)
    )
    assert DEPTH in said
    assert WRITTEN in said


async def test_the_lead_of_both_parents_moves_and_limits(people: People) -> None:
    lead = people.person(LEAD)
    for parent in (ORG, TEAM):
        await lead.patch(NAMESPACES, APP, body=annotated("labels", PARENT, value=parent))
    body = {"spec": {"hard": {"pods": "6"}}}
    await lead.patch(TREE_QUOTAS, "limit", body=body, namespace=APP)


async def test_the_lead_of_one_level_does_not_change_its_own_limit(people: People) -> None:
    user = f"sublead-{RUN}"
    await people.admin.create(
        paths.ROLE_BINDINGS, bound(user, ("ClusterRole", rbac.EDIT_ROLE), APP), namespace=APP
    )

    async def refuses_by_policy() -> bool:
        said = await refused(
            people.person(user).create(TREE_QUOTAS, tree_quota("more"), namespace=APP)
        )
        return RIGHT_IN_TEAM in said

    await eventually(refuses_by_policy, what="RBAC allows, the policy refuses")


async def test_the_controller_does_all_that_it_must(people: People) -> None:
    controller = people.person(CONTROLLER)
    owner = await people.admin.get(NAMESPACES, TEAM)
    reference = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "name": TEAM,
        "uid": owner["metadata"]["uid"],
        "blockOwnerDeletion": False,
    }
    await controller.patch(NAMESPACES, APP, body={"metadata": {"ownerReferences": [reference]}})
    said = await refused(
        people.person(TENANT).patch(NAMESPACES, APP, body={"metadata": {"ownerReferences": None}})
    )
    assert "is written by quotatree" in said
    await controller.patch(NAMESPACES, APP, body={"metadata": {"ownerReferences": None}})
    for subresource in (None, "status"):
        await controller.patch(
            QUOTAS,
            "quotatree",
            body=annotated("annotations", "quotatree.dev/touched", value=str(subresource)),
            namespace=APP,
            subresource=subresource,
        )
    await controller.patch(
        TREE_QUOTAS,
        "limit",
        body={"status": {"used": {"pods": "0"}}},
        namespace=APP,
        subresource="status",
    )


async def test_the_controller_never_deletes_a_namespace(people: People) -> None:
    controller = people.person(CONTROLLER)
    assert "cannot delete" in await refused(controller.delete(NAMESPACES, OTHER))


async def test_a_parent_that_allows_it_is_deleted(people: People) -> None:
    name = f"doomed-{RUN}"
    await people.admin.create(NAMESPACES, namespace(name))
    marks = annotated("annotations", "quotatree.dev/children", value="2")
    await people.person(CONTROLLER).patch(NAMESPACES, name, body=marks)
    assert "has 2 namespaces under it" in await refused(people.admin.delete(NAMESPACES, name))
    consent = annotated("annotations", "quotatree.dev/allow-cascading-deletion", value="true")
    await people.admin.patch(NAMESPACES, name, body=consent)
    await people.admin.delete(NAMESPACES, name)


async def test_who_made_a_namespace_is_said_at_its_creation_only(people: People) -> None:
    name, note = f"made-{RUN}", "quotatree.dev/made-by"
    await people.admin.create(NAMESPACES, namespace(name, annotations={note: "one"}))

    async def applied(by: str) -> str:
        body = namespace(name, annotations={note: by})
        return await refused(people.admin.apply(body, field_manager=by, force=True, dry_run=True))

    assert await applied("one") == ""
    assert f"namespace {name} exists already, made by one" in await applied("two")
    assert "exists already" in await refused(
        people.admin.patch(NAMESPACES, name, body=annotated("annotations", note, value=None))
    )
    bare = f"bare-{RUN}"
    await people.admin.create(NAMESPACES, namespace(bare))
    assert f"namespace {bare} exists already; " in await refused(
        people.admin.patch(NAMESPACES, bare, body=annotated("annotations", note, value="two"))
    )


async def test_the_controllers_requests_have_a_level_of_their_own(people: People) -> None:
    found = await people.admin.get(paths.FLOW_SCHEMAS, deployment.FLOW)
    assert found["spec"]["priorityLevelConfiguration"]["name"] == deployment.FLOW
