"""The load generator: creates pods with many concurrent creators. Runs as a process of its own.

It reads one JSON order a line from stdin and answers each with one JSON line on stdout. Bodies are
built before the clock starts and connections are open by then, so that what is timed is the API
server and as little as possible of Python.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import ssl
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import cycle, islice
from typing import Any

import aiohttp
import orjson

from quotatree.cluster import credentials, eventloop, kubeconfig, paths


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Create `pods` pods, named after `prefix`, round robin in `namespaces`, by `creators`."""

    namespaces: list[str]
    prefix: str
    pods: int
    creators: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How long the whole took, and each request of it, in seconds; HTTP status → how often."""

    seconds: float
    latencies: list[float]
    statuses: dict[str, int]


def pod(name: str) -> dict[str, Any]:
    """Return a pod that uses each of the five resources of the benchmark's quotas."""
    amounts = {"cpu": "250m", "memory": "256Mi", "nvidia.com/gpu": "1"}
    container = {
        "name": "work",
        "image": "none",
        "resources": {"requests": amounts, "limits": {"nvidia.com/gpu": "1"}},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"containers": [container], "automountServiceAccountToken": False},
    }


def requests(order: Order) -> Iterator[tuple[str, bytes]]:
    """Yield path and body of each request of an order."""
    for number in range(order.pods):
        namespace = order.namespaces[number % len(order.namespaces)]
        yield paths.PODS.path(namespace), orjson.dumps(pod(f"{order.prefix}-{number}"))


class Generator:
    """Creators that share a pool of open connections; each talks to one of `servers`, in turn."""

    def __init__(self, session: aiohttp.ClientSession, servers: Sequence[str]) -> None:
        self._session = session
        self._servers = servers

    async def carry_out(self, order: Order) -> Outcome:
        """Create the pods of an order; refusals are counted, not retried."""
        servers = list(islice(cycle(self._servers), order.creators))
        await asyncio.gather(*map(self._warm, servers))
        waiting = iter(list(requests(order)))
        latencies: list[float] = []
        statuses: Counter[str] = Counter()

        async def create(server: str) -> None:
            for path, body in waiting:
                began = time.perf_counter()
                async with self._session.post(server + path, data=body) as response:
                    await response.read()
                latencies.append(time.perf_counter() - began)
                statuses[str(response.status)] += 1

        began = time.perf_counter()
        await asyncio.gather(*map(create, servers))
        seconds = time.perf_counter() - began
        return Outcome(seconds=seconds, latencies=latencies, statuses=dict(statuses))

    async def _warm(self, server: str) -> None:
        """Open a connection, or keep one from being closed as idle."""
        async with self._session.get(f"{server}/version") as response:
            await response.read()


async def serve(path: str, servers: Sequence[str]) -> None:
    """Carry out orders until stdin ends, with the credentials of the kubeconfig at `path`."""
    access = kubeconfig.load(path, None)
    known = credentials.Credentials(access)
    async with _session(await known.headers(), known.tls()) as session:
        generator = Generator(session, servers)
        while line := await asyncio.to_thread(sys.stdin.readline):
            outcome = await generator.carry_out(Order(**json.loads(line)))
            print(json.dumps(asdict(outcome)), flush=True)


def _session(headers: list[tuple[str, str]], tls: ssl.SSLContext) -> aiohttp.ClientSession:
    fixed: Mapping[str, str] = {
        "Content-Type": "application/json",
        "Accept-Encoding": "identity",
        "User-Agent": "quotatree-bench",
    }
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=tls, limit=0, keepalive_timeout=300),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={**fixed, **dict(headers)},
    )


def main() -> None:
    """Serve one parent."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kubeconfig", required=True)
    parser.add_argument("--server", action="append", required=True, help="URL of an API server")
    given = parser.parse_args()
    with asyncio.Runner(loop_factory=eventloop.new) as runner:
        runner.run(serve(given.kubeconfig, given.server))


if __name__ == "__main__":
    main()
