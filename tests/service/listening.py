"""Ports opened by tests: whatever was connected to them is gone when they are closed."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[object]]


@asynccontextmanager
async def port(handler: Handler, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Listen on a free port of loopback; the handlers must end with their connections."""
    writers: list[asyncio.StreamWriter] = []
    tasks: set[asyncio.Task[Any]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        writers.append(writer)
        tasks.add(task)
        await handler(reader, writer)

    listener = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=context)
    try:
        yield listener.sockets[0].getsockname()[1]
    finally:
        listener.close()
        for writer in writers:
            writer.transport.abort()
        await ended(tasks)


async def ended(tasks: set[asyncio.Task[Any]]) -> None:
    """Wait for tasks, and let transports that were closed let go of their sockets."""
    if tasks:
        await asyncio.wait(tasks, timeout=10)
    for _ in range(5):
        await asyncio.sleep(0)


async def hold(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    """Say nothing, as a frozen process does."""
    await reader.read()
