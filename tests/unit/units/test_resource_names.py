import pytest

from quotatree.units import resource_names

GPU = "requests.nvidia.com/gpu"
GOLD = "gold.storageclass.storage.k8s.io"


@pytest.mark.parametrize(
    ("name", "want_kind"),
    [
        ("cpu", "pods"),
        ("limits.ephemeral-storage", "pods"),
        ("pods", "pods"),
        ("count/pods", "pods"),
        ("hugepages-2Mi", "pods"),
        ("requests.hugepages-1Gi", "pods"),
        (GPU, "pods"),
        ("requests.deviceclass.resource.kubernetes.io/a100", "pods"),
        ("requests.storage", "persistentvolumeclaims"),
        ("count/persistentvolumeclaims", "persistentvolumeclaims"),
        (f"{GOLD}/requests.storage", "persistentvolumeclaims"),
        (f"{GOLD}/persistentvolumeclaims", "persistentvolumeclaims"),
        ("services.nodeports", "services"),
        ("count/services", "services"),
        ("a100.deviceclass.resource.k8s.io/devices", "resourceclaims"),
        ("count/resourceclaims.resource.k8s.io", "resourceclaims"),
        ("secrets", "count/secrets"),
        ("count/secrets", "count/secrets"),
        ("count/serviceaccounts", "count/serviceaccounts"),
        ("count/deployments.apps", "count/deployments.apps"),
        ("count/workflows.argoproj.io", "count/workflows.argoproj.io"),
        ("count/novelties.apps", "count/novelties.apps"),
    ],
)
def test_every_good_name_has_a_kind_that_is_counted(name: str, want_kind: str) -> None:
    assert resource_names.counted_kind(name) == want_kind
    assert resource_names.problem_with(name) is None


@pytest.mark.parametrize(
    ("name", "want_name"),
    [
        ("memroy", "memory"),
        ("CPU", "cpu"),
        ("Requests.cpu", "requests.cpu"),
        ("request.cpu", "requests.cpu"),
        ("requests.memroy", "requests.memory"),
        ("ephemeral_storage", "ephemeral-storage"),
        ("storage", "requests.storage"),
        ("gpu", GPU),
        ("nvidia.com/gpu", GPU),
        ("request.nvidia.com/gpu", GPU),
        ("limits.nvidia.com/gpu", GPU),
        ("limits.hugepages-2Mi", "hugepages-2Mi"),
        ("requests.pods", "pods"),
        ("pod", "pods"),
        ("persistentvolumeclaim", "persistentvolumeclaims"),
        ("services.nodeport", "services.nodeports"),
        ("loadbalancers", "services.loadbalancers"),
        ("counts/pods", "count/pods"),
        ("count/pod", "count/pods"),
        ("count/Pods", "count/pods"),
        ("deployments", "count/deployments.apps"),
        ("count/deployments", "count/deployments.apps"),
        ("count/deployment.apps", "count/deployments.apps"),
        ("count/jobs.bath", "count/jobs.batch"),
        (f"{GOLD}/storage", f"{GOLD}/requests.storage"),
        ("a100.deviceclass.resource.k8s.io/device", "a100.deviceclass.resource.k8s.io/devices"),
    ],
)
def test_a_misspelt_name_is_answered_with_the_right_one(name: str, want_name: str) -> None:
    problem = resource_names.problem_with(name)
    assert problem is not None
    assert repr(name) in problem
    assert problem.endswith(f"did you mean {want_name!r}?")
    assert resource_names.problem_with(want_name) is None


@pytest.mark.parametrize(
    ("name", "want_part"),
    [
        ("", "is no resource name"),
        ("cpu\n", "is no resource name"),
        ("-cpu", "a letter or digit at both ends"),
        ("c" * 64, "1 to 63"),
        ("a/b/c", "more than one slash"),
        ("Example.com/x", "a domain in lower case"),
        (f"{'a' * 254}/x", "at most 253"),
        ("count/", "is no resource name"),
        ("count/events", "the core group has no kind 'events'"),
        ("count/events.events.k8s.io", "events.k8s.io has no kind 'events'"),
        ("count/namespaces", "the core group has no kind 'namespaces'"),
        ("count/x.nowhere", "there is no API group 'nowhere'"),
        ("count/deploy_ments.apps", "count/<resource>.<group>"),
        ("hugepages-2MB", "'2MB' is no quantity"),
        ("hugepages-0", "a positive number of bytes"),
        ("requests.example.kubernetes.io/x", "no resource that a quota counts"),
        ("requests.requests.a.io/x", "no resource that a quota counts"),
        ("limits.pods/x", "no resource that a quota counts"),
    ],
)
def test_what_cannot_be_limited_is_explained(name: str, want_part: str) -> None:
    problem = resource_names.problem_with(name)
    assert problem is not None
    assert want_part in problem
    assert len(problem) < 300


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("cpu", "requests.cpu"),
        ("memory", "requests.memory"),
        ("ephemeral-storage", "requests.ephemeral-storage"),
        ("hugepages-2Mi", "requests.hugepages-2Mi"),
        ("secrets", "count/secrets"),
        ("services", "count/services"),
        ("persistentvolumeclaims", "count/persistentvolumeclaims"),
    ],
)
def test_two_names_of_one_measure_are_one(one: str, other: str) -> None:
    assert resource_names.equivalent(one) == resource_names.equivalent(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("pods", "count/pods"), ("cpu", "limits.cpu"), ("memory", "cpu"), (GPU, "nvidia.com/gpu")],
)
def test_names_of_different_measures_stay_different(one: str, other: str) -> None:
    assert resource_names.equivalent(one) != resource_names.equivalent(other)


@pytest.mark.parametrize(
    ("name", "want"),
    [
        ("pods", True),
        ("count/pods", True),
        ("services.nodeports", True),
        ("secrets", True),
        (GPU, True),
        (f"{GOLD}/requests.storage", True),
        ("cpu", False),
        ("limits.memory", False),
        ("requests.storage", False),
        ("hugepages-2Mi", False),
    ],
)
def test_counts_and_devices_are_whole(name: str, want: bool) -> None:
    assert resource_names.requires_whole(name) is want


@pytest.mark.parametrize(
    ("name", "want"),
    [
        ("pods", ("pods",)),
        ("count/pods", ("pods",)),
        ("hugepages-2Mi", ("pods",)),
        ("requests.nvidia.com/gpu", ("pods", resource_names.DEVICE_CLAIMS)),
        ("requests.deviceclass.resource.kubernetes.io/gpu", ("pods", resource_names.DEVICE_CLAIMS)),
        ("gpu.deviceclass.resource.k8s.io/devices", (resource_names.DEVICE_CLAIMS,)),
        ("requests.storage", ("persistentvolumeclaims",)),
        ("services.nodeports", ("services",)),
        ("configmaps", ("configmaps",)),
        ("count/jobs.batch", ("jobs.batch",)),
        ("count/widgets.example.com", ("widgets.example.com",)),
        ("no-such-name", ()),
    ],
)
def test_whose_objects_a_name_counts(name, want):
    assert resource_names.sources(name) == want
