"""The pod formula, case by case; tests/cluster holds it against the API server's own."""

from datetime import UTC, datetime

import pytest

from quotatree.codec import defaults, pods
from quotatree.model.scope import ScopeTerm
from quotatree.units.resources import Resources


def container(requests=None, limits=None, *, name="c", **more):
    resources = {key: value for key, value in (("requests", requests), ("limits", limits)) if value}
    return {"name": name, "resources": resources, **more}


def sidecar(requests=None, limits=None, *, name="s"):
    return container(requests, limits, name=name, restartPolicy="Always")


def pod(*containers, init=(), status=None, metadata=None, **spec):
    spec |= {"containers": list(containers)} | ({"initContainers": list(init)} if init else {})
    return {"metadata": metadata or {}, "spec": spec, "status": status or {}}


def charged(obj, **options):
    return pods.charge(obj, **options).amounts.to_strings()


def both(**amounts):
    """cpu 2 as quota names it: `cpu` and `requests.cpu`."""
    return {p + n: a for n, a in amounts.items() for p in ("", "requests.")}


CASES = [
    ("a pod without resources is only counted", pod(container()), {}),
    (
        "containers add up",
        pod(container({"cpu": "1"}), container({"cpu": "500m"})),
        both(cpu="1500m"),
    ),
    (
        "a limit without a request is a request too",
        pod(container(limits={"memory": "1Gi"})),
        both(memory="1Gi") | {"limits.memory": "1Gi"},
    ),
    (
        "an init container counts where it asks for more than all containers",
        pod(
            container({"cpu": "1", "memory": "4Gi"}),
            init=[container({"cpu": "3", "memory": "1Gi"})],
        ),
        both(cpu="3", memory="4Gi"),
    ),
    (
        "a sidecar runs beside the containers",
        pod(container({"cpu": "1"}), init=[sidecar({"cpu": "2"})]),
        both(cpu="3"),
    ),
    (
        "an init container runs beside the sidecars before it only",
        pod(container({"cpu": "1"}), init=[sidecar({"cpu": "2"}), container({"cpu": "5"})]),
        both(cpu="7"),
    ),
    (
        "and not beside those after it",
        pod(container({"cpu": "1"}), init=[container({"cpu": "5"}), sidecar({"cpu": "2"})]),
        both(cpu="5"),
    ),
    (
        "overhead comes on top, of limits only where there is one",
        pod(
            container({"cpu": "1", "memory": "1Gi"}, {"cpu": "2"}),
            overhead={"cpu": "250m", "memory": "64Mi"},
        ),
        both(cpu="1250m", memory="1088Mi") | {"limits.cpu": "2250m"},
    ),
    (
        "pod-level amounts take the place of what the containers ask for",
        pod(container({"cpu": "5"}), resources={"requests": {"cpu": "2"}}),
        both(cpu="2"),
    ),
    (
        "pod-level limits without requests take the containers' requests",
        pod(container({"cpu": "500m"}), resources={"limits": {"cpu": "2", "memory": "1Gi"}}),
        both(cpu="500m", memory="1Gi") | {"limits.cpu": "2", "limits.memory": "1Gi"},
    ),
    (
        "pod-level huge pages take the containers' limits",
        pod(
            container(limits={"hugepages-2Mi": "4Mi"}),
            container(limits={"hugepages-2Mi": "2Mi"}),
            resources={"requests": {"cpu": "1"}},
        ),
        both(cpu="1", **{"hugepages-2Mi": "6Mi"}),
    ),
    (
        "huge pages have two names, ephemeral storage three",
        pod(container(limits={"hugepages-2Mi": "4Mi", "ephemeral-storage": "1Gi"})),
        both(**{"hugepages-2Mi": "4Mi", "ephemeral-storage": "1Gi"})
        | {"limits.ephemeral-storage": "1Gi"},
    ),
    (
        "devices are requests only; what no quota counts is left out",
        pod(container(limits={"nvidia.com/gpu": "2", "attachable-volumes-x": "1"})),
        {"requests.nvidia.com/gpu": "2"},
    ),
    (
        "a DeviceClass as an extended resource is counted",
        pod(container(limits={"deviceclass.resource.kubernetes.io/gpu": "1"})),
        {"requests.deviceclass.resource.kubernetes.io/gpu": "1"},
    ),
    ("amounts are rounded up to thousandths", pod(container({"cpu": "100u"})), both(cpu="1m")),
    (
        "while resizing the greatest of desired, allocated and actual counts",
        pod(
            container({"cpu": "1"}, {"cpu": "4"}),
            status={
                "containerStatuses": [
                    {
                        "name": "c",
                        "resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "3"}},
                        "allocatedResources": {"cpu": "2500m"},
                    }
                ]
            },
        ),
        both(cpu="2500m") | {"limits.cpu": "4"},
    ),
    (
        "a resize that can never be done leaves the desired out",
        pod(
            container({"cpu": "9"}, {"cpu": "9"}),
            status={
                "conditions": [{"type": "PodResizePending", "reason": "Infeasible"}],
                "containerStatuses": [
                    {"name": "c", "resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "3"}}}
                ],
            },
        ),
        both(cpu="2") | {"limits.cpu": "3"},
    ),
]


@pytest.mark.parametrize(("obj", "want"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_a_pod_is_charged_as_native_quota_does(obj, want):
    assert charged(obj) == {"count/pods": "1", "pods": "1"} | want


GONE = {"deletionTimestamp": "2026-01-01T00:00:00Z", "deletionGracePeriodSeconds": 30}


@pytest.mark.parametrize(
    ("status", "metadata", "now", "want"),
    [
        ({"phase": "Failed"}, {}, None, True),
        ({"phase": "Succeeded"}, {}, None, True),
        ({"phase": "Running"}, {}, None, False),
        ({}, GONE, datetime(2026, 1, 1, 0, 0, 31, tzinfo=UTC), True),
        ({}, GONE, datetime(2026, 1, 1, 0, 0, 30, tzinfo=UTC), False),
        ({}, GONE, None, False),
    ],
    ids=["failed", "succeeded", "running", "grace over", "grace lasts", "no time given"],
)
def test_an_ended_pod_is_still_one_object(status, metadata, now, want):
    obj = pod(container({"cpu": "1"}), status=status, metadata=metadata)
    assert (charged(obj, now=now) == {"count/pods": "1"}) is want


DEFAULTS = defaults.gather(
    limit_ranges=[
        {
            "metadata": {"name": "b"},
            "spec": {"limits": [{"type": "Container", "max": {"cpu": "9", "memory": "9Gi"}}]},
        },
        {
            "metadata": {"name": "a"},
            "spec": {
                "limits": [
                    {"type": "Container", "default": {"cpu": "2"}, "defaultRequest": {"cpu": "1"}},
                    {"type": "Pod", "max": {"cpu": "8"}},
                ]
            },
        },
    ],
    runtime_classes=[{"metadata": {"name": "kata"}, "overhead": {"podFixed": {"cpu": "250m"}}}],
    priority_classes=[
        {"metadata": {"name": "low"}},
        {"metadata": {"name": "usual"}, "globalDefault": True},
    ],
)


def test_the_defaults_of_the_namespace_are_filled_in():
    found = charged(pod(container(), runtimeClassName="kata"), defaults=DEFAULTS)
    want = both(cpu="1250m", memory="9Gi") | {"limits.cpu": "2250m", "limits.memory": "9Gi"}
    assert found == {"count/pods": "1", "pods": "1"} | want


def test_what_a_container_says_itself_is_kept():
    found = charged(pod(container({"cpu": "3"}, {"cpu": "4", "memory": "1Gi"})), defaults=DEFAULTS)
    assert (found["cpu"], found["limits.cpu"], found["memory"]) == ("3", "4", "1Gi")


def term(scope, operator="Exists", *values):
    return (ScopeTerm(scope=scope, operator=operator, values=values),)


ELSEWHERE = {
    "podAffinity": {
        "preferredDuringSchedulingIgnoredDuringExecution": [
            {"weight": 1, "podAffinityTerm": {"namespaceSelector": {}}}
        ]
    }
}
LEVEL = {"resources": {"limits": {"memory": "1Gi"}}}


@pytest.mark.parametrize(
    ("obj", "scopes", "want"),
    [
        (pod(container()), term("BestEffort"), True),
        (pod(container({"nvidia.com/gpu": "1"})), term("BestEffort"), True),
        (pod(container({"cpu": "0"})), term("BestEffort"), True),
        (pod(container(limits={"cpu": "1"})), term("NotBestEffort"), True),
        (pod(container(), **LEVEL), term("NotBestEffort"), True),
        (pod(container({"cpu": "1"}), activeDeadlineSeconds=0), term("Terminating"), True),
        (pod(container()), term("NotTerminating"), True),
        (pod(container(), affinity=ELSEWHERE), term("CrossNamespacePodAffinity"), True),
        (pod(container()), term("CrossNamespacePodAffinity"), False),
        (pod(container(), priorityClassName="p"), term("PriorityClass"), True),
        (pod(container()), term("PriorityClass"), False),
        (pod(container(), priorityClassName="p"), term("PriorityClass", "In", "p", "q"), True),
        (pod(container(), priorityClassName="p"), term("PriorityClass", "NotIn", "p"), False),
        (pod(container()), term("PriorityClass", "NotIn", "p"), True),
        (pod(container()), term("PriorityClass", "DoesNotExist"), True),
        (pod(container()), term("VolumeAttributesClass", "DoesNotExist"), False),
        (pod(container()), term("BestEffort") + term("Terminating"), False),
    ],
)
def test_a_scope_takes_the_pods_that_it_names(obj, scopes, want):
    assert pods.charge(obj).matches(scopes) is want


def test_the_default_priority_class_counts_as_the_pods_own():
    found = pods.charge(pod(container()), defaults=DEFAULTS)
    assert found.matches(term("PriorityClass", "In", "usual"))


def test_a_quota_is_charged_under_the_names_that_it_has():
    found = pods.charge(pod(container({"cpu": "1"})))
    assert found.within((), ["pods", "cpu", "memory"]) == Resources.parse({"pods": "1", "cpu": "1"})
    assert not found.within(term("BestEffort"), ["pods"])


def test_containers_that_do_not_say_what_a_quota_measures_are_named():
    obj = pod(container({"cpu": "1"}, name="a"), container(name="b"), init=[sidecar(name="s")])
    found = pods.charge(obj).unspecified
    assert (found["cpu"], found["requests.cpu"]) == (("b", "s"), ("b", "s"))
    assert found["limits.memory"] == ("a", "b", "s")
    assert pods.charge(obj, defaults=DEFAULTS).unspecified == {}
    assert pods.charge(pod(container(), **LEVEL)).unspecified == {}


@pytest.mark.parametrize(
    "obj",
    [
        {},
        {"spec": None, "metadata": 3, "status": []},
        pod({"name": 7, "resources": {"requests": {"cpu": "much"}, "limits": 4}}),
        pod(container(), metadata={"deletionTimestamp": "soon", "deletionGracePeriodSeconds": 1}),
    ],
)
def test_nothing_malformed_raises(obj):
    assert charged(obj, now=datetime(2026, 1, 1, tzinfo=UTC))["count/pods"] == "1"
