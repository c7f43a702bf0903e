"""The examples run, without an engine, and register what they say."""

import json
import re
import runpy
from pathlib import Path

import pytest
import yaml
from pulumi.runtime import settings
from recording import run

from pulumi_quotatree import QuotaTree

EXAMPLES = Path(__file__).parents[2] / "examples"
PROGRAMS = ["namespace-quota", "namespace-quota-full", "quota-tree", "quota-tree-yaml"]
SCHEMA = json.loads((EXAMPLES.parent / "components/schema.json").read_text(encoding="utf-8"))


def example(name):
    def program():
        runpy.run_path(str(EXAMPLES / name / "__main__.py"))
        return settings.get_root_resource().outputs

    return run(program)


def test_the_program_it_all_began_with():
    ran = example("namespace-quota")
    found = {it.name: (it.type, it.inputs) for it in ran.monitor.found}
    assert found == {
        "ai-namespace": (
            "kubernetes:core/v1:Namespace",
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ai-pipeline"}},
        ),
        "ai-resource-quota": (
            "kubernetes:core/v1:ResourceQuota",
            {
                "apiVersion": "v1",
                "kind": "ResourceQuota",
                "metadata": {"name": "ai-quota", "namespace": "ai-pipeline"},
                "spec": {"hard": {"cpu": "20", "memory": "100Gi"}},
            },
        ),
    }
    assert ran["ai-resource-quota"].needs == {"ai-namespace"}
    assert ran.result == {"ai_namespace": "ai-pipeline", "ai_resource_quota": "ai-quota"}


def test_the_full_program_limits_more():
    hard = example("namespace-quota-full")["ai-resource-quota"].inputs["spec"]["hard"]
    assert set(hard) - {"cpu", "memory"} == {
        "requests.storage",
        "requests.ephemeral-storage",
        "count/pods",
        "count/persistentvolumeclaims",
        "requests.nvidia.com/gpu",
    }


def test_the_tree_holds_the_pipeline():
    ran = example("quota-tree")
    assert ran.result == {
        "namespaces": {
            "research": "research",
            "research/vision": "vision",
            "research/language": "language",
        },
        "ai_pipeline": "ai-pipeline",
    }
    assert ran["ai-pipeline-namespace"].metadata["labels"] == {"quotatree.dev/parent": "vision"}
    assert ran.warnings == []


def test_the_repository_for_ci_makes_its_tree_from_the_file(monkeypatch):
    monkeypatch.chdir(EXAMPLES / "cicd")
    ran = example("cicd")
    assert ran.result["namespaces"]["acme/acme-vision"] == "acme-vision"
    assert ran["training"].metadata["namespace"] == "acme-nightly"
    assert ran.warnings == []


def test_a_run_of_a_pipeline_is_a_namespace_and_jobs_one_after_the_other():
    given = runpy.run_path(str(EXAMPLES / "pipeline-run" / "run.py"))
    asked = given["Run"](
        team="vision", name="resnet-42", image="i", gpus=2, shards=4, retries=2, minutes=60
    )
    ran = run(given["program"](asked))
    hard = ran["place-quota"].inputs["spec"]["hard"]
    assert hard["requests.nvidia.com/gpu"] == "8"
    assert hard["pods"] == "6"
    assert ran["place-namespace"].metadata["labels"] == {"quotatree.dev/parent": "vision"}
    assert ran["train"].needs >= {"prepare"}
    assert ran["evaluate"].needs >= {"train"}
    assert {ran[name].metadata["namespace"] for name in ("prepare", "train", "evaluate")} == {
        "resnet-42"
    }


def _known(fields, given):
    """Return the keys of YAML that the schema does not know, at any depth."""
    unknown = [key for key in given if key not in fields]
    for key in set(given) & set(fields):
        reference = fields[key].get("additionalProperties", {}).get("$ref", "")
        inner = SCHEMA["types"].get(reference.rpartition("/")[2])
        if inner:
            for node in given[key].values():
                unknown += _known(inner["properties"], node or {})
    return unknown


def test_the_tree_in_yaml_is_the_one_in_python():
    project = yaml.safe_load((EXAMPLES / "quota-tree-yaml" / "Pulumi.yaml").read_text())
    for found in project["resources"].values():
        token = found["type"].replace(":", ":index:")
        fields = SCHEMA["resources"][token]["inputProperties"]
        assert _known(fields, found["properties"]) == []
    tree = project["resources"]["research"]["properties"]["tree"]
    ran = run(lambda: QuotaTree("research", {"tree": tree}).namespaces)
    quotas = {it.name: it.inputs["spec"] for it in ran.monitor.of_type("TreeQuota")}
    python = example("quota-tree").monitor.of_type("TreeQuota")
    assert quotas == {it.name: it.inputs["spec"] for it in python if it.name in quotas}
    assert len(quotas) == 3


def test_the_provider_of_the_yaml_program_is_named_like_the_package():
    project = yaml.safe_load((EXAMPLES / "quota-tree-yaml" / "Pulumi.yaml").read_text())
    (plugin,) = project["plugins"]["providers"]
    assert plugin["name"] == SCHEMA["name"]
    assert re.fullmatch(r"\.\./\.\./components", plugin["path"])


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_project_is_called_like_its_folder(name):
    assert yaml.safe_load((EXAMPLES / name / "Pulumi.yaml").read_text())["name"] == name
