"""`quotatree explain` from outside: screens as accepted, exit codes, and what bad input gets."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from tests.unit.cli import calling
from tests.unit.cli.calling import Run, expect_error, write

from quotatree.cli import explain_inputs
from quotatree.cli.surroundings import Surroundings
from quotatree.engine import fit
from quotatree.engine.survey import Observed
from quotatree.errors import InputError
from quotatree.model.names import Namespace

GOLDEN = Path(__file__).parents[2] / "golden" / "cli" / "explain"
OFFLINE = ("--offline", "--state", "state.json")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    for name in ("full.yaml", "never.yaml", "fits.yaml"):
        shutil.copy(GOLDEN / name, tmp_path / name)
    shutil.copy(GOLDEN.parent / "check" / "state.json", tmp_path / "state.json")
    return calling.runner(tmp_path, monkeypatch, "explain")


@pytest.mark.parametrize(
    ("golden", "arguments", "want"),
    [
        ("full.txt", ("-f", "full.yaml"), 3),
        ("full.json", ("-f", "full.yaml", "-o", "json"), 3),
        ("never.txt", ("-f", "never.yaml"), 3),
        ("fits.txt", ("-f", "fits.yaml"), 0),
        ("namespace.txt", ("batch",), 0),
        ("namespace.json", ("batch", "-o", "json"), 0),
    ],
)
def test_the_answer_is_shown_as_accepted(
    run: Run, golden: str, arguments: tuple[str, ...], want: int
) -> None:
    result = run(*arguments, *OFFLINE)
    assert result.exit_code == want
    calling.matches(result, GOLDEN / golden)


def test_the_change_that_is_named_lets_it_in(run: Run) -> None:
    answer = json.loads(run("-f", "full.yaml", *OFFLINE, "-o", "json").stdout)["answers"][0]
    assert answer["temporary"] is True
    state = json.loads(Path("state.json").read_text(encoding="utf-8"))
    for change in answer["change"]:
        for node in state["nodes"]:
            if node["namespace"] == change["level"]:
                for quota in node["quotas"]:
                    quota["hard"][change["resource"]] = change["to"]
    write(json.dumps(state), "state.json")
    assert run("-f", "full.yaml", *OFFLINE).exit_code == 0


def test_a_namespace_that_is_not_there_is_named(run: Run) -> None:
    expect_error(run("nowhere", *OFFLINE), "namespace nowhere is not in state.json")


def test_what_cannot_be_known_is_a_warning_as_in_check(run: Run) -> None:
    text = (GOLDEN.parent / "check" / "workloads.yaml").read_text(encoding="utf-8")
    agent = next(part for part in text.split("---\n") if "kind: DaemonSet" in part)
    found = json.loads(run("-f", write(agent, "x.yaml"), *OFFLINE, "-o", "json").stdout)
    (item,) = [item for item in found["findings"] if item["code"] != "not-looked-at"]
    assert (item["code"], item["level"]) == ("not-counted", "warning")
    assert found["answers"][0]["unknown"] == [item["message"]]


# -- names and events -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "plural", "group"),
    [
        ("job/train", "jobs", "batch"),
        ("deploy/web", "deployments", "apps"),
        ("PyTorchJob/t", "pytorchjobs", "kubeflow.org"),
        ("pytorchjobs.kubeflow.org/t", "pytorchjobs", "kubeflow.org"),
        ("sts/db", "statefulsets", "apps"),
        ("po/p", "pods", ""),
        ("rayjob/r", "rayjobs", "ray.io"),
    ],
)
def test_a_workload_is_named_as_for_kubectl(text: str, plural: str, group: str) -> None:
    found = explain_inputs.named(text)
    assert (found.kind.plural, found.kind.group) == (plural, group)
    assert found.name == text.partition("/")[2]


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("jbo/train", 'did you mean "job"?'),
        ("job/", "write KIND/NAME"),
        ("job/a/b", "write KIND/NAME"),
        ("quux/a", "no kind of workload is called quux"),
    ],
)
def test_a_wrong_name_says_what_to_write(text: str, want: str) -> None:
    with pytest.raises(InputError, match=want.replace("?", r"\?")):
        explain_inputs.named(text)


def event(
    message: str, name: str = "train", *, time: str = "1", uid: str = ""
) -> dict[str, object]:
    about = {"kind": "Job", "name": name, "uid": uid}
    return {"involvedObject": about, "message": message, "lastTimestamp": time}


REFUSED = 'pods "train-{}" is forbidden: exceeded quota: quotatree, requested: cpu=1'


def test_events_about_quotas_are_told_once_and_the_newest_first() -> None:
    found = [
        event(REFUSED.format("a"), time="1"),
        event(REFUSED.format("b"), time="3"),
        event("exceeded quota: mine, requested: pods=1", "train-7", time="2"),
        event("Back-off pulling image", time="9"),
        event(REFUSED.format("c"), "other", time="9"),
    ]
    assert explain_inputs.told(found, name="train", uid="u") == (
        "3 job/train: exceeded quota: quotatree, requested: cpu=1",
        "2 job/train-7: exceeded quota: mine, requested: pods=1",
    )


TRAINING = {
    "apiVersion": "kubeflow.org/v1",
    "kind": "PyTorchJob",
    "metadata": {"name": "train"},
    "spec": {
        "pytorchReplicaSpecs": {
            role: {
                "replicas": 4,
                "template": {
                    "spec": {"containers": [{"resources": {"limits": {"cpu": cpu}}}]},
                },
            }
            for role, cpu in (("Master", "1"), ("Worker", "2"))
        }
    },
}


def test_each_kind_of_pod_of_a_workload_is_asked_about_by_itself() -> None:
    around = Surroundings(where="", situation=fit.Situation(seen=Observed()))
    found = explain_inputs.asked_of(TRAINING, around, Namespace("batch"), told=("said",))
    assert [(a.subject, a.events) for a in found] == [
        ("the next Master pod of pytorchjob/train -n batch", ("said",)),
        ("the next Worker pod of pytorchjob/train -n batch", ()),
    ]
    costs = [a.request.workload.cost((), ["cpu", "pods"]).to_strings() for a in found if a.request]
    assert costs == [{"cpu": "1", "pods": "1"}, {"cpu": "2", "pods": "1"}]


def test_what_has_no_pods_and_is_there_was_let_in() -> None:
    around = Surroundings(where="", situation=fit.Situation(seen=Observed()))
    body = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}}
    (found,) = explain_inputs.asked_of(body, around, Namespace("batch"))
    assert found.exists
    assert found.subject == "service/s -n batch"


# -- bad input ------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "want"), calling.BAD_MANIFESTS)
def test_a_bad_manifest_gets_one_clear_message(run: Run, text: str | None, want: str) -> None:
    expect_error(run("-f", write(text, "x.yaml"), *OFFLINE), want)


@pytest.mark.parametrize(("text", "want"), calling.BAD_STATES)
def test_a_bad_state_gets_one_clear_message(run: Run, text: str | None, want: str) -> None:
    name = write(text, "s.json")
    expect_error(run("-f", "full.yaml", "--offline", "--state", name), want)


def test_an_amount_that_cannot_be_read_is_an_error(run: Run) -> None:
    text = Path("full.yaml").read_text(encoding="utf-8").replace("cpu: 4", "cpu: lots")
    want = 'x.yaml:1: pod/big -n batch: spec.containers[0].resources.limits["cpu"]'
    expect_error(run("-f", write(text, "x.yaml"), *OFFLINE), want)


def test_what_is_of_no_namespace_has_no_answer(run: Run) -> None:
    name = write("apiVersion: v1\nkind: Node\nmetadata: {name: n}\n", "x.yaml")
    expect_error(run("-f", name, *OFFLINE), "x.yaml: nothing in it is of a namespace")


@pytest.mark.parametrize("arguments", [("-f", "full.yaml"), ("batch",), ("job/a", "-n", "batch")])
def test_a_cluster_that_is_not_there_is_named(run: Run, arguments: tuple[str, ...]) -> None:
    expect_error(run(*arguments), "none")
    name = calling.unreachable()
    expect_error(run(*arguments, "--kubeconfig", name), "127.0.0.1:1")


@pytest.mark.parametrize(
    ("arguments", "want"),
    [
        ((), "give a namespace, KIND/NAME or -f FILE"),
        (("batch", "-f", "x"), "give a namespace, KIND/NAME or -f FILE"),
        (("batch", "--offline"), "--offline and --state FILE go together"),
        (("-f", "-", "--offline", "--state", "-"), "not both"),
        (("job/a", "--offline", "--state", "s"), "a state file holds no workloads"),
    ],
)
def test_bad_usage_says_what_to_give(run: Run, arguments: tuple[str, ...], want: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert want in result.stderr
