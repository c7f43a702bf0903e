"""Nothing of a client outlives its event loop, whatever was under way when it was closed."""

import asyncio
import gc
import ssl
import threading
import time
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, suppress
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from quotatree.cluster import eventloop, together
from quotatree.cluster.client import Client
from quotatree.cluster.kubeconfig import Access
from quotatree.errors import ClusterError
from quotatree.webhook import certificates, chain
from quotatree.webhook.certificates import Step

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "the one of the controller": eventloop.new,
}


class Watched(BaseHTTPRequestHandler):
    """A watch of one event, which then stays silent, and objects."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = b'{"metadata": {}}\n'
        self.send_response(403 if self.path == "/refused" else 200)
        if self.path.startswith("/watch"):
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(body), body))
            time.sleep(1.0)
        else:
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Stay silent."""


@pytest.fixture(scope="module")
def access() -> Iterator[Access]:
    """A server over TLS, as the API server is."""
    now = datetime.fromtimestamp(time.time(), UTC)
    made = certificates.carry_out(Step.START, None, hosts=("127.0.0.1",), now=now)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    chain.load(context, certificates.pem(made.chain) + made.key_pem)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Watched)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield Access(server=f"https://127.0.0.1:{server.server_port}", ca=made.bundle.decode())
    server.shutdown()
    server.server_close()
    thread.join()


async def watch(client: Client) -> AsyncIterator[bytes]:
    async with aclosing(client.lines("/watch", params={}, silence=9)) as lines:
        async for line in lines:
            yield line


async def broken_off(client: Client) -> None:
    async with aclosing(watch(client)) as lines:
        async for _ in lines:
            break


async def cancelled(client: Client) -> None:
    async def follow() -> None:
        async for _ in watch(client):
            followed.set()

    followed = asyncio.Event()
    task = asyncio.create_task(follow())
    await followed.wait()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def answered(client: Client) -> None:
    await client.request("GET", "/object")


async def refused_beside_others(client: Client) -> None:
    """One fails while the others are still connecting."""
    with suppress(ClusterError):
        await together.all_of(failing(client), *(answered(client) for _ in range(5)))


async def failing(client: Client) -> None:
    await client.request("GET", "/refused")


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("use", [answered, broken_off, cancelled, refused_beside_others])
def test_no_socket_is_left_open(access, use, loop):
    async def work() -> None:
        async with Client(access) as client:
            await asyncio.gather(use(client), use(client), answered(client))

    with warnings.catch_warnings(record=True) as left:
        warnings.simplefilter("always")
        for _ in range(3):
            with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
                runner.run(work())
            gc.collect()
    assert [str(warning.message) for warning in left] == []
