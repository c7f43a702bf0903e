import json

import pytest
from click.testing import CliRunner

from quotatree.cli.sandbox import sandbox
from quotatree.sandbox import state
from quotatree.sandbox.locations import Locations
from quotatree.sandbox.versions import PINNED


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return lambda *arguments: CliRunner().invoke(sandbox, arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        ["up", "--name", "Not A Name"],
        ["up", "--kubernetes-version", "newest"],
        ["up", "--etcd-version", "3.6"],
        ["up", "--timeout", "0"],
        ["down", "--name", "../other"],
        ["logs", "kubelet"],
        ["status", "-o", "yaml"],
        ["restart"],
    ],
    ids=" ".join,
)
def test_bad_usage_ends_with_2(run, arguments):
    assert run(*arguments).exit_code == 2


def test_each_command_shows_examples(run):
    for command in sandbox.commands:
        assert "Examples:\n    quotatree sandbox" in run(command, "--help").stdout.replace(
            'eval "$(quotatree', "quotatree"
        )


def test_without_sandboxes_status_says_how_to_start_one(run):
    result = run("status")

    assert (result.exit_code, result.stdout) == (0, "")
    assert "quotatree sandbox up" in result.stderr


def test_a_stopped_sandbox_is_shown_and_ends_with_1(run, tmp_path):
    _save(tmp_path)

    result = run("status", "--json")

    assert result.exit_code == 1
    (shown,) = json.loads(result.stdout)["sandboxes"]
    assert (shown["name"], shown["running"], shown["components"]) == ("one", False, [])


def test_a_dead_component_is_called_dead(run, tmp_path):
    current = _save(tmp_path)
    gone = state.Process(
        component="etcd", pid=1, started="earlier", argv=("etcd",), log=current.log("etcd")
    )
    state.save(current.with_process(gone))

    result = run("status", "--name", "one")

    assert result.exit_code == 1
    assert result.stdout.splitlines()[1].split() == ["one", "etcd", "1", "dead"]


def test_stopping_what_is_not_there_is_no_error(run):
    result = run("down", "--json")

    assert (result.exit_code, json.loads(result.stdout)) == (0, {"stopped": []})


def test_down_keeps_the_data_and_purge_does_not(run, tmp_path):
    directory = _save(tmp_path).directory

    assert run("down", "--all").exit_code == 0
    assert directory.exists()
    assert run("down", "--all", "--purge").exit_code == 0
    assert not directory.exists()


def test_logs_are_the_last_lines_of_each_component(run, tmp_path):
    current = _save(tmp_path)
    for component in ("etcd", "kube-apiserver"):
        current.log(component).parent.mkdir(exist_ok=True)
        current.log(component).write_text("one\ntwo\nthree\n")

    assert run("logs", "--name", "one", "-n", "1").stdout.splitlines() == [
        "etcd           | three",
        "kube-apiserver | three",
    ]
    assert run("logs", "etcd", "--name", "one", "-n", "2").stdout == "two\nthree\n"


def _save(root):
    directory = Locations.of({"XDG_STATE_HOME": str(root)}).sandbox("one")
    return state.save(
        state.SandboxState(
            name="one",
            directory=directory,
            versions=PINNED,
            ports=state.Ports(api_server=20001, etcd=2, etcd_peer=3, webhook=4),
        )
    )
