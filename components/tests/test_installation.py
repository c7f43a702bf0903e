"""QuotaTreeInstallation: the very manifests, in their order, without a quarrel about fields."""

from importlib import import_module

import pulumi
import pytest
from recording import later, run

from pulumi_quotatree import (
    QuotaTree,
    QuotaTreeInstallation,
    TreeError,
    installation,
    kubernetes,
)
from quotatree.manifests import install
from quotatree.manifests.settings import InstallSettings

IMAGE = {"image": "registry.example/quotatree:1"}
HOOK = "q-ValidatingWebhookConfiguration-quotatree"


def made(args=IMAGE):
    return run(lambda: QuotaTreeInstallation("q", args).ready)


def manifests():
    from importlib.metadata import version

    return install.installation(InstallSettings(version=version("quotatree"), **IMAGE))


def without_annotations(inputs):
    metadata = {k: v for k, v in inputs["metadata"].items() if k != "annotations"}
    return {**inputs, "metadata": metadata}


def by_identity(objects):
    return {(it["kind"], it["metadata"]["name"]): without_annotations(it) for it in objects}


def test_it_makes_the_very_objects_of_the_manifests():
    ran = made()
    found = [it.inputs for it in ran.monitor.found if it.name != "q"]
    assert by_identity(found) == by_identity(manifests())


def test_every_kind_of_the_manifests_has_its_phase_and_none_has_two():
    kinds = {it["kind"] for it in manifests()}
    phases = [kind for phase in installation.PHASES for kind in phase]
    assert kinds == set(phases)
    assert len(phases) == len(set(phases))


def test_each_phase_waits_for_the_one_before():
    ran = made()
    deployment = ran["q-Deployment-quotatree"]
    assert "q-ValidatingAdmissionPolicy-quotatree-birth-gate" in deployment.needs
    assert "q-ServiceAccount-quotatree" in deployment.needs
    assert ran[HOOK].needs == {
        "q-Deployment-quotatree",
        "q-Service-quotatree-webhook",
        "q-Service-quotatree-metrics",
        "q-PodDisruptionBudget-quotatree",
    }
    policies = ran["q-ValidatingAdmissionPolicy-quotatree-attach"]
    assert policies.needs == {
        "q-Namespace-quotatree-system",
        "q-CustomResourceDefinition-treequotas.quotatree.dev",
    }


def test_with_a_controller_outside_the_webhook_waits_for_the_policies():
    ran = made({"webhook_url": "https://127.0.0.1:9443"})
    assert ran.monitor.of_type("Deployment") == []
    assert "q-ValidatingAdmissionPolicy-quotatree-attach" in ran[HOOK].needs


def test_it_is_ready_when_the_webhook_is():
    def program():
        found = QuotaTreeInstallation("q", IMAGE)
        QuotaTree("lab", {"tree": {"a": None}, "installation": found.ready})

    ran = run(program)
    assert HOOK in ran["lab-needs-quotatree-installed"].needs
    assert HOOK in ran["lab-a"].needs


def test_ready_tells_the_api_version():
    assert made().result == "quotatree.dev/v1alpha1"


def test_the_webhook_is_awaited_until_the_controller_answers_for_it():
    hook = made()[HOOK]
    assert hook.metadata["annotations"] == {
        "pulumi.com/waitFor": "jsonpath={.webhooks[*].clientConfig.caBundle}"
    }
    assert hook.request.customTimeouts.create == "120s"


def test_with_certificates_of_ones_own_nothing_is_awaited():
    hook = made({**IMAGE, "ca_bundle": "Y2E="})[HOOK]
    assert "annotations" not in hook.metadata
    assert {it["clientConfig"]["caBundle"] for it in hook.inputs["webhooks"]} == {"Y2E="}


@pytest.mark.parametrize("replicas", [1, 3])
def test_all_pods_are_awaited_since_those_that_follow_are_ready_too(replicas):
    deployment = made({**IMAGE, "replicas": replicas})["q-Deployment-quotatree"]
    assert deployment.inputs["spec"]["replicas"] == replicas
    assert "annotations" not in deployment.metadata


def test_the_kinds_that_the_controller_adds_to_the_gate_are_left_alone():
    ran = made()
    ignored = {
        it.name: list(it.request.ignoreChanges)
        for it in ran.monitor.found
        if it.request.ignoreChanges
    }
    assert ignored == {
        "q-ValidatingAdmissionPolicy-quotatree-birth-gate": ["spec.matchConstraints.resourceRules"]
    }


def test_image_and_certificates_can_be_outputs():
    def program():
        args = {"image": later("registry.example/q:2", "built"), "ca_bundle": later("Y2E=", "ca")}
        QuotaTreeInstallation("q", args)

    ran = run(program)
    (container,) = ran["q-Deployment-quotatree"].inputs["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "registry.example/q:2"
    assert "built" in ran["q-Deployment-quotatree"].needs
    assert {it["clientConfig"]["caBundle"] for it in ran[HOOK].inputs["webhooks"]} == {"Y2E="}


@pytest.mark.parametrize("key", ["image", "ca_bundle"])
@pytest.mark.parametrize("value", [None, ""], ids=["none", "empty"])
def test_an_image_or_certificates_that_turn_out_to_be_nothing_are_told(key, value):
    def program():
        QuotaTreeInstallation("q", {**IMAGE, key: pulumi.Output.from_input(value)})

    with pytest.raises(TreeError, match=f'QuotaTreeInstallation "q": {key}: must be a text, is '):
        run(program)


def test_an_existing_installation_is_only_looked_for():
    ran = made({"existing": True})
    found = {it.name: (it.read, it.request.id) for it in ran.monitor.found if it.name != "q"}
    assert found == {
        "q-needs-quotatree-installed": (True, "treequotas.quotatree.dev"),
        "q-needs-the-webhook-of-quotatree-installed": (True, "quotatree"),
    }
    assert ran.result == "quotatree.dev/v1alpha1"


def test_an_installation_that_is_absent_is_told():
    with pytest.raises(Exception, match="q-needs-quotatree-installed"):
        run(
            lambda: QuotaTreeInstallation("q", {"existing": True}),
            absent=("treequotas.quotatree.dev",),
        )


def test_what_it_depends_on_comes_first():
    def program():
        first = pulumi.CustomResource("test:index:First", "first", {})
        QuotaTreeInstallation("q", IMAGE, pulumi.ResourceOptions(depends_on=[first]))

    assert "first" in run(program)["q-Namespace-quotatree-system"].needs


@pytest.mark.parametrize(
    ("module", "api_version", "kind"),
    [
        ("core.v1", "v1", "Namespace"),
        ("core.v1", "v1", "NamespacePatch"),
        ("core.v1", "v1", "LimitRange"),
        ("core.v1", "v1", "ServiceAccount"),
        ("core.v1", "v1", "Service"),
        ("apps.v1", "apps/v1", "Deployment"),
        ("policy.v1", "policy/v1", "PodDisruptionBudget"),
        ("rbac.v1", "rbac.authorization.k8s.io/v1", "RoleBinding"),
        ("networking.v1", "networking.k8s.io/v1", "NetworkPolicy"),
        ("apiextensions.v1", "apiextensions.k8s.io/v1", "CustomResourceDefinition"),
        ("flowcontrol.v1", "flowcontrol.apiserver.k8s.io/v1", "FlowSchema"),
        (
            "admissionregistration.v1",
            "admissionregistration.k8s.io/v1",
            "ValidatingWebhookConfiguration",
        ),
    ],
)
def test_types_are_those_of_the_providers_own_classes(module, api_version, kind):
    def program():
        getattr(import_module(f"pulumi_kubernetes.{module}"), kind).get("x", "any")

    assert run(program)["x"].type == kubernetes.token_of(api_version, kind)
