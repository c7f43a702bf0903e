"""The example runs in a short form, on a sandbox of its own as a user's would be."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from quotatree import sandbox as control_plane

DEMO = Path(__file__).parents[2] / "examples" / "ai-pipeline" / "demo.py"


@pytest.mark.cluster
def test_the_demo_shows_the_tree_refuses_by_several_levels_and_leaves_nothing_behind() -> None:
    name = f"test-{os.getpid()}-demo"
    done = subprocess.run(
        [sys.executable, str(DEMO), "--name", name, "--pods", "500"],
        capture_output=True,
        text=True,
        check=False,
        timeout=150,
    )
    assert done.returncode == 0, done.stderr
    assert "usage in the tree equals a recount of the objects" in done.stdout
    assert "ai-pipeline (itself)" in done.stdout
    assert "vision (team)" in done.stdout
    assert name not in control_plane.names()
