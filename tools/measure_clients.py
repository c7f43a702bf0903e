"""Measure Kubernetes clients for Python on what quotatree asks of one.

Each client runs in a process of its own against a server on loopback that sends prepared bytes: a
list of 10,000 ResourceQuotas, a watch of as many changes, and answers to small patches one after
the other. Measured for each: time and memory of the import, CPU time and wall time of the list and
of the watch, memory taken by the list while it is held, the longest time for which the event loop
stood still meanwhile (for so long an admission review would have waited), and the time of one small
patch. On a busy machine trust the CPU times.

Optional dependencies, none of them quotatree's own apart from aiohttp and orjson:

    uv run --with lightkube --with kr8s --with kubernetes --with kubernetes-asyncio --with httpx2 \
        python -m tools.measure_clients

Clients that are not installed are left out. `--json FILE` writes the figures, `--objects N` and
`--rounds N` change the size; of several rounds the median counts.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from tools import client_adapters

PATCHES: Final = 500
RESOURCES: Final = ("cpu", "memory", "pods", "requests.nvidia.com/gpu", "requests.storage")

Figures = dict[str, float]


def quota(index: int) -> dict[str, Any]:
    """Return a managed ResourceQuota with five resources, as the API server would send it."""
    hard = dict.fromkeys(RESOURCES, f"{index % 90 + 10}")
    return {
        "metadata": {
            "name": "quotatree",
            "namespace": f"team-{index % 100:03}-pipeline-{index:05}",
            "uid": f"00000000-0000-4000-8000-{index:012}",
            "resourceVersion": str(1_000_000 + index),
            "creationTimestamp": "2026-11-23T20:00:00Z",
            "labels": {"quotatree.dev/managed": "true"},
            "annotations": {
                "quotatree.dev/ready": "true",
                "quotatree.dev/epoch": "7",
                **{f"slice.quotatree.dev/{name.replace('/', '_')}": "1" for name in RESOURCES},
            },
            "managedFields": [
                {
                    "manager": manager,
                    "operation": "Apply",
                    "apiVersion": "v1",
                    "time": "2026-11-23T20:00:00Z",
                    "fieldsType": "FieldsV1",
                    "fieldsV1": {"f:spec": {"f:hard": {f"f:{name}": {} for name in RESOURCES}}},
                }
                for manager in ("quotatree", "kube-controller-manager")
            ],
        },
        "spec": {"hard": hard},
        "status": {"hard": hard, "used": dict.fromkeys(RESOURCES, "3")},
    }


# --- the server, a process of its own ----------------------------------------------------------


def serve(objects: int) -> None:
    """Print the address, then answer until killed."""
    from aiohttp import web

    items = [quota(index) for index in range(objects)]
    head = {"apiVersion": "v1", "kind": "ResourceQuotaList"}
    listing = json.dumps(head | {"metadata": {"resourceVersion": "5"}, "items": items}).encode()
    pages = {}
    for start in range(0, objects, client_adapters.PAGE):
        rest = start + client_adapters.PAGE
        metadata = {"resourceVersion": "5", "continue": str(rest) if rest < objects else ""}
        page = head | {"metadata": metadata, "items": items[start:rest]}
        pages[str(start)] = json.dumps(page).encode()
    full = [{"apiVersion": "v1", "kind": "ResourceQuota", **item} for item in items]
    stream = b"".join(
        json.dumps({"type": "MODIFIED", "object": item}).encode() + b"\n" for item in full
    )
    one = json.dumps(full[0]).encode()
    version = json.dumps({"major": "1", "minor": "36", "gitVersion": "v1.36.3"}).encode()

    async def answer(request: web.Request) -> web.StreamResponse:
        await request.read()
        body = one if request.method == "PATCH" else listing
        if request.path.startswith("/version"):
            body = version
        elif "watch" in request.query:
            body = stream
        elif "limit" in request.query:
            body = pages[request.query.get("continue") or "0"]
        return web.Response(body=body, content_type="application/json")

    async def run() -> None:
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        print(f"http://{host}:{port}", flush=True)
        await asyncio.Event().wait()

    asyncio.run(run())


# --- measuring, in a process for each client ----------------------------------------------------


class Stalls:
    """The longest time for which the event loop did not get round to a task that was ready."""

    def __init__(self) -> None:
        self.longest = 0.0

    async def __aenter__(self) -> Stalls:
        self._task = asyncio.create_task(self._tick())
        await asyncio.sleep(0)
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.sleep(0.01)  # the last step's stall is seen by a tick after it
        self._task.cancel()

    async def _tick(self) -> None:
        before = time.perf_counter()
        while True:
            await asyncio.sleep(0.001)
            now = time.perf_counter()
            self.longest = max(self.longest, now - before)
            before = now


def memory() -> float:
    """Return the resident memory in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


async def timed(name: str, call: Callable[[], Awaitable[int | None]]) -> Figures:
    """Return wall time, CPU time and the longest stall of one call, in milliseconds."""
    async with Stalls() as stalls:
        wall, cpu = time.perf_counter(), time.process_time()
        await call()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {
        f"{name} ms": wall * 1e3,
        f"{name} cpu ms": cpu * 1e3,
        f"{name} stall ms": stalls.longest * 1e3,
    }


def measure(adapter: type[client_adapters.Adapter], url: str, objects: int) -> Figures:
    """Return the figures of one client. Raises: ImportError when it is not installed."""
    bare = memory()
    begun = time.perf_counter()
    for module in adapter.imports:
        importlib.import_module(module)
    imported = (time.perf_counter() - begun) * 1e3
    loaded = {"import ms": imported, "import MB": memory() - bare}
    return loaded | asyncio.run(_measure(adapter(url, objects)))


async def _measure(client: client_adapters.Adapter) -> Figures:
    await client.open()
    await client.patch()
    base = memory()
    figures = await timed("list", client.list)
    figures["list MB"] = memory() - base
    figures |= await timed("watch", client.watch)

    async def patches() -> None:
        for _ in range(PATCHES):
            await client.patch()

    patched = await timed("patch", patches)
    figures["patch µs"] = patched["patch ms"] / PATCHES * 1e3
    figures["patch cpu µs"] = patched["patch cpu ms"] / PATCHES * 1e3
    await client.close()
    return figures


def run_all(objects: int, rounds: int) -> dict[str, Figures]:
    """Return the median figures of each client that is installed; rounds alternate."""
    server = subprocess.Popen(
        [sys.executable, "-m", "tools.measure_clients", "--serve", "--objects", str(objects)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    url = server.stdout.readline().strip()
    seen: dict[str, list[Figures]] = {}
    try:
        for number in range(rounds):
            for name in client_adapters.ADAPTERS:
                print(f"round {number + 1}/{rounds}: {name}", file=sys.stderr)
                figures = _in_process(name, url, objects)
                if figures is not None:
                    seen.setdefault(name, []).append(figures)
    finally:
        server.kill()
        server.wait()
    return {
        name: {key: round(statistics.median(row[key] for row in rows), 1) for key in rows[0]}
        for name, rows in seen.items()
    }


def _in_process(name: str, url: str, objects: int) -> Figures | None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tools.measure_clients"),
            *("--one", name, "--url", url, "--objects", str(objects)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        print(f"  left out: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
        return None
    figures: Figures = json.loads(done.stdout)
    return figures


def table(figures: dict[str, Figures]) -> str:
    """Return the figures as a Markdown table."""
    keys = list(next(iter(figures.values())))
    rows = [["client", *keys], ["---", *("--:" for _ in keys)]]
    rows += [[name, *(f"{row[key]:,.0f}" for key in keys)] for name, row in figures.items()]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main() -> None:
    """Parse the options and do what they say."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--objects", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--one", choices=client_adapters.ADAPTERS, help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.objects)
    elif options.one:
        print(
            json.dumps(measure(client_adapters.ADAPTERS[options.one], options.url, options.objects))
        )
    else:
        figures = run_all(options.objects, options.rounds)
        print(table(figures))
        if options.json:
            options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
