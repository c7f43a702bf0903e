"""The control plane that a benchmark runs on."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager

from quotatree import sandbox as control_plane
from quotatree.cli import install
from quotatree.sandbox import Progress, SandboxState


@contextmanager
def fresh(
    name: str,
    progress: Progress,
    *,
    replicas: int | None = None,
    api_servers: int = 1,
    slices: bool = False,
) -> Iterator[SandboxState]:
    """Give a fresh control plane with quotatree, and delete it at the end."""
    control_plane.down(name, purge=True, progress=progress)
    try:
        yield control_plane.up(
            control_plane.Settings(name=name, api_servers=api_servers),
            progress=progress,
            install=functools.partial(install.into_sandbox, replicas=replicas, slices=slices),
        )
    finally:
        control_plane.down(name, purge=True, progress=progress)
