"""The components from a program that is not Python: Pulumi starts them as a plugin beside it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import yaml
from tests.pulumi.ground import Ground, pod
from tests.pulumi.soak import SOAK
from tests.pulumi.workshop import EXAMPLES, REPOSITORY, Workshop

pytestmark = pytest.mark.pulumi

YAML = EXAMPLES / "quota-tree-yaml"
COMPONENTS = REPOSITORY / "components"


def beside(text: str) -> str:
    """Name the components by their whole path: the program is a copy somewhere else."""
    assert "path: ../../components" in text
    return text.replace("../../components", str(COMPONENTS))


def schema_of(source: Path) -> str:
    """The schema that the engine reads from a package's folder, or from a file."""
    argv = ["pulumi", "package", "get-schema", str(source)]
    done = subprocess.run(argv, check=False, env=os.environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_engine_is_given_the_written_schema(workshop: Workshop) -> None:
    assert schema_of(COMPONENTS) == schema_of(COMPONENTS / "schema.json")


def test_a_program_in_yaml_makes_the_tree_and_the_pipeline(
    workshop: Workshop, ground: Ground
) -> None:
    stack = workshop.stack(YAML, edit=beside)
    stack.up()
    assert stack.outputs == {
        "namespaces": {
            "research": "research",
            "research/vision": "vision",
            "research/language": "language",
        },
        "ai_pipeline": "ai-pipeline",
    }
    assert ground.create(pod("fits", cpu="20", memory="1Gi"), "ai-pipeline") == ""
    said = ground.create(pod("more", cpu="1", memory="1Gi"), "ai-pipeline")
    assert "exceeded quota: " in said
    if SOAK:
        assert set(stack.up()) == {"same", "read"}
    stack.destroy()
    assert stack.resources == []
    names = ("research", "vision", "language", "ai-pipeline")
    assert [name for name in names if ground.exists(name)] == []


def test_a_mistake_in_yaml_is_told_with_the_path_of_its_node(workshop: Workshop) -> None:
    def misspell(text: str) -> str:
        project = yaml.safe_load(beside(text))
        tree = project["resources"]["research"]["properties"]["tree"]["research"]
        tree["children"]["vision"]["hard"] = {"requests.nvidia.com/gpus": "-3", "cpus": "1"}
        return yaml.safe_dump(project)

    said = "\n".join(workshop.stack(YAML, edit=misspell).errors("preview"))
    assert 'tree.research.children.vision.hard["cpus"]' in said
    assert "must not be negative" in said
    assert "Traceback" not in said
