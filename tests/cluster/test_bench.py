"""The benchmark runs, and its document has the right shape; its figures are not looked at."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.cluster
@pytest.mark.alone
def test_the_quick_benchmark_measures_every_scene_and_writes_its_document(tmp_path: Path) -> None:
    file = tmp_path / "bench.json"
    name = f"test-{os.getpid()}-bench"
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--quick", "--name", name, "--output", str(file)],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(file.read_text())
    scenes = {"none-1", "depth1-1", "depth4-1", "depth8-1", "depth4-2", "slices-1", "slices-2"}
    assert set(document["creation"]["summary"]) == {*scenes, "servers-1", "servers-2"}
    assert [size["namespaces"] for size in document["engine"]] == [10, 1_000]
    assert set(document["refusal"]["summary"]) == {"depth4-1-full", "depth4-2-full"}
    for pair in document["refusal"]["pairs"]:
        assert not any("201" in sample["statuses"] for sample in pair.values())
        assert pair["native"]["calls"] == 0
        assert pair["other"]["calls"] > 0
    assert document["webhook"]["reviews"] == 300
    assert len(document["bars"]) == 18
    assert document["controller"]["after"] > 0
    # Below a tree every growth is decided by quotatree; beside it, or within slices, none is.
    for pair in document["creation"]["pairs"]:
        assert pair["native"]["calls"] == 0
        asks = pair["other"]["scene"].startswith(("depth", "servers"))
        assert (pair["other"]["calls"] > 0) == asks
