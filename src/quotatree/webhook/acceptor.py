"""The acceptor: the process that API servers talk to, in front of each replica's decider.

It decides nothing and keeps nothing. A review goes to the decider of the replica that leads, its
own or another one, and where that gives no sign of life it is refused at once. It is a process of
its own, because whatever keeps a decider from answering (a collection of garbage, a loop that
hangs, a lock held in C) would keep a thread of it from answering as well.

It is told who leads by its decider, and has no credentials of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import ssl
import sys
import time
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
import orjson

from quotatree import telemetry
from quotatree.cluster import eventloop
from quotatree.metrics import AcceptorMetrics
from quotatree.webhook import chain, routes, server, unanswered
from quotatree.webhook.frames import Answer
from quotatree.webhook.pulse import UnansweredError
from quotatree.webhook.ways import Other, Own

LOG: Final = logging.getLogger(__name__)


PARTING: Final = 0.25
"""Seconds between two connections that are closed since nobody decides. Their API servers may find
somebody who can elsewhere; but each new one costs both sides a handshake, and while nobody decides
anywhere these took all of a processor, and creations in namespaces without any quota four times as
long. Longer: when another one decides, it is found later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where to listen."""

    host: str
    port: int


class Acceptor:
    """Ways to whoever decides, and which of them is the way now."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        session: aiohttp.ClientSession,
    ) -> None:
        self.own = Own(reader, writer, told=self.heard)
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.certified = asyncio.Event()
        self._session = session
        self._trust = ssl.create_default_context()
        self._host = ""
        self._here = False
        self._leader: Other | None = None
        self._parted = float("-inf")
        self._metrics = AcceptorMetrics()

    def heard(self, content: bytes) -> None:
        """Take in what the decider tells: certificates, or who leads."""
        match orjson.loads(content):
            case {"chain": str(shown), "bundle": str(bundle), "host": str(host)}:
                chain.load(self.context, shown.encode())
                self._trust = ssl.create_default_context(cadata=bundle or None)
                self._host = host
                self.certified.set()
            case {"here": bool(here), "leader": str(url)}:
                self._here = here
                if not url.startswith("https://"):  # nothing else vouches for who answers
                    self._leader = None
                elif self._leader is None or self._leader.url != url:
                    self._leader = Other(url, session=self._session)
            case other:
                LOG.warning("told something unknown", extra={"keys": sorted(other)})

    async def review(self, path: str, body: bytes) -> tuple[Answer, bool]:
        """Answer a review; also say whether the connection may stay.

        It may where we lead. Elsewhere each review would take the longer way for as long as the
        API server keeps its connection, so it is made to look for another replica; where nobody
        decides, one connection after the other.
        """
        leader, began = self._leader, time.perf_counter()
        way = "own" if leader is None else "leader"
        try:
            if leader is None:
                return await self.own.ask(path, body), self._here
            return await leader.ask(path, body, trust=self._trust, host=self._host), False
        except UnansweredError as error:
            self._metrics.unanswered.labels(way).inc()
            LOG.info("a review was not decided", extra={"path": path, "why": str(error)})
            return unanswered.answer(path, body, str(error)), not self._may_part()
        finally:
            self._metrics.review.labels(way).observe(time.perf_counter() - began)

    def _may_part(self) -> bool:
        now = time.monotonic()
        if now < self._parted + PARTING:
            return False
        self._parted = now
        return True

    async def metrics(self) -> bytes:
        """Return the metrics of both processes, those of the decider if it answers."""
        try:
            answer = await self.own.ask(routes.METRICS)
        except UnansweredError:
            return self._metrics.text(None)
        return self._metrics.text(answer.body)


async def run(link: socket.socket, place: Place) -> None:
    """Listen until the decider is gone."""
    reader, writer = await asyncio.open_connection(sock=link)
    # The connections are few, and each waits for nobody but its own review.
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as session:
        acceptor = Acceptor(reader, writer, session=session)
        listening = asyncio.create_task(acceptor.own.run())
        certified = asyncio.create_task(acceptor.certified.wait())
        await asyncio.wait({listening, certified}, return_when=asyncio.FIRST_COMPLETED)
        certified.cancel()
        if not acceptor.certified.is_set():
            return
        runner = await server.serve(
            acceptor, host=place.host, port=place.port, tls=acceptor.context
        )
        try:
            with contextlib.suppress(UnansweredError):
                await acceptor.own.ask(routes.ALIVE)  # so its decider knows that it listens
            await listening
        finally:
            await runner.cleanup()


def main(arguments: list[str]) -> None:
    """Run as the process that `front.Front` starts; it ends with the process that started it."""
    settings: dict[str, Any] = orjson.loads(arguments[0])
    # The decider is told to stop and closes the socket: reviews are answered up to then.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    telemetry.configure(level=settings["level"], form=settings["form"])
    link = socket.socket(fileno=settings["fd"])
    place = Place(host=settings["host"], port=settings["port"])
    with asyncio.Runner(loop_factory=eventloop.new) as runner:
        runner.run(run(link, place))


if __name__ == "__main__":
    main(sys.argv[1:])
