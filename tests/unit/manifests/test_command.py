"""`quotatree manifests` on the command line."""

import json
from pathlib import Path

import yaml
from click.testing import CliRunner

from quotatree.cli.manifests import manifests_command

PEM = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(manifests_command, list(arguments))
    return result.exit_code, result.output


def test_the_default_is_a_whole_installation_in_yaml() -> None:
    code, text = run()
    kinds = [it["kind"] for it in yaml.safe_load_all(text)]
    assert code == 0
    assert {"CustomResourceDefinition", "Deployment", "ValidatingWebhookConfiguration"} <= set(
        kinds
    )


def test_every_option_reaches_the_objects(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_text(PEM)
    code, text = run(
        *("--namespace", "quotas", "--webhook-url", "https://127.0.0.1:7443"),
        *("--ca-bundle", str(bundle), "--timeout-seconds", "3", "--failure-policy", "Ignore"),
        *("--gate", "count/jobs.batch", "--controller-user", "me", "-o", "json"),
        "--owner-references-enforced",
    )
    items = json.loads(text)["items"]
    usage = items[-2]["webhooks"][0]
    assert code == 0
    assert items[0]["metadata"]["name"] == "quotas"
    assert usage["clientConfig"]["url"] == "https://127.0.0.1:7443/admit/usage-or-pass"
    assert (usage["timeoutSeconds"], usage["failurePolicy"]) == (3, "Ignore")
    assert all(
        word in text for word in ('"jobs"', "'me'", '"delete"', "system:serviceaccount:quotas")
    )


def test_image_and_replicas_reach_the_deployment() -> None:
    _, text = run("--image", "registry.example/q:1", "--replicas", "2")
    (deployment,) = [it for it in yaml.safe_load_all(text) if it["kind"] == "Deployment"]
    assert deployment["spec"]["replicas"] == 2
    assert (
        deployment["spec"]["template"]["spec"]["containers"][0]["image"] == "registry.example/q:1"
    )


def test_a_file_without_certificates_is_bad_usage(tmp_path: Path) -> None:
    empty = tmp_path / "ca.pem"
    empty.write_text("nothing")
    code, text = run("--ca-bundle", str(empty))
    assert code == 2
    assert "holds no PEM certificate" in text


def test_an_impossible_setting_is_bad_usage() -> None:
    code, text = run("--webhook-url", "http://x")
    assert code == 2
    assert "must begin with https://" in text
