"""The admission server: TLS, paths, limits. Bytes in, bytes out; whoever answers is asked."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from aiohttp import web

from quotatree import metrics
from quotatree.webhook import routes
from quotatree.webhook.frames import Answer
from quotatree.webhook.pulse import UnansweredError
from quotatree.webhook.ways import Taken

LOG: Final = logging.getLogger(__name__)

MAX_BODY: Final = 4 * 1024 * 1024
"""Bytes: object and oldObject of the greatest size that etcd stores (1.5 MiB) fit twice."""
KEEP_ALIVE: Final = 120.0
"""Seconds that an idle connection is kept: longer than API servers keep theirs (90 s)."""
ENDING: Final = 1.0
"""Seconds for reviews that are under way when the server ends."""


class Decider(Protocol):
    """The decider of this replica."""

    async def ask(self, path: str, body: bytes = b"", *, taken: Taken = ...) -> Answer:
        """Return its answer. Raises: UnansweredError when it gives none."""


class Acceptor(Protocol):
    """Who answers, or knows who does."""

    @property
    def own(self) -> Decider:
        """The decider of this replica, whoever leads."""

    async def review(self, path: str, body: bytes) -> tuple[Answer, bool]:
        """Return the answer to a review, and whether its connection may stay."""

    async def metrics(self) -> bytes:
        """Return the metrics of this replica, as far as there are any."""


def application(acceptor: Acceptor) -> web.Application:
    """Return the server's paths."""
    app = web.Application(client_max_size=MAX_BODY)
    for path in routes.REVIEWS:
        app.router.add_post(path, _reviews(acceptor))
        app.router.add_post(routes.RELAY + path, _relayed(acceptor))
    for path in (routes.ALIVE, routes.READY):
        app.router.add_get(path, _health(acceptor))
    app.router.add_get(routes.METRICS, _metrics(acceptor))
    return app


Respond = Callable[[web.Request], Awaitable[web.StreamResponse]]


def _reviews(acceptor: Acceptor) -> Respond:
    async def respond(request: web.Request) -> web.Response:
        answer, stays = await acceptor.review(request.path, await request.read())
        response = _response(answer)
        if not stays:
            response.force_close()
        return response

    return respond


def _relayed(acceptor: Acceptor) -> Respond:
    """Answer another replica: the head as soon as our decider has the question, then the rest."""

    async def respond(request: web.Request) -> web.StreamResponse:
        body, response = await request.read(), web.StreamResponse()

        async def taken() -> None:
            await response.prepare(request)

        try:
            path = request.path.removeprefix(routes.RELAY)
            answer = await acceptor.own.ask(path, body, taken=taken)
            await response.write(answer.pack())
        except UnansweredError as error:
            if not response.prepared:
                return web.Response(status=503, text=f"{error}\n")
            response.force_close()
        return response

    return respond


def _health(acceptor: Acceptor) -> Respond:
    async def respond(request: web.Request) -> web.Response:
        try:
            return _response(await acceptor.own.ask(request.path))
        except UnansweredError as error:
            return web.Response(status=503, text=f"{error}\n")

    return respond


def _metrics(acceptor: Acceptor) -> Respond:
    async def respond(_: web.Request) -> web.Response:
        headers = {"Content-Type": metrics.CONTENT_TYPE}
        return web.Response(body=await acceptor.metrics(), headers=headers)

    return respond


def _response(answer: Answer) -> web.Response:
    return web.Response(status=answer.status, body=answer.body, content_type=answer.media)


async def serve(acceptor: Acceptor, *, host: str, port: int, tls: ssl.SSLContext) -> web.AppRunner:
    """Start to listen and return the runner, to be cleaned up."""
    runner = web.AppRunner(
        application(acceptor),
        access_log=None,
        keepalive_timeout=KEEP_ALIVE,
        shutdown_timeout=ENDING,
    )
    await runner.setup()
    await web.TCPSite(runner, host, port, ssl_context=tls, backlog=512).start()
    LOG.info("listening", extra={"port": runner.addresses[0][1]})
    return runner
