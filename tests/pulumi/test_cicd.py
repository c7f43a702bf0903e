"""The scripts of the CI example: a pull request that fits, main, and two that are refused."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from tests.pulumi.ground import Ground
from tests.pulumi.soak import only_in_soak
from tests.pulumi.workshop import EXAMPLES, Workshop

pytestmark = pytest.mark.pulumi

CICD = EXAMPLES / "cicd"
SPACES = ("acme", "acme-vision", "acme-language", "acme-nightly")
FITS, TOO_MUCH = 'guaranteed: {cpu: "20"}', 'guaranteed: {cpu: "200"}'


@dataclass(frozen=True)
class Checkout:
    """A checkout of the example's repository, as a runner has it."""

    directory: Path

    def run(self, *command: str) -> tuple[int, str]:
        """Run a command; returns its exit code and what it said."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            command,
            check=False,
            cwd=self.directory,
            env=os.environ | {"PATH": path, "STACK": "production"},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        return done.returncode, done.stdout

    def pull_request(self) -> tuple[int, str]:
        """What a pull request runs; returns its exit code and the comment."""
        code, said = self.run("ci/pull-request.sh")
        comment = (self.directory / "comment.md").read_text()
        assert comment in said
        return code, comment

    def replace(self, name: str, old: str, new: str) -> None:
        path = self.directory / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))


@pytest.fixture
def checkout(workshop: Workshop, tmp_path: Path) -> Checkout:
    directory = tmp_path / "cicd"
    shutil.copytree(CICD, directory)
    checkout = Checkout(directory)
    assert checkout.run("pulumi", "stack", "init", "production")[0] == 0
    return checkout


@only_in_soak  # What the pack refuses is held to in test_policy.py.
def test_a_pull_request_whose_workload_does_not_fit_is_refused(
    checkout: Checkout, ground: Ground
) -> None:
    checkout.replace("__main__.py", '"parallelism": 4', '"parallelism": 40')
    code, comment = checkout.pull_request()
    assert code == 1, comment
    assert "tree-room" in comment
    assert "acme-nightly" in comment
    assert [name for name in SPACES if ground.exists(name)] == []


def test_a_pull_request_is_refused_until_its_tree_fits_and_main_makes_it_so(
    checkout: Checkout, ground: Ground
) -> None:
    """The last of these: what main makes goes with the sandbox."""
    checkout.replace("quotatree.yaml", FITS, TOO_MUCH)
    code, comment = checkout.pull_request()
    assert code == 1, comment
    assert "**The preview of the program is refused.**" in comment
    assert "tree.acme" in comment
    assert "200" in comment
    checkout.replace("quotatree.yaml", TOO_MUCH, FITS)
    code, comment = checkout.pull_request()
    assert code == 0, comment
    assert "The preview of the program passes." in comment
    assert all(name in comment for name in SPACES)
    assert [name for name in SPACES if ground.exists(name)] == []
    code, said = checkout.run("ci/main.sh")
    assert code == 0, said
    assert [name for name in SPACES if not ground.enforced(name)] == []


def test_both_ci_systems_run_the_two_scripts() -> None:
    github = yaml.safe_load((CICD / ".github/workflows/quota.yml").read_text())
    gitlab = yaml.safe_load((CICD / ".gitlab-ci.yml").read_text())
    steps = {
        name: [step.get("run", "") for step in github["jobs"][name]["steps"]]
        for name in ("pull-request", "main")
    }
    for name, script in (("pull-request", "ci/pull-request.sh"), ("main", "ci/main.sh")):
        assert script in steps[name]
        assert os.access(CICD / script, os.X_OK)
    assert any("ci/pull-request.sh" in line for line in gitlab["merge-request"]["script"])
    assert any("ci/main.sh" in line for line in gitlab["main"]["script"])
    assert github["permissions"] == {}
    config = json.loads((CICD / "policy/config.json").read_text())
    assert set(config) <= {"workload-requests", "resource-quota-complete"}
