"""`quotatree doctor` on a real API server: sound, and with each thing broken that it looks at."""

import asyncio
import json
import os
import sys
import time

import pytest
import yaml
from click.testing import CliRunner
from tests.cluster.tenancy import CONTROLLER

from quotatree import sandbox as control_plane
from quotatree.cli import main
from quotatree.cli.install import into_sandbox
from quotatree.cluster import paths
from quotatree.cluster.client import Client
from quotatree.manifests import rbac

pytestmark = pytest.mark.cluster

TREE = """
apiVersion: quotatree.dev/v1alpha1
kind: Tree
tree:
  org:
    hard: {pods: 50, services: 20, requests.storage: 1Ti, count/configmaps: 40}
    children:
      team:
        hard: {cpu: 4, limits.memory: 8Gi}
        quotas:
        - {name: best-effort, hard: {pods: 9}, scopes: [BestEffort]}
      plain:
"""
OBJECTS = [
    ("Pod", "whole", {"requests": {"cpu": "500m"}, "limits": {"memory": "1Gi"}}),
    ("Pod", "half", {"requests": {"cpu": "250m"}, "limits": {"memory": "512Mi"}}),
]


class Bed:
    """A sandbox with a tree that holds objects of every kind that it limits."""

    def __init__(self):
        self.name = f"test-{os.getpid()}-doctor"
        progress = control_plane.Plain(sys.__stderr__ or sys.stderr)
        settings = control_plane.Settings(name=self.name)
        state = control_plane.up(settings, progress=progress, install=into_sandbox)
        self.path = state.kubeconfig

    def plant(self):
        applied = self.run("apply", "-f", "-", stdin=TREE)
        assert applied.exit_code == 0, applied.stderr
        for obj in objects():
            self.ask("create", paths.of_object(obj), obj)

    def run(self, command, *arguments, stdin=None):
        line = [command, "--kubeconfig", str(self.path), *arguments]
        return CliRunner().invoke(main.cli, line, input=stdin)

    def examine(self, *arguments):
        """Return the exit code and the findings that are no advice on pod requests."""
        result = self.run("doctor", "-o", "json", *arguments)
        assert result.exit_code in {0, 3}, result.stderr
        found = json.loads(result.stdout)
        kept = [f for f in found["findings"] if f["code"] != "requests-required"]
        return result.exit_code, kept, {c["name"]: c for c in found["checks"]}

    def ask(self, method, *arguments, path=None, **options):
        async def asked():
            async with await Client.connect(str(path or self.path)) as client:
                return await getattr(client, method)(*arguments, **options)

        return asyncio.run(asked())

    def miscount(self, used):
        """Write a usage as somebody who counts wrongly does; returns the object as committed."""
        return self.ask(
            "patch",
            paths.RESOURCE_QUOTAS,
            "quotatree",
            namespace="team",
            subresource="status",
            body={"status": {"used": used}},
        )

    def used(self, namespace="team"):
        found = self.ask("get", paths.RESOURCE_QUOTAS, "quotatree", namespace=namespace)
        return found["status"]["used"]

    def down(self):
        control_plane.down(self.name, purge=True)


def objects():
    for _, name, resources in OBJECTS:
        containers = [{"name": "c", "image": "none.invalid/x", "resources": resources}]
        yield named("v1", "Pod", name, spec={"containers": containers})
    yield named("v1", "Service", "s", spec={"ports": [{"port": 80}]})
    yield named("v1", "ConfigMap", "extra")
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "3Gi"}}}
    yield named("v1", "PersistentVolumeClaim", "data", spec=claim)


def named(api_version, kind, name, namespace="team", **rest):
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **rest}


@pytest.fixture(scope="module")
def bed():
    made = Bed()
    try:
        made.plant()
        _becomes_sound(made)
        yield made
    finally:
        made.down()


@pytest.fixture
def sound(bed):
    """The bed; whatever a test breaks, it is sound again afterwards."""
    yield bed
    _becomes_sound(bed)


def _becomes_sound(bed):
    end = time.monotonic() + 20
    while (found := bed.examine())[0] != 0 and time.monotonic() < end:
        time.sleep(0.5)
    assert found[:2] == (0, [])


def _miscounted(bed, wrong):
    """Break the usage and examine; again if the native controller counted in between."""
    for _ in range(5):
        bed.miscount(wrong)
        code, findings, _ = bed.examine()
        if code == 3 or bed.used().items() >= wrong.items():
            break
    assert code == 3
    return findings


def test_a_sound_installation_is_sound_and_its_usage_is_recounted_object_by_object(sound):
    code, findings, checks = sound.examine()
    assert (code, findings) == (0, [])
    assert {check["result"] for check in checks.values()} <= {"ok", "warning"}
    # Each namespace has the ConfigMap with the cluster's certificates beside ours.
    assert checks["usage"]["summary"] == "8 objects of 4 kinds recounted"
    assert sound.used()["cpu"] == "750m"


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"count/configmaps": "9"}, id="too much"),
        pytest.param({"count/configmaps": "0"}, id="too little"),
    ],
)
def test_a_wrong_usage_is_named_with_both_numbers_and_fix_counts_it_again(sound, wrong):
    right = sound.used()
    before = sound.ask("get", paths.RESOURCE_QUOTAS, "quotatree", namespace="team")["spec"]
    findings = _miscounted(sound, wrong)
    assert {f["subject"] for f in findings} == {"resourcequota/quotatree -n team"}
    assert {f["message"] for f in findings} == {
        f"{name}: used {value}, its objects cost {right[name]}" for name, value in wrong.items()
    }
    code, findings, _ = sound.examine("--fix")
    assert (code, {f["code"] for f in findings}) == (0, {"usage-repaired"})
    assert sound.used() == right
    after = sound.ask("get", paths.RESOURCE_QUOTAS, "quotatree", namespace="team")["spec"]
    assert after == before


def test_of_a_kind_that_is_watched_too_much_is_written_down_by_itself(sound):
    right = sound.used()
    sound.miscount({"pods": "7", "cpu": "3", "requests.storage": "9Gi"})
    end = time.monotonic() + 20
    while sound.used() != right and time.monotonic() < end:
        time.sleep(0.1)
    assert sound.used() == right
    assert sound.examine()[0] == 0


def test_of_a_kind_that_is_watched_too_little_is_never_committed(sound):
    right = sound.used()
    written = sound.miscount({"pods": "0", "cpu": "0", "services": "0"})
    assert written["status"]["used"] == right
    assert sound.examine()[0] == 0


def test_a_second_quota_in_a_namespace_is_named(sound):
    own = named("v1", "ResourceQuota", "own", spec={"hard": {"pods": "5"}})
    sound.ask("create", paths.RESOURCE_QUOTAS, own)
    code, (finding,), _ = sound.examine()
    sound.ask("delete", paths.RESOURCE_QUOTAS, "own", namespace="team")
    assert (code, finding["code"], finding["level"]) == (0, "other-quota", "warning")
    assert finding["subject"] == "resourcequota/own -n team"


def test_a_right_that_the_controller_lacks_is_named(sound):
    role = sound.ask("get", paths.CLUSTER_ROLES, rbac.CONTROLLER_ROLE)
    fewer = [r for r in role["rules"] if r["resources"] != ["resourcequotas/status"]]
    body = {"rules": fewer}
    sound.ask("patch", paths.CLUSTER_ROLES, rbac.CONTROLLER_ROLE, body=body)
    try:
        code, (finding,), _ = sound.examine()
    finally:
        body = {"rules": role["rules"]}
        sound.ask("patch", paths.CLUSTER_ROLES, rbac.CONTROLLER_ROLE, body=body)
    assert (code, finding["code"]) == (3, "right-missing")
    assert finding["message"].endswith("may not patch resourcequotas/status")


def test_what_nobody_keeps_right_any_more_is_named_and_the_dead_webhook_too(sound, tmp_path):
    control_plane.kill(sound.name, "quotatree")
    ours = acting_as(sound, tmp_path, CONTROLLER)
    hard = {"spec": {"hard": {"pods": None, "secrets": "1E"}}}
    kind, quota = paths.RESOURCE_QUOTAS, "quotatree"
    sound.ask("patch", kind, quota, namespace="team", body=hard, path=ours)
    sound.ask("delete", kind, quota, namespace="plain", path=ours)
    policy = sound.ask("get", paths.POLICIES, "quotatree-limits")
    sound.ask("delete", paths.POLICIES, "quotatree-limits")
    code, findings, _ = sound.examine()
    kept = {key: policy["metadata"][key] for key in ("name", "labels")}
    sound.ask("create", paths.POLICIES, {**policy, "metadata": kept})
    control_plane.restart(sound.name, "quotatree")
    assert code == 3
    named_ones = {(f["code"], f.get("subject")) for f in findings}
    assert {
        ("webhook-unreachable", None),
        ("quota-differs", "resourcequota/quotatree -n team"),
        ("quota-missing", "resourcequota/quotatree -n plain"),
        ("object-missing", "validatingadmissionpolicy/quotatree-limits"),
    } <= named_ones
    (differs,) = [f for f in findings if f["code"] == "quota-differs"]
    assert "spec.hard lacks pods" in differs["message"]
    assert "secrets that nothing limits" in differs["message"]


def acting_as(bed, folder, user):
    """A kubeconfig of the administrator's that acts as somebody else."""
    config = yaml.safe_load(bed.path.read_text(encoding="utf-8"))
    for entry in config["users"]:
        entry["user"]["as"] = user
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("arguments", [[], ["--fix"]])
def test_without_permission_there_is_one_message_and_exit_1(bed, tmp_path, arguments):
    path = acting_as(bed, tmp_path, "nobody-in-particular")
    result = CliRunner().invoke(main.cli, ["doctor", "--kubeconfig", path, *arguments])
    assert result.exit_code == 1
    assert "nobody-in-particular" in result.stderr
    assert result.stderr.count("Error:") == 1
    assert "Traceback" not in result.stderr


READER = """
- {apiGroups: [""], resources: [namespaces, resourcequotas, pods, services], verbs: [list]}
- {apiGroups: [""], resources: [persistentvolumeclaims], verbs: [list]}
- {apiGroups: [quotatree.dev], resources: [treequotas], verbs: [list]}
"""


def test_what_one_may_not_read_is_said_and_is_no_error(bed, tmp_path):
    group = "rbac.authorization.k8s.io"
    rules = yaml.safe_load(READER)
    role = {"apiVersion": f"{group}/v1", "kind": "ClusterRole", "rules": rules}
    binding = {
        "apiVersion": f"{group}/v1",
        "kind": "ClusterRoleBinding",
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "reader"},
        "subjects": [{"apiGroup": group, "kind": "User", "name": "reader"}],
    }
    for obj in (role, binding):
        bed.ask("apply", obj | {"metadata": {"name": "reader"}})
    path = acting_as(bed, tmp_path, "reader")
    result = CliRunner().invoke(main.cli, ["doctor", "--kubeconfig", path, "-o", "json"])
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert {f["code"] for f in found["findings"]} == {"not-checked"}
    results = {check["name"]: check["result"] for check in found["checks"]}
    assert {n for n, result in results.items() if result == "ok"} == {
        "API server",
        "quotas",
        "others",
    }
    assert any("configmaps" in f["message"] for f in found["findings"])
