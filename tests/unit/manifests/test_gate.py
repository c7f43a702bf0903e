"""The birth gate's rules follow from the names that TreeQuotas count."""

import pytest

from quotatree.manifests import gate

USUAL = (
    ("", "persistentvolumeclaims"),
    ("", "pods"),
    ("", "services"),
    ("resource.k8s.io", "resourceclaims"),
)


@pytest.mark.parametrize(
    "name",
    [
        "cpu",
        "pods",
        "count/pods",
        "requests.nvidia.com/gpu",
        "services.loadbalancers",
        "count/persistentvolumeclaims",
        "gold.storageclass.storage.k8s.io/requests.storage",
        "a100.deviceclass.resource.k8s.io/devices",
        "count/resourceclaims.resource.k8s.io",
        "count/",
    ],
)
def test_a_name_that_counts_a_usual_kind_adds_nothing(name: str) -> None:
    assert gate.gated_kinds([name]) == USUAL


@pytest.mark.parametrize(
    ("name", "want"),
    [
        ("count/configmaps", ("", "configmaps")),
        ("configmaps", ("", "configmaps")),
        ("secrets", ("", "secrets")),
        ("replicationcontrollers", ("", "replicationcontrollers")),
        ("count/jobs.batch", ("batch", "jobs")),
        ("count/widgets.shop.example.com", ("shop.example.com", "widgets")),
    ],
)
def test_a_counted_kind_is_gated_in_its_group(name: str, want: tuple[str, str]) -> None:
    assert set(gate.gated_kinds([name])) == {*USUAL, want}


@pytest.mark.parametrize("name", ["resourcequotas", "count/resourcequotas"])
def test_the_quota_never_waits_for_itself(name: str) -> None:
    assert gate.gated_kinds([name]) == USUAL


def test_order_and_repetition_of_the_names_do_not_change_the_rules() -> None:
    names = ["count/jobs.batch", "count/secrets", "count/cronjobs.batch"]
    assert gate.birth_rules(names) == gate.birth_rules([*reversed(names), *names])


def test_one_rule_a_group_and_creation_only() -> None:
    rules = gate.birth_rules(["count/jobs.batch", "count/cronjobs.batch"])
    assert [rule["apiGroups"] for rule in rules] == [[""], ["batch"], ["resource.k8s.io"]]
    assert rules[1]["resources"] == ["cronjobs", "jobs"]
    assert all(rule["operations"] == ["CREATE"] for rule in rules)


def test_only_the_control_planes_own_objects_are_exempt() -> None:
    exempt = {(r["resources"][0], r["resourceNames"][0]) for r in gate.exempt_rules()}
    assert exempt == {("configmaps", "kube-root-ca.crt"), ("serviceaccounts", "default")}
