"""Every kind costs what native quota charges for it."""

import pytest

from quotatree.codec import charges, defaults, kinds
from quotatree.model.scope import ScopeTerm


def obj(kind, api_version="v1", *, metadata=None, **more):
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata or {}, **more}


def claim(storage="10Gi", *, metadata=None, status=None, **spec):
    spec |= {"resources": {"requests": {"storage": storage}}}
    return obj("PersistentVolumeClaim", metadata=metadata, spec=spec, status=status)


def service(kind, ports=(), **spec):
    return obj("Service", spec={"type": kind, "ports": list(ports), **spec})


def device_claim(*requests, annotations=None):
    spec = {"devices": {"requests": list(requests)}}
    metadata = {"annotations": annotations or {}}
    return obj("ResourceClaim", "resource.k8s.io/v1", metadata=metadata, spec=spec)


def devices(name, **more):
    return {"deviceClassName": name, **more}


ONE_CLAIM = {"count/persistentvolumeclaims": "1", "persistentvolumeclaims": "1"}
ONE_SERVICE = {
    "count/services": "1",
    "services": "1",
    "services.nodeports": "0",
    "services.loadbalancers": "0",
}
GOLD = {
    "gold.storageclass.storage.k8s.io/persistentvolumeclaims": "1",
    "gold.storageclass.storage.k8s.io/requests.storage": "10Gi",
}
DEVICE = {"count/resourceclaims.resource.k8s.io": "1"}
LEGACY_CLASS = {"annotations": {"volume.beta.kubernetes.io/storage-class": "gold"}}


def gpus(name, amount, *more):
    implicit = {f"requests.deviceclass.resource.kubernetes.io/{name}": amount}
    return {f"{name}.deviceclass.resource.k8s.io/devices": amount} | implicit | dict(more)


CASES = [
    ("claim", claim(), ONE_CLAIM | {"requests.storage": "10Gi"}),
    (
        "claim of a class",
        claim(storageClassName="gold"),
        ONE_CLAIM | {"requests.storage": "10Gi"} | GOLD,
    ),
    (
        "claim of a class, as annotation",
        claim(metadata=LEGACY_CLASS),
        ONE_CLAIM | {"requests.storage": "10Gi"} | GOLD,
    ),
    ("claim of part of a byte", claim("1500m"), ONE_CLAIM | {"requests.storage": "2"}),
    (
        "claim whose expansion failed",
        claim("1Gi", status={"allocatedResources": {"storage": "3Gi"}}),
        ONE_CLAIM | {"requests.storage": "3Gi"},
    ),
    ("claim of nothing", obj("PersistentVolumeClaim", spec={}), ONE_CLAIM),
    ("plain service", service("ClusterIP", [{"port": 1}]), ONE_SERVICE),
    (
        "node port service",
        service("NodePort", [{"port": 1}, {"port": 2}]),
        ONE_SERVICE | {"services.nodeports": "2"},
    ),
    (
        "load balancer",
        service("LoadBalancer", [{"port": 1}]),
        ONE_SERVICE | {"services.nodeports": "1", "services.loadbalancers": "1"},
    ),
    (
        "load balancer without node ports but one",
        service(
            "LoadBalancer",
            [{"port": 1}, {"port": 2, "nodePort": 30000}],
            allocateLoadBalancerNodePorts=False,
        ),
        ONE_SERVICE | {"services.nodeports": "1", "services.loadbalancers": "1"},
    ),
    ("device claim", device_claim({"exactly": devices("gpu", count=2)}), DEVICE | gpus("gpu", "2")),
    ("device claim of the first version", device_claim(devices("gpu")), DEVICE | gpus("gpu", "1")),
    (
        "device claim of all devices",
        device_claim({"exactly": devices("gpu", allocationMode="All")}),
        DEVICE | gpus("gpu", "32"),
    ),
    (
        "device claim with alternatives: the worst of each class",
        device_claim(
            {"firstAvailable": [devices("gpu", count=2), devices("gpu"), devices("tpu", count=4)]},
            {"exactly": devices("gpu")},
        ),
        DEVICE | gpus("gpu", "3") | gpus("tpu", "4"),
    ),
    (
        "device claim that the scheduler made for a pod",
        device_claim(
            {"exactly": devices("gpu")},
            annotations={"resource.kubernetes.io/extended-resource-claim": "true"},
        ),
        DEVICE | {"gpu.deviceclass.resource.k8s.io/devices": "1"},
    ),
    ("secret, by both names", obj("Secret"), {"count/secrets": "1", "secrets": "1"}),
    ("job", obj("Job", "batch/v1"), {"count/jobs.batch": "1"}),
    (
        "network policy",
        obj("NetworkPolicy", "networking.k8s.io/v1"),
        {"count/networkpolicies.networking.k8s.io": "1"},
    ),
    ("ingress", obj("Ingress", "networking.k8s.io/v1"), {"count/ingresses.networking.k8s.io": "1"}),
    ("endpoints", obj("Endpoints"), {"count/endpoints": "1"}),
    ("training job", obj("PyTorchJob", "kubeflow.org/v1"), {"count/pytorchjobs.kubeflow.org": "1"}),
    ("namespace", obj("Namespace"), {}),
    ("event", obj("Event", "events.k8s.io/v1"), {}),
]


@pytest.mark.parametrize(("thing", "want"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_an_object_costs_what_native_quota_charges(thing, want):
    assert charges.cost(thing).amounts.to_strings() == want


def test_an_unknown_kind_is_no_guess():
    assert charges.cost(obj("Widget", "example.com/v1")) is None
    assert charges.cost({}) is None


def test_the_cluster_tells_the_plural_of_a_kind():
    found = kinds.from_discovery(
        [
            {
                "groupVersion": "example.com/v1",
                "resources": [
                    {"name": "widgetry", "kind": "Widget", "namespaced": True},
                    {"name": "widgetry/status", "kind": "Widget", "namespaced": True},
                    {"name": "realms", "kind": "Realm", "namespaced": False},
                ],
            }
        ]
    )
    charge = charges.cost(obj("Widget", "example.com/v1"), plurals=found)
    assert charge.amounts.to_strings() == {"count/widgetry.example.com": "1"}
    assert not charges.cost(obj("Realm", "example.com/v1"), plurals=found).amounts


CLASSES = defaults.gather(
    storage_classes=[
        {"metadata": {"name": "slow"}},
        {
            "metadata": {
                "name": "gold",
                "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
            }
        },
    ],
    device_classes=[{"metadata": {"name": "gpu"}, "spec": {"extendedResourceName": "x.com/gpu"}}],
)


def test_the_default_storage_class_is_charged_unless_the_claim_wants_none():
    assert GOLD.items() <= charges.cost(claim(), defaults=CLASSES).amounts.to_strings().items()
    found = charges.cost(claim(storageClassName=""), defaults=CLASSES).amounts.to_strings()
    assert found == ONE_CLAIM | {"requests.storage": "10Gi"}


def test_a_device_class_is_charged_under_its_extended_resource_too():
    thing = device_claim({"exactly": devices("gpu", count=2)})
    assert charges.cost(thing, defaults=CLASSES).amounts.to_strings()["requests.x.com/gpu"] == "2"


@pytest.mark.parametrize(
    ("thing", "operator", "want"),
    [
        (claim(volumeAttributesClassName="fast"), "In", True),
        (claim(status={"currentVolumeAttributesClassName": "fast"}), "In", True),
        (claim(), "In", False),
        (claim(), "DoesNotExist", True),
        (service("ClusterIP"), "DoesNotExist", False),
    ],
)
def test_a_volume_attributes_class_is_a_scope_of_claims(thing, operator, want):
    values = ("fast",) if operator == "In" else ()
    term = ScopeTerm(scope="VolumeAttributesClass", operator=operator, values=values)
    assert charges.cost(thing).matches((term,)) is want


def test_the_items_of_a_list_need_no_kind():
    assert charges.of_resource("services", {"spec": {}}).amounts.to_strings() == ONE_SERVICE
