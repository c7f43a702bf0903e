"""The examples run, without an engine, and register what they say."""

import runpy
from pathlib import Path

import pytest
import yaml
from pulumi.runtime import settings
from recording import run

EXAMPLES = Path(__file__).parents[2] / "examples"
PROGRAMS = ["namespace-quota", "namespace-quota-full", "quota-tree"]


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


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_project_is_called_like_its_folder(name):
    assert yaml.safe_load((EXAMPLES / name / "Pulumi.yaml").read_text())["name"] == name
