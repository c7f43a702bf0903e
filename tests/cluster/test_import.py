"""`quotatree import` reads a real API server, and what it writes can be applied there."""

import asyncio

import pytest
import yaml
from click.testing import CliRunner
from tests.cluster.people import served

from quotatree.cli import main
from quotatree.cluster import paths
from quotatree.cluster.client import Client

pytestmark = pytest.mark.cluster

HRQ = paths.Kind(
    "hnc.x-k8s.io", "v1alpha2", "hierarchicalresourcequotas", True, "HierarchicalResourceQuota"
)
ANCHOR = paths.Kind("hnc.x-k8s.io", "v1alpha2", "subnamespaceanchors", True, "SubnamespaceAnchor")


def crd_of(kind):
    """A CustomResourceDefinition of the published name that keeps every field."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": kind.version, "served": True, "storage": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        # The group is protected; this is what its owners write there when it is not approved.
        "metadata": {
            "name": f"{kind.plural}.{kind.group}",
            "annotations": {"api-approved.kubernetes.io": "unapproved, for a test"},
        },
        "spec": {
            "group": kind.group,
            "scope": "Namespaced",
            "names": {"kind": kind.kind, "plural": kind.plural, "singular": kind.kind.lower()},
            "versions": [version | {"schema": {"openAPIV3Schema": schema}}],
        },
    }


def named(kind, name, namespace=None, **rest):
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata, **rest}


async def limited_by_others(kubeconfig):
    """Make a flat quota, and a tree of HNC's; return how all of it stands."""
    async with await Client.connect(kubeconfig) as client:
        for kind in (HRQ, ANCHOR):
            await client.apply(crd_of(kind), field_manager="test")
            await served(client, kind)
        for name in ("imp-flat", "imp-org", "imp-team"):
            await client.create(paths.NAMESPACES, named(paths.NAMESPACES, name))
        hard = {"hard": {"requests.cpu": "0.5", "pods": "4"}}
        for kind, namespace in ((paths.RESOURCE_QUOTAS, "imp-flat"), (HRQ, "imp-org")):
            await client.create(kind, named(kind, "q", namespace, spec=hard))
        await client.create(ANCHOR, named(ANCHOR, "imp-team", "imp-org"))
        return await standing(client)


async def standing(client):
    lists = [await client.list_all(kind) for kind in (paths.NAMESPACES, HRQ, ANCHOR)]
    return sorted(
        (obj["metadata"]["name"], obj["metadata"]["resourceVersion"])
        for found, _ in lists
        for obj in found
        if obj["metadata"]["name"].startswith("imp-") or obj["metadata"]["name"] == "q"
    )


async def looked_at_again(kubeconfig):
    async with await Client.connect(kubeconfig) as client:
        return await standing(client)


def test_a_cluster_is_read_nothing_is_changed_and_the_file_can_be_applied(tree_sandbox, tmp_path):
    kubeconfig = str(tree_sandbox.kubeconfig)
    before = asyncio.run(limited_by_others(kubeconfig))
    target = tmp_path / "quotatree.yaml"
    result = CliRunner().invoke(
        main.cli, ["import", "--kubeconfig", kubeconfig, "--to", str(target)]
    )
    assert result.exit_code == 0, result.stderr
    assert asyncio.run(looked_at_again(kubeconfig)) == before
    tree = yaml.safe_load(target.read_bytes())["tree"]
    assert tree["imp-flat"] == {"hard": {"pods": "4", "requests.cpu": "500m"}}
    assert tree["imp-org"]["hard"] == tree["imp-flat"]["hard"]
    assert tree["imp-org"]["children"] == {"imp-team": {"lifecycle": "Owned"}}
    applied = CliRunner().invoke(main.cli, ["apply", "--kubeconfig", kubeconfig, "-f", str(target)])
    assert applied.exit_code == 0, applied.stderr


def test_without_permission_the_message_says_what_was_asked(tree_sandbox, tmp_path):
    config = yaml.safe_load(tree_sandbox.kubeconfig.read_text(encoding="utf-8"))
    for user in config["users"]:
        user["user"]["as"] = "nobody-in-particular"
    path = tmp_path / "nobody"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    result = CliRunner().invoke(main.cli, ["import", "--kubeconfig", str(path)])
    assert result.exit_code == 1
    assert "nobody-in-particular" in result.stderr
    assert "namespaces" in result.stderr
    assert "Traceback" not in result.stderr
