"""The gate against a real API server, the rights of the GitOps examples, Flux's health check."""

import asyncio
import json

import pytest
import yaml
from click.testing import CliRunner
from tests.cluster.people import served
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
        await client.apply(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
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


def rule(expression):
    """An expression of Flux's, where the object's fields are names, as a rule of a CRD's."""
    text = expression.replace("metadata.generation", "self.generation")
    return {"rule": text.replace("status.?", "self.?status.?"), "message": "no"}


def probe(name, expression):
    """A kind whose objects are accepted if and only if the expression holds for them."""
    text = {"type": "string", "maxLength": 32}  # CEL is admitted by its greatest possible cost
    condition = {"type": "object", "properties": {"type": text, "status": text}}
    conditions = {"type": "array", "maxItems": 8, "items": condition}
    status = {
        "type": "object",
        "properties": {"observedGeneration": {"type": "integer"}, "conditions": conditions},
    }
    spec = {
        "type": "object",
        "properties": {"generation": {"type": "integer"}, "status": status},
        "x-kubernetes-validations": [rule(expression)],
    }
    schema = {"type": "object", "properties": {"spec": spec}}
    version = {"name": "v1", "served": True, "storage": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{name}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {"kind": name.capitalize(), "plural": name, "singular": name},
            "versions": [version | {"schema": {"openAPIV3Schema": schema}}],
        },
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


def test_health_expressions_for_flux_hold_when_they_should(ask):
    """They are CEL, and so are the rules of a CRD: the API server evaluates them for us."""

    async def evaluate(client):
        held = {case: set() for case in CASES}
        for name, expression in expressions().items():
            kind = paths.Kind(GROUP, "v1", name.lower(), True, name.lower().capitalize())
            await client.apply(probe(name.lower(), expression), field_manager="test")
            await served(client, kind)
            for number, (case, (given, _)) in enumerate(CASES.items()):
                body = {
                    "apiVersion": kind.api_version,
                    "kind": kind.kind,
                    "metadata": {"name": f"c{number}", "namespace": "default"},
                    "spec": spec_of(given),
                }
                try:
                    await client.create(kind, body)
                except ClusterError as error:
                    if error.status != 422:
                        raise
                else:
                    held[case].add(name)
        return held

    assert ask(evaluate) == {case: want for case, (_, want) in CASES.items()}
