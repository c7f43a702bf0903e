"""The policy pack in Pulumi's engine: green, refused, unknown; against a live cluster."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from pulumi import automation
from tests.pulumi.ground import Ground
from tests.pulumi.workshop import PROGRAMS, REPOSITORY, Stack, Workshop

from quotatree.cluster import paths

pytestmark = pytest.mark.pulumi

LOAD = PROGRAMS / "load"
PACK = ("--policy-pack", str(REPOSITORY / "policy"))
ROOT = "policy-root"


@pytest.fixture(scope="module")
def root(ground: Ground) -> str:
    """A root with 10 CPUs."""
    ground.plant({ROOT: ("", {"cpu": "10"})})
    return ROOT


def command(ground: Ground) -> list[str]:
    """What prints the state of the cluster."""
    quotatree = [sys.executable, "-m", "quotatree", "tree", "-o", "json"]
    return [*quotatree, "--kubeconfig", str(ground.kubeconfig)]


def live(ground: Ground, directory: Path) -> tuple[str, str]:
    """A configuration that has each rule ask the live cluster."""
    asks = {"state": "live", "stateCommand": command(ground)}
    rules = ("namespace-limited", "gpu-limited", "tree-room")
    config = {rule: {"enforcementLevel": "mandatory", **asks} for rule in rules}
    file = directory / "config.json"
    file.write_text(json.dumps(config))
    return ("--policy-pack-config", str(file))


def load(workshop: Workshop, namespace: str, *, replicas: int, **config: str) -> Stack:
    given = {"namespace": namespace, "replicas": str(replicas), **config}
    return workshop.stack(LOAD, namespace, config=given)


def told(stack: Stack, *arguments: str) -> tuple[int, str]:
    """Exit code and words of a command, the words on one line."""
    with stack.start(*arguments) as process:
        said = process.communicate()[0]
    return process.returncode, " ".join(said.split())


def test_what_fits_is_green_and_what_does_not_is_refused_with_its_remedy(
    workshop: Workshop, ground: Ground, *, tmp_path: Path, root: str
) -> None:
    config = live(ground, tmp_path)
    fits = load(workshop, "policy-fits", replicas=5, parent=root)
    code, said = told(fits, "preview", *PACK, *config)
    assert code == 0, said
    assert "violation" not in said
    beyond = load(workshop, "policy-beyond", replicas=6, parent=root)
    code, said = told(beyond, "preview", *PACK, *config)
    assert code != 0
    assert "[mandatory] tree-room" in said
    assert f"exceeded quota: {root}, requested: cpu=12, used: cpu=0, limited: cpu=10" in said
    assert "lower replicas or requests, or raise the limit" in said


def test_a_namespace_that_nothing_limits_is_refused_and_a_level_can_be_lowered(
    workshop: Workshop, tmp_path: Path
) -> None:
    stack = load(workshop, "policy-free", replicas=1)
    code, said = told(stack, "preview", *PACK)
    assert code != 0
    assert "namespace policy-free has neither a quota nor a parent" in said
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"namespace-limited": {"enforcementLevel": "advisory"}}))
    code, said = told(stack, "preview", *PACK, "--policy-pack-config", str(config))
    assert code == 0, said
    assert "[advisory] namespace-limited" in said


def test_what_is_unknown_at_preview_is_told_and_refused_where_that_is_configured(
    workshop: Workshop, tmp_path: Path, *, root: str
) -> None:
    stack = load(workshop, "policy-later", replicas=5, parent=root, later="true")
    code, said = told(stack, "preview", *PACK)
    assert code == 0, said
    assert "not judged: deployment/trainer: what it costs: spec.replicas not known yet" in said
    config = tmp_path / "config.json"
    level = {"enforcementLevel": "mandatory", "unknown": "fail"}
    config.write_text(json.dumps({"tree-room": level}))
    code, said = told(stack, "preview", *PACK, "--policy-pack-config", str(config))
    assert code != 0
    assert "spec.replicas not known yet" in said


def test_what_runs_already_is_not_counted_twice(
    workshop: Workshop, ground: Ground, *, tmp_path: Path, root: str
) -> None:
    config = live(ground, tmp_path)
    stack = load(workshop, "policy-runs", replicas=5, parent=root)
    code, said = told(stack, "up", *PACK, *config)
    assert code == 0, said
    ground.until(lambda: len(ground.list(paths.PODS, "policy-runs")) == 5, "5 pods live")
    code, said = told(stack, "preview", *PACK, *config)
    assert code == 0, said
    stack.automation.set_config("replicas", automation.ConfigValue("6"))
    code, said = told(stack, "preview", *PACK, *config)
    assert code != 0
    assert "requested: cpu=2, used: cpu=10, limited: cpu=10" in said
