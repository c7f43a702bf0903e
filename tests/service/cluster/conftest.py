"""A scripted server and a client that speaks to it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from tests.service.cluster.scripted import Script, Sleeps

from quotatree.cluster import client, kubeconfig


@pytest.fixture
async def script() -> AsyncIterator[Script]:
    script = Script()
    app = web.Application(client_max_size=1 << 26)
    app.router.add_route("*", "/{tail:.*}", script.handle)
    runner = web.AppRunner(app, shutdown_timeout=0, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    script.url = f"http://{host}:{port}"
    yield script
    await runner.cleanup()


@pytest.fixture
def sleeps() -> Sleeps:
    return Sleeps()


@pytest.fixture
async def api(script: Script, sleeps: Sleeps) -> AsyncIterator[client.Client]:
    access = kubeconfig.Access(server=script.url, token="t0")
    async with client.Client(access, sleep=sleeps, chance=lambda: 0.0) as api:
        yield api
