import importlib.util
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from quotatree.codec import treefile
from quotatree.model.treefile import TreeFile
from quotatree.units.resources import Resources

FOLDER = Path(__file__).parents[3] / "examples" / "ai-pipeline"


def _module(name: str) -> ModuleType:
    """Load a module of the example, whose folder has no name that can be imported."""
    spec = importlib.util.spec_from_file_location(f"ai_pipeline_{name}", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their own module up
    spec.loader.exec_module(module)
    return module


replay: Any = _module("replay")
ROWS = replay.read(FOLDER / "trace.csv")
REQUESTS = replay.requests(ROWS)

TREE = replay.Tree(
    parents={"org": None, "team": "org", "app": "team", "web": "team"},
    hard={
        "org": Resources.parse({"cpu": "100"}),
        "team": Resources.parse({"cpu": "50", "pods": "10"}),
        "app": Resources.parse({"memory": "1Gi"}),
        "web": Resources(),
    },
    used={name: Resources() for name in ("org", "team", "app", "web")},
)


def row(**given: str) -> dict[str, str]:
    usual = {"name": "p", "cpu_milli": "1500", "memory_mib": "64", "num_gpu": "2", "qos": "LS"}
    return usual | given


def native(limited: str, quota: str = "quotatree") -> str:
    return (
        f'pods "p" is forbidden: exceeded quota: {quota}, requested: cpu=1, used: cpu=1, '
        f"limited: {limited}"
    )


def test_the_replay_asks_for_every_pod_of_the_trace_once_in_at_least_six_pipelines() -> None:
    pods = [r.body["metadata"]["name"] for r in REQUESTS if r.kind == "Pod"]
    assert pods == [r["name"] for r in ROWS]
    assert len(replay.pipelines(REQUESTS)) >= 6


def test_every_pipeline_of_the_replay_stands_in_the_tree_file_below_one_of_three_teams() -> None:
    tree = treefile.parse((FOLDER / "quotatree.yaml").read_bytes())
    assert isinstance(tree, TreeFile)
    parents = {node.namespace: node.parent for node in tree.nodes}
    teams = {parents[name] for name in replay.pipelines(REQUESTS)}
    assert len(teams) >= 3
    assert {parents[team] for team in teams} == {"research"}


def test_a_pod_asks_for_what_its_row_says_and_gpus_stand_in_the_limits_too() -> None:
    resources = replay.pod(row())["spec"]["containers"][0]["resources"]
    assert resources == {
        "requests": {"cpu": "1500m", "memory": "64Mi", "nvidia.com/gpu": "2"},
        "limits": {"nvidia.com/gpu": "2"},
    }
    assert replay.pod(row(num_gpu="0"))["spec"]["containers"][0]["resources"]["limits"] == {}


@pytest.mark.parametrize(
    ("given", "want_kind"),
    [
        ({"num_gpu": "8", "qos": "BE"}, "several GPUs"),
        ({"num_gpu": "0", "qos": "BE"}, "no GPU"),
        ({"num_gpu": "1", "qos": "BE"}, "best effort"),
        ({"num_gpu": "1", "qos": "LS"}, "one GPU"),
    ],
)
def test_the_kind_of_work_is_told_by_gpus_first(given: dict[str, str], want_kind: str) -> None:
    assert replay.kind_of_work(row(**given)) == want_kind


@pytest.mark.parametrize(
    ("message", "limited_by", "want"),
    [
        pytest.param(native("cpu=100", quota="org"), "", "org", id="quotatree's own words"),
        pytest.param(native("cpu=50"), "", "team", id="native, at the ceiling of a level"),
        pytest.param(native("memory=1024Mi"), "org: cpu", "app", id="native, own ceiling"),
        pytest.param(native("cpu=37"), "org: cpu", "org", id="native, tightened"),
        pytest.param(native("pods=10", quota="quotatree.besteffort"), "", "team", id="scoped"),
        pytest.param(native("cpu=37"), "", replay.UNTOLD, id="nobody told"),
        pytest.param("no such image", "org: cpu", replay.UNTOLD, id="no refusal by quota"),
    ],
)
def test_a_refusal_is_laid_at_the_door_of_one_level(
    message: str, limited_by: str, want: str
) -> None:
    assert replay.refuser(message, "app", tree=TREE, limited_by=limited_by) == want


def test_a_recount_knows_both_names_of_a_resource() -> None:
    counted = replay.usage([replay.pod(row())], [replay.claim("c")])
    assert counted == Resources.parse(
        {
            "pods": "1",
            "count/pods": "1",
            "cpu": "1500m",
            "requests.cpu": "1500m",
            "memory": "64Mi",
            "requests.memory": "64Mi",
            "requests.nvidia.com/gpu": "2",
            "count/persistentvolumeclaims": "1",
            "persistentvolumeclaims": "1",
            "requests.storage": "100Gi",
        }
    )


def test_usage_has_to_agree_on_every_level_in_what_is_limited_there_or_above() -> None:
    recount = {
        "app": Resources.parse({"cpu": "2", "pods": "1"}),
        "web": Resources.parse({"cpu": "3", "pods": "2"}),
    }
    used = {
        "org": Resources.parse({"cpu": "5"}),
        "team": Resources.parse({"cpu": "5", "pods": "4"}),
        "app": Resources.parse({"cpu": "2", "pods": "1"}),
        "web": Resources.parse({"cpu": "3", "pods": "2"}),
    }
    tree = replay.Tree(parents=TREE.parents, hard=TREE.hard, used=used)
    assert replay.differences(tree, recount) == [
        "team: the tree says pods=4, the objects make 3",
    ]
    assert replay.over(tree) == []


def test_a_demo_that_refuses_little_or_by_one_level_only_falls_short() -> None:
    tally = replay.Tally()
    for _ in range(9):
        tally.admit("app")
    tally.refuse("app", "org")
    assert replay.shortcomings(tally, TREE) == [
        "only 1 of 10 requests were refused: less than a fifth",
        "refused by one level only: organisation",
    ]
    tally.refuse("web", "team")
    tally.refuse("web", "app")
    assert replay.shortcomings(tally, TREE) == []
    assert tally.by == Counter({"org": 1, "team": 1, "app": 1})
