"""check and explain foretell what the API server then does: for every pod, in every tree."""

import asyncio
import itertools
import json
import os
from collections import Counter
from collections.abc import AsyncIterator
from random import Random
from typing import Any

import pytest
from click.testing import CliRunner
from tests.cluster.harness import podgen
from tests.cluster.harness.trees import Tree, clear, eventually, fell, plant
from tests.cluster.lifecycle_fixtures import holds, limit, managed, said, soon, status
from tests.cluster.test_charges import RUNTIME_CLASSES, ensure

from quotatree.cli import main
from quotatree.cluster import paths
from quotatree.cluster.client import Client
from quotatree.model.names import Namespace
from quotatree.sandbox import SandboxState

pytestmark = pytest.mark.cluster

TREES, PODS = (10, 30) if os.environ.get("QUOTATREE_SOAK") else (4, 15)
"""How many trees, and how many pods are asked for in each: 300 in all, or 60."""

PARTS = 2
"""The trees are shared between so many tests, so that none of them takes minutes."""

SETTLED = 1.1
"""Seconds: room that has come back within the last one may be refused still."""

RESOURCES = {
    "pods": (3, 9),
    "count/pods": (4, 9),
    "cpu": (2, 9),
    "requests.cpu": (2, 9),
    "limits.cpu": (4, 16),
    "memory": (2, 6),
    "requests.nvidia.com/gpu": (2, 8),
    "requests.ephemeral-storage": (2, 6),
}
BYTES = {"memory", "requests.ephemeral-storage"}
NAMESPACES = ("a", "b", "c")


@pytest.fixture
async def client(tree_sandbox: SandboxState) -> AsyncIterator[Client]:
    async with await Client.connect(str(tree_sandbox.kubeconfig)) as connected:
        await ensure(connected, paths.PRIORITY_CLASSES, podgen.PRIORITY_CLASS, {"value": 7})
        overhead = {"handler": "heavy", "overhead": {"podFixed": podgen.OVERHEAD}}
        await ensure(connected, RUNTIME_CLASSES, podgen.RUNTIME_CLASS, overhead)
        yield connected


def hard(chance: Random, number: int, names: list[str]) -> dict[str, str]:
    """Return limits on some resources."""
    found = {}
    for name in chance.sample(names, number):
        low, high = RESOURCES[name]
        found[name] = f"{chance.randint(low, high)}{'Gi' if name in BYTES else ''}"
    return found


async def grown(client: Client, chance: Random) -> Tree:
    """Plant a tree with limits, a guarantee, a scoped quota, an own quota and defaults."""
    words = {level: _words(hard(chance, 2, list(RESOURCES))) for level in ("org", "team", "a")}
    tree = await plant(
        client,
        f"org: {words['org']} > team: {words['team']} > a: {words['a']}; team > b; org > c",
    )
    await limit(
        client,
        tree["c"],
        name="kept",
        hard={"requests.cpu": "4"},
        guaranteed={"requests.cpu": f"{chance.randint(1, 2)}"},
    )
    scoped = {"hard": {"pods": f"{chance.randint(1, 3)}"}, "scopes": ["BestEffort"]}
    await limit(client, tree["org"], name="best", **scoped)
    own = {"hard": hard(chance, 1, ["limits.cpu", "requests.nvidia.com/gpu", "pods"])}
    await _create(client, paths.RESOURCE_QUOTAS, tree["b"], {"spec": own})
    default = {"type": "Container", "default": {"cpu": "500m", "memory": "256Mi"}}
    for short in ("b", "c"):
        await _create(client, paths.LIMIT_RANGES, tree[short], {"spec": {"limits": [default]}})
    for level, name in (("org", "limit"), ("org", "best"), ("c", "kept")):
        await status(client, tree[level], name=name, that=holds("Ready"))

    async def standing() -> bool:
        quotas, _ = await client.list_all(paths.RESOURCE_QUOTAS)
        mine = [q for q in quotas if q["metadata"]["namespace"].startswith(f"{tree.prefix}-")]
        return len(mine) >= 2 * len(tree.parents) and all(
            q["spec"]["hard"] == q.get("status", {}).get("hard") for q in mine
        )

    await eventually(standing, what="every quota is measured")
    return tree


def _words(amounts: dict[str, str]) -> str:
    return ", ".join(f"{name} {amount}" for name, amount in amounts.items())


async def _create(client: Client, kind: paths.Kind, where: Namespace, rest: dict[str, Any]) -> None:
    head = {"apiVersion": "v1", "kind": kind.kind, "metadata": {"name": "own"}}
    await client.create(kind, head | rest, namespace=where)


async def versions(client: Client, tree: Tree) -> dict[str, str]:
    """Return the version of every quota: the same before and after means the same world."""
    quotas, _ = await client.list_all(paths.RESOURCE_QUOTAS)
    return {
        f"{m['namespace']}/{m['name']}": m["resourceVersion"]
        for m in (q["metadata"] for q in quotas)
        if m["namespace"].startswith(tree.prefix)
    }


class Oracle:
    """The two commands, asked as a person asks them."""

    def __init__(self, sandbox: SandboxState) -> None:
        self._config = str(sandbox.kubeconfig)

    def check(self, body: dict[str, Any], namespace: str) -> dict[str, Any]:
        """Return what check says of one pod."""
        found = self._ask("check", body, namespace)
        answer: dict[str, Any] = found["objects"][0]
        assert answer["fitsAlone"] is answer["fitsInOrder"]
        return answer

    def explain(self, body: dict[str, Any], namespace: str) -> dict[str, Any]:
        """Return what explain says of one pod."""
        answer: dict[str, Any] = self._ask("explain", body, namespace)["answers"][0]
        return answer

    def _ask(self, command: str, body: dict[str, Any], namespace: str) -> dict[str, Any]:
        options = ["-f", "-", "-n", namespace, "-o", "json", "--kubeconfig", self._config]
        result = CliRunner().invoke(main.cli, [command, *options], input=json.dumps(body))
        assert result.exit_code in {0, 3}, result.output
        found: dict[str, Any] = json.loads(result.stdout)
        assert (result.exit_code == 0) is (found["verdict"] == "fits")
        return found


async def foretold(
    client: Client, oracle: Oracle, tree: Tree, *, body: dict[str, Any], where: Namespace
) -> tuple[str, str]:
    """Ask, then create; returns what was foretold and what the API server said."""
    while True:
        before = await versions(client, tree)
        answer = await asyncio.to_thread(oracle.check, body, where)
        explained = await asyncio.to_thread(oracle.explain, body, where)
        if before != await versions(client, tree):
            continue  # a recount came in between: ask again
        assert explained["fits"] is answer["fitsAlone"], (answer, explained)
        assert explained["reasons"] == answer["reasons"]
        told = await said(client.create(paths.PODS, body, namespace=where))
        if "retry" not in told:
            codes = sorted({reason["code"] for reason in answer["reasons"]})
            return ",".join(codes), told


def is_invalid(told: str) -> bool:
    """Whether the API server would take the pod nowhere: a LimitRange may have made it so."""
    return " is invalid: " in told


def disagreement(codes: str, told: str) -> str:
    """Return how the answer and the API server differ, empty where they do not."""
    refused = "quota" in told or "must specify" in told
    if told and not refused:
        return f"refused for another reason: {told}"
    if bool(codes) is not bool(told):
        return f"foretold {codes or 'that it fits'}, the API server said {told or 'yes'}"
    if ("must specify" in told) and "amounts-missing" not in codes:
        return f"foretold {codes}, the API server missed amounts: {told}"
    return ""


async def try_tree(client: Client, oracle: Oracle, seed: int, counts: Counter[str]) -> list[str]:
    """Ask for pods in a tree until it is quite full, empty it, and go on; returns complaints."""
    chance = Random(seed)
    tree = await grown(client, chance)
    complaints, refused, asked = [], 0, 0
    for number in itertools.count(1):
        if asked == PODS:
            break
        body = podgen.pod(chance, f"p{number}")
        where = tree[chance.choice(NAMESPACES)]
        codes, told = await foretold(client, oracle, tree, body=body, where=where)
        if is_invalid(told):
            counts["invalid"] += 1
            continue
        if said_wrong := disagreement(codes, told):
            complaints.append(f"seed {seed}, pod {number} in {where}: {said_wrong}\n{body}")
        asked += 1
        counts[codes or "fits"] += 1
        refused += bool(told)
        if refused * 20 > asked * 11:  # more than 55 %: give back what is there
            await clear(client, tree)
            await asyncio.sleep(SETTLED)
    await fell(client, tree)
    return complaints


@pytest.mark.parametrize("part", range(PARTS))
async def test_check_and_explain_agree_with_what_the_api_server_then_does(
    client, tree_sandbox, part
):
    counts: Counter[str] = Counter()
    complaints = []
    seeds = range(100 + part, 100 + TREES, PARTS)
    for seed in seeds:
        complaints += await try_tree(client, Oracle(tree_sandbox), seed, counts)
    pods = len(seeds) * PODS
    assert not complaints, f"{len(complaints)} of {pods}:\n" + "\n\n".join(complaints[:5])
    invalid = counts.pop("invalid", 0)
    refused = counts.total() - counts["fits"]
    assert counts.total() == pods > 5 * invalid
    assert counts.total() <= 3 * refused <= 2 * counts.total(), counts
    print(f"foretold: {dict(counts)}, and {invalid} that no API server would take")


async def test_explain_of_a_controller_names_who_refuses_its_next_pod(client, tree_sandbox):
    tree = await plant(client, "org: pods 3 > a; org > b")
    for short, number in (("b", 2), ("a", 3)):
        job = {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": "train"},
            "spec": {"parallelism": number, "template": _template()},
        }
        await client.create(paths.JOBS, job, namespace=tree[short])

        async def full(short: str = short, most: int = min(number, 1 + (short == "b"))) -> bool:
            found = await managed(client, tree[short])
            assert found is not None
            return int(found["status"]["used"]["pods"]) >= most

        await soon(full, what=f"the job in {short} has what there is for it")
    options = ["-n", tree["a"], "-o", "json", "--kubeconfig", str(tree_sandbox.kubeconfig)]

    async def answer() -> dict[str, Any] | None:
        result = await asyncio.to_thread(
            CliRunner().invoke, main.cli, ["explain", "job/train", *options]
        )
        found: dict[str, Any] = json.loads(result.stdout)["answers"][0]
        return found if found["events"] and result.exit_code == 3 else None

    found = await soon(answer, what="the job's events say why")
    assert found is not None
    (reason,) = found["reasons"]
    assert (reason["code"], reason["level"], reason["temporary"]) == (
        "limit-reached",
        tree["org"],
        True,
    )
    assert [x["level"] for x in found["levels"] if x["refuses"]] == [tree["org"]]
    (takers,) = found["consumers"]
    assert [(t["namespace"], t["amount"]) for t in takers["namespaces"]] == [
        (tree["b"], "2"),
        (tree["a"], "1"),
    ]
    assert found["change"][0]["to"] == "4"
    assert "exceeded quota" in found["events"][0]
    assert "it has 1 of its 3 pods" in found["notes"]


def _template() -> dict[str, Any]:
    container = {"name": "c", "image": "none"}
    return {"spec": {"restartPolicy": "Never", "containers": [container]}}
