"""What the program meets is not what it needs: one clear error that names it, and no half tree."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.pulumi.ground import Ground
from tests.pulumi.workshop import PROGRAMS, Workshop
from tools import pulumi_engine

from quotatree import sandbox as control_plane
from quotatree.cluster import paths

pytestmark = pytest.mark.pulumi

ONE = PROGRAMS / "one-node"


def test_a_namespace_that_exists_is_not_taken(
    workshop: Workshop, ground: Ground, *, engine: pulumi_engine.Engine
) -> None:
    if engine.built:
        pytest.skip("provider 4.25.0 takes what exists; 4.29 and later refuse")
    ground.plant({"taken": ("", {})})
    stack = workshop.stack(ONE, config={"namespace": "taken"})
    (said,) = stack.errors("up")
    assert "taken" in said
    assert "already exists" in said
    assert [urn for urn in stack.resources if "core/v1" in urn] == []


def test_a_namespace_is_adopted_on_request_and_stays(workshop: Workshop, ground: Ground) -> None:
    ground.plant({"adopted": ("", {})})
    stack = workshop.stack(ONE, config={"namespace": "adopted", "adopt": "true"})
    stack.run("up")
    ground.until(lambda: ground.enforced("adopted"), "the tree holds it")
    stack.run("destroy")
    assert stack.resources == []
    assert ground.list(paths.TREE_QUOTAS, "adopted") == []
    assert "deletionTimestamp" not in ground.get(paths.NAMESPACES, "adopted")["metadata"]


def test_what_does_not_exist_is_not_adopted(workshop: Workshop, ground: Ground) -> None:
    stack = workshop.stack(ONE, config={"namespace": "missing", "adopt": "true"})
    (said,) = stack.errors("preview")
    assert "missing-must-exist-to-be-adopted" in said
    assert "'missing' does not exist" in said


@pytest.fixture(scope="module")
def bare() -> Iterator[Path]:
    """A control plane without quotatree."""
    name = f"pulumi-{os.getpid()}-bare"
    try:
        yield control_plane.up(control_plane.Settings(name=name)).kubeconfig
    finally:
        control_plane.down(name, purge=True)


def test_a_cluster_without_quotatree_is_told_at_preview(
    workshop: Workshop, bare: Path, *, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(bare))
    stack = workshop.stack(ONE, config={"namespace": "never"})
    began = time.monotonic()
    (said,) = stack.errors("preview")
    assert time.monotonic() - began < 30
    assert "needs-quotatree-installed" in said
    assert "does not exist" in said


def test_a_cluster_that_does_not_answer_is_told_once(
    workshop: Workshop, ground: Ground, *, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    nobody = tmp_path / "nobody"
    text = ground.kubeconfig.read_text()
    nobody.write_text(re.sub(r"https://127\.0\.0\.1:\d+", "https://127.0.0.1:9", text))
    monkeypatch.setenv("KUBECONFIG", str(nobody))
    stack = workshop.stack(ONE, config={"namespace": "never"})
    (said,) = stack.errors("preview")
    assert "unreachable" in said or "connection refused" in said
