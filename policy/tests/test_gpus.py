"""Rule gpu-limited."""

import pytest
from checking import (
    UNKNOWN,
    check,
    container,
    deployment,
    namespace,
    node,
    resource_quota,
    state,
    tree_quota,
    workload,
)

RULE = "gpu-limited"
GPU = {"nvidia.com/gpu": "2"}
ONE = container(GPU, GPU)
LIMIT = {"requests_nvidia.com__gpu": "8"}


def limited(space="org"):
    token, name, props = tree_quota(space)
    return (token, name, {**props, "spec": {"hard": {"requests.nvidia.com/gpu": "8"}}})


def test_gpus_that_nothing_limits_are_a_violation():
    told = check(RULE, namespace("etl"), deployment("etl", ONE))
    assert "nothing limits requests.nvidia.com/gpu in namespace etl or above it" in told.one()
    assert "Add requests.nvidia.com/gpu to the hard of a TreeQuota" in told.one()


@pytest.mark.parametrize(
    "others",
    [
        [namespace("etl"), limited("etl")],
        [namespace("org"), limited("org"), namespace("etl", "org")],
        [namespace("etl"), resource_quota("etl", {"requests.nvidia.com/gpu": "4"})],
    ],
    ids=["own", "ancestor", "resource-quota"],
)
def test_a_limit_in_the_namespace_or_above_it_will_do(others):
    assert check(RULE, *others, deployment("etl", ONE)).is_clean


def test_the_limit_may_be_in_the_cluster(tmp_path):
    where = state(tmp_path, node("org", hard={"requests.nvidia.com/gpu": "8"}), node("etl", "org"))
    assert check(RULE, deployment("etl", ONE), state=where).is_clean
    assert check(RULE, namespace("new", "org"), deployment("new", ONE), state=where).is_clean
    told = check(RULE, deployment("elsewhere", ONE), state=where)
    assert "nothing limits requests.nvidia.com/gpu in namespace elsewhere" in told.one()


@pytest.mark.parametrize(
    "others", [[], [namespace("etl", "org")]], ids=["namespace-elsewhere", "parent-elsewhere"]
)
def test_without_a_state_a_namespace_elsewhere_cannot_be_judged(others):
    told = check(RULE, *others, deployment("etl", ONE))
    assert told.violations == {}
    assert "whether something limits requests.nvidia.com/gpu" in told.unknown
    assert "configure `state`" in told.unknown


@pytest.mark.parametrize("kind", ["apps/v1:Deployment", "apps/v1:DaemonSet", "batch/v1:Job"])
def test_a_request_without_a_limit_is_a_violation_of_its_own(kind):
    told = check(RULE, namespace("etl"), limited("etl"), workload(kind, "etl", container(GPU)))
    assert "container main requests nvidia.com/gpu without a limit" in told.one()
    assert 'Set resources.limits["nvidia.com/gpu"]' in told.one()


def test_pods_without_gpus_need_no_limit():
    assert check(RULE, namespace("etl"), deployment("etl", container({"cpu": "1"}))).is_clean
    other = container({"example.com/nic": "1"}, {"example.com/nic": "1"})
    assert check(RULE, namespace("etl"), deployment("etl", other)).is_clean


def test_what_a_gpu_is_can_be_configured():
    other = container({"example.com/npu": "1"}, {"example.com/npu": "1"})
    told = check(RULE, namespace("etl"), deployment("etl", other), gpus=["example.com/npu"])
    assert "nothing limits requests.example.com/npu" in told.one()


def test_unknown_amounts_and_namespaces_are_told():
    told = check(RULE, deployment(UNKNOWN, ONE))
    assert "what limits its GPUs: metadata.namespace not known yet" in told.unknown
    told = check(RULE, namespace("etl"), limited("etl"), deployment("etl", container(UNKNOWN)))
    assert "how many GPUs its pods ask for" in told.unknown
