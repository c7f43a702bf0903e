"""kubeconfig files, with everything inside them: they work wherever they are copied to."""

from __future__ import annotations

import base64
import json
from pathlib import Path

from quotatree.sandbox import certs
from quotatree.sandbox.state import SandboxState, write_private


def text(state: SandboxState, client: str, *, server: str | None = None) -> str:
    """The kubeconfig of one of `certs.CLIENTS`, for the first server or another one.

    It is JSON, which is YAML too.
    """
    files = certs.Files(state.certificates)
    certificate = files.client(client)
    name = f"quotatree-{state.name}"
    cluster = {"server": server or state.server, "certificate-authority-data": _encoded(files.ca)}
    user = {
        "client-certificate-data": _encoded(certificate),
        "client-key-data": _encoded(files.key(certificate)),
    }
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": client, "user": user}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": client}}],
        "current-context": name,
    }
    return json.dumps(document, indent=2) + "\n"


def write(state: SandboxState) -> None:
    """Write the administrator's kubeconfig and those of the components, mode 0600."""
    for server, path in zip(state.servers, state.kubeconfigs, strict=True):
        write_private(path, text(state, certs.ADMIN, server=server).encode())
    for client in certs.CLIENTS:
        if client != certs.ADMIN:
            write_private(state.component_kubeconfig(client), text(state, client).encode())


def _encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
