"""Whatever is wrong with what a command reads or asks: one message, exit 1, no traceback.

What the message says is tested beside each command; here stands that no command is left out.
"""

from __future__ import annotations

import http.server
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from quotatree.cli import main

READS = {
    "apply": ["apply -f {}"],
    "check": [
        "check -n a --offline --state state.json -f {}",
        "check --offline -f pod.yaml --state {}",
    ],
    "explain": [
        "explain -n a --offline --state state.json -f {}",
        "explain a --offline --state {}",
    ],
    "import": ["import -f {}"],
    "plan": ["plan --offline -f {}", "plan --offline -f tree.yaml --state {}"],
    "simulate": [
        "simulate {} --tree tree.yaml",
        "simulate trace.csv --tree {}",
        "simulate trace.csv --tree tree.yaml --map {}",
    ],
}
"""Command → every way in which it reads a file."""

ASKS = {
    "apply": ["apply -f tree.yaml"],
    "check": ["check -f pod.yaml"],
    "controller": ["controller"],
    "doctor": ["doctor", "doctor --fix", "doctor -o json"],
    "explain": ["explain a", "explain job/x -n a", "explain -f pod.yaml"],
    "export": ["export pulumi"],
    "import": ["import"],
    "plan": ["plan -f tree.yaml"],
    "tree": ["tree", "tree -o json"],
    "uninstall": ["uninstall --yes"],
}
"""Command → every way in which it asks a cluster."""

NEITHER = {
    "completion": "prints a script",
    "manifests": "prints what it is told by options",
    "sandbox": "makes its own cluster",
    "version": "says on stderr that the cluster cannot be asked: its own version is an answer",
}

GOOD = {
    "tree.yaml": "apiVersion: quotatree.dev/v1alpha1\nkind: Tree\ntree: {a: {hard: {cpu: 1}}}\n",
    "trace.csv": "arrival,duration,cpu\n1,2,1\n",
    "pod.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: a}\n"
    "spec: {containers: [{name: m, image: i}]}\n",
    "state.json": json.dumps(
        {
            "apiVersion": "quotatree.dev/v1alpha1",
            "kind": "TreeState",
            "nodes": [{"namespace": "a", "hard": {"cpu": "1"}, "enforced": True}],
        }
    ),
}

BAD: dict[str, bytes | None] = {
    "missing": None,
    "empty": b"",
    "a tab": b"arrival: 1\nb:\n\t- c\n",
    "half written": b"arrival,duration,cpu\n1,2,1\n3,",
    "no text": b"\xff\xfe\x00\x01",
    "50 MB": b"#" * (50 * 2**20),
}


def ways(table: dict[str, list[str]]) -> list[str]:
    return [way for found in table.values() for way in found]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in GOOD.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def run(way: str, *names: str, kubeconfig: str = "none") -> Result:
    return CliRunner().invoke(main.cli, way.format(*names).split(), env={"KUBECONFIG": kubeconfig})


def cluster(folder: Path, server: str) -> str:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
    }
    (folder / "kubeconfig").write_text(json.dumps(config), encoding="utf-8")
    return "kubeconfig"


def expect(result: Result, named: str) -> None:
    """One message that names what is wrong, all of it on stderr."""
    assert result.exit_code == 1, result.output
    assert result.stdout == ""
    assert result.stderr.count("Error: ") == 1
    assert named in result.stderr
    assert "Traceback" not in result.output
    assert len(result.stderr.splitlines()) <= 3
    assert result.exception is None or isinstance(result.exception, SystemExit)


def test_every_command_is_in_the_tables() -> None:
    assert {*READS, *ASKS, *NEITHER} == set(main.COMMANDS)
    assert not NEITHER.keys() & (READS.keys() | ASKS.keys())


@pytest.mark.parametrize("content", BAD.values(), ids=BAD)
@pytest.mark.parametrize("way", ways(READS))
def test_a_file_that_cannot_be_read(folder: Path, way: str, content: bytes | None) -> None:
    bad = folder / "bad.file"
    if content is not None:
        bad.write_bytes(content)
    expect(run(way, "bad.file"), "bad.file")


@pytest.mark.parametrize("way", ways(READS))
def test_a_file_without_permission(folder: Path, way: str) -> None:
    bad = folder / "bad.file"
    bad.touch(mode=0o000)
    if os.access(bad, os.R_OK):
        pytest.skip("this user may read everything")
    expect(run(way, "bad.file"), "bad.file: Permission denied")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("way", ways(ASKS))
def test_without_a_kubeconfig(way: str) -> None:
    expect(run(way), "no cluster is configured: none not found")


@pytest.mark.parametrize("way", ways(ASKS))
def test_a_kubeconfig_with_a_tab(folder: Path, way: str) -> None:
    (folder / "config").write_text("apiVersion: v1\nusers:\n\t- name: u\n", encoding="utf-8")
    expect(run(way, kubeconfig="config"), "config:3:1: is no YAML")


@pytest.mark.parametrize("way", ways(ASKS))
def test_an_unreachable_cluster(folder: Path, way: str) -> None:
    expect(run(way, kubeconfig=cluster(folder, "http://127.0.0.1:1")), "http://127.0.0.1:1")


class Forbidding(http.server.BaseHTTPRequestHandler):
    """Answers everything as an API server does to somebody without any right."""

    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        message = f'forbidden: User "u" cannot get path "{self.path}"'
        status = {"kind": "Status", "code": 403, "reason": "Forbidden", "message": message}
        body = json.dumps(status).encode()
        self.send_response(403)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:  # of requests side by side, the first refusal ends the command
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815 - the library's names

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def forbidding() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Forbidding) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("way", ways(ASKS))
def test_a_cluster_in_which_one_may_nothing(folder: Path, forbidding: str, way: str) -> None:
    expect(run(way, kubeconfig=cluster(folder, forbidding)), "403 Forbidden")
