"""`quotatree check` from outside: screens as accepted, exit codes, and what bad input gets."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest
from tests.unit.cli import calling
from tests.unit.cli.calling import Run, expect_error, write

GOLDEN = Path(__file__).parents[2] / "golden" / "cli" / "check"
OFFLINE = ("--offline", "--state", "state.json")
FITS = """
apiVersion: v1
kind: Pod
metadata: {name: small, namespace: batch}
spec: {containers: [{name: c, resources: {limits: {cpu: 1, memory: 1Gi}}}]}
"""
TOO_LARGE = FITS.replace("cpu: 1", "cpu: 500")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    for name in ("workloads.yaml", "state.json"):
        shutil.copy(GOLDEN / name, tmp_path / name)
    return calling.runner(tmp_path, monkeypatch, "check")


@pytest.mark.parametrize(
    ("golden", "arguments"),
    [
        ("check.txt", ()),
        ("check.md", ("-o", "markdown")),
        ("check.sarif", ("-o", "sarif")),
        ("check.xml", ("-o", "junit")),
        ("check.json", ("-o", "json")),
    ],
)
def test_the_answer_is_shown_as_accepted(run: Run, golden: str, arguments: tuple[str, ...]) -> None:
    result = run("-f", "workloads.yaml", *OFFLINE, *arguments)
    assert result.exit_code == 3
    calling.matches(result, GOLDEN / golden)


@pytest.mark.parametrize(
    ("text", "want"),
    [
        pytest.param(FITS, 0, id="it fits"),
        pytest.param(TOO_LARGE, 3, id="it does not fit"),
        pytest.param(FITS.replace("cpu: 1", "cpu: lots"), 1, id="no amount"),
        pytest.param("apiVersion: v1\nkind: Namespace\nmetadata: {name: x}\n", 0, id="not counted"),
    ],
)
def test_the_exit_code_tells_whether_it_fits(run: Run, text: str, want: int) -> None:
    assert run("-f", write(text, "x.yaml"), *OFFLINE).exit_code == want


def test_an_amount_that_cannot_be_read_is_named_with_its_place(run: Run) -> None:
    name = write(FITS.replace("cpu: 1", "cpu: lots"), "x.yaml")
    result = run("-f", name, *OFFLINE)
    assert "error amount-invalid: pod/small -n batch (x.yaml:2)" in result.stdout
    assert 'spec.containers[0].resources.limits["cpu"]' in " ".join(result.stdout.split())
    assert "Verdict: error" in result.stdout


def test_a_folder_is_read_with_all_below_it_in_order_of_the_names(run: Run) -> None:
    Path("w/deep").mkdir(parents=True)
    write(FITS, "w/b.yaml")
    write(FITS.replace("small", "first"), "w/a.yml")
    write(json.dumps({"apiVersion": "v1", "kind": "List", "items": []}), "w/deep/c.json")
    write("no manifest", "w/notes.txt")
    result = run("-f", "w", *OFFLINE, "-o", "json")
    found = [(o["name"], o["file"]) for o in json.loads(result.stdout)["objects"]]
    assert found == [("first", "w/a.yml"), ("small", "w/b.yaml")]


def test_a_folder_without_manifests_is_an_error(run: Run) -> None:
    Path("w").mkdir()
    expect_error(run("-f", "w", *OFFLINE), "w: no file in it ends in .json, .yaml, .yml")


def test_the_manifests_or_the_state_can_come_on_stdin(run: Run) -> None:
    assert run("-f", "-", *OFFLINE, stdin=FITS).exit_code == 0
    state = Path("state.json").read_text(encoding="utf-8")
    write(FITS, "x.yaml")
    assert run("-f", "x.yaml", "--offline", "--state", "-", stdin=state).exit_code == 0


def test_objects_without_a_namespace_go_where_it_is_said(run: Run) -> None:
    name = write(FITS.replace(", namespace: batch", ""), "x.yaml")
    result = run("-f", name, "-n", "ai-pipeline", *OFFLINE, "-o", "json")
    assert json.loads(result.stdout)["objects"][0]["namespace"] == "ai-pipeline"


def test_a_namespace_of_no_tree_is_named(run: Run) -> None:
    result = run("-f", write(FITS.replace("batch", "elsewhere"), "x.yaml"), *OFFLINE)
    assert result.exit_code == 0
    assert "warning namespace-in-no-tree: namespace/elsewhere" in result.stdout


def test_a_namespace_that_comes_with_the_manifests_takes_its_place(run: Run) -> None:
    space = """
apiVersion: v1
kind: Namespace
metadata: {name: fresh, labels: {quotatree.dev/parent: vision}}
---
"""
    name = write(space + TOO_LARGE.replace("batch", "fresh"), "x.yaml")
    result = run("-f", name, *OFFLINE, "-o", "json")
    (found,) = json.loads(result.stdout)["objects"]
    assert [r["level"] for r in found["reasons"]] == ["org"]


def test_a_limit_range_that_comes_along_fills_in_what_is_missing(run: Run) -> None:
    bare = FITS.replace("resources: {limits: {cpu: 1, memory: 1Gi}}", "image: i")
    assert run("-f", write(bare, "x.yaml"), *OFFLINE).exit_code == 3
    limits = """
apiVersion: v1
kind: LimitRange
metadata: {name: l, namespace: batch}
spec: {limits: [{type: Container, default: {cpu: 1, memory: 1Gi}}]}
---
"""
    assert run("-f", write(limits + bare, "x.yaml"), *OFFLINE).exit_code == 0


def test_junit_has_a_case_for_each_object_that_counts(run: Run) -> None:
    root = ElementTree.fromstring(run("-f", "workloads.yaml", *OFFLINE, "-o", "junit").stdout)
    cases = {case.get("name") for case in root.iter("testcase")}
    assert {"deployment/web -n ai-pipeline", "job/evaluate -n batch"} <= cases


# -- bad input ------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "want"), calling.BAD_MANIFESTS)
def test_a_bad_manifest_gets_one_clear_message(run: Run, text: str | None, want: str) -> None:
    expect_error(run("-f", write(text, "x.yaml"), *OFFLINE), want)


@pytest.mark.parametrize(("text", "want"), calling.BAD_STATES)
def test_a_bad_state_gets_one_clear_message(run: Run, text: str | None, want: str) -> None:
    name = write(text, "s.json")
    expect_error(run("-f", "workloads.yaml", "--offline", "--state", name), want)


def test_no_permission_to_read_the_file_is_said(run: Run) -> None:
    name = write(FITS, "x.yaml")
    Path(name).chmod(0)
    if os.access(name, os.R_OK):
        pytest.skip("this user may read everything")
    expect_error(run("-f", name, *OFFLINE), "Permission denied")


def test_without_a_cluster_the_missing_kubeconfig_is_named(run: Run) -> None:
    expect_error(run("-f", "workloads.yaml"), "none")


def test_an_unreachable_cluster_is_named(run: Run) -> None:
    expect_error(run("-f", "workloads.yaml", "--kubeconfig", calling.unreachable()), "127.0.0.1:1")


@pytest.mark.parametrize(
    ("arguments", "want"),
    [
        ((), "Missing option '-f'"),
        (("-f", "x", "--offline"), "--offline and --state FILE go together"),
        (("-f", "x", "--state", "s"), "--offline and --state FILE go together"),
        (("-f", "-", "--offline", "--state", "-"), "not both"),
        (("-f", "x", "-o", "xml"), "Invalid value for '-o'"),
    ],
)
def test_bad_usage_says_what_to_give(run: Run, arguments: tuple[str, ...], want: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert want in result.stderr
