"""The commands against a real control plane with quotatree in it: apply, tree, prune, uninstall."""

import asyncio
import json
import os
import sys
import threading

import pytest
from click.testing import CliRunner

from quotatree import sandbox as control_plane
from quotatree.cli import main
from quotatree.cli.install import into_sandbox
from quotatree.cluster import paths
from quotatree.cluster.client import Client
from quotatree.codec import state as state_codec
from quotatree.errors import ClusterError
from quotatree.model.state import TreeState

pytestmark = pytest.mark.cluster

HEAD = "apiVersion: quotatree.dev/v1alpha1\nkind: Tree\ntree:\n"


class Sandbox:
    """A sandbox of this module's own, with quotatree; started when it is asked for."""

    def __init__(self):
        self.name = f"test-{os.getpid()}-cli"
        self._kubeconfig = None

    def kubeconfig(self):
        if self._kubeconfig is None:
            progress = control_plane.Plain(sys.__stderr__ or sys.stderr)
            settings = control_plane.Settings(name=self.name)
            state = control_plane.up(settings, progress=progress, install=into_sandbox)
            self._kubeconfig = str(state.kubeconfig)
        return self._kubeconfig

    def down(self):
        self._kubeconfig = None
        control_plane.down(self.name, purge=True)


@pytest.fixture(scope="module")
def own_sandbox():
    found = Sandbox()
    yield found
    found.down()


@pytest.fixture
def kubeconfig(own_sandbox):
    """The administrator's kubeconfig."""
    return own_sandbox.kubeconfig()


@pytest.fixture
def run(kubeconfig):
    def call(command, *arguments, stdin=None):
        line = [command, "--kubeconfig", kubeconfig, *arguments]
        return CliRunner().invoke(main.cli, line, input=stdin)

    return call


@pytest.fixture
def ask(kubeconfig):
    """Call a method of the client and return what the API server answers."""

    def call(method, *arguments, **options):
        async def asked():
            async with await Client.connect(kubeconfig) as client:
                return await getattr(client, method)(*arguments, **options)

        return asyncio.run(asked())

    return call


def outcomes(result):
    return {line.rsplit(" ", 1)[0]: line.rsplit(" ", 1)[1] for line in result.stdout.splitlines()}


def tree_of(root, *teams):
    """A file of one root with cpu, and teams below it."""
    children = "".join(f"      {team}: {{hard: {{pods: 3}}}}\n" for team in teams)
    below = f"    children:\n{children}" if teams else ""
    return f"{HEAD}  {root}:\n    hard: {{pods: 5}}\n{below}"


def pod(name):
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"containers": [{"name": "c", "image": "none.invalid/x"}]},
    }


def test_an_applied_tree_is_enforced_and_applying_it_again_changes_nothing(run):
    first = run("apply", "-f", "-", stdin=tree_of("once", "once-a"))
    assert first.exit_code == 0, first.stderr
    assert outcomes(first) == {
        "namespace/once": "created",
        "namespace/once-a": "created",
        "treequota/quota -n once": "created",
        "treequota/quota -n once-a": "created",
    }
    assert "2 namespaces are enforced" in first.stderr
    again = run("apply", "-f", "-", stdin=tree_of("once", "once-a"))
    assert set(outcomes(again).values()) == {"unchanged"}


def test_a_changed_limit_and_a_move_are_configured(run, ask):
    run("apply", "-f", "-", stdin=tree_of("moves", "moves-a", "moves-b"))
    nested = (
        f"{HEAD}  moves:\n    hard: {{pods: 6}}\n    children:\n      moves-a:\n"
        "        hard: {pods: 3}\n        children: {moves-b: {hard: {pods: 3}}}\n"
    )
    result = run("apply", "-f", "-", stdin=nested)
    assert result.exit_code == 0, result.stderr
    changed = {name for name, what in outcomes(result).items() if what == "configured"}
    assert changed == {"namespace/moves-b", "treequota/quota -n moves"}
    labels = ask("get", paths.NAMESPACES, "moves-b")["metadata"]["labels"]
    assert labels["quotatree.dev/parent"] == "moves-a"


def test_a_dry_run_changes_nothing(run, ask):
    result = run("apply", "--dry-run", "-f", "-", stdin=tree_of("dry", "dry-a"))
    assert result.exit_code == 0, result.stderr
    assert "4 created; nothing was changed" in result.stderr
    assert ask("find", paths.NAMESPACES, "dry") is None


def test_a_live_tree_is_exported_as_the_file_that_made_it(run, kubeconfig):
    file = (
        f"{HEAD}  org:\n    hard: {{cpu: 5}}\n    labels: {{stage: prod}}\n"
        "    annotations: {owner: ann}\n    children:\n"
        "      org-a: {quotas: [{name: best, hard: {pods: 1}, scopes: [BestEffort]}]}\n"
        "      org-b: {guaranteed: {cpu: 1}}\n"
    )
    assert run("apply", "-f", "-", stdin=file).exit_code == 0
    export = ["export", "pulumi"]
    live = CliRunner().invoke(main.cli, [*export, "org", "--kubeconfig", kubeconfig])
    written = CliRunner().invoke(main.cli, [*export, "-f", "-"], input=file)
    assert live.exit_code == 0, live.stderr
    assert live.stdout == written.stdout
    part = CliRunner().invoke(main.cli, [*export, "org-a", "--kubeconfig", kubeconfig])
    assert '"parent": "org"' in part.stdout


def test_the_tree_shows_what_is_used(run, ask):
    run("apply", "-f", "-", stdin=tree_of("shown", "shown-a", "shown-b"))
    for number in range(3):
        ask("create", paths.PODS, pod(f"p{number}"), namespace="shown-a")
    text = run("tree", "shown")
    assert text.exit_code == 0, text.stderr
    assert "3 / 5" in text.stdout
    assert "0, full" in text.stdout
    document = state_codec.parse(json.loads(run("tree", "shown", "-o", "json").stdout))
    assert isinstance(document, TreeState)
    assert {
        n.namespace: (str(n.figures.used), str(n.figures.available)) for n in document.nodes
    } == {
        "shown": ("pods=3", "pods=2"),
        "shown-a": ("pods=3", "pods=0"),
        "shown-b": ("pods=0", "pods=2"),
    }


def test_prune_removes_limits_and_parents_and_keeps_the_namespace(run, ask):
    run("apply", "-f", "-", stdin=tree_of("prune", "prune-a", "prune-b"))
    result = run("apply", "--prune", "--yes", "-f", "-", stdin=tree_of("prune", "prune-a"))
    assert result.exit_code == 0, result.stderr
    assert outcomes(result)["namespace/prune-b"] == "detached"
    assert outcomes(result)["treequota/quota -n prune-b"] == "removed"
    assert (
        "quotatree.dev/parent" not in ask("get", paths.NAMESPACES, "prune-b")["metadata"]["labels"]
    )


def test_prune_leaves_alone_what_it_did_not_apply(run, ask):
    run("apply", "-f", "-", stdin=tree_of("mine", "mine-a"))
    by_hand = {"metadata": {"name": "by-hand", "labels": {"quotatree.dev/parent": "mine"}}}
    ask("create", paths.NAMESPACES, by_hand)
    run("apply", "--prune", "--yes", "-f", "-", stdin=tree_of("mine"))
    labels = ask("get", paths.NAMESPACES, "by-hand")["metadata"]["labels"]
    assert labels["quotatree.dev/parent"] == "mine"


def test_deleted_namespaces_are_named_with_what_they_hold(run, ask):
    run("apply", "-f", "-", stdin=tree_of("doom", "doom-a", "doom-b"))
    ask("create", paths.PODS, pod("p"), namespace="doom-b")
    arguments = ["--prune", "--delete-namespaces", "--yes", "-f", "-"]
    result = run("apply", *arguments, stdin=tree_of("doom", "doom-a"))
    assert result.exit_code == 0, result.stderr
    assert "to delete: namespace doom-b with 1 object (1 pods)" in result.stderr
    assert ask("find", paths.NAMESPACES, "doom-b") is None
    assert ask("find", paths.NAMESPACES, "doom-a") is not None


def test_a_field_of_somebody_else_is_taken_over_only_by_force(run, ask):
    body = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": "others-a", "labels": {"stage": "test"}},
    }
    ask("apply", body, field_manager="somebody")
    text = tree_of("others", "others-a").replace("{pods: 3}", "{pods: 3}, labels: {stage: prod}")
    refused = run("apply", "-f", "-", stdin=text)
    assert refused.exit_code == 1
    assert "somebody" in refused.stderr
    assert "--force-conflicts" in refused.stderr
    assert "treequota/quota -n others-a: namespace others-a failed" in refused.stderr
    assert run("apply", "--force-conflicts", "-f", "-", stdin=text).exit_code == 0


def test_uninstall_refuses_no_workload_and_leaves_nothing_of_ours(run, ask, own_sandbox):
    run(
        "apply",
        "-f",
        "-",
        stdin=f"{HEAD}  last: {{hard: {{pods: 9999}}, children: {{last-a: }}}}\n",
    )
    refused, stop = [], threading.Event()

    def create_pods():
        number = 0
        while not stop.is_set():
            number += 1
            try:
                ask("create", paths.PODS, pod(f"p{number}"), namespace="last-a")
            except ClusterError as error:
                refused.append(str(error))

    worker = threading.Thread(target=create_pods)
    worker.start()
    result = run("uninstall", "--yes")
    stop.set()
    worker.join()
    assert result.exit_code == 0, result.stderr
    assert refused == []
    spaces, _ = ask("list_all", paths.NAMESPACES)
    assert {"last", "last-a"} <= {space["metadata"]["name"] for space in spaces}
    assert "quotatree.dev/" not in json.dumps([s["metadata"].get("labels", {}) for s in spaces])
    assert not any(space["metadata"].get("ownerReferences") for space in spaces)
    for kind in (paths.TREE_QUOTAS, paths.RESOURCE_QUOTAS, paths.VALIDATING_WEBHOOKS):
        assert ask("list_all", kind)[0] == []
    assert "kubectl delete customresourcedefinitions" in result.stderr
    own_sandbox.down()  # what comes next gets one with quotatree again
