"""The gate against a real API server, the rights of the GitOps examples, Flux's health check."""

import asyncio
import json

import pytest
import yaml
from click.testing import CliRunner
from tests.cluster.people import eventually, served
from tests.service.integrations import INTEGRATIONS, pods, script

from quotatree.cli import main
from quotatree.cluster import paths
from quotatree.cluster.client import Client
from quotatree.errors import ClusterError

pytestmark = pytest.mark.cluster

TREE = """\
apiVersion: quotatree.dev/v1alpha1
kind: Tree
tree:
  gate-org:
    hard: {pods: "10"}
    children:
      gate-team: {hard: {pods: "5"}}
"""


@pytest.fixture
def run(tree_sandbox):
    def call(command, *arguments, kubeconfig=tree_sandbox.kubeconfig, stdin=None):
        line = [command, "--kubeconfig", str(kubeconfig), *arguments]
        return CliRunner().invoke(main.cli, line, input=stdin)

    return call


@pytest.fixture
def ask(tree_sandbox):
    """Do something with a client of the administrator's."""

    def call(work):
        async def asked():
            async with await Client.connect(str(tree_sandbox.kubeconfig)) as client:
                return await work(client)

        return asyncio.run(asked())

    return call


def documents(*path):
    text = INTEGRATIONS.joinpath(*path).read_text(encoding="utf-8")
    return [d for d in yaml.safe_load_all(text) if d]


def test_the_gate_asks_the_cluster_of_the_kubeconfig(run, tree_sandbox, tmp_path):
    applied = run("apply", "-f", "-", stdin=TREE)
    assert applied.exit_code == 0, applied.stderr
    (tmp_path / "quotatree.yaml").write_text(TREE, encoding="utf-8")
    (tmp_path / "few.yaml").write_text(pods(3, "gate-team"), encoding="utf-8")
    (tmp_path / "many.yaml").write_text(pods(30, "gate-team"), encoding="utf-8")
    given = {"KUBECONFIG": str(tree_sandbox.kubeconfig)}
    for manifests, want in (("few.yaml", 0), ("many.yaml", 3)):
        done = script(tmp_path, "gate.sh", **given, QUOTATREE_MANIFESTS=manifests)
        assert done.code == want, done.out
    dead = {"KUBECONFIG": str(tmp_path / "none")}
    assert script(tmp_path, "gate.sh", **dead).code == 1


def acting(tree_sandbox, folder, user):
    """A kubeconfig that acts as a ServiceAccount."""
    config = json.loads(tree_sandbox.kubeconfig.read_text(encoding="utf-8"))
    for entry in config["users"]:
        entry["user"] |= {"as": user, "as-groups": ["system:serviceaccounts"]}
    path = folder / "acting"
    path.write_text(json.dumps(config), encoding="utf-8")
    return path


def test_the_gate_of_argo_cd_is_accepted_and_its_rights_are_enough(
    run, ask, tree_sandbox, tmp_path
):
    namespace = "quotas"
    wide = {"ClusterRole", "ClusterRoleBinding"}

    async def bring(client):
        # One of the tree is there already: what runs in it has to be listed.
        for name in (namespace, "vision"):
            await client.apply(
                {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
            )
        for obj in documents("argocd", "presync.yaml"):
            if obj["kind"] not in wide:
                obj["metadata"]["namespace"] = namespace
            await client.apply(obj, field_manager="argocd")

    ask(bring)
    (tree,) = [d for d in documents("argocd", "presync.yaml") if d["kind"] == "ConfigMap"]
    (job,) = [d for d in documents("argocd", "presync.yaml") if d["kind"] == "Job"]
    spec = job["spec"]["template"]["spec"]
    command, *arguments = spec["containers"][0]["args"]
    assert arguments == ["-f", "/tree/quotatree.yaml"]
    user = f"system:serviceaccount:{namespace}:{spec['serviceAccountName']}"
    path = acting(tree_sandbox, tmp_path, user)
    text = tree["data"]["quotatree.yaml"]
    planned = run(command, "-f", "-", kubeconfig=path, stdin=text)
    assert planned.exit_code == 0, planned.stderr
    assert "usage-not-listed" not in planned.stdout
    too_much = text.replace('hard: {cpu: "20"}', 'guaranteed: {cpu: "99"}')
    assert run(command, "-f", "-", kubeconfig=path, stdin=too_much).exit_code == 3


def test_the_objects_for_flux_are_accepted(ask):
    async def bring(client):
        await client.apply(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "quotas"}}
        )
        (job,) = documents("flux", "gate", "job.yaml")
        await client.apply(job, field_manager="flux", dry_run=True)
        for obj in documents("flux", "tree", "tree.yaml"):
            await client.apply(obj, field_manager="flux")
        found, _ = await client.list_all(paths.TREE_QUOTAS)
        return {obj["metadata"]["namespace"] for obj in found}

    assert {"research", "vision"} <= ask(bring)


# -- Flux's health check --------------------------------------------------------------------

GROUP = "probe.quotatree.dev"


def expressions():
    (tree,) = [d for d in documents("flux", "quota-tree.yaml") if "healthCheckExprs" in d["spec"]]
    (found,) = tree["spec"]["healthCheckExprs"]
    return {name: found[name] for name in ("failed", "inProgress", "current")}


PROBE = paths.Kind(GROUP, "v1", "probes", True, "Probe")


def probe_crd():
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"probes.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {"kind": "Probe", "plural": "probes", "singular": "probe"},
            "versions": [version | {"schema": {"openAPIV3Schema": schema}}],
        },
    }


def policy(name, expression):
    """A policy that lets an object of this label pass if and only if the expression holds.

    For Flux the object's fields are names of their own; here they lie in `object.spec`.
    """
    text = expression.replace("metadata.generation", "object.spec.generation")
    text = text.replace("status.?", "object.spec.?status.?")
    rules = [{"apiGroups": [GROUP], "apiVersions": ["*"], "operations": ["CREATE"]}]
    own = {"name": "own", "expression": f"object.metadata.labels.which == '{name}'"}
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": f"probe-{name.lower()}"},
        "spec": {
            "matchConstraints": {"resourceRules": [rules[0] | {"resources": ["probes"]}]},
            "matchConditions": [own],
            "validations": [{"expression": text, "message": "it does not hold"}],
        },
    }


def binding(name):
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": f"probe-{name.lower()}"},
        "spec": {"policyName": f"probe-{name.lower()}", "validationActions": ["Deny"]},
    }


CASES = {
    "new": ({"generation": 1}, {"inProgress"}),
    "changed": ({"generation": 2, "status": {"observedGeneration": 1}}, {"inProgress"}),
    "measuring": (("Ready", "False"), {"inProgress"}),
    "in force": (("Ready", "True"), {"current"}),
    "exceeded": (("Ready", "True", "Exceeded", "True"), {"failed", "current"}),
    "within": (("Ready", "True", "Exceeded", "False"), {"current"}),
    "a guarantee waits": (("Ready", "True", "GuaranteeGranted", "False"), {"inProgress"}),
    "a guarantee stands": (("Ready", "True", "GuaranteeGranted", "True"), {"current"}),
}


def spec_of(case):
    if isinstance(case, dict):
        return case
    pairs = zip(case[::2], case[1::2], strict=True)
    conditions = [{"type": kind, "status": status} for kind, status in pairs]
    return {"generation": 2, "status": {"observedGeneration": 2, "conditions": conditions}}


async def holds(client, name, spec):
    """Whether the API server finds that the expression holds; it says so if it cannot tell."""
    metadata = {"name": "p", "namespace": "default", "labels": {"which": name}}
    body = {"apiVersion": PROBE.api_version, "kind": "Probe", "metadata": metadata, "spec": spec}
    path = PROBE.path("default")
    try:
        await client.request("POST", path, body=body, params={"dryRun": "All"})
    except ClusterError as error:
        if "it does not hold" not in str(error):
            raise
        return False
    return True


def test_health_expressions_for_flux_hold_when_they_should(ask):
    """They are CEL, and so are policies: the API server evaluates them for us."""

    async def evaluate(client):
        await client.apply(probe_crd(), field_manager="test")
        await served(client, PROBE)
        for name, expression in expressions().items():
            await client.apply(policy(name, expression), field_manager="test")
            await client.apply(binding(name), field_manager="test")
            never = next(spec_of(given) for given, want in CASES.values() if name not in want)

            async def in_force(name=name, never=never):
                return not await holds(client, name, never)

            await eventually(in_force, what=f"the policy for {name} is in force")
        return {
            case: {name for name in expressions() if await holds(client, name, spec_of(given))}
            for case, (given, _) in CASES.items()
        }

    assert ask(evaluate) == {case: want for case, (_, want) in CASES.items()}
