"""`quotatree plan` from outside: screens as accepted, exit codes, and what bad input gets."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from quotatree.cli import main
from quotatree.codec import state as state_codec
from quotatree.codec import treefile

GOLDEN = Path(__file__).parents[2] / "golden" / "cli" / "plan"
HEAD = "apiVersion: quotatree.dev/v1alpha1\nkind: Tree\ntree:\n"
GOOD = f"{HEAD}  org: {{hard: {{cpu: 5}}}}\n"

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Call `quotatree plan` where only the accepted inputs lie, and no cluster is."""
    for name in ("quotatree.yaml", "state.json"):
        shutil.copy(GOLDEN / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    environment = {"KUBECONFIG": str(tmp_path / "none"), "HOME": str(tmp_path)}

    def call(*arguments: str, stdin: str | bytes | None = None) -> Result:
        return CliRunner().invoke(main.cli, ["plan", *arguments], input=stdin, env=environment)

    return call


def write(text: str, name: str = "tree.yaml") -> str:
    Path(name).write_text(text, encoding="utf-8")
    return name


OFFLINE = ("--offline", "--state", "state.json", "--prune")


@pytest.mark.parametrize(
    ("golden", "arguments"),
    [
        ("plan.txt", ()),
        ("plan-all.txt", ("--all",)),
        ("plan.md", ("-o", "markdown")),
        ("plan.sarif", ("-o", "sarif")),
        ("plan.xml", ("-o", "junit")),
        ("plan.json", ("-o", "json")),
    ],
)
def test_the_plan_is_shown_as_accepted(run: Run, golden: str, arguments: tuple[str, ...]) -> None:
    result = run("-f", "quotatree.yaml", *OFFLINE, *arguments)
    shown = "".join(f"{line.rstrip()}\n" for line in result.stdout.splitlines())
    if os.environ.get("QUOTATREE_ACCEPT"):
        (GOLDEN / golden).write_text(shown, encoding="utf-8")
    assert result.exit_code == 3
    assert result.stderr == ""
    assert shown == (GOLDEN / golden).read_text(encoding="utf-8")


def test_no_line_of_the_screen_is_wider_than_100_columns_nor_coloured(run: Run) -> None:
    result = run("-f", "quotatree.yaml", *OFFLINE, "--all")
    assert max(map(len, result.stdout.splitlines())) <= 100
    assert "\x1b" not in result.stdout


@pytest.mark.parametrize(
    ("text", "arguments", "want"),
    [
        pytest.param("  org: {hard: {cpu: 5}}", (), 0, id="changes that fit"),
        pytest.param("  org: {hard: {cpu: 5}}", ("--detailed-exitcode",), 10, id="asked in detail"),
        pytest.param("  org: {guaranteed: {cpu: 5}, children: {}}", (), 0, id="a guarantee alone"),
        pytest.param(
            "  org: {hard: {cpu: 1}, children: {a: {guaranteed: {cpu: 2}}}}",
            ("--detailed-exitcode",),
            3,
            id="a guarantee that cannot fit",
        ),
    ],
)
def test_the_exit_code_tells_whether_it_fits(
    run: Run, text: str, arguments: tuple[str, ...], want: int
) -> None:
    assert run("-f", write(HEAD + text), "--offline", *arguments).exit_code == want


def test_a_tree_that_stands_already_needs_nothing(run: Run) -> None:
    wanted = write(
        f"{HEAD}  lab: {{hard: {{cpu: 10}}, children: {{notebooks: {{}}}}}}", "same.yaml"
    )
    state = json.loads(Path("state.json").read_text(encoding="utf-8"))
    for node in state["nodes"]:
        node.update(applied="lab")
        for quota in node["quotas"]:
            quota.update(applied="lab")
    write(json.dumps(state), "state.json")
    result = run("-f", wanted, "--offline", "--state", "state.json", "--detailed-exitcode")
    assert result.exit_code == 0
    assert "to create" not in result.stdout
    assert "Verdict: fits" in result.stdout


def test_the_state_can_come_on_stdin(run: Run) -> None:
    state = Path("state.json").read_text(encoding="utf-8")
    result = run("-f", "quotatree.yaml", "--offline", "--state", "-", stdin=state)
    assert result.exit_code == 3
    assert "on <stdin>" in result.stdout


@pytest.mark.parametrize("output", ["json", "sarif", "junit", "markdown"])
def test_a_file_with_mistakes_is_a_document_too_and_an_error(run: Run, output: str) -> None:
    name = write(f"{HEAD}  org: {{hard: {{memroy: 5}}}}")
    result = run("-f", name, "--offline", "-o", output)
    assert result.exit_code == 1
    assert "did you mean" in result.stdout
    assert "tree.yaml:4:16" in result.stderr
    parsers: dict[str, Callable[[str], Any]] = {
        "json": json.loads,
        "sarif": json.loads,
        "junit": ElementTree.fromstring,
    }
    parsers.get(output, str)(result.stdout)


# -- bad input ------------------------------------------------------------------------------

LARGE = 50 * 2**20


@pytest.mark.parametrize(
    ("make", "want"),
    [
        pytest.param(lambda: "missing.yaml", "missing.yaml: No such file", id="missing file"),
        pytest.param(lambda: ".", ".: Is a directory", id="a directory"),
        pytest.param(lambda: write(""), "the file is empty", id="empty"),
        pytest.param(
            lambda: write(f"{HEAD}  org:\n\thard: {{cpu: 5}}\n"),
            "tree.yaml:5:1: is no YAML",
            id="a tab",
        ),
        pytest.param(lambda: write("#" * LARGE), "tree.yaml: the file is too large", id="50 MB"),
        pytest.param(lambda: write("\x00\x01"), "U+0000 is not allowed", id="binary"),
    ],
)
def test_a_bad_file_gets_one_clear_message(run: Run, make: Callable[[], str], want: str) -> None:
    expect_error(run("-f", make(), "--offline"), want)


@pytest.mark.parametrize(
    ("make", "want"),
    [
        pytest.param(lambda: "missing.json", "missing.json: No such file", id="missing"),
        pytest.param(
            lambda: write('{"kind":\n oops', "bad.json"), "bad.json:2:2: is no JSON", id="no JSON"
        ),
        pytest.param(lambda: write("[]", "bad.json"), "must be a document of kind", id="a list"),
        pytest.param(
            lambda: write('{"apiVersion": "v1", "kind": "List"}', "bad.json"),
            "must be quotatree.dev/v1alpha1",
            id="another kind",
        ),
    ],
)
def test_a_bad_state_gets_one_clear_message(run: Run, make: Callable[[], str], want: str) -> None:
    expect_error(run("-f", "quotatree.yaml", "--offline", "--state", make()), want)


def test_a_bad_state_of_stdin_is_named_as_stdin(run: Run) -> None:
    result = run("-f", "quotatree.yaml", "--offline", "--state", "-", stdin='{"kind":\n oops')
    assert result.exit_code == 1
    assert "<stdin>:2:2: is no JSON" in result.stderr


def test_a_state_larger_than_is_read_is_refused(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_codec, "MAX_BYTES", 1 << 20)
    name = write(" " * (1 << 21), "large.json")
    expect_error(
        run("-f", "quotatree.yaml", "--offline", "--state", name), "at most 1 MiB are read"
    )


def test_no_permission_to_read_the_file_is_said(run: Run) -> None:
    name = write(GOOD)
    Path(name).chmod(0)
    if os.access(name, os.R_OK):
        pytest.skip("this user may read everything")
    expect_error(run("-f", name, "--offline"), "Permission denied")


def test_without_a_cluster_the_missing_kubeconfig_is_named(run: Run) -> None:
    expect_error(run("-f", write(GOOD)), "none")


def test_an_unreachable_cluster_is_named(run: Run) -> None:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": {}}],
    }
    name = write(json.dumps(config), "kubeconfig")
    expect_error(run("-f", write(GOOD), "--kubeconfig", name), "127.0.0.1:1")


def expect_error(result: Result, want: str) -> None:
    assert result.exit_code == 1, result.output
    assert result.stdout == ""
    assert want in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("arguments", "want"),
    [
        (("-f", "x", "--delete-namespaces"), "--delete-namespaces is part of --prune"),
        (("-f", "x", "--state", "s"), "give --offline with it"),
        (("-f", "-", "--offline", "--state", "-"), "not both"),
        ((), "Missing option '-f'"),
    ],
)
def test_bad_usage_says_what_to_give(run: Run, arguments: tuple[str, ...], want: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert want in result.stderr


def test_the_greatest_file_that_is_read_is_bounded() -> None:
    assert treefile.MAX_BYTES < LARGE


def test_of_a_great_tree_the_screen_shows_a_part_and_says_how_much_it_left_out(run: Run) -> None:
    teams = "".join(f"      t{n}: {{hard: {{limits.cpu: 1}}}}\n" for n in range(120))
    name = write(f"{HEAD}  org:\n    hard: {{pods: 5}}\n    children:\n{teams}")
    short = run("-f", name, "--offline").stdout
    assert "… and 202 more; --all shows them" in short  # of 242 steps
    assert "… and 21 more namespaces; --all shows them" in short
    assert "… and 70 more findings; --all shows them" in short
    assert "more" not in run("-f", name, "--offline", "--all").stdout
