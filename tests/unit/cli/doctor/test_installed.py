"""The kind, the objects, the rights, the webhook and its certificate."""

import base64
from datetime import UTC, datetime, timedelta

import pytest

from quotatree.cli.doctor import installed
from quotatree.cli.doctor.installed import Answer
from quotatree.manifests import crd, install
from quotatree.manifests.settings import InstallSettings
from quotatree.webhook import certificates
from quotatree.webhook.certificates import Step

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SETTINGS = InstallSettings(version="1", webhook_url="https://127.0.0.1:9443")
CRD = crd.tree_quotas(SETTINGS) | {
    "status": {"conditions": [{"type": "Established", "status": "True"}]}
}
HOSTS = ("127.0.0.1",)


def codes(check):
    return [item.code for item in check.items]


@pytest.mark.parametrize(
    ("definition", "want"),
    [
        pytest.param(CRD, [], id="as it should be"),
        pytest.param(None, ["crd-missing"], id="absent"),
        pytest.param(CRD | {"status": {}}, ["crd-missing"], id="not established"),
        pytest.param(
            CRD | {"spec": {"versions": [{"name": "v9", "served": True, "storage": True}]}},
            ["crd-missing"],
            id="only another version",
        ),
    ],
)
def test_kind(definition, want):
    assert codes(installed.kind(definition)) == want


def test_every_object_of_the_installation_is_looked_for():
    wanted = install.installation(SETTINGS)
    older = install.installation(InstallSettings(version="0", webhook_url="https://x:1"))
    assert codes(installed.parts(wanted, wanted)) == []
    assert codes(installed.parts(wanted, [None, *wanted[1:]])) == ["object-missing"]
    assert codes(installed.parts(wanted, [older[0], *wanted[1:]])) == ["other-version"]
    assert codes(installed.parts(wanted, [None] * len(wanted))) == ["object-missing"]


def test_rights_are_those_of_the_controllers_own_roles():
    wanted = [str(right) for right in installed.controller_rights(SETTINGS)]
    assert "patch resourcequotas/status" in wanted
    assert "list treequotas.quotatree.dev" in wanted
    assert "update leases.coordination.k8s.io/quotatree in quotatree-system" in wanted
    assert len(wanted) == len(set(wanted)) > 30


def test_a_right_asks_for_its_subresource_and_leaves_out_what_is_empty():
    right = installed.Right(verb="patch", group="", resource="resourcequotas/status")
    assert right.attributes() == {
        "verb": "patch",
        "resource": "resourcequotas",
        "subresource": "status",
    }


def test_a_missing_right_is_named():
    wanted = installed.controller_rights(SETTINGS)
    allowed = [right != wanted[3] for right in wanted]
    (item,) = installed.rights(wanted, allowed, user="u").items
    assert item.message == f"u may not {wanted[3]}"


@pytest.mark.parametrize(
    ("answer", "want"),
    [
        pytest.param(Answer(seconds=0.012), [], id="answered"),
        pytest.param(Answer(wrong="failed calling webhook"), ["webhook-unreachable"], id="dead"),
        pytest.param(Answer(wrong="cannot decide yet", busy=True), ["webhook-not-ready"], id="429"),
        pytest.param(Answer(wrong="no right", forbidden=True), ["not-checked"], id="no right"),
    ],
)
def test_webhook(answer, want):
    check = installed.webhook(answer, leader="me", namespace="elsewhere")
    assert codes(check) == want


def test_the_controller_is_looked_for_in_the_namespace_of_the_installation():
    (item,) = installed.webhook(Answer(wrong="dead"), leader="", namespace="elsewhere").items
    assert item.remedy == "look at the controller: kubectl -n elsewhere get pods,lease"


def issue(made=NOW, hosts=HOSTS):
    return certificates.carry_out(Step.START, None, hosts=hosts, now=made)


def configuration(issued, url="https://127.0.0.1:9443/admit"):
    bundle = base64.b64encode(issued.bundle).decode()
    config = {"url": url, "caBundle": bundle}
    return {"webhooks": [{"name": "usage.quotatree.dev", "clientConfig": config}]}


ISSUED = issue()


@pytest.mark.parametrize(
    ("issued", "config", "now", "want"),
    [
        pytest.param(ISSUED, configuration(ISSUED), NOW, [], id="as it should be"),
        pytest.param(
            ISSUED,
            configuration(ISSUED),
            NOW + timedelta(days=360),
            ["certificate-ends-soon"],
            id="five days left",
        ),
        pytest.param(
            ISSUED,
            configuration(ISSUED),
            NOW + timedelta(days=366),
            ["certificate-expired"],
            id="over",
        ),
        pytest.param(
            ISSUED,
            configuration(ISSUED),
            NOW - timedelta(days=1),
            ["certificate-expired"],
            id="not begun",
        ),
        pytest.param(
            ISSUED, configuration(issue()), NOW, ["certificate-untrusted"], id="another authority"
        ),
        pytest.param(
            ISSUED,
            configuration(ISSUED, url="https://elsewhere:1/"),
            NOW,
            ["certificate-untrusted"],
            id="another host",
        ),
        pytest.param(None, configuration(ISSUED), NOW, ["not-checked"], id="not readable"),
        pytest.param(ISSUED, None, NOW, ["not-checked"], id="not configured"),
    ],
)
def test_certificate(issued, config, now, want):
    assert codes(installed.certificate(config, issued, why="why", now=now)) == want


@pytest.mark.parametrize(
    ("days", "want"),
    [
        (0, "ends in 365 days, its authority ends in 1825 days"),
        (368, "has ended, its authority ends in 1457 days"),
        (1826, "has ended, its authority has ended"),
    ],
)
def test_days_left_are_said(days, want):
    now = NOW + timedelta(days=days)
    check = installed.certificate(configuration(ISSUED), ISSUED, why="", now=now)
    assert check.summary == want


def test_a_service_is_reached_under_its_cluster_name():
    issued = issue(hosts=("quotatree-webhook.quotatree-system.svc",))
    config = configuration(issued)
    service = {"name": "quotatree-webhook", "namespace": "quotatree-system"}
    config["webhooks"][0]["clientConfig"] = {
        "service": service,
        "caBundle": config["webhooks"][0]["clientConfig"]["caBundle"],
    }
    assert codes(installed.certificate(config, issued, why="", now=NOW)) == []
    assert installed.base_url(config) is None
    assert installed.base_url(configuration(issued)) == "https://127.0.0.1:9443"
