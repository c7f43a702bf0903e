"""The decider's side: which handler answers which path, and the socket that questions come by."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Protocol

import orjson

from quotatree.codec import review
from quotatree.engine import tally
from quotatree.engine.tally import Tally
from quotatree.errors import InputError
from quotatree.metrics import Metrics
from quotatree.webhook import frames, routes, unanswered
from quotatree.webhook.desk import Desk
from quotatree.webhook.frames import Answer, Frame, Kind

LOG: Final = logging.getLogger(__name__)

Handler = Callable[[Mapping[str, Any]], Awaitable[bytes]]


class Answers:
    """Answers to every path, from the desk of the present term.

    `follows` says whether another replica leads, so that this one is of use though it has read
    nothing.
    """

    def __init__(self, metrics: Metrics | None = None) -> None:
        self.desk: Desk | None = None
        self.metrics = metrics or Metrics()
        self.follows: Callable[[], bool] = lambda: False

    async def answer(self, path: str, body: bytes = b"") -> Answer:
        """Answer one request; what cannot be read is 400, a fault of ours 500 and a log line."""
        plain = self._plain(path)
        if plain is not None:
            return plain
        lenient = path == routes.LENIENT_USAGE
        if self.desk is None or (lenient and not self.desk.live.loaded):
            return unanswered.answer(path, body, "this replica begins or ends a term")
        handlers: dict[str, Handler] = {
            routes.USAGE: self.desk.usage,
            routes.LENIENT_USAGE: self.desk.usage,
            routes.RECOUNT: self.desk.recount,
            routes.NAMESPACE: self.desk.namespace,
            routes.TREE_QUOTA: self.desk.quota,
        }
        entry = routes.ENTRIES.get(path, path)
        try:
            with self.metrics.decision.labels(entry).time():
                return Answer(body=await handlers[path](review.request_of(body)))
        except InputError as error:
            self.metrics.answered(entry, "unreadable")
            return frames.said(f"cannot read this AdmissionReview: {error}", status=400)
        except Exception:
            self.metrics.answered(entry, "failed")
            LOG.exception("a review could not be answered", extra={"path": path})
            return frames.said("quotatree failed to decide; see its log", status=500)

    def _plain(self, path: str) -> Answer | None:
        """Answer what is no review, None for what is one."""
        match path:
            case routes.ALIVE:
                return frames.said("ok")
            case routes.READY:
                return self._ready()
            case routes.METRICS:
                return Answer(media=frames.TEXT, body=self._metrics())
            case _:
                return None

    def _metrics(self) -> bytes:
        live = None if self.desk is None else self.desk.live
        leads = live is not None and live.world.ledger.epoch > 0
        now = tally.of(live.world) if live is not None and leads else Tally()
        return self.metrics.text(now, leads=leads, loaded=live is not None and live.loaded)

    def _ready(self) -> Answer:
        if (self.desk is not None and self.desk.live.loaded) or self.follows():
            return frames.said("ok")
        return frames.said("reading the cluster", status=503)


class Answering(Protocol):
    """Who answers questions."""

    async def answer(self, path: str, body: bytes = b"") -> Answer:
        """Return the answer to one request; it never fails."""


class Counter:
    """The decider's end of the socket to its acceptor."""

    def __init__(
        self, answers: Answering, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._answers = answers
        self._reader = reader
        self._writer = writer
        self._busy: set[asyncio.Task[None]] = set()
        self.listening = asyncio.Event()

    def tell(self, **what: object) -> None:
        """Tell the acceptor something; see `acceptor.Acceptor.heard` for what it understands."""
        self._send(Frame(Kind.TELL, 0, orjson.dumps(what)))

    async def serve(self) -> None:
        """Answer until the acceptor is gone."""
        while (frame := await frames.read(self._reader)) is not None:
            self.listening.set()  # it asks for itself as soon as it does
            asked = frames.question(frame.content)
            # After a standstill the questions of before are still here, and nobody waits for them.
            if asked.until < time.monotonic():
                self._send(Frame(Kind.ANSWER, frame.number, frames.said("late", status=503).pack()))
                continue
            task = asyncio.create_task(self._answer(frame.number, asked))
            self._busy.add(task)
            task.add_done_callback(self._busy.discard)
            # Runs after the task's first step: most reviews are answered by then, and an answer
            # is a sign of life as well. Each frame costs both processes a turn of their loops.
            asyncio.get_running_loop().call_soon(self._take, frame.number, task)

    def _take(self, number: int, task: asyncio.Task[None]) -> None:
        if not task.done():
            self._send(Frame(Kind.TAKEN, number, b""))

    async def _answer(self, number: int, asked: frames.Question) -> None:
        found = await self._answers.answer(asked.path, asked.body)
        self._send(Frame(Kind.ANSWER, number, found.pack()))

    def _send(self, frame: Frame) -> None:
        # Not drained: questions are few, and a slow acceptor must not hold up the decider.
        if not self._writer.is_closing():
            self._writer.write(frame.pack())
