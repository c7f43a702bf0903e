"""One real control plane per test run, or per worker of one, and how tests get at it."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from quotatree import sandbox as control_plane
from quotatree.cli import install
from quotatree.cluster.client import Client

_OF_A_RUN = re.compile(r"test-(\d+)")


@pytest.fixture(scope="session")
def sandbox() -> Iterator[control_plane.SandboxState]:
    """A bare control plane of this process's own, deleted at the end."""
    _purge_leftovers()
    name = f"test-{os.getpid()}"
    progress = control_plane.Plain(sys.__stderr__ or sys.stderr)
    try:
        yield control_plane.up(control_plane.Settings(name=name), progress=progress)
    finally:
        control_plane.down(name, purge=True)


@pytest.fixture(scope="session")
def tree_sandbox() -> Iterator[control_plane.SandboxState]:
    """A control plane of this process's own with quotatree at work in it."""
    _purge_leftovers()
    name = f"test-{os.getpid()}-tree"
    progress = control_plane.Plain(sys.__stderr__ or sys.stderr)
    settings = control_plane.Settings(name=name)
    try:
        yield control_plane.up(settings, progress=progress, install=install.into_sandbox)
    finally:
        control_plane.down(name, purge=True)


@pytest.fixture
async def admin(tree_sandbox: control_plane.SandboxState) -> AsyncIterator[Client]:
    """The administrator of the sandbox with quotatree, with connections for a crowd."""
    async with await Client.connect(str(tree_sandbox.kubeconfig), connections=400) as client:
        yield client


@pytest.fixture(scope="session")
def kubeconfig(sandbox: control_plane.SandboxState) -> Path:
    """The administrator's kubeconfig of the control plane."""
    return sandbox.kubeconfig


def _purge_leftovers() -> None:
    """Delete the sandboxes of runs that were killed before they could do it."""
    for name in control_plane.names():
        run = _OF_A_RUN.match(name)
        if run and not _exists(int(run[1])):
            control_plane.down(name, purge=True)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
