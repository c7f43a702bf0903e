"""Commands called in-process where no cluster is, and what is wrong input to all of them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from quotatree.cli import main

Run = Callable[..., Result]
LARGE = 50 * 2**20

UNREACHABLE: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "c",
    "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
    "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
    "users": [{"name": "u", "user": {}}],
}

BAD_MANIFESTS = [
    pytest.param(None, "x.yaml: No such file", id="missing file"),
    pytest.param("", "x.yaml: there is no object in it", id="empty"),
    pytest.param("kind: Pod\nspec:\n\ta: 1\n", "x.yaml:3:1: is no YAML", id="a tab"),
    pytest.param("- a\n", "x.yaml:1:1: must be an object", id="a list"),
    pytest.param("kind: Pod\n---\na: [1\n", "x.yaml:", id="half written"),
    pytest.param("#" * LARGE, "x.yaml: the text is too large", id="50 MB"),
    pytest.param("\x00", "U+0000 is not allowed", id="binary"),
    pytest.param("kind: {{ .Values.k }}\n\tb", "x.yaml:", id="an unrendered chart"),
    pytest.param("apiVersion: v1\nkind: Pod\n", "x.yaml:1: Pod names no namespace", id="nowhere"),
]

BAD_STATES = [
    pytest.param(None, "s.json: No such file", id="missing"),
    pytest.param('{"kind":\n oops', "s.json:2:2: is no JSON", id="no JSON"),
    pytest.param("[]", "must be a document of kind", id="a list"),
]


def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> Run:
    """Return a way to call a command in a folder of its own, with no cluster to be found."""
    monkeypatch.chdir(tmp_path)
    environment = {"KUBECONFIG": str(tmp_path / "none"), "HOME": str(tmp_path)}

    def call(*arguments: str, stdin: str | None = None) -> Result:
        return CliRunner().invoke(main.cli, [command, *arguments], input=stdin, env=environment)

    return call


def write(text: str | None, name: str) -> str:
    """Write a file unless it is to be missing; returns its name."""
    if text is not None:
        Path(name).write_text(text, encoding="utf-8")
    return name


def unreachable() -> str:
    """Write a kubeconfig of a cluster that does not answer; returns its name."""
    return write(json.dumps(UNREACHABLE), "kubeconfig")


def expect_error(result: Result, want: str) -> None:
    """One clear message on stderr, nothing on stdout, no traceback, exit code 1."""
    assert result.exit_code == 1, result.output
    assert result.stdout == ""
    assert want in result.stderr
    assert "Traceback" not in result.output


def matches(result: Result, golden: Path) -> None:
    """Compare what was printed with an accepted file; QUOTATREE_ACCEPT=1 accepts it."""
    shown = "".join(f"{line.rstrip()}\n" for line in result.stdout.splitlines())
    if os.environ.get("QUOTATREE_ACCEPT"):
        golden.write_text(shown, encoding="utf-8")
    assert result.stderr == ""
    assert shown == golden.read_text(encoding="utf-8")
    if golden.suffix == ".txt":
        assert max(map(len, shown.splitlines())) <= 100
        assert "\x1b" not in shown
