"""PipelineNamespace: what one pipeline gets, and in which order."""

import pulumi
import pytest
from recording import run

from pulumi_quotatree import PipelineNamespace, QuotaTree, defaults

CRD = "etl-needs-quotatree-installed"
PLACED = {"parent": "vision", "hard": {"cpu": "20", "memory": "100Gi"}}


def made(args=PLACED, **options):
    return run(lambda: PipelineNamespace("etl", args, pulumi.ResourceOptions(**options)))


def test_the_component_has_the_type_of_the_package():
    assert made()["etl"].type == "pulumi-quotatree:index:PipelineNamespace"


def test_it_is_called_like_the_component_unless_named():
    assert made()["etl-namespace"].metadata["name"] == "etl"
    named = made({**PLACED, "namespace": "nightly"})
    names = {
        it.metadata.get("namespace") for it in named.monitor.found if it.inputs.get("metadata")
    }
    assert names == {None, "nightly"}


def test_it_holds_a_namespace_quota_defaults_account_and_binding():
    ran = made()
    found = {it.name: it.type.rpartition(":")[2] for it in ran.monitor.found if it.name != CRD}
    assert found == {
        "etl": "PipelineNamespace",
        "etl-namespace": "Namespace",
        "etl-quota": "TreeQuota",
        "etl-defaults": "LimitRange",
        "etl-account": "ServiceAccount",
        "etl-binding": "RoleBinding",
    }
    assert {it.parent for it in ran.monitor.found if it.name != "etl"} == {"etl"}


def test_the_namespace_is_put_under_its_parent():
    assert made()["etl-namespace"].metadata["labels"] == {"quotatree.dev/parent": "vision"}


def test_nothing_is_put_into_it_before_its_quota_is_enforced():
    ran = made()
    for name in ("etl-defaults", "etl-account"):
        assert ran[name].needs == {"etl-quota"}
    assert ran["etl-quota"].needs == {"etl-namespace"}
    assert ran["etl-namespace"].needs == {CRD}


def test_the_account_gets_its_rights_last():
    ran = made({**PLACED, "deny_network": True})
    assert ran["etl-binding"].needs == {"etl-defaults", "etl-account", "etl-default-deny"}


def test_without_limits_of_its_own_the_namespace_waits_for_those_above():
    ran = made({"parent": "vision"})
    assert ran.monitor.of_type("TreeQuota") == []
    assert "pulumi.com/waitFor" in ran["etl-namespace"].metadata["annotations"]
    assert ran["etl-defaults"].needs == {"etl-namespace"}


def test_the_account_may_edit_in_its_namespace():
    binding = made()["etl-binding"].inputs
    assert binding["roleRef"] == {
        "apiGroup": "rbac.authorization.k8s.io",
        "kind": "ClusterRole",
        "name": "edit",
    }
    assert binding["subjects"] == [
        {"kind": "ServiceAccount", "name": "pipeline", "namespace": "etl"}
    ]


def test_account_and_role_can_be_chosen():
    ran = made({**PLACED, "service_account": "runner", "role": "system:node"})
    assert ran["etl-account"].metadata["name"] == "runner"
    assert ran["etl-binding"].inputs["roleRef"]["name"] == "system:node"


def test_traffic_is_denied_on_request_only():
    assert made().monitor.of_type("NetworkPolicy") == []
    policy = made({**PLACED, "deny_network": True})["etl-default-deny"].inputs
    assert policy["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_an_existing_namespace_can_be_adopted():
    ran = made({**PLACED, "adopt": True})
    assert ran["etl-namespace"].type == "kubernetes:core/v1:NamespacePatch"
    assert ran["etl-namespace-must-exist-to-be-adopted"].read


def test_protection_covers_the_namespace():
    ran = made({**PLACED, "protect": True})
    assert [it.name for it in ran.monitor.found if it.protect] == ["etl-namespace"]


def test_its_names_are_to_be_had_when_everything_stands():
    def program():
        etl = PipelineNamespace("etl", PLACED)
        properties = {"namespace": etl.namespace, "account": etl.service_account}
        pulumi.CustomResource("test:index:Job", "job", properties)

    ran = run(program)
    assert ran["job"].inputs == {"namespace": "etl", "account": "pipeline"}
    assert ran["job"].needs == {"etl-quota", "etl-binding"}
    assert ran.monitor.outputs["etl"] == {"namespace": "etl", "serviceAccount": "pipeline"}


def test_it_waits_for_its_place_in_a_tree_of_the_same_program():
    def program():
        tree = QuotaTree("lab", {"tree": {"vision": {"hard": {"cpu": "9"}}}})
        PipelineNamespace("etl", {"parent": tree.namespace("vision"), "hard": {"cpu": "1"}})

    ran = run(program)
    assert "lab-vision.quota" in ran["etl-namespace"].needs
    assert ran["etl-namespace"].metadata["labels"] == {"quotatree.dev/parent": "vision"}


# -- defaults of containers -------------------------------------------------------------------


def container(requests=None, limits=None, *, hard=()):
    found = defaults.container(requests, limits, hard=dict.fromkeys(hard, "1"), title="x")
    return found["limits"][0]


def test_requests_are_always_defaulted_and_limits_are_not():
    assert container(hard=["cpu", "memory"]) == {
        "type": "Container",
        "defaultRequest": {"cpu": "100m", "memory": "128Mi"},
    }


def test_limits_that_the_quota_counts_are_defaulted():
    assert container(hard=["limits.cpu", "limits.memory"])["default"] == {
        "cpu": "1",
        "memory": "1Gi",
    }


@pytest.mark.parametrize(
    ("requests", "limits", "want"),
    [
        ({"memory": "4Gi"}, None, ("4Gi", "4Gi")),
        (None, {"memory": "64Mi"}, ("64Mi", "64Mi")),
        ({"memory": "1Gi"}, {"memory": "2Gi"}, ("1Gi", "2Gi")),
    ],
    ids=["a chosen request lifts the limit", "a chosen limit lowers the request", "both chosen"],
)
def test_a_default_request_is_never_above_its_limit(requests, limits, want):
    found = container(requests, limits, hard=["limits.memory"])
    assert (found["defaultRequest"]["memory"], found["default"]["memory"]) == want
