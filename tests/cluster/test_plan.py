"""What `quotatree plan` says is what `quotatree apply` then does, on a real control plane."""

from __future__ import annotations

import asyncio
import json
import os
import random
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from quotatree.cli import main
from quotatree.cluster import paths
from quotatree.cluster.client import Client
from quotatree.codec import state as state_codec
from quotatree.codec import treefile
from quotatree.model.names import Namespace, QuotaName
from quotatree.model.quota import Quota
from quotatree.model.state import TreeState
from quotatree.model.treefile import TreeFile, TreeNode
from quotatree.sandbox import SandboxState
from quotatree.units.quantity import NANO
from quotatree.units.resources import Resources

pytestmark = pytest.mark.cluster

ROUNDS = 60 if os.environ.get("QUOTATREE_SOAK") else 6
SECRETS = "count/secrets"
HEAD = "apiVersion: quotatree.dev/v1alpha1\nkind: Tree\ntree:\n"
_SETTLED = 10.0  # seconds

Run = Callable[..., Result]
Ask = Callable[..., Any]


@pytest.fixture
def run(tree_sandbox: SandboxState) -> Run:
    def call(command: str, *arguments: str, stdin: str | None = None) -> Result:
        line = [command, "--kubeconfig", str(tree_sandbox.kubeconfig), *arguments]
        return CliRunner().invoke(main.cli, line, input=stdin)

    return call


@pytest.fixture
def ask(tree_sandbox: SandboxState) -> Ask:
    def call(method: str, *arguments: Any, **options: Any) -> Any:
        async def asked() -> Any:
            async with await Client.connect(str(tree_sandbox.kubeconfig)) as client:
                return await getattr(client, method)(*arguments, **options)

        return asyncio.run(asked())

    return call


# -- random trees ---------------------------------------------------------------------------


def random_tree(chance: random.Random, names: list[str], root: str) -> str:
    """Return a file of a tree over `root` and some of `names`, each somewhere below it."""
    placed = [root]
    nodes = [node(chance, root, None, limited=True)]
    for name in chance.sample(names, k=chance.randint(len(names) - 2, len(names))):
        nodes.append(node(chance, name, chance.choice(placed)))
        placed.append(name)
    return treefile.to_text(TreeFile(nodes=tuple(nodes)))


def node(
    chance: random.Random, name: str, parent: str | None, *, limited: bool = False
) -> TreeNode:
    # The limit of the root has everything measured, so all numbers can be foretold.
    hard = chance.randint(2, 14) if limited or chance.random() < 0.7 else None
    kept = chance.randint(1, hard or 4) if chance.random() < 0.4 else None
    spec = {"hard": {} if hard is None else {SECRETS: str(hard)}}
    quota = Quota(
        namespace=Namespace(name),
        name=QuotaName("quota"),
        hard=Resources.parse(spec["hard"]),
        guaranteed=Resources.parse({} if kept is None else {SECRETS: str(kept)}),
    )
    return TreeNode(
        namespace=Namespace(name),
        parent=None if parent is None else Namespace(parent),
        quotas=(quota,) if hard or kept else (),
        labels={"stage": chance.choice("ab")},
    )


def fill(run: Run, ask: Ask, chance: random.Random, names: list[str]) -> None:
    """Have namespaces use something, as far as there is room.

    No more than that: native quota may keep a refused creation charged for minutes.
    """
    for name in sorted(names):
        (seen,) = (node for node in tree_state(run).nodes if node.namespace == name)
        room = seen.figures.available.nano(SECRETS) // NANO
        for number in range(min(chance.randint(0, 3), room)):
            body = {"metadata": {"name": f"s{number}"}}
            ask("create", paths.SECRETS, body, namespace=name)


# -- what was foretold and what came --------------------------------------------------------


def foretold(document: Mapping[str, Any]) -> dict[str, tuple[Any, ...]]:
    """Return the place and the numbers of each namespace."""
    return {
        found["namespace"]: (
            found["parent"]["after"],
            *(
                tuple(
                    row[key]["after"] if isinstance(row[key], dict) else row[key]
                    for key in ("hard", "granted", "used", "charged")
                )
                for row in found["resources"]
                if row["hard"]["after"] or row["granted"] != "0"
            ),
        )
        for found in document["nodes"]
        if found["parent"]["after"] or found["namespace"].count("-") == 0
    }


def standing(state: TreeState, names: set[str]) -> dict[str, tuple[Any, ...]]:
    found: dict[str, tuple[Any, ...]] = {}
    for seen in state.nodes:
        figures = seen.figures
        rows = [
            (
                figures.hard.to_strings().get(resource),
                figures.guaranteed.to_strings().get(resource, "0"),
                figures.used.to_strings().get(resource, "0"),
                figures.charged.to_strings().get(resource, "0"),
            )
            for resource in (SECRETS,)
            if resource in figures.hard or figures.guaranteed.nano(resource)
        ]
        if seen.namespace in names:
            found[seen.namespace] = (seen.parent, *rows)
    return found


def tree_state(run: Run) -> TreeState:
    found = state_codec.parse(json.loads(run("tree", "-o", "json").stdout))
    assert isinstance(found, TreeState)
    return found


def steps(document: Mapping[str, Any]) -> dict[str, str]:
    words = {"create": "created", "change": "configured", "move": "configured"}
    named = {}
    for step in document["steps"]:
        key = (
            f"namespace/{step['namespace']}"
            if step["kind"] == "Namespace"
            else f"treequota/{step['name']} -n {step['namespace']}"
        )
        parents = [f["after"] for f in step.get("fields", ()) if f["field"] == "parent"]
        detached = step["change"] == "move" and parents == [None]
        named[key] = "detached" if detached else words.get(step["change"], step["change"])
    return named


def outcomes(result: Result) -> dict[str, str]:
    document = json.loads(result.stdout)
    words = {"removed": "remove", "skipped": "refused"}
    return {
        item["object"]: words.get(item["result"], item["result"]) for item in document["objects"]
    }


@pytest.mark.parametrize("number", range(ROUNDS))
def test_what_is_foretold_comes(run: Run, ask: Ask, number: int) -> None:
    chance = random.Random(number)
    root, names = f"plan{number}", [f"plan{number}-{i}" for i in range(6)]
    first = run("apply", "-f", "-", stdin=random_tree(chance, names, root))
    assert first.exit_code == 0, first.stderr
    fill(run, ask, chance, [n.namespace for n in tree_state(run).nodes if n.namespace in names])
    wanted = random_tree(chance, names, root)

    said = run("plan", "--prune", "-o", "json", "-f", "-", stdin=wanted)
    assert said.exit_code in {0, 3}, said.stderr
    document = json.loads(said.stdout)
    done = run("apply", "--prune", "--yes", "-o", "json", "-f", "-", stdin=wanted)

    assert outcomes(done) == {k: v for k, v in steps(document).items() if k in outcomes(done)}
    assert {k for k, v in steps(document).items() if v != "refused"} <= set(outcomes(done))
    want = foretold(document)
    end = time.monotonic() + _SETTLED
    while standing(tree_state(run), set(want)) != want and time.monotonic() < end:
        time.sleep(0.2)
    assert standing(tree_state(run), set(want)) == want


def test_a_plan_writes_nothing(run: Run, ask: Ask) -> None:
    standing = f"{HEAD}  still: {{hard: {{pods: 3}}, children: {{still-a: }}}}\n"
    run("apply", "-f", "-", stdin=standing)
    wanted = f"{HEAD}  still: {{hard: {{pods: 2}}, children: {{still-b: }}}}\n"

    def look() -> list[Any]:
        spaces, _ = ask("list_all", paths.NAMESPACES)
        quotas, _ = ask("list_all", paths.TREE_QUOTAS)
        return [
            (o["metadata"]["uid"], o["metadata"].get("labels"), o.get("spec"))
            for o in (*spaces, *quotas)
        ]

    before = look()
    result = run("plan", "--prune", "--detailed-exitcode", "-f", "-", stdin=wanted)
    assert result.exit_code == 10, result.output
    assert look() == before


def test_what_others_set_is_kept_or_in_conflict_as_apply_has_it(run: Run, ask: Ask) -> None:
    run("apply", "-f", "-", stdin=f"{HEAD}  shared: {{hard: {{pods: 3}}}}\n")
    theirs = {
        "apiVersion": "quotatree.dev/v1alpha1",
        "kind": "TreeQuota",
        "metadata": {"name": "quota", "namespace": "shared"},
        "spec": {"hard": {"count/secrets": "7", "pods": "3"}},
    }
    ask("apply", theirs, field_manager="somebody")
    wanted = f"{HEAD}  shared: {{hard: {{services: 4}}}}\n"
    kept = json.loads(run("plan", "-o", "json", "-f", "-", stdin=wanted).stdout)
    hard = {r["resource"]: r["hard"]["after"] for r in kept["nodes"][0]["resources"]}
    assert run("apply", "-f", "-", stdin=wanted).exit_code == 0
    stored = ask("get", paths.TREE_QUOTAS, "quota", namespace="shared")["spec"]["hard"]
    assert stored == hard == {"count/secrets": "7", "pods": "3", "services": "4"}

    fight = f"{HEAD}  shared: {{hard: {{count/secrets: 9}}}}\n"
    said = run("plan", "-f", "-", stdin=fight)
    assert said.exit_code == 3
    assert "field-conflict" in said.stdout
    assert "somebody" in said.stdout
    assert run("apply", "-f", "-", stdin=fight).exit_code == 1
    assert run("plan", "--force-conflicts", "-f", "-", stdin=fight).exit_code == 0


def test_what_runs_in_an_adopted_namespace_is_counted_from_its_objects(run: Run, ask: Ask) -> None:
    ask("create", paths.NAMESPACES, {"metadata": {"name": "adopted"}})
    for number in range(3):
        ask("create", paths.SECRETS, {"metadata": {"name": f"s{number}"}}, namespace="adopted")
        container = {"name": "c", "image": "none.invalid/x", "resources": {"requests": {"cpu": 2}}}
        body = {"metadata": {"name": f"p{number}"}, "spec": {"containers": [container]}}
        ask("create", paths.PODS, body, namespace="adopted")
    hard = "{cpu: 5, count/secrets: 4, count/widgets.example.com: 1}"
    wanted = f"{HEAD}  adopter: {{hard: {hard}, children: {{adopted: }}}}\n"
    document = json.loads(run("plan", "-o", "json", "-f", "-", stdin=wanted).stdout)
    (root,) = (n for n in document["nodes"] if n["namespace"] == "adopter")
    used = {row["resource"]: (row["used"], row["over"]) for row in root["resources"]}
    assert used["cpu"] == ("6", "1")
    assert used["count/secrets"] == ("3", "0")
    codes = {f["code"]: f["message"] for f in document["findings"]}
    assert "over-hard" in codes
    assert "widgets" in codes["usage-not-measured"]
    assert "cpu" not in codes["usage-not-measured"]


def test_devices_are_held_against_what_nodes_and_device_classes_offer(run: Run, ask: Ask) -> None:
    ask(
        "create",
        paths.NODES,
        {
            "metadata": {"name": "with-gpus"},
            "status": {"capacity": {"nvidia.com/gpu": "8"}},
        },
    )
    ask(
        "create",
        paths.DEVICE_CLASSES[0],
        {
            "apiVersion": paths.DEVICE_CLASSES[0].api_version,
            "kind": "DeviceClass",
            "metadata": {"name": "a100.example.com"},
            "spec": {},
        },
    )
    names = {
        "requests.nvidia.com/gpu": True,
        "requests.nvidia.com/gpus": False,
        "a100.example.com.deviceclass.resource.k8s.io/devices": True,
        "a10.example.com.deviceclass.resource.k8s.io/devices": False,
    }
    hard = ", ".join(f"{name}: 1" for name in names)
    said = run("plan", "-o", "json", "-f", "-", stdin=f"{HEAD}  gpus: {{hard: {{{hard}}}}}\n")
    document = json.loads(said.stdout)
    found = [f for f in document["findings"] if f["code"] == "device-not-offered"]
    wrong = {name for name, offered in names.items() if not offered}
    assert {f["message"].split(":")[0] for f in found} == wrong
    assert all("did you mean" in f["remedy"] for f in found)


def test_without_the_right_to_read_one_line_says_which(
    run: Run, tree_sandbox: SandboxState, tmp_path: Any
) -> None:
    config = yaml.safe_load(tree_sandbox.kubeconfig.read_text(encoding="utf-8"))
    for user in config["users"]:
        user["user"]["as"] = "nobody-in-particular"
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    arguments = ["plan", "--kubeconfig", str(path), "-f", "-"]
    result = CliRunner().invoke(main.cli, arguments, input=f"{HEAD}  org: {{hard: {{pods: 3}}}}\n")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "nobody-in-particular" in result.stderr
    assert "list" in result.stderr
    assert "Traceback" not in result.output
