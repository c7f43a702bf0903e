"""The front of a sandbox's replicas: one port, whichever of them are there."""

import asyncio
import random
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from tests.service import listening

from quotatree.sandbox import front, ports
from quotatree.webhook import certificates, chain
from quotatree.webhook.certificates import Step

MADE = certificates.carry_out(
    Step.START, None, hosts=["localhost"], now=datetime.fromtimestamp(time.time(), tz=UTC)
)


@asynccontextmanager
async def replica(name: str, status: str = "200 OK") -> AsyncIterator[int]:
    """Open a TLS port that answers each line with a status and its name."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    chain.load(context, certificates.pem(MADE.chain) + MADE.key_pem)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readline():
            writer.write(f"HTTP/1.1 {status} {name}\r\n".encode())
        writer.close()

    async with listening.port(answer, context) as port:
        yield port


@asynccontextmanager
async def before(*behind: int) -> AsyncIterator[int]:
    """Run a front of these ports, all of them probed once."""
    (port,) = ports.several(random.Random(), 1)
    running = front.Front(behind)
    before_it = asyncio.all_tasks()
    serving = asyncio.create_task(running.serve(port))
    try:
        async with asyncio.timeout(10):
            while not await connects(port) or running.probed < len(behind):
                await asyncio.sleep(0.01)
        yield port
    finally:
        serving.cancel()
        await listening.ended({t for t in asyncio.all_tasks() - before_it if not t.done()})


async def connects(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def answers(port: int, times: int) -> set[str]:
    """Return the names of the replicas that answer new connections."""
    names = set()
    for _ in range(times):
        trust = ssl.create_default_context(cadata=MADE.bundle.decode())
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=trust, server_hostname="localhost"
        )
        writer.write(b"who?\r\n")
        names.add((await reader.readline()).decode().split()[-1])
        writer.close()
    return names


async def test_new_connections_go_round_the_replicas_that_are_ready():
    async with (
        replica("a") as a,
        replica("b") as b,
        replica("c", "503 No") as c,
        before(a, b, c) as port,
    ):
        assert await answers(port, 6) == {"a", "b"}


async def test_where_none_is_ready_all_that_listen_are_tried():
    (gone,) = ports.several(random.Random(), 1)
    async with replica("a", "503 No") as a, before(gone, a) as port:
        assert await answers(port, 4) == {"a"}


async def test_where_nobody_listens_a_connection_ends_at_once():
    (gone,) = ports.several(random.Random(), 1)
    async with before(gone) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()


async def test_one_that_takes_connections_and_says_nothing_is_not_ready():
    async with listening.port(listening.hold) as frozen:
        began = time.monotonic()
        assert not await front.Front([frozen]).is_ready(frozen)
        assert time.monotonic() - began == pytest.approx(front.PROBE_EVERY, abs=0.5)
