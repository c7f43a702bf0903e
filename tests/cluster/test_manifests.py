"""The installation on a real API server: it applies, compiles, and calls us only when it must.

The webhook points at a port where nobody listens: a call shows itself as a failed one.
"""

import asyncio
import dataclasses
import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cluster.people import People, apply_all, eventually, refused, served
from tests.cluster.tenancy import without_webhooks

from quotatree.cluster import client as clients
from quotatree.cluster import paths
from quotatree.manifests import crd, install, webhook
from quotatree.manifests.settings import InstallSettings

pytestmark = pytest.mark.cluster

RUN = secrets.token_hex(3)
ROOT, SLICED, FRESH = (f"{name}-{RUN}" for name in ("root", "sliced", "fresh"))
SETTINGS = InstallSettings(version="test", webhook_url="https://127.0.0.1:1")
IN_CLUSTER = InstallSettings(version="test", image="registry.example/quotatree:test", replicas=2)
MANIFESTS = install.installation(SETTINGS)
CONTROLLER = SETTINGS.controllers[0]
QUOTAS, TREE_QUOTAS, NAMESPACES = paths.RESOURCE_QUOTAS, paths.TREE_QUOTAS, paths.NAMESPACES
DRY_RUN = {"dryRun": "All"}
LABEL = "quotatree.dev/parent"


@pytest.fixture(scope="module")
def installed(kubeconfig: Path) -> Iterator[Path]:
    """Return a kubeconfig with everything installed; the webhooks go again, they would block."""

    async def up() -> None:
        async with People(kubeconfig) as people:
            await apply_all(people.admin, MANIFESTS)
            await served(people.admin, TREE_QUOTAS)
            for name in (ROOT, SLICED, FRESH):
                await people.admin.create(NAMESPACES, {"metadata": {"name": name}})
            await eventually(lambda: asked(people), what="the webhook is called")

    async def down() -> None:
        async with People(kubeconfig) as people:
            for kind in (paths.VALIDATING_WEBHOOKS, paths.MUTATING_WEBHOOKS):
                await people.admin.delete(kind, webhook.WEBHOOK_CONFIGURATION)

            async def silent() -> bool:
                return not await asked(people)

            await eventually(silent, what="the webhook is called no more")

    asyncio.run(up())
    yield kubeconfig
    asyncio.run(down())


@pytest.fixture
async def people(installed: Path) -> AsyncIterator[People]:
    async with People(installed) as everyone:
        yield everyone


async def asked(people: People) -> bool:
    return "treequota.quotatree.dev" in await calls(
        people, "POST", TREE_QUOTAS.path(FRESH), tree_quota({"hard": {"pods": "5"}})
    )


async def calls(people: People, method: str, path: str, body: Any = None) -> str:
    """Return what the API server says of a webhook that it could not reach, "" without a call."""
    content_type = clients.MERGE_PATCH if method == "PATCH" else clients.JSON
    try:
        await people.admin.request(
            method, path, body=body, content_type=content_type, params=DRY_RUN, retry=False
        )
    except clients.ClusterError as error:
        if "failed calling webhook" not in str(error):
            raise
        return str(error)
    return ""


def tree_quota(spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "quotatree.dev/v1alpha1",
        "kind": "TreeQuota",
        "metadata": {"name": "t"},
        "spec": spec,
    }


def pod(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"containers": [{"name": "c", "image": "none"}]},
    }


def labelled(value: str | None, key: str = LABEL) -> dict[str, Any]:
    return {"metadata": {"labels": {key: value}}}


@pytest.mark.parametrize("settings", [SETTINGS, IN_CLUSTER], ids=["outside", "in the cluster"])
async def test_applying_twice_changes_nothing(installed: Path, settings: InstallSettings) -> None:
    manifests = without_webhooks(settings)
    async with People(installed) as people:
        # Once before the comparison: it changes what another installation left behind.
        await apply_all(people.admin, manifests)
        before = [kept(it) for it in await apply_all(people.admin, manifests)]
        assert [kept(it) for it in await apply_all(people.admin, manifests)] == before


def kept(found: dict[str, Any]) -> dict[str, Any]:
    """Return what the applier may change: the control plane writes the status in between."""
    volatile = ("resourceVersion", "managedFields", "annotations")
    metadata = {k: v for k, v in found["metadata"].items() if k not in volatile}
    return {k: v for k, v in found.items() if k != "status"} | {"metadata": metadata}


async def test_every_expression_passes_the_servers_type_check(people: People) -> None:
    policies = [it for it in MANIFESTS if it["kind"] == "ValidatingAdmissionPolicy"]

    async def checked(name: str) -> bool:
        found = await people.admin.get(paths.POLICIES, name)
        status = found.get("status", {})
        return bool(status.get("observedGeneration") == found["metadata"]["generation"])

    for policy in policies:
        name = policy["metadata"]["name"]
        await eventually(lambda it=name: checked(it), what=f"{name} is type-checked")
        found = await people.admin.get(paths.POLICIES, name)
        assert found["status"]["typeChecking"] == {}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Bad:
    """A spec that the API server refuses without asking anyone, and the words of the refusal."""

    spec: dict[str, Any]
    want: str


def _selector(**requirement: Any) -> dict[str, Any]:
    return {"hard": {"pods": "1"}, "scopeSelector": {"matchExpressions": [requirement]}}


BAD_SPECS = {
    "not a quantity": Bad(
        spec={"hard": {"cpu": "many"}},
        want='spec.hard[cpu]: Invalid value: "many": not a quantity; write a number such as 20',
    ),
    "not a number": Bad(spec={"hard": {"cpu": "NaN"}}, want="not a quantity"),
    "infinite": Bad(spec={"hard": {"cpu": "Infinity"}}, want="not a quantity"),
    "a foreign digit": Bad(spec={"hard": {"cpu": "५"}}, want="not a quantity"),
    "an unknown suffix": Bad(spec={"hard": {"memory": "1Zi"}}, want="not a quantity"),
    "nothing": Bad(spec={"hard": {"cpu": ""}}, want="not a quantity"),
    "negative": Bad(
        spec={"hard": {"cpu": "-1"}},
        want='spec.hard[cpu]: Invalid value: "-1": a limit must not be negative',
    ),
    "a negative number": Bad(spec={"hard": {"pods": -1}}, want="must not be negative"),
    "a fraction as YAML number": Bad(spec={"hard": {"cpu": 1.5}}, want="integer,string"),
    "a truth": Bad(spec={"hard": {"cpu": True}}, want="integer,string"),
    "a list for a map": Bad(spec={"hard": ["cpu"]}, want="must be of type object"),
    "too long": Bad(spec={"hard": {"cpu": "1" * 65}}, want="may not be more than 64"),
    "too many": Bad(
        spec={"hard": {f"count/kind{i}": "1" for i in range(129)}}, want="must have at most 128"
    ),
    "a bad guarantee": Bad(
        spec={"guaranteed": {"cpu": "x"}}, want="spec.guaranteed[cpu]: Invalid value"
    ),
    "a guarantee above the limit": Bad(
        spec={"hard": {"cpu": "1"}, "guaranteed": {"cpu": "1001m"}},
        want="guaranteed must not be above hard",
    ),
    "an unknown policy": Bad(
        spec={"hard": {"cpu": "1"}, "failurePolicy": "Maybe"}, want='values: "Fail", "Ignore"'
    ),
    "an unknown scope": Bad(
        spec={"hard": {"pods": "1"}, "scopes": ["Best"]}, want='supported values: "Terminating"'
    ),
    "a scope twice": Bad(
        spec={"hard": {"pods": "1"}, "scopes": ["BestEffort", "BestEffort"]}, want="Duplicate"
    ),
    "opposite scopes": Bad(
        spec={"hard": {"pods": "1"}, "scopes": ["BestEffort", "NotBestEffort"]},
        want="exclude each other",
    ),
    "a scope that has no cpu": Bad(
        spec={"hard": {"cpu": "1"}, "scopes": ["BestEffort"]},
        want="with scope BestEffort only these can be counted: pods",
    ),
    "a scope of pods with services": Bad(
        spec={"hard": {"services": "1"}, "scopes": ["Terminating"]}, want="only these"
    ),
    "a scope of pods with huge pages": Bad(
        spec={"hard": {"hugepages-2Mi": "1"}, "scopes": ["Terminating"]}, want="only these"
    ),
    "an unknown operator": Bad(
        spec=_selector(scopeName="PriorityClass", operator="Like"), want='supported values: "In"'
    ),
    "an operator without values": Bad(
        spec=_selector(scopeName="PriorityClass", operator="In"), want="In and NotIn need values"
    ),
    "values without need": Bad(
        spec=_selector(scopeName="PriorityClass", operator="Exists", values=["high"]),
        want="Exists and DoesNotExist take none",
    ),
    "values for a scope without": Bad(
        spec=_selector(scopeName="BestEffort", operator="In", values=["yes"]),
        want="its operator must be Exists",
    ),
}


@pytest.mark.parametrize("bad", BAD_SPECS.values(), ids=BAD_SPECS.keys())
async def test_a_bad_tree_quota_is_refused_with_its_place(people: People, bad: Bad) -> None:
    with pytest.raises(clients.ClusterError) as refusal:
        await people.admin.create(TREE_QUOTAS, tree_quota(bad.spec), namespace=ROOT)
    assert bad.want in str(refusal.value)


GOOD_SPECS = {
    "numbers and texts": {"hard": {"pods": 5, "cpu": "1500m", "memory": "100Gi", "a.b/c": "1E3"}},
    "a guarantee alone": {"guaranteed": {"requests.nvidia.com/gpu": "16"}},
    "a guarantee as large as the limit": {"hard": {"cpu": "1"}, "guaranteed": {"cpu": "1000m"}},
    "a scope": {"hard": {"pods": "100", "count/jobs.batch": "4"}, "scopes": ["BestEffort"]},
    "a priority": _selector(scopeName="PriorityClass", operator="In", values=["high"]),
}


@pytest.mark.parametrize("spec", GOOD_SPECS.values(), ids=GOOD_SPECS.keys())
async def test_a_good_tree_quota_reaches_the_webhook(people: People, spec: Any) -> None:
    said = await calls(people, "POST", TREE_QUOTAS.path(ROOT), tree_quota(spec))
    assert "treequota.quotatree.dev" in said


async def test_scopes_stay_as_they_are_and_metadata_calls_nobody(people: People) -> None:
    admin = people.admin
    await admin.delete(paths.VALIDATING_WEBHOOKS, webhook.WEBHOOK_CONFIGURATION)
    body = tree_quota({"hard": {"pods": "1"}, "scopes": ["BestEffort"]})

    async def made() -> bool:
        try:
            await admin.create(TREE_QUOTAS, body, namespace=ROOT)
        except clients.ClusterError as error:
            return error.reason == "AlreadyExists"
        return True

    await eventually(made, what="nobody is called any more")
    found = await admin.get(TREE_QUOTAS, "t", namespace=ROOT)
    assert found["spec"]["failurePolicy"] == "Fail"
    with pytest.raises(clients.ClusterError, match="scopes cannot be changed"):
        await admin.patch(TREE_QUOTAS, "t", body={"spec": {"scopes": None}}, namespace=ROOT)
    await apply_all(admin, MANIFESTS[-1:])
    await eventually(lambda: asked(people), what="the webhook is called")
    path = TREE_QUOTAS.path(ROOT, "t")
    assert await calls(people, "PATCH", path, {"spec": {"hard": {"pods": "2"}}})
    assert not await calls(people, "PATCH", path, {"metadata": {"annotations": {"a": "b"}}})
    assert not await calls(people, "DELETE", path)


async def test_only_a_new_parent_calls_us_and_leaving_calls_nobody(people: People) -> None:
    path = NAMESPACES.path(None, FRESH)
    for subresource in ("", "/status"):
        said = await calls(people, "PATCH", path + subresource, labelled(ROOT))
        assert "namespace.quotatree.dev" in said
    child = {"metadata": {"name": f"child-{RUN}", "labels": {LABEL: ROOT}}}
    assert await calls(people, "POST", NAMESPACES.path(), child)
    plain = {"metadata": {"name": f"plain-{RUN}"}}
    assert not await calls(people, "POST", NAMESPACES.path(), plain)
    assert not await calls(people, "PATCH", path, labelled("prod", "stage"))
    for name in ("kube-system", SETTINGS.namespace):
        other = NAMESPACES.path(None, name)
        assert not await calls(people, "PATCH", other, labelled("x", "stage"))


async def grow(people: People, name: str) -> str:
    """Create a pod for real in the measured namespace; return what failed, "" when admitted."""
    try:
        await people.admin.request("POST", paths.PODS.path(SLICED), body=pod(name), retry=False)
    except clients.ClusterError as error:
        if "failed calling webhook" not in str(error):
            raise
        return str(error)
    return ""


async def test_usage_calls_us_only_beyond_the_slice(people: People) -> None:
    controller, admin = people.person(CONTROLLER), people.admin
    managed = {
        "metadata": {"name": "quotatree"},
        "spec": {"hard": {"pods": "10", "count/pods": "10"}},
    }
    await controller.create(QUOTAS, managed, namespace=SLICED)

    async def used(want: str) -> bool:
        found = await admin.get(QUOTAS, "quotatree", namespace=SLICED)
        amounts = found.get("status", {}).get("used", {})
        return bool(amounts == {"pods": want, "count/pods": want})

    await eventually(lambda: used("0"), what="measured without a call to us")
    assert "usage.quotatree.dev" in await grow(people, "no-slice")

    async def slices(**amounts: str) -> None:
        marks = {f"slice.quotatree.dev/{key}": value for key, value in amounts.items()}
        body = {"metadata": {"annotations": marks}}
        await controller.patch(QUOTAS, "quotatree", body=body, namespace=SLICED)

    await slices(pods="2")
    assert await grow(people, "one-of-two-names-has-a-slice")
    await slices(pods="2", count_pods="many")
    assert await grow(people, "a-slice-that-is-no-quantity")
    await slices(pods="2", count_pods="2")

    async def admitted() -> bool:
        return not await grow(people, "inside")

    await eventually(admitted, what="growth inside the slice passes without us")
    assert not await grow(people, "inside-too")
    assert await used("2")
    assert await grow(people, "beyond")
    # Falling is never asked about, and the native controller's recount is not either.
    await admin.delete(paths.PODS, "inside", namespace=SLICED)
    await eventually(lambda: used("1"), what="the recount is not in our way")


async def test_other_quotas_never_call_us(people: People) -> None:
    admin = people.admin
    own = {"metadata": {"name": "own"}, "spec": {"hard": {"pods": "10"}}}
    await admin.create(QUOTAS, own, namespace=FRESH)

    async def measured() -> bool:
        found = await admin.get(QUOTAS, "own", namespace=FRESH)
        return "used" in found.get("status", {})

    await eventually(measured, what="the native controller measures")
    await admin.create(paths.PODS, pod("free"), namespace=FRESH)


async def test_the_controllers_rights_reach_and_end_where_they_should(people: People) -> None:
    controller = people.person(CONTROLLER)
    home = SETTINGS.namespace
    counted = (paths.PODS, paths.CLAIMS, paths.SERVICES)
    for kind in (NAMESPACES, QUOTAS, TREE_QUOTAS, *counted):
        await controller.list_all(kind)
    await controller.get(paths.VALIDATING_WEBHOOKS, webhook.WEBHOOK_CONFIGURATION)
    await controller.get(paths.MUTATING_WEBHOOKS, webhook.WEBHOOK_CONFIGURATION)
    await controller.get(paths.CRDS, crd.CRD_NAME)
    lease = {"metadata": {"name": "quotatree", "namespace": home}, "spec": {}}
    await controller.request("POST", paths.LEASES.path(home), body=lease, params=DRY_RUN)
    for kind, where in (
        (paths.SECRETS, home),
        (paths.CONFIG_MAPS, ROOT),
        (paths.LEASES, "kube-system"),
    ):
        assert "cannot list" in await refused(controller.list_all(kind, namespace=where))
