"""The example of the Automation API: pipelines that bring their own namespaces, two at once."""

from __future__ import annotations

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


def test_two_pipelines_at_once_share_their_team_and_leave_nothing_behind(
    workshop: Workshop, ground: Ground, *, tmp_path: Path
) -> None:
    ground.plant({TEAM: ("", {"cpu": "12", "pods": "9"})})
    runs = ("resnet-1", "resnet-2")
    with Census(ground) as census, Kubelet(ground, seconds=0.5):
        running = [begin(name, tmp_path, "--shards", "2") for name in runs]
        said = {process.args[5]: process.communicate()[0] for process in running}
    for name, process in zip(runs, running, strict=True):
        assert process.returncode == 0, said[name]
        assert f"{name}: done in" in said[name]
        assert census.peak[name] >= 2
        assert not ground.exists(name)
    stacks = subprocess.run(
        ["pulumi", "stack", "ls", "--all", "--json"],
        check=True,
        env=os.environ,
        capture_output=True,
        text=True,
    )
    assert "resnet" not in stacks.stdout


def test_a_pipeline_that_fails_is_taken_away_too(
    workshop: Workshop, ground: Ground, *, tmp_path: Path
) -> None:
    ground.plant({TEAM: ("", {"cpu": "12", "pods": "9"})})
    with (
        Kubelet(ground, seconds=0.2, ends="Failed"),
        begin("doomed-run", tmp_path, "--retries", "0") as process,
    ):
        said = process.communicate()[0]
    assert process.returncode == 1, said
    assert "doomed-run: failed" in said
    assert "Traceback" not in said
    assert not ground.exists("doomed-run")
