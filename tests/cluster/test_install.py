"""Installed, used, upgraded and taken out again by the commands that a cluster's admin types."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from quotatree import sandbox as control_plane
from quotatree.cli import install

pytestmark = pytest.mark.cluster

WITHIN = 60.0
TREE = """\
apiVersion: quotatree.dev/v1alpha1
kind: Tree
tree:
  org:
    hard: {pods: 2}
    children:
      team: {hard: {pods: 5}}
"""
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"generateName": "p-", "namespace": "team"},
    "spec": {"containers": [{"name": "c", "image": "none.invalid/x"}]},
}


class Shell:
    """A terminal of the cluster's administrator."""

    def __init__(self, state: control_plane.SandboxState, folder: Path) -> None:
        self.state = state
        self.folder = folder
        assert state.kubectl is not None
        own, kubectl = Path(sys.executable).parent, Path(state.kubectl).parent
        self.env = {
            **os.environ,
            "KUBECONFIG": str(state.kubeconfig),
            "PATH": f"{own}:{kubectl}:{os.environ['PATH']}",
            "HOME": str(folder),
            "COLUMNS": "80",
        }

    def run(self, line: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", "-c", line],
            input=stdin,
            text=True,
            capture_output=True,
            check=False,
            env=self.env,
        )

    def ok(self, line: str, stdin: str = "") -> str:
        done = self.run(line, stdin)
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def soon(self, line: str, stdin: str = "") -> str:
        """Repeat a command until it succeeds."""
        end = time.monotonic() + WITHIN
        while True:
            done = self.run(line, stdin)
            if done.returncode == 0:
                return done.stdout
            assert time.monotonic() < end, f"{line}\n{done.stdout}\n{done.stderr}"
            time.sleep(0.2)


@pytest.fixture(scope="module")
def shell(tmp_path_factory) -> Iterator[Shell]:
    """A bare control plane of this module's own."""
    name = f"test-{os.getpid()}-install"
    progress = control_plane.Plain(sys.__stderr__ or sys.stderr)
    try:
        state = control_plane.up(control_plane.Settings(name=name), progress=progress)
        yield Shell(state, tmp_path_factory.mktemp("admin"))
    finally:
        control_plane.down(name, purge=True)


@pytest.fixture(scope="module")
def controller(shell) -> Iterator[subprocess.Popen[bytes]]:
    """A controller outside the cluster, with the rights of its ServiceAccount and no others."""
    url, port = shell.state.webhook_url, shell.state.ports.webhook
    shell.ok(f"quotatree manifests --webhook-url {url} | kubectl apply -f -")
    token = shell.ok("kubectl -n quotatree-system create token quotatree").strip()
    own = shell.folder / "controller.json"
    own.write_text(json.dumps(install.controller_kubeconfig(shell.state, token)))
    line = f"controller --kubeconfig {own} --webhook-url {url} --webhook-host 127.0.0.1"
    with (shell.folder / "controller.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "quotatree", *line.split(), "--webhook-port", str(port)],
            stdout=log,
            stderr=log,
            env=shell.env,
        )
    yield process
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 0, (shell.folder / "controller.log").read_text()


KINDS = {
    "Namespace",
    "CustomResourceDefinition",
    "ServiceAccount",
    "ClusterRole",
    "ClusterRoleBinding",
    "Role",
    "RoleBinding",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "Deployment",
    "Service",
    "PodDisruptionBudget",
    "PriorityLevelConfiguration",
    "FlowSchema",
}


def test_the_whole_installation_is_one_line_and_twice_is_once(shell):
    documents = json.loads(shell.ok("quotatree manifests -o json"))
    items = documents["items"] if isinstance(documents, dict) else documents
    assert {item["kind"] for item in items} >= KINDS
    first = shell.ok("quotatree manifests | kubectl apply -f -").splitlines()
    assert len(first) == len(items)
    assert all(line.endswith(" created") for line in first), first
    again = shell.ok("quotatree manifests | kubectl apply -f -").splitlines()
    changed = [line for line in again if not line.endswith(" unchanged")]
    # kubectl sends its selector whole each time (`patchStrategy: replace`) and calls that a change.
    assert changed in ([], ["poddisruptionbudget.policy/quotatree configured"])
    assert "treequotas" in shell.ok("kubectl api-resources --api-group quotatree.dev")


def test_a_tree_is_applied_shown_and_holds(shell, controller):
    shell.soon("quotatree apply -f - --timeout 20", stdin=TREE)
    for _ in range(2):
        shell.soon("kubectl create -f -", stdin=json.dumps(POD))
    refused = shell.run("kubectl create -f -", stdin=json.dumps(POD))
    assert refused.returncode != 0
    assert "exceeded quota" in refused.stderr
    assert "org" in refused.stderr + shell.ok("kubectl -n team get quota quotatree -o yaml")
    shown = shell.ok("kubectl quotatree tree")
    assert "2 / 2" in shown
    assert max(map(len, shown.splitlines())) <= 140
    assert "org" in shell.ok("kubectl get tq -A")
    assert "kubernetes v" in shell.ok("kubectl quotatree version")
    assert "tree" in shell.ok("kubectl __complete quotatree tr")


def test_an_upgrade_over_a_running_controller_changes_nothing_for_tenants(shell, controller):
    url = shell.state.webhook_url
    shell.ok(f"quotatree manifests --webhook-url {url} | kubectl apply -f -")
    shell.ok(
        f"quotatree manifests --webhook-url {url} | "
        "kubectl apply --server-side --force-conflicts -f -"
    )
    assert shell.run("kubectl create -f -", stdin=json.dumps(POD)).returncode != 0
    shell.soon(
        "kubectl get validatingwebhookconfiguration quotatree "
        "-o jsonpath='{.webhooks[*].clientConfig.caBundle}' | grep -q ."
    )
    shell.soon("quotatree apply -f - --timeout 20", stdin=TREE)
    assert controller.poll() is None


def test_it_goes_as_it_came(shell, controller):
    shell.soon("quotatree apply -f - --timeout 20", stdin=TREE)
    shell.ok("quotatree uninstall --yes")
    shell.ok("kubectl create -f -", stdin=json.dumps(POD))
    assert shell.ok("kubectl get quota -A -o name") == ""
    spaces = shell.ok("kubectl get namespaces org team -o yaml")
    assert "quotatree.dev" not in spaces
    assert shell.ok("kubectl get validatingadmissionpolicies -o name") == ""
