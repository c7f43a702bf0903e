"""The admission server: TLS, paths, limits. Bytes in, bytes out; everything else is the desk's."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from aiohttp import web

from quotatree.cluster.live import Live
from quotatree.codec import review
from quotatree.errors import InputError
from quotatree.webhook.desk import Desk

LOG: Final = logging.getLogger(__name__)

MAX_BODY: Final = 4 * 1024 * 1024
"""Bytes: object and oldObject of the greatest size that etcd stores (1.5 MiB) fit twice."""

Handler = Callable[[Mapping[str, Any]], Awaitable[bytes]]


def application(desk: Desk) -> web.Application:
    """Return the server's paths."""
    app = web.Application(client_max_size=MAX_BODY)
    app.router.add_post("/admit/usage", _reviews(desk.usage))
    app.router.add_post("/correct/usage", _reviews(desk.recount))
    app.router.add_post("/validate/namespace", _reviews(desk.namespace))
    app.router.add_post("/validate/treequota", _reviews(desk.quota))
    app.router.add_get("/livez", _alive)
    app.router.add_get("/readyz", _ready(desk.live))
    return app


def _reviews(handle: Handler) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Wrap a handler: what cannot be read is 400, a fault of ours is a refusal and a log line."""

    async def respond(request: web.Request) -> web.Response:
        body = await request.read()
        try:
            asked = review.request_of(body)
            return _json(await handle(asked))
        except InputError as error:
            return web.Response(status=400, text=f"cannot read this AdmissionReview: {error}\n")
        except Exception:
            LOG.exception("a review could not be answered", extra={"path": request.path})
            return web.Response(status=500, text="quotatree failed to decide; see its log\n")

    return respond


def _json(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="application/json")


async def _alive(_: web.Request) -> web.Response:
    return web.Response(text="ok\n")


def _ready(live: Live) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def respond(_: web.Request) -> web.Response:
        if live.loaded:
            return web.Response(text="ok\n")
        return web.Response(status=503, text="reading the cluster\n")

    return respond


async def serve(
    desk: Desk, *, host: str, port: int, tls: ssl.SSLContext
) -> tuple[web.AppRunner, int]:
    """Start to listen and return the runner (to be cleaned up) and the port that it got."""
    runner = web.AppRunner(application(desk), access_log=None, keepalive_timeout=120.0)
    await runner.setup()
    site = web.TCPSite(runner, host, port, ssl_context=tls, backlog=512)
    await site.start()
    sockets = runner.addresses
    return runner, int(sockets[0][1])
