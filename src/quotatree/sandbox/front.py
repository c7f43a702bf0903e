"""One loopback port in front of several replicas, as a Service is in a cluster.

It passes bytes on; TLS is between the API server and the replica. New connections go round the
replicas that say of themselves that they are ready, and where none does, round all that can be
connected to. Connections that stand are left alone, as kube-proxy leaves them.

One port shared by all replicas (SO_REUSEPORT) would need no process of its own, but a replica that
is frozen would keep its share of the connections for ever.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import ssl
import sys
from collections.abc import Sequence
from typing import Final

PROBE_EVERY: Final = 1.0
"""Seconds between two looks at a replica, and the longest that one may take."""
CONNECT_WITHIN: Final = 0.5
"""Seconds; on loopback a connection is made or refused at once."""
_PROBE: Final = b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
_CHUNK: Final = 64 * 1024


class Front:
    """The replicas' ports, and which of them are ready."""

    def __init__(self, ports: Sequence[int]) -> None:
        self._ports = tuple(ports)
        self._ready: set[int] = set()
        self._asked: set[int] = set()
        self._turn = itertools.count()
        # Nothing secret is asked, and nothing is believed but the status.
        self._context = ssl.create_default_context()
        self._context.check_hostname = False
        self._context.verify_mode = ssl.CERT_NONE

    @property
    def probed(self) -> int:
        """How many replicas were looked at at least once."""
        return len(self._asked)

    async def serve(self, port: int) -> None:
        """Listen until cancelled."""
        server = await asyncio.start_server(self.relay, "127.0.0.1", port, backlog=512)
        async with server, asyncio.TaskGroup() as group:
            for each in self._ports:
                group.create_task(self._probe(each))
            await server.serve_forever()

    async def relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Connect one client with a replica until either side ends."""
        try:
            for port in self.order():
                with contextlib.suppress(OSError):  # TimeoutError is one
                    async with asyncio.timeout(CONNECT_WITHIN):
                        replica = await asyncio.open_connection("127.0.0.1", port)
                    await _both_ways((reader, writer), replica)
                    return
        finally:
            writer.close()

    def order(self) -> list[int]:
        """Return the ports to be tried: the ready ones in turn, then the others."""
        first = next(self._turn) % len(self._ports)
        turned = [*self._ports[first:], *self._ports[:first]]
        return sorted(turned, key=lambda port: port not in self._ready)

    async def _probe(self, port: int) -> None:
        while True:
            if await self.is_ready(port):
                self._ready.add(port)
            else:
                self._ready.discard(port)
            self._asked.add(port)
            await asyncio.sleep(PROBE_EVERY)

    async def is_ready(self, port: int) -> bool:
        """Whether the replica at this port says that it is ready."""
        try:
            async with asyncio.timeout(PROBE_EVERY):
                reader, writer = await asyncio.open_connection(
                    "127.0.0.1", port, ssl=self._context, server_hostname="localhost"
                )
                try:
                    writer.write(_PROBE)
                    status = await reader.readline()
                finally:
                    writer.transport.abort()  # the polite end of TLS would wait for one that hangs
        except OSError:
            return False
        return b" 200 " in status


Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _both_ways(client: Pair, replica: Pair) -> None:
    try:
        await asyncio.gather(_pump(client[0], replica[1]), _pump(replica[0], client[1]))
    finally:
        replica[1].close()


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    """Pass bytes on until there are no more; then the other side hears of the end."""
    with contextlib.suppress(OSError):
        while chunk := await source.read(_CHUNK):
            target.write(chunk)
            await target.drain()
    target.close()


def main(arguments: Sequence[str]) -> None:
    """Run as a process of a sandbox until told to stop."""
    parser = argparse.ArgumentParser(prog="quotatree.sandbox.front", description=__doc__)
    parser.add_argument("--listen", type=int, required=True)
    parser.add_argument("replicas", type=int, nargs="+")
    asked = parser.parse_args(arguments)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(Front(asked.replicas).serve(asked.listen))


if __name__ == "__main__":
    main(sys.argv[1:])
