"""Several people at one API server: each is a client that acts as another user."""

import asyncio
import dataclasses
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from quotatree.cluster import kubeconfig, paths, refusal
from quotatree.cluster.client import Client

_DEADLINE = 60.0
"""Seconds; a hang guard. A volume is bound at the binder's next look, every 15 s."""


class People:
    """The administrator of a kubeconfig, and everyone whom that user may impersonate."""

    def __init__(self, path: Path) -> None:
        self._access = kubeconfig.load(str(path), None)
        self._clients: dict[str, Client] = {}

    @property
    def admin(self) -> Client:
        return self.person("")

    def person(self, user: str) -> Client:
        if user not in self._clients:
            headers = self._access.impersonate
            if user:
                headers = (("Impersonate-User", user),)
                if user.startswith("system:serviceaccount:"):
                    namespace = user.split(":")[2]
                    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}")
                    headers += tuple(("Impersonate-Group", group) for group in groups)
            access = dataclasses.replace(self._access, impersonate=headers)
            self._clients[user] = Client(access)
        return self._clients[user]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for client in self._clients.values():
            await client.close()


async def eventually(check: Callable[[], Awaitable[bool]], *, what: str) -> None:
    """Wait until `check` holds: what the API server does by itself takes no fixed time."""
    end = time.monotonic() + _DEADLINE
    while not await check():
        if time.monotonic() > end:
            raise AssertionError(f"not within {_DEADLINE:.0f} s: {what}")
        await asyncio.sleep(0.1)


async def refused(request: Awaitable[Any]) -> str:
    """Return the server's sentence when it refuses for policy or rights, "" when it does not."""
    try:
        await request
    except refusal.RefusedError as error:
        # A policy without its parameter answers 422, everything else that refuses 403.
        if error.status == 403 or "ValidatingAdmissionPolicy" in error.said:
            return error.said
        raise
    return ""


async def apply_all(client: Client, manifests: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Apply all objects server-side; return them as the server keeps them."""
    return [
        await client.apply(manifest, field_manager="quotatree-install", force=True)
        for manifest in manifests
    ]


async def served(client: Client, kind: paths.Kind) -> None:
    """Wait until the API server serves the kind of a fresh CustomResourceDefinition."""

    async def answers() -> bool:
        try:
            await client.list_all(kind)
        except refusal.RefusedError as error:
            if error.status != 404:
                raise
            return False
        return True

    await eventually(answers, what=f"{kind.plural} are served")
