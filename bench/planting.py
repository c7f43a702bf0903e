"""A large forest in a sandbox, made once and kept: etcd's data is booted from again.

Made in stages that can be cut off and gone on with. Meanwhile the native controllers run at a rate
that no real cluster has (`RATE`); whatever is measured later runs at their default.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import os
import random
import shutil
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from bench.forest import Forest
from quotatree import __version__
from quotatree import sandbox as control_plane
from quotatree.cli import install
from quotatree.cluster import paths
from quotatree.cluster.client import Client
from quotatree.errors import ClusterError
from quotatree.manifests import crd
from quotatree.manifests.settings import InstallSettings
from quotatree.model import names
from quotatree.sandbox import Progress, SandboxState, locations, ports, state, versions

RATE: Final = (
    "--kube-api-qps=2000",
    "--kube-api-burst=4000",
    "--concurrent-resource-quota-syncs=20",
)
"""Flags of kube-controller-manager for the set-up only. Its own default is 20 requests/s."""
AT_ONCE: Final = 48
"""Requests under way at a time."""
FORMAT: Final = 1
"""Raised when what is made here changes."""
LOOK: Final = 2.0

Told = Callable[[str], None]


def kept(forest: Forest, environ: Mapping[str, str] = os.environ) -> Path:
    """Return where the finished forest is kept, by everything that it depends on."""
    chosen = versions.Versions.choose(environ)
    parts = (FORMAT, __version__, chosen.kubernetes, chosen.etcd, forest.namespaces)
    stamp = hashlib.sha256(repr(parts).encode()).hexdigest()[:12]
    root = locations.Locations.of(environ).cache / "bench"
    return root / f"forest-{forest.namespaces}-{stamp}"


def bring_up(forest: Forest, name: str, progress: Progress, *, replicas: int = 1) -> SandboxState:
    """Return a running sandbox with the forest in it, made if it is not kept yet.

    Without slices: within one, growth would go on while nobody decides.
    """
    make(forest, progress)
    control_plane.down(name, purge=True, progress=progress)
    directory = locations.Locations.of(os.environ).sandbox(name)
    shutil.copytree(kept(forest), directory)
    known = state.load(directory)
    assert known is not None
    chosen = ports.choose(random.SystemRandom())
    state.save(replace(known, name=name, ports=chosen, processes={}))

    def into(current: SandboxState, told: Progress) -> SandboxState:
        return install.into_sandbox(current, told, replicas=replicas, slices=False)

    return control_plane.up(
        control_plane.Settings(name=name, timeout=300), progress=progress, install=into
    )


def make(forest: Forest, progress: Progress) -> None:
    """Make the forest unless it is kept; what was cut off is gone on with the next time."""
    if kept(forest).exists():
        return
    name = f"bench-forest-{forest.namespaces}"
    try:
        settings = control_plane.Settings(name=name, timeout=300)
        sandbox = control_plane.up(settings, progress=progress)
        sandbox = control_plane.restart(name, state.CONTROLLER_MANAGER, more=RATE)
        with progress.step(f"making {forest.namespaces} namespaces", slow=True):
            asyncio.run(_plant(forest, sandbox, progress.note))
        install.into_sandbox(sandbox, progress)
        with progress.step("waiting until all of them are enforced", slow=True):
            asyncio.run(_until_enforced(forest, sandbox, progress.note))
    finally:
        control_plane.down(name, progress=progress)
    whole = kept(forest)
    part = whole.with_name(f".{whole.name}.{os.getpid()}")
    whole.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(sandbox.directory, part)
    part.rename(whole)
    control_plane.down(name, purge=True, progress=progress)


async def _plant(forest: Forest, sandbox: SandboxState, told: Told) -> None:
    """Create everything, before quotatree comes: pods need not ask it then."""
    async with await Client.connect(str(sandbox.kubeconfig), connections=2 * AT_ONCE) as client:
        settings = InstallSettings(version=__version__, webhook_url=sandbox.webhook_url)
        await client.apply(crd.tree_quotas(settings), force=True)
        spaces = [forest.namespace(name, parent) for name, parent in forest.parents()]
        await _create_all(client, paths.NAMESPACES, ((None, body) for body in spaces))
        told(f"{len(spaces)} namespaces")
        quotas = ((name, forest.quota()) for name in forest.limited)
        await _create_all(client, paths.TREE_QUOTAS, quotas)
        told(f"{len(forest.limited)} TreeQuotas")
        # A pod needs the ServiceAccount of its namespace, which a controller makes.
        await _until(lambda: _counts(client, paths.SERVICE_ACCOUNTS), len(spaces), told)
        await _create_all(client, paths.PODS, forest.work())
        told(f"{forest.pods} pods")


async def _create_all(
    client: Client, kind: paths.Kind, bodies: Iterable[tuple[str | None, dict[str, Any]]]
) -> None:
    """Create all of them, many at a time; what is there already is as good."""
    waiting: Iterator[tuple[str | None, dict[str, Any]]] = iter(bodies)
    there = {(namespace, name) for namespace, name in (await client.list_all(kind, each=_name))[0]}

    async def work() -> None:
        for namespace, body in waiting:
            if (namespace, body["metadata"]["name"]) in there:
                continue
            try:
                await client.create(kind, body, namespace=namespace)
            except ClusterError as error:
                if error.status != 409:
                    raise

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))


def _name(obj: dict[str, Any]) -> tuple[str | None, str]:
    return obj["metadata"].get("namespace"), obj["metadata"]["name"]


async def _counts(client: Client, kind: paths.Kind, **selector: str) -> int:
    return len((await client.list_all(kind, each=lambda _: None, **selector))[0])


async def _until(count: Callable[[], Awaitable[int]], wanted: int, told: Told) -> None:
    for turn in itertools.count():
        found = await count()
        if found >= wanted:
            return
        if turn % 5 == 0:
            told(f"{found} of {wanted}")
        await asyncio.sleep(LOOK)


async def _until_enforced(forest: Forest, sandbox: SandboxState, told: Told) -> None:
    selector = f"{names.LABEL_ENFORCED}=true"
    wanted = len(list(forest.parents()))
    async with await Client.connect(str(sandbox.kubeconfig)) as client:
        await _until(
            lambda: _counts(client, paths.NAMESPACES, label_selector=selector), wanted, told
        )
