"""The two ways to a decider: over the socket to our own, over the network to another replica's."""

from __future__ import annotations

import asyncio
import itertools
import ssl
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

import aiohttp

from quotatree.webhook import frames, routes
from quotatree.webhook.frames import Answer, Frame, Kind, Question
from quotatree.webhook.pulse import DEADLINE, Pulse, UnansweredError

PATIENCE: Final = 0.95
"""Seconds for a whole answer: the API server gives one second, the desk takes 0.85 at most."""

MOST, EXCESS = 3, 0.1
"""Reviews of usage that may wait for a sign of life at the same time, and the seconds that these
may take where any more come, or where no sign came before. Quota admission has five workers, and
creations in namespaces without any quota need one too. More, or longer: those wait with a decider
that hangs; shorter: a busy one is taken for that."""
USAGE: Final = frozenset({routes.USAGE, routes.LENIENT_USAGE})
CROWDED: Final = "others wait for this replica's decider already"

Taken = Callable[[], Awaitable[None]]
"""Called as soon as the decider has the question."""


async def _nothing() -> None:
    return


@dataclass(slots=True)
class _Waiting:
    path: str
    begun: float = field(default_factory=time.monotonic)
    taken: asyncio.Event = field(default_factory=asyncio.Event)
    answer: asyncio.Future[Answer] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class Own:
    """The decider of this replica, another process: it may stand still while we do not."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        told: Callable[[bytes], None],
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._told = told
        self._numbers = itertools.count(1)
        self._waiting: dict[int, _Waiting] = {}
        self._pulse = Pulse("this replica's decider")
        self._gone = False

    async def run(self) -> None:
        """Take in what the decider says until it is gone; what is asked after that fails."""
        while (frame := await frames.read(self._reader)) is not None:
            self._pulse.heard()
            if frame.kind is Kind.TELL:
                self._told(frame.content)
            elif (waiting := self._waiting.get(frame.number)) is not None:
                self._take_in(waiting, frame)
        self._gone = True
        self._writer.close()
        for waiting in self._waiting.values():
            waiting.taken.set()
            if not waiting.answer.done():
                waiting.answer.set_exception(UnansweredError("this replica ends"))

    @staticmethod
    def _take_in(waiting: _Waiting, frame: Frame) -> None:
        waiting.taken.set()
        if frame.kind is Kind.ANSWER and not waiting.answer.done():
            waiting.answer.set_result(frames.answer(frame.content))

    async def ask(self, path: str, body: bytes = b"", *, taken: Taken = _nothing) -> Answer:
        """Ask the decider.

        Raises:
            UnansweredError: it hangs, or is gone.
        """
        if self._gone:
            raise UnansweredError("this replica ends")
        number, limit, waiting = next(self._numbers), self._limit(path), _Waiting(path)
        self._waiting[number] = waiting
        try:
            with self._pulse.attempt(limit):
                asked = Question(path=path, body=body, until=waiting.begun + limit)
                self._writer.write(Frame(Kind.ASK, number, asked.pack()).pack())
                async with asyncio.timeout(limit):
                    await waiting.taken.wait()
            await taken()
            if waiting.answer.done():
                return waiting.answer.result()
            async with asyncio.timeout(waiting.begun + PATIENCE - time.monotonic()):
                return await waiting.answer
        except TimeoutError:
            raise UnansweredError("this replica's decider did not finish in time") from None
        finally:
            del self._waiting[number]
            waiting.answer.cancel()

    def _limit(self, path: str) -> float:
        """Return how long to wait for a sign of life, in seconds."""
        if self._pulse.silent:
            return EXCESS  # a late sign of life to this question is heard all the same
        if path not in USAGE:
            return DEADLINE
        waiting = (one for one in self._waiting.values() if one.path == path)
        untaken = [one.begun for one in waiting if not one.taken.is_set()]
        if len(untaken) < MOST:
            return DEADLINE
        limit = min(untaken) + EXCESS - time.monotonic()
        if limit <= 0:
            raise UnansweredError(CROWDED)
        return limit


class Other:
    """The decider of the replica that listens at `url`.

    Its acceptor sends the head of its answer as soon as its decider has the question. `trust`
    vouches for its certificate, which is made out to `host`.
    """

    def __init__(self, url: str, *, session: aiohttp.ClientSession) -> None:
        self.url = url
        self._session = session
        self._pulse = Pulse(f"the leader at {url}")

    async def ask(self, path: str, body: bytes, *, trust: ssl.SSLContext, host: str) -> Answer:
        """Ask it.

        Raises:
            UnansweredError: it hangs, or is gone, or is none of ours.
        """
        begun = time.monotonic()
        try:
            with self._pulse.attempt():
                async with asyncio.timeout(DEADLINE):
                    response = await self._session.post(
                        f"{self.url}{routes.RELAY}{path}",
                        data=body,
                        ssl=trust,
                        server_hostname=host,
                        allow_redirects=False,
                    )
            self._pulse.heard()
            async with response, asyncio.timeout(begun + PATIENCE - time.monotonic()):
                if response.status != 200:
                    raise UnansweredError(f"the leader at {self.url} says {response.status}")
                return frames.answer(await response.read())
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise UnansweredError(f"the leader at {self.url} cannot be asked: {error}") from error
