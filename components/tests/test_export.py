"""What `quotatree export pulumi` writes is a program of these components, typed and importing."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from recording import run

ROOT = Path(__file__).parents[1]
GOLDEN = ROOT.parent / "tests" / "golden"
PROGRAMS = ("pulumi-program.txt", "pulumi-program-new.txt")


def ran(golden):
    return run(lambda: runpy.run_path(str(GOLDEN / golden), run_name="__main__") and None)


def test_an_exported_program_imports_all_that_it_names():
    made = [it for it in ran("pulumi-program.txt").monitor.found if not it.read]
    assert {it.name: it.request.importId for it in made} == {
        "research": "",
        "research-research": "research",
        "research-research.quota": "research/quota",
        "research-vision": "vision",
        "research-vision.quota": "vision/quota",
        "research-vision.best-effort": "vision/best-effort",
        "research-vision.urgent": "vision/urgent",
        "research-ai-pipeline": "ai-pipeline",
        "research-ai-pipeline.quota": "ai-pipeline/quota",
        "research-failure-policy": "failure-policy",
    }


def test_a_program_for_what_is_new_makes_it_below_its_parent():
    found = ran("pulumi-program-new.txt")
    assert found["research-research"].metadata["labels"] == {"quotatree.dev/parent": "org"}
    quota = found["research-vision.urgent"].inputs["spec"]
    assert quota["scopeSelector"]["matchExpressions"][0]["values"] == ["high", "higher"]


@pytest.mark.parametrize("golden", PROGRAMS)
def test_an_exported_program_passes_the_strict_type_checker(golden, tmp_path):
    program = tmp_path / "__main__.py"
    program.write_text((GOLDEN / golden).read_text())
    command = [sys.executable, "-m", "mypy", "--strict", str(program)]
    done = subprocess.run(command, check=False, cwd=ROOT, text=True, capture_output=True)
    assert done.returncode == 0, done.stdout
