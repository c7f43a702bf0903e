"""Pulumi's real engine and provider against one real control plane that quotatree enforces.

The engine is that of `tools/pulumi_engine.py`: an installed Pulumi, else one that is built once.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.pulumi.ground import Ground
from tests.pulumi.workshop import Workshop
from tools import pulumi_engine

from quotatree import sandbox as control_plane
from quotatree.cli import install

_OF_A_RUN = re.compile(r"pulumi-(\d+)(?:-bare)?")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "pulumi: needs Pulumi's engine and the real API server")


@pytest.fixture(scope="session")
def engine() -> pulumi_engine.Engine:
    """Pulumi; the first time this may build it."""
    progress = control_plane.Plain(sys.__stderr__ or sys.stderr)
    return pulumi_engine.ensure(os.environ, progress)


@pytest.fixture(scope="session")
def sandbox() -> Iterator[control_plane.SandboxState]:
    """A control plane of this process's own with quotatree in it, deleted at the end."""
    _purge_leftovers()
    name = f"pulumi-{os.getpid()}"
    progress = control_plane.Plain(sys.__stderr__ or sys.stderr)
    settings = control_plane.Settings(name=name)
    try:
        yield control_plane.up(settings, progress=progress, install=install.into_sandbox)
    finally:
        control_plane.down(name, purge=True)


@pytest.fixture(scope="session")
def bare() -> Iterator[control_plane.SandboxState]:
    """A control plane without quotatree; who installs it there takes it away again."""
    name = f"pulumi-{os.getpid()}-bare"
    try:
        yield control_plane.up(control_plane.Settings(name=name))
    finally:
        control_plane.down(name, purge=True)


@pytest.fixture(scope="session")
def ground(sandbox: control_plane.SandboxState) -> Iterator[Ground]:
    """The cluster as its administrator sees and changes it."""
    ground = Ground(sandbox.kubeconfig)
    try:
        yield ground
    finally:
        ground.close()


@pytest.fixture
def workshop(
    engine: pulumi_engine.Engine,
    sandbox: control_plane.SandboxState,
    *,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Workshop]:
    """Stacks of this test's own; what a failed test leaves in the cluster is destroyed."""
    monkeypatch.setenv("KUBECONFIG", str(sandbox.kubeconfig))
    state = tmp_path / "state"
    for key, value in engine.environment(state, os.environ).items():
        monkeypatch.setenv(key, value)
    workshop = Workshop(tmp_path / "programs", backend=state / "backend")
    try:
        yield workshop
    finally:
        workshop.close()


def _purge_leftovers() -> None:
    """Delete the sandboxes of runs that were killed before they could do it."""
    for name in control_plane.names():
        run = _OF_A_RUN.fullmatch(name)
        if run and not Path(f"/proc/{run[1]}").exists():
            control_plane.down(name, purge=True)
