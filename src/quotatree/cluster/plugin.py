"""Programs that print credentials: the `exec` of a kubeconfig user.

The protocol is `client.authentication.k8s.io/v1`: an ExecCredential in `KUBERNETES_EXEC_INFO` asks,
one on stdout answers.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import sys
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from quotatree.cluster import kubeconfig
from quotatree.errors import ClusterError

TIMEOUT: Final = 300.0
"""Seconds that a plugin may take; it may be waiting for a person at a browser."""
VERSIONS: Final = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What a plugin gave: a token, or a client certificate with its key (PEM), or both.

    `expires` is in Unix seconds, infinite when the plugin said nothing about it.
    """

    token: str | None
    certificate: tuple[str, str] | None
    expires: float = math.inf


async def run(plugin: kubeconfig.Plugin, *, timeout: float = TIMEOUT) -> Status:
    """Run the plugin and return what it printed; `timeout` is in seconds.

    Raises:
        ClusterError: it cannot start, failed, took too long, or printed no ExecCredential.
    """
    if plugin.api_version not in VERSIONS:
        raise ClusterError(
            f"exec plugin {plugin.command}: apiVersion {plugin.api_version} is not supported; "
            f"next: use one of {', '.join(VERSIONS)}"
        )
    interactive = plugin.interactive != "Never" and sys.stdin is not None and sys.stdin.isatty()
    if plugin.interactive == "Always" and not interactive:
        raise ClusterError(f"exec plugin {plugin.command} needs a terminal; next: run it in one")
    process = await _start(plugin, interactive)
    try:
        output, _ = await asyncio.wait_for(process.communicate(), timeout)
    except TimeoutError as error:
        raise ClusterError(f"exec plugin {plugin.command}: no answer in {timeout:g} s") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise ClusterError(
            f"exec plugin {plugin.command} failed with exit code {process.returncode}; "
            "next: see its own message above"
        )
    return parse(plugin, output)


async def _start(plugin: kubeconfig.Plugin, interactive: bool) -> asyncio.subprocess.Process:
    spec: dict[str, Any] = {"interactive": interactive}
    if plugin.cluster_info is not None:
        spec["cluster"] = dict(plugin.cluster_info)
    info = {"apiVersion": plugin.api_version, "kind": "ExecCredential", "spec": spec}
    try:
        # Its stderr is the user's: device codes and login addresses are printed there.
        return await asyncio.create_subprocess_exec(
            plugin.command,
            *plugin.args,
            stdin=None if interactive else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, **plugin.env, "KUBERNETES_EXEC_INFO": json.dumps(info)},
        )
    except OSError as error:
        hint = f"; next: {plugin.install_hint}" if plugin.install_hint else ""
        raise ClusterError(f"exec plugin {plugin.command} cannot start: {error}{hint}") from error


def parse(plugin: kubeconfig.Plugin, output: bytes) -> Status:
    """Return what an ExecCredential on stdout says.

    Raises:
        ClusterError: it is none, of another version, or holds no credentials.
    """
    try:
        credential = json.loads(output)
        version, status = credential["apiVersion"], credential["status"]
        pair = status.get("clientCertificateData"), status.get("clientKeyData")
        token, expires = status.get("token"), status.get("expirationTimestamp")
        until = datetime.fromisoformat(expires).timestamp() if expires else math.inf
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ClusterError(
            f"exec plugin {plugin.command}: no ExecCredential printed: {error}"
        ) from error
    if version != plugin.api_version:
        raise ClusterError(
            f"exec plugin {plugin.command}: apiVersion {version}, expected {plugin.api_version}"
        )
    if not token and not all(pair):
        raise ClusterError(f"exec plugin {plugin.command}: neither token nor certificate printed")
    return Status(token=token or None, certificate=pair if all(pair) else None, expires=until)
