"""Rule workload-requests."""

import pytest
from checking import UNKNOWN, check, container, deployment, limit_range, pod, workload

RULE = "workload-requests"
WHOLE = {"cpu": "1", "memory": "1Gi"}


@pytest.mark.parametrize(
    ("given", "want"),
    [
        (container(), "requests no cpu for main; memory for main"),
        (container({"cpu": "1"}), "requests no memory for main"),
        (container(limits={"memory": "1Gi"}), "requests no cpu for main"),
    ],
    ids=["nothing", "cpu-only", "memory-limit-only"],
)
def test_what_is_not_requested_is_named_with_its_containers(given, want):
    told = check(RULE, deployment("etl", given))
    assert f"deployment/app in namespace etl {want}:" in told.one()
    assert "Set resources.requests" in told.one()


@pytest.mark.parametrize(
    "kind",
    ["apps/v1:Deployment", "apps/v1:StatefulSet", "apps/v1:DaemonSet", "apps/v1:ReplicaSet",
     "batch/v1:Job", "core/v1:ReplicationController"],
)  # fmt: skip
def test_every_kind_with_pods_is_judged(kind):
    assert "requests no cpu" in check(RULE, workload(kind, "etl", container())).one()
    assert check(RULE, workload(kind, "etl", container(WHOLE))).is_clean


def test_a_pod_and_a_cron_job_are_judged():
    assert "pod/pod" in check(RULE, pod("etl", container())).one()
    job = {"spec": {"template": {"spec": {"containers": [container()]}}}}
    props = {"metadata": {"name": "nightly", "namespace": "etl"}, "spec": {"jobTemplate": job}}
    assert "cronjob/nightly" in check(RULE, ("kubernetes:batch/v1:CronJob", "n", props)).one()


def test_limits_count_as_requests():
    assert check(RULE, deployment("etl", container(limits=WHOLE))).is_clean


def test_a_limit_range_of_the_namespace_fills_in():
    there, elsewhere = limit_range("etl", **WHOLE), limit_range("other", **WHOLE)
    assert check(RULE, deployment("etl", container()), there).is_clean
    assert not check(RULE, deployment("etl", container()), elsewhere).is_clean


def test_what_has_no_pods_is_left_alone():
    props = {"metadata": {"name": "c", "namespace": "etl"}, "data": {"a": "b"}}
    assert check(RULE, ("kubernetes:core/v1:ConfigMap", "c", props)).is_clean


@pytest.mark.parametrize(
    "given",
    [
        container({"cpu": "1", "memory": UNKNOWN}),
        container(UNKNOWN),
        {"name": "main", "resources": UNKNOWN},
    ],
    ids=["amount", "requests", "resources"],
)
def test_an_unknown_amount_is_neither_missing_nor_passed(given):
    told = check(RULE, deployment("etl", given))
    assert told.violations == {}
    assert "deployment/app: what its pods request: spec.template.spec.containers[0]" in told.unknown


def test_what_is_missing_beside_an_unknown_amount_is_still_told():
    told = check(RULE, deployment("etl", container({"cpu": UNKNOWN})))
    assert "requests no memory for main" in told.one()
    assert told.unknown


def test_a_helm_release_cannot_be_looked_into():
    release = ("kubernetes:helm.sh/v3:Release", "db", {"chart": "db"})
    told = check(RULE, release)
    assert told.violations == {}
    assert "db: what its pods request: the objects of a Helm release" in told.unknown


def test_resources_of_other_clouds_are_left_alone():
    assert check(RULE, ("aws:s3/bucket:Bucket", "b", {"spec": UNKNOWN})).is_clean
