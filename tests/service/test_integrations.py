"""The shell steps of all integrations run, offline: exit codes, reports, what is passed on."""

import json
import os
import shlex
import stat
from xml.etree import ElementTree

import pytest
import yaml
from tests.service.integrations import (
    BROKEN,
    INTEGRATIONS,
    ROOT,
    TOO_MUCH,
    TREE,
    GitHub,
    filled,
    pods,
    run,
    script,
)

from quotatree.cluster import recount
from quotatree.codec import state as state_codec
from quotatree.engine import survey, whatif
from quotatree.engine.survey import Observed
from quotatree.model.names import Namespace, ResourceName
from quotatree.model.scope import UNSCOPED

STATE = {"QUOTATREE_STATE": "state.json"}
OFFLINE = {"QUOTATREE_OFFLINE": "true"}


@pytest.fixture
def folder(tmp_path):
    """What a user's repository holds: the tree, workloads, and how the cluster stands."""
    (tmp_path / "quotatree.yaml").write_text(TREE, encoding="utf-8")
    (tmp_path / "state.json").write_text(json.dumps(state_of(TREE)), encoding="utf-8")
    (tmp_path / "few").mkdir()
    (tmp_path / "few" / "train.yaml").write_text(pods(3), encoding="utf-8")
    (tmp_path / "many.yaml").write_text(pods(30), encoding="utf-8")
    return tmp_path


def state_of(tree):
    """The document of `quotatree tree -o json` after this tree was applied to an empty cluster."""
    from quotatree.codec import treefile

    world = whatif.after(Observed(), treefile.parse(tree.encode())).world
    seen = Observed(
        namespaces=tuple(world.namespaces.values()),
        quotas=tuple(world.limits.all()),
        managed=tuple(q for found in world.managed.values() for q in found.values()),
    )
    return state_codec.to_dict(survey.survey(seen))


# -- the gate -------------------------------------------------------------------------------


VERDICTS = {0: "fits", 1: "error", 3: "does not fit"}


@pytest.mark.parametrize(
    ("tree", "variables", "want"),
    [
        pytest.param(TREE, OFFLINE, 0, id="it fits an empty cluster"),
        pytest.param(TOO_MUCH, OFFLINE, 3, id="guarantees that do not fit"),
        pytest.param(BROKEN, OFFLINE, 1, id="a mistake in the file"),
        pytest.param(TREE, {"QUOTATREE_STATE": "none.json"}, 1, id="no such state"),
        pytest.param(TREE, STATE | {"QUOTATREE_MANIFESTS": "few"}, 0, id="workloads fit"),
        pytest.param(
            TREE, OFFLINE | {"QUOTATREE_MANIFESTS": "few"}, 1, id="workloads and no cluster"
        ),
        pytest.param(
            TOO_MUCH,
            STATE | {"QUOTATREE_MANIFESTS": "none/"},
            1,
            id="what cannot be judged is worse than what does not fit",
        ),
    ],
)
def test_the_gate_says_by_its_exit_code_and_to_github_what_it_found(folder, tree, variables, want):
    (folder / "quotatree.yaml").write_text(tree, encoding="utf-8")
    given = {"GITHUB_STEP_SUMMARY": "summary", "GITHUB_OUTPUT": "output"}
    done = script(folder, "gate.sh", **variables, **given)
    assert done.code == want, done.out
    assert (folder / "output").read_text(encoding="utf-8") == f"verdict={VERDICTS[want]}\n"
    assert (folder / "summary").exists()


def test_every_report_is_written_and_can_be_read(folder):
    every = {"QUOTATREE_FORMATS": "", "QUOTATREE_MANIFESTS": "many.yaml"}
    done = script(folder, "gate.sh", **STATE, **every)
    assert done.code == 3, done.out
    for name in ("plan", "check"):
        assert done.report(f"{name}.md").strip()
        assert json.loads(done.report(f"{name}.sarif"))["version"] == "2.1.0"
        ElementTree.fromstring(done.report(f"{name}.xml"))
    assert "30" in done.out


def test_namespace_is_for_objects_that_name_none(folder):
    text = pods(9).replace(", namespace: vision", "")
    (folder / "own.yaml").write_text(text, encoding="utf-8")
    variables = STATE | {"QUOTATREE_MANIFESTS": "own.yaml", "QUOTATREE_FILE": ""}
    done = script(folder, "gate.sh", **variables, QUOTATREE_NAMESPACE="vision")
    assert done.code == 3, done.out


# -- the other scripts ----------------------------------------------------------------------


def test_what_is_installed_is_not_installed_again(folder):
    done = script(folder, "install.sh")
    assert done.code == 0, done.out
    assert done.out.startswith("quotatree ")
    assert not (folder / ".quotatree-venv").exists()


def test_a_kubeconfig_is_private_and_passed_on(folder):
    done = script(folder, "login.sh", CONTENT="apiVersion: v1", GITHUB_ENV="env", RUNNER_TEMP=".")
    assert done.code == 0, done.out
    assert (folder / "env").read_text(encoding="utf-8") == "KUBECONFIG=./quotatree-kubeconfig\n"
    written = folder / "quotatree-kubeconfig"
    assert written.read_text(encoding="utf-8") == "apiVersion: v1\n"
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    assert "apiVersion" not in done.out


def test_without_a_kubeconfig_no_cluster_is_asked(folder):
    assert script(folder, "login.sh", CONTENT="", GITHUB_ENV="env").code == 0
    assert (folder / "env").read_text(encoding="utf-8") == "QUOTATREE_OFFLINE=true\n"


COVERAGE = "Coverage: 97 %"


def test_the_comment_is_the_reports_and_a_later_run_replaces_it_and_no_other(folder):
    script(folder, "gate.sh", **OFFLINE)
    github = GitHub(folder, "Well done", COVERAGE)
    report = folder / "quotatree-reports" / "plan.md"
    for text in (report.read_text(encoding="utf-8"), "later"):
        report.write_text(text, encoding="utf-8")
        done = script(folder, "comment.sh", PULL_REQUEST="7", **github.variables)
        assert done.code == 0, done.out
        assert github.comments == ["Well done", COVERAGE, f"<!-- quotatree -->\n{text}"]


def test_the_example_of_a_pull_request_replaces_no_comment_of_others(folder):
    path = ROOT / "examples" / "cicd" / ".github" / "workflows" / "quota.yml"
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    (step,) = (
        s for s in workflow["jobs"]["pull-request"]["steps"] if "GH_TOKEN" in s.get("env", ())
    )
    github = GitHub(folder, COVERAGE)
    for text in ("plan", "later"):
        (folder / "comment.md").write_text(text, encoding="utf-8")
        given = {"NUMBER": "7", "GITHUB_REPOSITORY": "org/app", **github.variables}
        done = run(folder, step["run"], **given)
        assert done.code == 0, done.out
        assert github.comments == [COVERAGE, f"<!-- quotatree preview -->\n{text}"]


def test_the_gate_of_argo_cd_may_list_what_a_new_limit_counts():
    text = (INTEGRATIONS / "argocd" / "presync.yaml").read_text(encoding="utf-8")
    (role,) = [d for d in yaml.safe_load_all(text) if d["kind"] == "ClusterRole"]
    may = {
        f"{resource}.{group}" if group else resource
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        if "list" in rule["verbs"]
    }
    limits = ("cpu", "requests.storage", "services", "gold.deviceclass.resource.k8s.io/devices")
    account = (Namespace("vision"), UNSCOPED)
    wanted = recount.wanted({account: tuple(map(ResourceName, limits))})
    assert [what.resource for what in wanted if what.resource not in may] == []
    assert len(wanted) == len(limits)


def test_without_a_pull_request_there_is_no_comment(folder):
    assert script(folder, "comment.sh").code == 0


@pytest.mark.parametrize("path", sorted((INTEGRATIONS / "ci").glob("*.sh")), ids=lambda p: p.name)
def test_every_script_can_be_run_and_every_variable_of_it_is_described(path):
    assert os.access(path, os.X_OK)
    text = path.read_text(encoding="utf-8")
    assert text.startswith("#!/usr/bin/env bash\n# ")
    used = {w for w in ("QUOTATREE_FILE", "QUOTATREE_STATE", "CONTENT", "PYTHON") if w in text}
    head = text.partition("\nset -")[0]
    assert [name for name in used if f"#   {name} " not in head] == []


# -- the CI systems -------------------------------------------------------------------------


def load(*path):
    return yaml.safe_load(INTEGRATIONS.joinpath(*path).read_text(encoding="utf-8"))


def steps_of(steps, values, folder, **variables):
    """Run all steps of shell one after the other, as a runner does; return the last result."""
    done = None
    for step in steps:
        if "run" in step:
            given = {k: filled(v, values) for k, v in step.get("env", {}).items()}
            line = filled(step["run"], values)
            done = run(folder, line, **{**variables, **given})
            if done.code:
                return done
    return done


def test_the_steps_of_the_github_action_run(folder):
    action = load("github", "action.yml")
    inputs = {name: given["default"] for name, given in action["inputs"].items()}
    inputs |= {"manifests": "few many.yaml", "state": "state.json"}
    values = {f"inputs.{name}": value for name, value in inputs.items()}
    steps = [s for s in action["runs"]["steps"] if "if" not in s]
    path = str(INTEGRATIONS / "github")
    done = steps_of(steps, values, folder, GITHUB_ACTION_PATH=path, GITHUB_OUTPUT="output")
    assert done.code == 3, done.out
    assert (folder / "output").read_text(encoding="utf-8") == "verdict=does not fit\n"


def test_the_steps_of_the_github_workflow_run(folder):
    workflow = load("github", "workflow.yml")
    job = workflow["jobs"]["gate"]
    inputs = {
        n: str(i.get("default", "")) for n, i in workflow[True]["workflow_call"]["inputs"].items()
    }
    inputs |= {"source": source(folder), "ref": "main", "state": "state.json"}
    values = {f"inputs.{name}": value for name, value in inputs.items()}
    values |= {"secrets.kubeconfig": ""}
    steps = [s for s in job["steps"] if "if" not in s]
    given = {**job["env"], "GITHUB_ENV": "env", "GITHUB_OUTPUT": "output"}
    done = steps_of(steps, values, folder, **given)
    assert done.code == 0, done.out
    assert "QUOTATREE_OFFLINE=true" in (folder / "env").read_text(encoding="utf-8")


def source(folder):
    """A repository to clone quotatree from, with the scripts as they are here."""
    made = folder / "source"
    made.mkdir()
    lines = (
        f"cp -R {shlex.quote(str(INTEGRATIONS))} .",
        "git init --quiet --initial-branch main .",
        "git add .",
        "git -c user.name=x -c user.email=x@example.com commit --quiet -m x",
    )
    done = run(made, " && ".join(lines))
    assert done.code == 0, done.out
    return f"file://{made}"


def test_the_script_of_the_gitlab_template_runs(folder):
    (folder / "quotatree.yaml").write_text(TOO_MUCH, encoding="utf-8")
    template = load("gitlab", "quotatree.gitlab-ci.yml")
    given = template["variables"] | {"QUOTATREE_REPOSITORY": source(folder)} | OFFLINE
    done = run(folder, "\n".join(template["quotatree"]["script"]), **given)
    assert done.code == 3, done.out
    assert done.report("plan.xml")


def hook():
    (found,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize(
    ("trees", "want"),
    [
        pytest.param([TREE, TREE], 0, id="both are good"),
        pytest.param([BROKEN, TREE], 1, id="the first has a mistake"),
        pytest.param([TREE, TOO_MUCH], 3, id="the second cannot fit"),
    ],
)
def test_the_entry_of_the_pre_commit_hook_looks_at_every_file(folder, trees, want):
    files = []
    for number, tree in enumerate(trees):
        files.append(f"{number}.yaml")
        (folder / files[-1]).write_text(tree, encoding="utf-8")
    done = run(folder, shlex.join([*shlex.split(hook()["entry"]), *files]))
    assert done.code == want, done.out
