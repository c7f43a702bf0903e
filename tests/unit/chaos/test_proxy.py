"""The links of the fault tests break as they are told."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from tests.chaos.proxy import Link, obey


@pytest.fixture
async def link() -> AsyncIterator[Link]:
    """A link to a server that says everything back."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while line := await reader.readline():
                writer.write(line)
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    made = Link(server.sockets[0].getsockname()[1])
    await made.listen()
    yield made
    made.cut("reset")
    await made.mode("refuse")
    server.close()
    await asyncio.sleep(0.05)


async def said(link: Link, within: float = 5.0) -> bytes:
    """Return what comes back over a new connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
    writer.write(b"hello\n")
    try:
        async with asyncio.timeout(within):
            return await reader.readline()
    finally:
        writer.close()


async def test_it_passes_on(link: Link):
    assert await said(link) == b"hello\n"


async def test_nobody_listens_while_it_refuses_and_the_port_stays_the_same(link: Link):
    port = link.port
    await obey([link], {"link": 0, "mode": "refuse"})
    with pytest.raises(OSError, match=r"refused|failed"):
        await said(link)

    await obey([link], {"link": 0, "mode": "pass"})
    assert link.port == port
    assert await said(link) == b"hello\n"


async def test_nothing_moves_while_it_stalls(link: Link):
    await obey([link], {"link": 0, "mode": "stall"})
    with pytest.raises(TimeoutError):
        await said(link, within=0.2)

    await obey([link], {"link": 0, "mode": "pass"})
    assert await said(link) == b"hello\n"


async def test_a_delay_is_kept(link: Link):
    await obey([link], {"link": 0, "delay": 0.1})
    began = asyncio.get_running_loop().time()

    assert await said(link) == b"hello\n"
    assert asyncio.get_running_loop().time() - began >= 0.2


async def test_a_cut_ends_the_connections_that_stand(link: Link):
    reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
    writer.write(b"hello\n")
    await reader.readline()

    assert await obey([link], {"link": 0, "cut": "reset"}) == 1
    with contextlib.suppress(ConnectionResetError):
        assert await reader.read() == b""
    writer.close()


async def test_half_a_cut_is_heard_by_the_client_alone(link: Link):
    reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
    writer.write(b"hello\n")
    await reader.readline()

    await obey([link], {"link": 0, "cut": "half"})
    assert await reader.read() == b""
    writer.write(b"still\n")
    await writer.drain()
    writer.close()
