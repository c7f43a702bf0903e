"""`quotatree import` from files: what goes to stdout, what is said, and every kind of bad input."""

import json
import socket

import pytest
import yaml
from click.testing import CliRunner
from tools.golden import GOLDEN

from quotatree.cli import main
from quotatree.codec import treefile
from quotatree.model.treefile import TreeFile

HNC = GOLDEN / "import" / "hnc.objects.yaml"
QUOTA = (
    "apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: q, namespace: team}\n"
    "spec: {hard: {cpu: 5}}\n"
)


@pytest.fixture
def run(tmp_path):
    environment = {"KUBECONFIG": str(tmp_path / "none"), "HOME": str(tmp_path)}

    def call(*arguments, stdin=None):
        return CliRunner().invoke(main.cli, ["import", *arguments], input=stdin, env=environment)

    return call


def test_the_tree_goes_to_stdout_and_what_was_lost_to_stderr(run):
    result = run("-f", str(HNC))
    assert result.exit_code == 0, result.stderr
    assert isinstance(treefile.parse(result.stdout.encode()), TreeFile)
    assert "not carried over: subnamespaceanchor/shared -n acme" in result.stderr
    assert result.stderr.splitlines()[-1] == "namespaces written: 4; not carried over: 3"


def test_to_writes_the_file_and_nothing_to_stdout(run, tmp_path):
    target = tmp_path / "quotatree.yaml"
    result = run("-f", str(HNC), "--to", str(target))
    assert result.stdout == ""
    assert isinstance(treefile.parse(target.read_bytes()), TreeFile)


def test_json_holds_the_tree_and_the_notes(run):
    found = json.loads(run("-f", str(HNC), "-o", "json").stdout)
    assert isinstance(treefile.from_data(found["tree"]), TreeFile)
    assert {"source", "message", "lost"} == set(found["notes"][0])


def test_stdin_files_and_folders_are_read_together(run, tmp_path):
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "a.yml").write_text(QUOTA.replace("team", "a"), encoding="utf-8")
    (tmp_path / "b.json").write_text(
        json.dumps(yaml.safe_load(QUOTA.replace("team", "b"))), encoding="utf-8"
    )
    (tmp_path / "notes.txt").write_text("not read", encoding="utf-8")
    result = run("-f", str(tmp_path), "-f", "-", stdin=QUOTA)
    assert set(yaml.safe_load(result.stdout)["tree"]) == {"a", "b", "team"}


def dead_kubeconfig(folder):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    path = folder / "dead"
    server = {"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}
    named = {"name": "c", "context": {"cluster": "c", "user": "u"}}
    config = {"clusters": [server], "contexts": [named], "users": [{"name": "u", "user": {}}]}
    path.write_text(yaml.safe_dump(config | {"current-context": "c"}), encoding="utf-8")
    return path


def big(folder):
    path = folder / "big.yaml"
    with path.open("wb") as file:
        file.truncate(50 * 2**20)
    return path


@pytest.mark.parametrize(
    ("arguments", "stdin", "want"),
    [
        pytest.param(lambda f: ["-f", f / "no.yaml"], None, "No such file", id="missing file"),
        pytest.param(lambda f: ["-f", f], None, "no file in it ends in", id="empty folder"),
        pytest.param(lambda _: ["-f", "-"], "a:\n\t- b\n", "<stdin>:2:1: is no YAML", id="a tab"),
        pytest.param(lambda _: ["-f", "-"], "- 1\n", "must be an object, is a list", id="a list"),
        pytest.param(lambda _: ["-f", "-"], "", "there is no object", id="empty"),
        pytest.param(
            lambda _: ["-f", "-", "--from", "kueue"], QUOTA, "there is no limit", id="other tool"
        ),
        pytest.param(lambda f: ["-f", big(f)], None, "too large", id="50 MB"),
        pytest.param(
            lambda f: ["-f", "-", "--to", f / "none" / "x"], QUOTA, "No such file", id="no folder"
        ),
        pytest.param(
            lambda f: ["--kubeconfig", dead_kubeconfig(f)], None, "127.0.0.1", id="unreachable"
        ),
        pytest.param(lambda f: ["--kubeconfig", f / "no"], None, "no", id="no kubeconfig"),
    ],
)
def test_bad_input_is_one_message_and_exit_1(run, tmp_path, arguments, stdin, want):
    result = run(*map(str, arguments(tmp_path)), stdin=stdin)
    assert result.exit_code == 1
    assert want in result.stderr
    assert "Traceback" not in result.stderr
    assert len([line for line in result.stderr.splitlines() if line.startswith("Error:")]) == 1
    assert result.stdout == ""
