"""Every example can be used as it stands, and the example of the demo does what it is for."""

import csv
from collections import Counter

import pytest
import yaml
from tests.docs import pages

from quotatree.codec import quota_rules, treefile
from quotatree.engine import room
from quotatree.engine.forest import Forest
from quotatree.model.scope import UNSCOPED
from quotatree.model.treefile import TreeFile

EXAMPLE = pages.ROOT / "examples" / "ai-pipeline"
YAML = list(pages.blocks("yaml"))
NANO = 10**9


def kinds(block, kind):
    found = [d for d in yaml.safe_load_all(block.text) if isinstance(d, dict)]
    return [document for document in found if document.get("kind") == kind]


@pytest.mark.parametrize("block", [b for b in YAML if kinds(b, "Tree")], ids=lambda b: b.place)
def test_tree_in_the_documentation_is_without_mistakes(block):
    found = treefile.parse(block.text.encode())
    assert isinstance(found, TreeFile), [str(problem) for problem in found]


@pytest.mark.parametrize("block", [b for b in YAML if kinds(b, "TreeQuota")], ids=lambda b: b.place)
def test_tree_quota_in_the_documentation_is_without_mistakes(block):
    for obj in kinds(block, "TreeQuota"):
        assert list(quota_rules.findings(obj["spec"], ("spec",))) == []


def example():
    found = treefile.parse((EXAMPLE / "quotatree.yaml").read_bytes())
    assert isinstance(found, TreeFile), [str(problem) for problem in found]
    return found


def test_example_has_one_organisation_three_teams_and_six_pipelines():
    parents = {node.namespace: node.parent for node in example().nodes}
    roots = [n for n, parent in parents.items() if parent is None]
    teams = [n for n, parent in parents.items() if parent in roots]
    pipelines = [n for n, parent in parents.items() if parent in teams]
    assert len(roots) == 1
    assert len(teams) >= 3
    assert len(pipelines) >= 6


def test_ai_pipeline_limits_compute_storage_counts_and_gpus():
    (node,) = (n for n in example().nodes if n.namespace == "ai-pipeline")
    hard = node.quotas[0].hard.to_strings()
    assert hard["cpu"] == "20"
    assert hard["memory"] == "100Gi"
    assert hard.keys() >= {
        "requests.storage",
        "requests.ephemeral-storage",
        "count/pods",
        "count/persistentvolumeclaims",
        "requests.nvidia.com/gpu",
    }


def test_trace_asks_for_more_than_pipelines_teams_and_organisation_have():
    """At least a fifth is refused and a fifth admitted, and every level has to refuse."""
    forest, leaves, depths = planted(example())
    refused, admitted = Counter(), 0
    with (EXAMPLE / "trace.csv").open(newline="", encoding="utf-8") as file:
        pods = list(csv.DictReader(file))
    for index, pod in enumerate(pods):
        node = forest.node(leaves[index % len(leaves)])
        limits = room.obstacles(node, UNSCOPED, asked(pod))
        if limits:
            refused[depths[limits[0].ancestor]] += 1
        else:
            held = Counter(node.book(UNSCOPED).held) + Counter(asked(pod))
            forest.set_held(node, UNSCOPED, dict(held))
            admitted += 1
    assert admitted >= len(pods) / 5
    assert refused.total() >= len(pods) / 5
    assert set(refused) == {0, 1, 2}


def planted(tree):
    """Return the forest of a file, its leaves, and how deep each namespace lies."""
    forest, depths = Forest(), {}
    for node in tree.nodes:
        forest.declare(node.namespace, node.parent)
        depths[node.namespace] = 0 if node.parent is None else depths[node.parent] + 1
        for quota in (q for q in node.quotas if q.scopes == UNSCOPED):
            forest.set_limits(
                forest.node(node.namespace),
                UNSCOPED,
                hard=quota.hard.nanos(),
                guaranteed=quota.guaranteed.nanos(),
            )
    parents = {node.parent for node in tree.nodes}
    leaves = [node.namespace for node in tree.nodes if node.namespace not in parents]
    return forest, leaves, depths


def asked(pod):
    """Return what a pod of the trace costs, in 10⁻⁹."""
    cost = {
        "cpu": int(pod["cpu_milli"]) * NANO // 1000,
        "memory": int(pod["memory_mib"]) * 2**20 * NANO,
        "count/pods": NANO,
        "requests.nvidia.com/gpu": int(pod["num_gpu"]) * NANO,
    }
    return {name: amount for name, amount in cost.items() if amount}
