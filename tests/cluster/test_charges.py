"""The cost formula against the real one: what native quota admission charges, object by object."""

import asyncio
import itertools
import os
import re
from collections.abc import AsyncIterator, Iterator
from random import Random
from typing import Any

import pytest
from tests.cluster.harness import podgen
from tests.cluster.harness.trees import eventually

from quotatree.cluster import paths
from quotatree.cluster.client import Client
from quotatree.codec import charges, defaults, fields
from quotatree.errors import ClusterError
from quotatree.model.charge import Charge
from quotatree.model.scope import ScopeSet
from quotatree.units.resources import EMPTY, Resources

pytestmark = pytest.mark.cluster

PODS = 600 if os.environ.get("QUOTATREE_SOAK") else 200
LANES = 4
"""Namespaces that are filled side by side; in each one pod after the other."""

COMPUTE = ("cpu", "memory", "ephemeral-storage")
PLENTY = Resources.parse(
    {
        "pods": "1M",
        "count/pods": "1M",
        **{f"{p}{n}": "1P" for p in ("", "requests.", "limits.") for n in COMPUTE},
        "hugepages-2Mi": "1P",
        "requests.hugepages-2Mi": "1P",
        "requests.nvidia.com/gpu": "1M",
        "requests.example.com/fpga": "1M",
        "persistentvolumeclaims": "1M",
        "requests.storage": "1P",
        "count/persistentvolumeclaims": "1M",
        "gold.storageclass.storage.k8s.io/requests.storage": "1P",
        "gold.storageclass.storage.k8s.io/persistentvolumeclaims": "1M",
        "services": "1M",
        "services.nodeports": "1M",
        "services.loadbalancers": "1M",
        "count/services": "1M",
        "count/resourceclaims.resource.k8s.io": "1M",
        "gpu.deviceclass.resource.k8s.io/devices": "1M",
        "tpu.deviceclass.resource.k8s.io/devices": "1M",
        "count/jobs.batch": "1M",
        "count/deployments.apps": "1M",
        "secrets": "1M",
        "count/secrets": "1M",
    }
)
IN_SCOPE = Resources.parse({"pods": "1M", "requests.cpu": "1P", "limits.memory": "1P"})
SCOPED: dict[str, dict[str, Any]] = {
    "best-effort": {"scopes": ["BestEffort"]},
    "not-best-effort": {"scopes": ["NotBestEffort"]},
    "terminating": {"scopes": ["Terminating"]},
    "not-terminating": {"scopes": ["NotTerminating", "NotBestEffort"]},
    "elsewhere": {"scopes": ["CrossNamespacePodAffinity"]},
    **{
        f"priority-{operator.lower()}": {
            "scopeSelector": {
                "matchExpressions": [
                    {"scopeName": "PriorityClass", "operator": operator}
                    | ({"values": [podgen.PRIORITY_CLASS]} if "In" in operator else {})
                ]
            }
        }
        for operator in ("In", "NotIn", "Exists", "DoesNotExist")
    },
    "attributes": {
        "scopeSelector": {
            "matchExpressions": [
                {"scopeName": "VolumeAttributesClass", "operator": "In", "values": ["fast"]}
            ]
        }
    },
}
CLAIM_SCOPED = Resources.parse({"persistentvolumeclaims": "1M", "requests.storage": "1P"})
RUNTIME_CLASSES = paths.Kind("node.k8s.io", "v1", "runtimeclasses", False, "RuntimeClass")
DEVICE_CLAIMS = paths.Kind("resource.k8s.io", "v1", "resourceclaims", True, "ResourceClaim")
DEFAULTS = defaults.gather(
    runtime_classes=[
        {"metadata": {"name": podgen.RUNTIME_CLASS}, "overhead": {"podFixed": podgen.OVERHEAD}}
    ]
)
_SERIAL = itertools.count(1)

Used = dict[str, Resources]
"""What each quota of a namespace says is used, by its name."""


@pytest.fixture
async def client(sandbox) -> AsyncIterator[Client]:
    async with await Client.connect(str(sandbox.kubeconfig)) as connected:
        await ensure(connected, paths.PRIORITY_CLASSES, podgen.PRIORITY_CLASS, {"value": 7})
        overhead = {"handler": "heavy", "overhead": {"podFixed": podgen.OVERHEAD}}
        await ensure(connected, RUNTIME_CLASSES, podgen.RUNTIME_CLASS, overhead)
        yield connected


async def ensure(client: Client, kind: paths.Kind, name: str, body: dict[str, Any]) -> None:
    """Create an object of the cluster unless an earlier test has."""
    head = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": name}}
    try:
        await client.create(kind, head | body)
    except ClusterError as error:
        if error.reason != "AlreadyExists":
            raise


def _specs() -> dict[str, dict[str, Any]]:
    found = {"all": {"hard": PLENTY.to_strings()}}
    for name, scopes in SCOPED.items():
        hard = CLAIM_SCOPED if name == "attributes" else IN_SCOPE
        if name == "best-effort":
            hard = hard.mask(["pods"])
        found[name] = {"hard": hard.to_strings(), **scopes}
    return found


SPECS = _specs()


def _scopes(name: str) -> ScopeSet:
    return fields.scopes(SPECS[name])


async def bare_namespace(client: Client) -> str:
    """Return a namespace in which pods can be created."""
    name = f"charges-{os.getpid()}-{next(_SERIAL)}"
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    await client.create(paths.NAMESPACES, body)

    async def served() -> bool:
        return bool((await client.list_all(paths.SERVICE_ACCOUNTS, namespace=name))[0])

    await eventually(served, what=f"{name} has its ServiceAccount")
    return name


async def measure(client: Client, name: str) -> None:
    """Give a namespace a quota for every name and scope, and wait until all are measured."""
    for quota, spec in SPECS.items():
        body = {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": {"name": quota},
            "spec": spec,
        }
        await client.create(paths.RESOURCE_QUOTAS, body, namespace=name)

    async def ready() -> bool:
        quotas, _ = await client.list_all(paths.RESOURCE_QUOTAS, namespace=name)
        return all(
            q["spec"]["hard"].keys() == q.get("status", {}).get("used", {}).keys() for q in quotas
        )

    await eventually(ready, what=f"all quotas of {name} are measured")


async def used(client: Client, namespace: str) -> Used:
    quotas, _ = await client.list_all(paths.RESOURCE_QUOTAS, namespace=namespace)
    return {q["metadata"]["name"]: Resources.parse(q["status"]["used"]) for q in quotas}


def expected(charge: Charge, before: Used) -> Used:
    """Return what every quota should say once the object is charged."""
    return {
        name: amounts + charge.within(_scopes(name), SPECS[name]["hard"])
        for name, amounts in before.items()
    }


def complaint(body: object, before: Used, *, want: Used, got: Used) -> str:
    """Return how what was charged differs from what was expected, empty where it does not."""
    lines = [
        f"{name}: expected {(want[name] - before[name]).growth(EMPTY)}, "
        f"charged {(got[name] - before[name]).growth(EMPTY)}"
        for name in before
        if want[name] != got[name]
    ]
    return f"{body}\n" + "\n".join(lines) if lines else ""


async def refusal(client: Client, body: dict[str, Any], charge: Charge, namespace: str) -> str:
    """Try a pod that says too little; returns what is wrong with the answer, empty if nothing."""
    try:
        await client.create(paths.PODS, body, namespace=namespace)
    except ClusterError as error:
        said = re.search(r"failed quota: (\S+): must specify (.*?)(; next|$)", str(error))
        if said is None:
            return f"{body}: {error}"
        parts = [
            f"{name} for: {','.join(containers)}"
            for name, containers in sorted(charge.unspecified.items())
            if name in SPECS[said[1]]["hard"]
        ]
        return "" if said[2] == "; ".join(parts) else f"expected {parts}, was told {said[0]}"
    return f"{body}: admitted, expected a refusal for {charge.unspecified}"


async def fill(client: Client, seeds: Iterator[int], share: int) -> list[str]:
    """Create pods in a namespace of their own until `share` were charged; returns complaints."""
    namespace = await bare_namespace(client)
    await measure(client, namespace)
    before = await used(client, namespace)
    found = []
    while share:
        seed = next(seeds)
        body = podgen.pod(Random(seed), f"p{seed}")
        charge = charges.cost(body, defaults=DEFAULTS)
        assert charge is not None
        if charge.unspecified:
            found.append(await refusal(client, body, charge, namespace))
            continue
        share -= 1
        await client.create(paths.PODS, body, namespace=namespace)
        got = await used(client, namespace)
        found.append(complaint(body, before, want=expected(charge, before), got=got))
        before = got
    return list(filter(None, found))


async def test_pods_of_every_shape_cost_what_the_api_server_charges(client):
    seeds = itertools.count()
    lanes = [fill(client, seeds, PODS // LANES) for _ in range(LANES)]
    complaints = list(itertools.chain(*await asyncio.gather(*lanes)))
    assert not complaints, f"{len(complaints)} of {PODS} pods:\n" + "\n\n".join(complaints[:5])


OBJECTS: list[tuple[paths.Kind, dict[str, Any]]] = [
    *(
        (paths.CLAIMS, {"spec": {"accessModes": ["ReadWriteOnce"], **spec}})
        for spec in (
            {"resources": {"requests": {"storage": "10Gi"}}},
            {"resources": {"requests": {"storage": "1500m"}}, "storageClassName": "gold"},
            {"resources": {"requests": {"storage": "1G"}}, "storageClassName": ""},
            {
                "resources": {"requests": {"storage": "2Gi"}},
                "storageClassName": "gold",
                "volumeAttributesClassName": "fast",
            },
        )
    ),
    *(
        (
            paths.SERVICES,
            {"spec": {"ports": [{"port": 80, "name": "a"}, {"port": 81, "name": "b"}], **spec}},
        )
        for spec in (
            {},
            {"type": "ClusterIP", "clusterIP": "None"},
            {"type": "NodePort"},
            {"type": "LoadBalancer"},
            {"type": "LoadBalancer", "allocateLoadBalancerNodePorts": False},
        )
    ),
    (paths.SERVICES, {"spec": {"type": "ExternalName", "externalName": "example.com"}}),
    *(
        (
            DEVICE_CLAIMS,
            {"spec": {"devices": {"requests": requests}}},
        )
        for requests in (
            [{"name": "a", "exactly": {"deviceClassName": "gpu", "count": 3}}],
            [{"name": "a", "exactly": {"deviceClassName": "gpu", "allocationMode": "All"}}],
            [
                {
                    "name": "a",
                    "firstAvailable": [
                        {"name": "x", "deviceClassName": "gpu", "count": 2},
                        {"name": "y", "deviceClassName": "tpu"},
                    ],
                },
                {"name": "b", "exactly": {"deviceClassName": "tpu"}},
            ],
        )
    ),
    (paths.SECRETS, {}),
    (paths.CONFIG_MAPS, {}),
]


async def test_other_objects_cost_what_the_api_server_charges(client):
    namespace = await bare_namespace(client)
    await measure(client, namespace)
    before = await used(client, namespace)
    complaints = []
    for number, (kind, rest) in enumerate(OBJECTS):
        body = {
            "apiVersion": kind.api_version,
            "kind": kind.kind,
            "metadata": {"name": f"o{number}"},
            **rest,
        }
        charge = charges.cost(body, defaults=DEFAULTS)
        assert charge is not None
        await client.create(kind, body, namespace=namespace)
        got = await used(client, namespace)
        complaints.append(complaint(body, before, want=expected(charge, before), got=got))
        before = got
    assert not any(complaints), "\n\n".join(filter(None, complaints))


def _aged(number: int, pod: dict[str, Any], chance: Random) -> dict[str, Any]:
    """Return a status as a node would report it: ended, resizing, or stuck in a resize."""
    statuses = [
        {
            "name": item["name"],
            "image": "none",
            "imageID": "none",
            "ready": False,
            "restartCount": 0,
            "resources": {"requests": {"cpu": "3", "memory": "3Gi"}, "limits": {"cpu": "5"}},
            "allocatedResources": {"cpu": chance.choice(["1", "4"]), "memory": "1Gi"},
        }
        for item in pod["spec"]["containers"]
    ]
    shape = number % 4
    if shape == 0:
        return {"phase": chance.choice(["Succeeded", "Failed"])}
    if shape == 1:
        return {"containerStatuses": statuses}
    if shape == 2:
        condition = {"type": "PodResizePending", "status": "True", "reason": "Infeasible"}
        return {"containerStatuses": statuses, "conditions": [condition]}
    return {"phase": "Running"}


async def recount(client: Client, seeds: range) -> str:
    """Let the native controller count pods that were there first; returns how it differs."""
    namespace = await bare_namespace(client)
    for seed in seeds:
        body = podgen.pod(Random(seed), f"p{seed}")
        made = await client.create(paths.PODS, body, namespace=namespace)
        patch = {"status": _aged(seed, made, Random(seed))}
        name = made["metadata"]["name"]
        await client.patch(paths.PODS, name, body=patch, namespace=namespace, subresource="status")
    pods, _ = await client.list_all(paths.PODS, namespace=namespace)
    before = {name: Resources.from_nano(dict.fromkeys(s["hard"], 0)) for name, s in SPECS.items()}
    want = before
    for item in pods:
        want = expected(charges.of_resource("pods", item), want)
    said = ""
    for _ in range(5):  # the controller's cache may lack the last pods for a moment
        await measure(client, namespace)
        said = complaint(seeds, before, want=want, got=await used(client, namespace))
        if not said:
            return ""
        await client.request("DELETE", paths.RESOURCE_QUOTAS.path(namespace))
    return said


async def test_a_recount_of_running_resizing_and_ended_pods_comes_to_the_same(client):
    batches = [range(7000 + n * 6, 7006 + n * 6) for n in range(8)]
    complaints = [await recount(client, batch) for batch in batches]
    assert not any(complaints), "\n\n".join(filter(None, complaints))
