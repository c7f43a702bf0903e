import json
from dataclasses import replace

import pytest
from click.testing import CliRunner

from quotatree.cli import install
from quotatree.cli.sandbox import sandbox
from quotatree.sandbox import lifecycle, state
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
        ["up", "--replicas", "0"],
        ["up", "--replicas", "6"],
        ["up", "--replicas", "2", "--no-quotatree"],
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


def test_one_replica_listens_where_the_webhook_is_called(tmp_path):
    (command,) = install.commands(_save(tmp_path), 1).values()
    assert option(command, "--webhook-port") == "4"
    assert option(command, "--identity") == "sandbox-one"


def test_several_replicas_differ_in_name_and_port_and_the_front_knows_all_of_them(tmp_path):
    current = replace(_save(tmp_path), ports=replace(PORTS, replicas=(11, 12, 13)))
    started = install.commands(current, 3)
    front = started.pop(state.FRONT)
    assert tuple(started) == state.REPLICAS[:3]
    ports = [option(command, "--webhook-port") for command in started.values()]
    assert (ports, front[-3:]) == (["11", "12", "13"], ["11", "12", "13"])
    assert option(front, "--listen") == "4"
    assert len({option(command, "--identity") for command in started.values()}) == 3
    urls = {option(command, "--webhook-url") for command in started.values()}
    assert urls == {current.webhook_url}, "one name, one certificate"


def test_a_replica_more_keeps_the_ports_of_those_that_run(tmp_path):
    two = lifecycle.with_replicas(_save(tmp_path), 2)
    three = lifecycle.with_replicas(two, 3)
    assert three.ports.replicas[:2] == two.ports.replicas
    assert len(set(three.ports.replicas)) == 3
    assert state.load(three.directory) == three
    assert lifecycle.with_replicas(three, 1) == three


def option(command, name):
    return command[command.index(name) + 1]


PORTS = state.Ports(api_server=20001, etcd=2, etcd_peer=3, webhook=4)


def _save(root):
    directory = Locations.of({"XDG_STATE_HOME": str(root)}).sandbox("one")
    return state.save(
        state.SandboxState(
            name="one",
            directory=directory,
            versions=PINNED,
            ports=PORTS,
        )
    )
