"""Where the engine is taken from, and what it is run with; nothing is built here."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tools import pulumi_engine

from quotatree.errors import SandboxError
from quotatree.sandbox import Silent, stamp


def executable(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)


def environ(root: Path, *path: Path) -> dict[str, str]:
    return {
        "HOME": str(root),
        "XDG_CACHE_HOME": str(root / "cache"),
        "PATH": os.pathsep.join(map(str, path)),
    }


def test_an_installed_pulumi_is_used(tmp_path: Path) -> None:
    executable(tmp_path / "bin" / "pulumi")
    found = pulumi_engine.ensure(environ(tmp_path, tmp_path / "bin"), Silent())
    assert found == pulumi_engine.Engine(directory=tmp_path / "bin", built=False)


def test_a_whole_cache_is_used(tmp_path: Path) -> None:
    wanted = pulumi_engine.cached(environ(tmp_path))
    for part in pulumi_engine.PARTS:
        executable(wanted.directory / part.name)
        stamp.record(wanted.directory, part.name, version=pulumi_engine.KIT, source="built")
    assert pulumi_engine.ensure(environ(tmp_path), Silent()) == wanted
    assert (
        wanted.directory == tmp_path / "cache" / "quotatree" / "pulumi" / pulumi_engine.KIT / "bin"
    )


def test_an_altered_file_is_not_trusted(tmp_path: Path) -> None:
    wanted = pulumi_engine.cached(environ(tmp_path))
    cli, *_ = pulumi_engine.PARTS
    for part in pulumi_engine.PARTS:
        executable(wanted.directory / part.name)
        stamp.record(wanted.directory, part.name, version=pulumi_engine.KIT, source="built")
    (wanted.directory / cli.name).write_text("something else")
    assert pulumi_engine.missing(wanted) == (cli,)


def test_without_pulumi_and_go_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SandboxError, match=r"neither Pulumi nor Go: install Pulumi \(https://"):
        pulumi_engine.ensure(environ(tmp_path, tmp_path), Silent())


def test_a_built_engine_never_downloads_and_keeps_to_its_state(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    engine = pulumi_engine.Engine(directory=tmp_path / "bin", built=True)
    found = engine.environment(tmp_path / "state", {"PATH": "/usr/bin"})
    assert found["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] == "true"
    assert found["PULUMI_HOME"] == str(tmp_path / "state" / "home")
    assert found["PULUMI_BACKEND_URL"] == f"file://{tmp_path}/state/backend?metadata=skip"
    assert found["PATH"] == f"{tmp_path}/bin:/usr/bin"


def test_an_installed_engine_keeps_its_own_home(tmp_path: Path) -> None:
    engine = pulumi_engine.Engine(directory=tmp_path / "bin", built=False)
    found = engine.environment(tmp_path / "state", {"PATH": "/usr/bin"})
    assert found["PATH"] == "/usr/bin"
    assert "PULUMI_HOME" not in found


def test_the_language_host_ends_with_its_engine() -> None:
    """A killed engine cannot say good-bye, and its host must not stay behind."""
    argv = [sys.executable, str(pulumi_engine.HOST), "127.0.0.1:1"]
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, stdin=pipe, stdout=pipe, text=True) as host:
        assert host.stdin
        assert host.stdout
        assert int(host.stdout.readline()) > 0
        host.stdin.close()
        assert host.wait(timeout=10) == 0
