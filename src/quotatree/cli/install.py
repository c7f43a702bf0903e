"""Quotatree into a sandbox: the manifests, a token of its own ServiceAccount, and its process."""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

import quotatree
from quotatree import sandbox
from quotatree.cluster import paths
from quotatree.cluster.client import Client
from quotatree.errors import ClusterError, SandboxError
from quotatree.manifests import install, rbac
from quotatree.manifests.settings import DEFAULT_NAMESPACE, InstallSettings
from quotatree.sandbox import SandboxState
from quotatree.sandbox.progress import Progress
from quotatree.sandbox.state import FRONT, QUOTATREE, REPLICAS, write_private

TOKEN_SECONDS: Final = 365 * 24 * 3600
READY_WITHIN: Final = 60.0


def into_sandbox(
    state: SandboxState,
    progress: Progress,
    *,
    replicas: int | None = None,
    slices: bool = True,
    servers: Sequence[str] | None = None,
) -> SandboxState:
    """Install quotatree into a sandbox, start it, and return when it decides.

    `servers` are the URLs under which the replicas are to reach the API servers, in turn; None are
    those of the API servers themselves.

    Raises:
        SandboxError: it did not get ready.
    """
    with progress.step("installing quotatree"):
        asyncio.run(_install(state))
    return start_in_sandbox(state, progress, replicas=replicas, slices=slices, servers=servers)


def start_in_sandbox(
    state: SandboxState,
    progress: Progress,
    *,
    replicas: int | None = None,
    slices: bool = True,
    servers: Sequence[str] | None = None,
) -> SandboxState:
    """Start the controller of an installed quotatree, and return when it decides.

    `replicas` of None are as many as there are, or one; `servers` as for `into_sandbox`.

    Raises:
        SandboxError: it did not get ready.
    """
    token = asyncio.run(_token(state))
    count = replicas or max(1, sum(it in state.processes for it in REPLICAS))
    reached = itertools.cycle(servers or state.servers)
    for component, server in zip(REPLICAS[:count], reached, strict=False):
        credentials = controller_kubeconfig(state, token, server=server)
        write_private(state.component_kubeconfig(component), json.dumps(credentials).encode())
    state = sandbox.with_replicas(state, count)
    with progress.step("starting quotatree"):
        started = sandbox.start_quotatree(state, commands(state, count, slices=slices), {})
        asyncio.run(_until_ready(started))
    return started


def commands(state: SandboxState, count: int, *, slices: bool = True) -> dict[str, list[str]]:
    """Return what is to run: one replica at the webhook's port, or several and the front there."""
    webhook, run = state.ports.webhook, (sys.executable, "-m")
    more = () if slices else ("--no-slices",)
    if count == 1:
        only = _controller(state, REPLICAS[0], webhook)
        return {REPLICAS[0]: [*run, "quotatree", *only, *more]}
    ports = state.ports.replicas[:count]
    found = {
        name: [*run, "quotatree", *_controller(state, name, port), *more]
        for name, port in zip(REPLICAS, ports, strict=False)
    }
    listen = ("quotatree.sandbox.front", "--listen", str(webhook))
    return {**found, FRONT: [*run, *listen, *map(str, ports)]}


def _controller(state: SandboxState, name: str, port: int) -> list[str]:
    return [
        "controller",
        *("--kubeconfig", str(state.component_kubeconfig(name))),
        *("--identity", identity(state, name)),
        *("--webhook-url", state.webhook_url),
        *("--webhook-host", "127.0.0.1"),
        *("--webhook-port", str(port)),
        *("--address", "127.0.0.1"),
        *(it for server in state.servers for it in ("--api-server", server)),
    ]


def identity(state: SandboxState, component: str) -> str:
    """Return the name under which a replica holds the Lease."""
    return f"sandbox-{state.name}{component.removeprefix(QUOTATREE)}"


def component_of(state: SandboxState, holder: str) -> str:
    """Return the replica that holds the Lease under this name."""
    return f"{QUOTATREE}{holder.removeprefix(f'sandbox-{state.name}')}"


async def _install(state: SandboxState) -> None:
    settings = InstallSettings(version=quotatree.__version__, webhook_url=state.webhook_url)
    async with await Client.connect(str(state.kubeconfig)) as client:
        for manifest in install.installation(settings):
            await client.apply(manifest, force=True)


async def _token(state: SandboxState) -> str:
    async with await Client.connect(str(state.kubeconfig)) as client:
        path = paths.SERVICE_ACCOUNTS.path(DEFAULT_NAMESPACE, rbac.SERVICE_ACCOUNT, "token")
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": TOKEN_SECONDS},
        }
        answer = await client.request("POST", path, body=body)
    return str(answer["status"]["token"])


def controller_kubeconfig(
    state: SandboxState, token: str, *, server: str | None = None
) -> dict[str, Any]:
    """Return a kubeconfig for quotatree's own ServiceAccount, with its own rights and no others.

    `server` is another URL than that of the first API server.
    """
    admin = json.loads(state.kubeconfig.read_text())
    admin["clusters"][0]["cluster"]["server"] = server or state.server
    name = "quotatree"
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": admin["clusters"],
        "users": [{"name": name, "user": {"token": token}}],
        "contexts": [
            {"name": name, "context": {"cluster": admin["clusters"][0]["name"], "user": name}}
        ],
        "current-context": name,
    }


async def _until_ready(state: SandboxState) -> None:
    """Wait until the webhook decides: a TreeQuota that is wrong only for it is refused."""
    deadline = time.monotonic() + READY_WITHIN
    async with await Client.connect(str(state.kubeconfig)) as client:
        while True:
            missing = await probe(client)
            if missing is None:
                return
            if time.monotonic() > deadline:
                within = f"{READY_WITHIN:.0f} s"
                raise SandboxError(f"quotatree did not get ready in {within}: {missing}")
            await asyncio.sleep(0.1)


async def probe(client: Client) -> ClusterError | None:
    """Return what is still missing, None when the webhook answered out of a loaded ledger.

    A Namespace that is its own parent is refused by the webhook alone; it is asked for on trial.
    """
    child = "quotatree-probe"
    body: Mapping[str, Any] = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": child, "labels": {"quotatree.dev/parent": child}},
    }
    try:
        await client.request("POST", paths.NAMESPACES.path(), body=body, params={"dryRun": "All"})
    except ClusterError as error:
        return None if "cannot be its own parent" in str(error) else error
    return ClusterError("the webhook is not called: nothing refused what only it refuses")
