"""What every installation keeps to, whatever its settings."""

import json
import re
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from tools import golden

from quotatree import errors
from quotatree.cli.controller import controller_command
from quotatree.manifests import install, namespace_policies, quota_policies, rbac, webhook
from quotatree.manifests.settings import InstallSettings
from quotatree.webhook import routes

INSIDE = golden.CASES["manifests.yaml"]
OUTSIDE = golden.CASES["manifests-outside.yaml"]
WEBHOOKS = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
BOTH = pytest.mark.parametrize("settings", [INSIDE, OUTSIDE], ids=["inside", "outside"])


def of_kind(settings: InstallSettings, kind: str) -> list[dict[str, Any]]:
    return [it for it in install.installation(settings) if it["kind"] == kind]


def rules(settings: InstallSettings) -> list[dict[str, Any]]:
    roles = [*of_kind(settings, "ClusterRole"), *of_kind(settings, "Role")]
    return [
        rule
        for role in roles
        if role["metadata"]["name"] == rbac.CONTROLLER_ROLE
        for rule in role["rules"]
    ]


@pytest.mark.parametrize("name", golden.CASES)
def test_the_manifests_are_the_accepted_ones(name: str) -> None:
    accepted = (golden.GOLDEN / name).read_text(encoding="utf-8")
    assert golden.render(name) == accepted, "if meant: uv run python -m tools.golden"


@BOTH
def test_yaml_and_json_say_the_same(settings: InstallSettings) -> None:
    manifests = install.installation(settings)
    assert list(yaml.safe_load_all(install.to_yaml(manifests))) == manifests
    assert json.loads(install.to_json(manifests))["items"] == manifests


@BOTH
def test_every_object_is_named_once_and_labelled(settings: InstallSettings) -> None:
    manifests = install.installation(settings)
    names = [
        (it["kind"], it["metadata"].get("namespace"), it["metadata"]["name"]) for it in manifests
    ]
    assert len(set(names)) == len(names)
    for it in manifests:
        assert it["metadata"]["labels"]["app.kubernetes.io/part-of"] == "quotatree"


@BOTH
def test_every_policy_denies_and_is_bound_once(settings: InstallSettings) -> None:
    policies = of_kind(settings, "ValidatingAdmissionPolicy")
    bound = [
        it["spec"]["policyName"] for it in of_kind(settings, "ValidatingAdmissionPolicyBinding")
    ]
    assert sorted(bound) == sorted(it["metadata"]["name"] for it in policies)
    assert all(it["spec"]["failurePolicy"] == "Fail" for it in policies)


def test_the_ordinary_pod_and_measurement_leave_by_the_cheap_conditions() -> None:
    def conditions(name: str) -> list[str]:
        policy = next(it for it in install.policies(INSIDE) if it["metadata"]["name"] == name)
        return [it["name"] for it in policy["spec"]["matchConditions"]]

    assert "not-ready" in conditions(quota_policies.BIRTH_GATE)
    assert "not-ready" in conditions(quota_policies.GROWTH_GATE)
    assert "not-a-measurement" in conditions(quota_policies.MANAGED_QUOTAS)


@BOTH
def test_every_refusal_says_something_in_one_line(settings: InstallSettings) -> None:
    for policy in of_kind(settings, "ValidatingAdmissionPolicy"):
        for validation in policy["spec"]["validations"]:
            assert validation["message"]
            assert "\n" not in validation["message"]
            own = policy["metadata"]["name"] == namespace_policies.MADE_BY
            assert validation["reason"] == ("Invalid" if own else "Forbidden")


@BOTH
def test_the_controller_may_not_do_everything_anywhere(settings: InstallSettings) -> None:
    for rule in rules(settings):
        assert "*" not in rule["verbs"] + rule["resources"] + rule["apiGroups"]


def test_the_controller_may_not_delete_namespaces_unless_the_server_makes_it_need_that() -> None:
    def verbs(settings: InstallSettings) -> list[str]:
        return next(it["verbs"] for it in rules(settings) if it["resources"] == ["namespaces"])

    assert "delete" not in verbs(INSIDE)
    assert "delete" in verbs(OUTSIDE)


def test_secrets_admission_and_leases_are_reached_by_name_only() -> None:
    by_name = {
        "secrets",
        "leases",
        "validatingwebhookconfigurations",
        "validatingadmissionpolicies",
    }
    for rule in rules(INSIDE):
        if by_name & set(rule["resources"]) and rule["verbs"] != ["create"]:
            assert rule["resourceNames"]


def test_only_reading_is_aggregated_to_the_built_in_roles() -> None:
    aggregated = [
        role["metadata"]["name"]
        for role in of_kind(INSIDE, "ClusterRole")
        if any("aggregate-to" in label for label in role["metadata"]["labels"])
    ]
    assert aggregated == [rbac.VIEW_ROLE]


def test_the_deployments_arguments_are_those_of_the_command() -> None:
    (deployment,) = of_kind(INSIDE, "Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    command, *options = container["args"]
    known = {name for it in controller_command.params for name in it.opts}
    assert command == "controller"
    assert {option.partition("=")[0] for option in options} <= known


def test_a_controller_outside_has_no_pods_and_a_url() -> None:
    kinds = {it["kind"] for it in install.installation(OUTSIDE)}
    assert not kinds & {"Deployment", "Service", "PodDisruptionBudget"}
    entries = [entry for kind in WEBHOOKS for entry in of_kind(OUTSIDE, kind)[0]["webhooks"]]
    assert [it["clientConfig"]["url"] for it in entries] == [
        f"https://127.0.0.1:9443{path}"
        for path in (
            webhook.USAGE_PATH,
            webhook.LENIENT_USAGE_PATH,
            webhook.RECOUNT_PATH,
            webhook.TREE_QUOTA_PATH,
            webhook.NAMESPACE_PATH,
        )
    ]
    assert all(it["clientConfig"]["caBundle"] == "cGVt" for it in entries)


def test_without_a_ca_bundle_the_field_is_left_to_the_controller() -> None:
    entries = [entry for kind in WEBHOOKS for entry in of_kind(INSIDE, kind)[0]["webhooks"]]
    assert not any("caBundle" in it["clientConfig"] for it in entries)


def test_usage_is_asked_by_quota_admission_alone() -> None:
    usage = of_kind(INSIDE, "MutatingWebhookConfiguration")[0]["webhooks"][0]
    assert usage["matchConditions"][0]["expression"] == (
        "request.userInfo.username == 'system:apiserver'"
    )
    assert (usage["timeoutSeconds"], usage["failurePolicy"]) == (1, "Fail")


def test_growth_has_an_entry_for_each_failure_policy_and_each_object_one_of_them() -> None:
    strict, lenient, *_ = of_kind(INSIDE, "MutatingWebhookConfiguration")[0]["webhooks"]
    assert (strict["failurePolicy"], lenient["failurePolicy"]) == ("Fail", "Ignore")
    told_apart = {"name", "failurePolicy", "objectSelector", "clientConfig"}
    same = [{k: v for k, v in it.items() if k not in told_apart} for it in (strict, lenient)]
    assert same[0] == same[1]
    terms = [it["objectSelector"]["matchExpressions"] for it in (strict, lenient)]
    assert terms == [
        [{"key": "quotatree.dev/failure-policy", "operator": operator, "values": ["Ignore"]}]
        for operator in ("NotIn", "In")
    ]


def test_recounts_are_put_right_by_an_entry_that_nothing_waits_for() -> None:
    *_, recount = of_kind(INSIDE, "MutatingWebhookConfiguration")[0]["webhooks"]
    assert (recount["timeoutSeconds"], recount["failurePolicy"]) == (1, "Ignore")
    asked = {it["name"]: it["expression"] for it in recount["matchConditions"]}
    assert asked["not-quota-admission"] == "!(request.userInfo.username == 'system:apiserver')"
    assert "quotatree-system:quotatree" in asked["not-the-controller"]


def test_every_user_of_the_controller_is_trusted_everywhere() -> None:
    text = str(install.policies(OUTSIDE)).replace("\\'", "'")
    users = "['system:serviceaccount:quotatree-system:quotatree', 'quotatree']"
    trusted = re.findall(r"request\.userInfo\.username in (\[[^\]]*\])", text)
    assert trusted
    assert set(trusted) == {users}
    assert rbac.subjects(OUTSIDE)[1]["name"] == "quotatree"


def test_growth_is_judged_by_the_new_entries_before_the_old_ones_go() -> None:
    kinds = [it["kind"] for it in install.installation(INSIDE)]
    assert kinds.index(WEBHOOKS[0]) < kinds.index(WEBHOOKS[1])


def test_policies_stand_before_the_controller_starts() -> None:
    kinds = [it["kind"] for it in install.installation(INSIDE)]
    last = len(kinds) - 1 - kinds[::-1].index("ValidatingAdmissionPolicyBinding")
    assert last < kinds.index("Deployment")


@pytest.mark.parametrize(
    ("settings", "want"),
    [
        ({}, "image: needed"),
        ({"webhook_url": "http://127.0.0.1:1"}, "must begin with https://"),
        ({"image": "i", "usage_timeout_seconds": 0}, "from 1 to 30"),
        ({"image": "i", "usage_timeout_seconds": 31}, "from 1 to 30"),
        ({"image": "i", "replicas": 0}, "at least one pod"),
    ],
)
def test_settings_that_no_installation_can_have(settings: dict[str, Any], want: str) -> None:
    with pytest.raises(errors.InputError, match=want):
        InstallSettings(version="0", **settings)


@pytest.mark.parametrize("replicas", [1, 2])
def test_an_update_stops_no_pod_before_its_successor_stands_for_election(replicas: int) -> None:
    settings = InstallSettings(version="0", image="i", replicas=replicas)
    strategy = of_kind(settings, "Deployment")[0]["spec"]["strategy"]
    assert strategy["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}


def test_a_pod_knows_its_name_and_address_for_the_others_and_for_the_label() -> None:
    (container,) = of_kind(INSIDE, "Deployment")[0]["spec"]["template"]["spec"]["containers"]
    given = {it["name"] for it in container["env"]}
    options = {it.envvar for it in controller_command.params if isinstance(it, click.Option)}
    assert given == options - {None} == {"POD_NAME", "POD_IP"}


def test_a_pod_can_write_its_key_where_openssl_reads_it_and_nowhere_else() -> None:
    pod = of_kind(INSIDE, "Deployment")[0]["spec"]["template"]["spec"]
    (container,), (volume,) = pod["containers"], pod["volumes"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert container["volumeMounts"] == [{"name": volume["name"], "mountPath": "/tmp"}]
    assert volume["emptyDir"]["medium"] == "Memory"


def test_metrics_are_found_by_annotations_and_by_a_monitor_of_services() -> None:
    template = of_kind(INSIDE, "Deployment")[0]["spec"]["template"]
    (container,) = template["spec"]["containers"]
    ports = {it["name"]: it["containerPort"] for it in container["ports"]}
    assert template["metadata"]["annotations"]["prometheus.io/port"] == str(ports["webhook"])
    assert template["metadata"]["annotations"]["prometheus.io/path"] == routes.METRICS
    (service,) = (
        it
        for it in of_kind(INSIDE, "Service")
        if it["metadata"]["labels"]["app.kubernetes.io/component"] == "metrics"
    )
    assert service["spec"]["selector"].items() <= template["metadata"]["labels"].items()
    (port,) = service["spec"]["ports"]
    assert (port["name"], port["targetPort"]) == ("metrics", "webhook")
    assert service["spec"]["publishNotReadyAddresses"]


def test_all_pods_but_one_survive_a_drain() -> None:
    (budget,) = of_kind(INSIDE, "PodDisruptionBudget")
    assert budget["spec"]["maxUnavailable"] == 1
    assert of_kind(INSIDE, "Deployment")[0]["spec"]["replicas"] == 2


def test_the_gate_covers_what_the_settings_name() -> None:
    gate = next(
        it
        for it in install.policies(OUTSIDE)
        if it["metadata"]["name"] == quota_policies.BIRTH_GATE
    )
    groups = {it["apiGroups"][0] for it in gate["spec"]["matchConstraints"]["resourceRules"]}
    assert groups == {"", "batch", "resource.k8s.io"}


def test_the_golden_files_are_all_there_and_no_others() -> None:
    found = {it.name for it in Path(golden.GOLDEN).glob("manifests*.yaml")}
    assert found == set(golden.CASES)


def test_slices_are_switched_on_at_the_controller() -> None:
    def arguments(*, slices: bool) -> list[str]:
        settings = InstallSettings(version="0", image="i", slices=slices)
        (deployment,) = of_kind(settings, "Deployment")
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        return list(container["args"])

    assert arguments(slices=False) == [*arguments(slices=True), "--no-slices"]
