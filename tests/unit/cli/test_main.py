"""The command line from outside: help, exit codes, what goes where."""

import json
import os
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner
from tools.reference import walk

from quotatree.cli import completion, main, options
from quotatree.errors import ClusterError

GOOD = "apiVersion: quotatree.dev/v1alpha1\nkind: Tree\ntree: {org: {hard: {cpu: 5}}}\n"


@pytest.fixture
def run(tmp_path):
    environment = {"KUBECONFIG": str(tmp_path / "none"), "HOME": str(tmp_path)}

    def call(*arguments, stdin=None):
        return CliRunner().invoke(main.cli, arguments, input=stdin, env=environment)

    return call


def test_help_lists_every_command_and_the_exit_codes(run):
    result = run("--help")
    assert result.exit_code == 0
    assert all(f"\n  {name} " in result.output for name in main.COMMANDS)
    assert "3 it\n  does not fit" in result.output


def test_help_imports_no_command_and_no_http():
    code = (
        "import sys; from quotatree.cli.main import cli\n"
        "try: cli(['--help'])\nexcept SystemExit: pass\n"
        "print([m for m in ('aiohttp', 'rich', 'yaml', 'cryptography') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("name", sorted(main.COMMANDS))
def test_every_command_has_a_help_text(run, name):
    result = run(name, "--help")
    assert result.exit_code == 0, result.output
    assert "Usage:" in result.output


def every_command():
    return [pytest.param(command, id=name) for name, command in walk(main.cli, "quotatree")]


@pytest.mark.parametrize("command", every_command())
def test_every_help_has_an_example_and_fits_80_columns(command):
    context = click.Context(command, info_name="quotatree", terminal_width=80, max_content_width=80)
    shown = command.get_help(context)
    assert "\n  Examples:\n    " in shown
    assert max(map(len, shown.splitlines())) <= 80


@pytest.mark.parametrize(
    ("words", "want"),
    [
        ([""], "tree\tShow the tree"),
        (["sandbox", "d"], "down\t"),
        (["tree", "-o", "w"], "wide"),
        (["tree", "--wa"], "--watch\t"),
    ],
    ids=["a command", "a command of a group", "a value", "an option"],
)
def test_kubectl_is_told_how_to_go_on(words, want, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["kubectl_complete-quotatree", *words])
    completion.for_kubectl()
    *lines, directive = capsys.readouterr().out.splitlines()
    assert any(line.startswith(want) for line in lines), lines
    assert directive == ":4"


def test_kubectl_completes_file_names_itself(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["kubectl_complete-quotatree", "apply", "-f", ""])
    completion.for_kubectl()
    assert capsys.readouterr().out == ":0\n"


def test_every_command_is_described_twice_in_the_list_and_by_itself():
    context = click.Context(main.cli)
    for name, (_, line) in main.COMMANDS.items():
        command = main.cli.get_command(context, name)
        assert command is not None
        assert command.help
        assert line.endswith(".")


def test_a_misspelt_command_is_bad_usage_with_a_hint(run):
    result = run("tre")
    assert result.exit_code == options.BAD_USAGE
    assert 'did you mean "tree"?' in result.stderr


def test_an_error_of_ours_is_one_message_and_exit_code_1(run):
    result = run("tree")
    assert result.exit_code == options.ERROR
    assert result.stdout == ""
    assert result.stderr.startswith("Error: ")
    assert "Traceback" not in result.stderr


def test_an_error_without_words_of_ours_is_not_hidden(monkeypatch, run):
    async def broken(*_):
        raise ClusterError("the cluster said no", status=403)

    monkeypatch.setattr(options, "connect", broken)
    result = run("tree")
    assert (result.exit_code, result.stderr) == (1, "Error: the cluster said no\n")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_are_printed(run, shell):
    result = run("completion", shell)
    assert result.exit_code == 0
    assert "_QUOTATREE_COMPLETE" in result.stdout


def test_the_version_needs_no_cluster(run):
    result = run("version", "-o", "json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["kubernetes"] is None


def test_kubectl_can_call_it(tmp_path):
    plugin = tmp_path / "kubectl-quotatree"
    plugin.write_text(f"#!{sys.executable}\nfrom quotatree.cli.main import main\nmain()\n")
    plugin.chmod(0o755)
    done = subprocess.run(
        [plugin, "--help"], capture_output=True, text=True, check=True, env=os.environ
    )
    assert done.stdout.startswith("Usage: kubectl quotatree ")


# -- apply: everything that needs no cluster --------------------------------------------------


def test_all_mistakes_of_a_file_are_told_with_their_places(run, tmp_path):
    file = tmp_path / "quotatree.yaml"
    file.write_text(GOOD.replace("cpu: 5", "memroy: 5, cpu: x"))
    result = run("apply", "-f", str(file))
    assert result.exit_code == options.ERROR
    assert f'{file}:3:21: tree.org.hard["memroy"]: ' in result.stderr
    assert f'{file}:3:37: tree.org.hard["cpu"]: ' in result.stderr
    assert "2 mistakes, nothing was changed" in result.stderr


def test_a_file_can_come_from_stdin(run):
    result = run("apply", "-f", "-", stdin="tree: [")
    assert result.exit_code == options.ERROR
    assert "<stdin>:" in result.stderr


def test_endless_mistakes_are_counted(run):
    keys = ", ".join(f"k{i}: 1" for i in range(70))
    result = run("apply", "-f", "-", stdin=GOOD.replace("cpu: 5", keys))
    assert "70 mistakes" in result.stderr
    assert "… and 20 more" in result.stderr


def test_a_missing_file_is_an_error(run):
    result = run("apply", "-f", "nowhere.yaml")
    assert result.exit_code == options.ERROR
    assert "nowhere.yaml: No such file" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["apply", "-f", "-", "--prune"],
        ["apply", "-f", "-", "--delete-namespaces", "--yes"],
        ["apply"],
        ["tree", "-o", "xml"],
        ["apply", "-f", "-", "--timeout", "0"],
    ],
    ids=[
        "prune without a terminal needs --yes",
        "deleting namespaces is part of prune",
        "no file",
        "unknown format",
        "no time to wait",
    ],
)
def test_bad_usage_is_exit_code_2(run, arguments):
    assert run(*arguments, stdin=GOOD).exit_code == options.BAD_USAGE


def test_uninstall_asks_before_it_does_anything(monkeypatch, run):
    class Nothing:
        server = "https://x"

        async def __aenter__(self):
            return self

        async def __aexit__(self, *_):
            pass

        async def list_all(self, *_, **__):
            return [], 1

    async def connected(*_):
        return Nothing()

    monkeypatch.setattr(options, "connect", connected)
    result = run("uninstall")
    assert result.exit_code == options.BAD_USAGE
    assert "add --yes" in result.stderr
