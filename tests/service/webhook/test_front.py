"""The acceptor as a process: it answers while its decider stands still, and ends with it."""

import asyncio
import json
import os
import random
import signal
import ssl
import threading
import time
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from tests.service import webhook_reviews

from quotatree.errors import ClusterError
from quotatree.sandbox import ports
from quotatree.settings import LogSettings, WebhookSettings
from quotatree.webhook import certificates, routes
from quotatree.webhook.answers import Answers
from quotatree.webhook.certificates import Step
from quotatree.webhook.front import Front

HOST = "127.0.0.1"
MADE = certificates.carry_out(
    Step.START, None, hosts=[HOST], now=datetime.fromtimestamp(time.time(), tz=UTC)
)


@asynccontextmanager
async def front() -> AsyncIterator[tuple[Front, str, asyncio.Task[None]]]:
    """Start an acceptor and wait until it listens."""
    (port,) = ports.several(random.Random(), 1)
    running = await Front.start(Answers(), WebhookSettings(host=HOST, port=port), LogSettings())
    chain = certificates.pem(MADE.chain) + MADE.key_pem
    running.counter.tell(chain=chain.decode(), bundle=MADE.bundle.decode(), host=HOST)
    serving = asyncio.create_task(running.serve())
    url = f"https://{HOST}:{port}"
    try:
        end = time.monotonic() + 30
        while await asyncio.to_thread(get, f"{url}{routes.ALIVE}") != 200:
            assert time.monotonic() < end
            await asyncio.sleep(0.05)
        yield running, url, serving
    finally:
        serving.cancel()
        await asyncio.wait([serving])
        await running.stop()


def trust() -> ssl.SSLContext:
    return ssl.create_default_context(cadata=MADE.bundle.decode())


def get(url: str, body: bytes | None = None) -> int:
    """Return the status that an HTTP request is answered with, 0 when it is not."""
    try:
        with urllib.request.urlopen(url, body, timeout=5, context=trust()) as answer:
            if body is None:
                return answer.status
            return json.loads(answer.read())["response"]["status"]["code"]
    except OSError as error:
        return getattr(error, "code", 0)


async def test_a_decider_whose_loop_is_blocked_is_answered_for():
    body = json.dumps(webhook_reviews.review(obj={}, old={})).encode()
    told: list[tuple[int, float]] = []

    def ask(url: str) -> None:
        time.sleep(0.2)
        began = time.monotonic()
        told.append((get(url, body), time.monotonic() - began))

    async with front() as (_, url, _):
        asking = threading.Thread(target=ask, args=[f"{url}{routes.USAGE}"])
        asking.start()
        time.sleep(2.5)
        asking.join()
        assert await asyncio.to_thread(get, f"{url}{routes.ALIVE}") == 200
    ((status, took),) = told
    assert status == 429
    assert took < 1.2


async def test_an_acceptor_ends_with_its_decider_and_frees_its_port():
    async with front() as (running, url, _):
        await running.stop()
        assert await asyncio.to_thread(get, f"{url}{routes.ALIVE}") == 0


async def test_a_replica_without_its_acceptor_ends():
    async with front() as (running, _, serving):
        os.kill(running.pid, signal.SIGKILL)
        with pytest.raises(ClusterError, match="the acceptor has ended with code -9"):
            await serving
