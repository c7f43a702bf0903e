"""check and explain beside a living cluster: what stands already, and what may not be read."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result
from tests.cluster.harness.trees import plant
from tests.cluster.lifecycle_fixtures import managed, soon

from quotatree.cli import main
from quotatree.cluster import paths
from quotatree.cluster.client import Client
from quotatree.model import names
from quotatree.sandbox import SandboxState

pytestmark = pytest.mark.cluster

READER = "quotatree-test-reader"


@pytest.fixture
async def client(tree_sandbox: SandboxState) -> AsyncIterator[Client]:
    async with await Client.connect(str(tree_sandbox.kubeconfig)) as connected:
        yield connected


async def call(*arguments: str, config: Path, stdin: Any = None) -> Result:
    options = [*arguments, "--kubeconfig", str(config)]
    body = None if stdin is None else json.dumps(stdin)
    return await asyncio.to_thread(CliRunner().invoke, main.cli, options, input=body)


def somebody(sandbox: SandboxState, user: str, folder: Path) -> Path:
    """Write a kubeconfig that acts as another user."""
    config = yaml.safe_load(sandbox.kubeconfig.read_text(encoding="utf-8"))
    for item in config["users"]:
        item["user"]["as"] = user
    found = folder / user
    found.write_text(yaml.safe_dump(config), encoding="utf-8")
    found.chmod(0o600)
    return found


def deployment(replicas: int) -> dict[str, Any]:
    labels = {"app": "web"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "c", "image": "none"}]},
            },
        },
    }


async def test_what_stands_already_counts_only_as_far_as_it_grows(client, tree_sandbox):
    tree = await plant(client, "org: pods 4 > a")
    await client.create(paths.DEPLOYMENTS, deployment(3), namespace=tree["a"])

    async def running() -> bool:
        found = await managed(client, tree["a"])
        return found is not None and found["status"]["used"]["pods"] == "3"

    await soon(running, what="three pods are counted")
    for replicas, want in ((3, 0), (4, 0), (5, 3)):
        arguments = ["check", "-f", "-", "-n", tree["a"], "-o", "json"]
        config = tree_sandbox.kubeconfig
        result = await call(*arguments, config=config, stdin=deployment(replicas))
        assert result.exit_code == want, (replicas, result.output)


async def test_what_may_not_be_read_is_said_and_the_tree_must_be(client, tree_sandbox, tmp_path):
    tree = await plant(client, "org: pods 4 > a")
    arguments = ["check", "-f", "-", "-n", tree["a"]]
    stranger = somebody(tree_sandbox, "stranger", tmp_path)
    for command in (arguments, ["explain", "-f", "-", "-n", tree["a"]], ["explain", tree["a"]]):
        stdin = deployment(1) if "-f" in command else None
        result = await call(*command, config=stranger, stdin=stdin)
        assert (result.exit_code, result.stdout) == (1, "")
        assert "may not" in result.stderr or "forbidden" in result.stderr.lower()
        assert "Traceback" not in result.output
    await _let_read_the_tree(client)
    reader = somebody(tree_sandbox, READER, tmp_path)
    result = await call(*arguments, "-o", "json", config=reader, stdin=deployment(1))
    assert result.exit_code == 0, result.output
    unread = [f["message"] for f in json.loads(result.stdout)["findings"]]
    assert "storageclasses may not be listed: taken for none" in unread
    assert f"limitranges in {tree['a']} may not be listed: taken for none" in unread


async def _let_read_the_tree(client: Client) -> None:
    rules = [
        {"apiGroups": [""], "resources": ["namespaces", "resourcequotas"], "verbs": ["list"]},
        {"apiGroups": [names.GROUP], "resources": ["treequotas"], "verbs": ["list"]},
    ]
    await client.create(
        paths.CLUSTER_ROLES,
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": READER},
            "rules": rules,
        },
    )
    await client.create(
        paths.CLUSTER_ROLE_BINDINGS,
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": READER},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": READER,
            },
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": READER}],
        },
    )
