"""The example of the Automation API: pipelines that bring their own namespaces, several at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.pulumi.ground import Census, Ground, Kubelet
from tests.pulumi.workshop import EXAMPLES, Workshop

pytestmark = pytest.mark.pulumi

SCRIPT = EXAMPLES / "pipeline-run" / "run.py"
TEAM = "team-of-runs"


def begin(name: str, directory: Path, *more: str) -> subprocess.Popen[str]:
    argv = [sys.executable, str(SCRIPT), "--team", TEAM, "--run", name, "--minutes", "3", *more]
    return subprocess.Popen(
        argv, cwd=directory, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def test_pipelines_at_once_share_their_team_and_leave_nothing_behind_failed_ones_too(
    workshop: Workshop, ground: Ground, *, tmp_path: Path
) -> None:
    ground.plant({TEAM: ("", {"cpu": "16", "pods": "12"})})
    runs = ("resnet-1", "resnet-2")
    with Census(ground) as census, Kubelet(ground, seconds=0.5, fails=("doomed-run",)):
        doomed = begin("doomed-run", tmp_path, "--retries", "0")
        running = {name: begin(name, tmp_path, "--shards", "2") for name in runs}
        said = {name: process.communicate()[0] for name, process in running.items()}
        told = doomed.communicate()[0]
    for name, process in running.items():
        assert process.returncode == 0, said[name]
        assert f"{name}: done in" in said[name]
        assert census.peak[name] >= 2
    assert doomed.returncode == 1, told
    assert "doomed-run: failed" in told
    assert "Traceback" not in told
    assert [name for name in (*runs, "doomed-run") if ground.exists(name)] == []
    assert left() == []


def left() -> list[str]:
    """The stacks that are still there."""
    argv = ["pulumi", "stack", "ls", "--all", "--json"]
    done = subprocess.run(argv, check=True, env=os.environ, capture_output=True, text=True)
    return [stack["name"] for stack in json.loads(done.stdout)]
