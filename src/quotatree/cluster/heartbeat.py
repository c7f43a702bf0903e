"""Heartbeats: small writes through each API server by itself, to see that it works on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from quotatree.cluster import paths
from quotatree.cluster.client import MERGE_PATCH, Client
from quotatree.errors import ClusterError
from quotatree.manifests import objects
from quotatree.model import names

_CONNECTIONS: Final = 4
_ABSENT: Final = 404


class Heartbeat:
    """Writes through each of `servers` (base URLs), all API servers that there are.

    `slow`: seconds after which an answer is of no use any more.
    """

    def __init__(
        self,
        client: Client,
        servers: tuple[str, ...],
        *,
        namespace: str,
        clock: Callable[[], float],
        slow: float,
    ) -> None:
        self._client = client
        self._clients: dict[str, Client] = {}
        self._namespace = namespace
        self._clock = clock
        self._slow = slow
        self._count = 0
        self.servers = servers

    async def close(self) -> None:
        """Close the connections."""
        for client in self._clients.values():
            await client.close()

    async def beat(self, server: str) -> tuple[float, float | None]:
        """Write once; returns when it was sent and answered, None where no answer came in time."""
        self._count += 1
        said = f"{self._count} through {server}"
        metadata = {"annotations": {names.ANNOTATION_HEARTBEAT: said}}
        sent = self._clock()
        try:
            await self._write(server, {"metadata": metadata})
        except ClusterError as error:
            if error.status == _ABSENT:
                await self._create()
            return sent, None
        return sent, self._clock()

    async def _write(self, server: str, body: dict[str, object]) -> None:
        """A write that changes nothing would be none, hence the number in it."""
        client = self._clients.get(server)
        if client is None:
            client = self._clients[server] = self._client.beside(server, connections=_CONNECTIONS)
        await client.request(
            "PATCH",
            paths.LEASES.path(self._namespace, objects.HEARTBEAT),
            body=body,
            content_type=MERGE_PATCH,
            timeout=self._slow,
            retry=False,
        )

    async def _create(self) -> None:
        body = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": objects.HEARTBEAT, "namespace": self._namespace},
        }
        await self._client.create(paths.LEASES, body, namespace=self._namespace)
