"""A server that answers from a script: each request takes the next answer and is remembered."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web


@dataclass
class Answer:
    """One answer: `pieces` are sent one by one; `cut` breaks the connection after them."""

    status: int = 200
    pieces: tuple[bytes, ...] = ()
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    hang: bool = False


@dataclass
class Seen:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


class Script:
    """What the server will answer, and what it was asked."""

    def __init__(self) -> None:
        self.answers: deque[Answer] = deque()
        self.otherwise: Answer | None = None
        self.seen: list[Seen] = []
        self.url = ""
        self.finished = asyncio.Event()

    def add(self, *answers: Answer) -> None:
        self.answers.extend(answers)

    def json(self, body: object, status: int = 200, **headers: str) -> None:
        self.add(Answer(status, (orjson.dumps(body),), headers))

    def refuse(self, code: int, reason: str = "", message: str = "", **more: Any) -> None:
        body = {"kind": "Status", "code": code, "reason": reason, "message": message, **more}
        self.json(body, code)

    def watch(self, *events: dict[str, Any] | bytes, cut: bool = False, hang: bool = False) -> None:
        pieces = tuple(
            event if isinstance(event, bytes) else orjson.dumps(event) + b"\n" for event in events
        )
        self.add(Answer(200, pieces, cut=cut, hang=hang))

    async def handle(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        body = orjson.loads(raw) if raw else None
        self.seen.append(
            Seen(request.method, request.path, dict(request.query), dict(request.headers), body)
        )
        if not self.answers and self.otherwise is not None:
            return await _play(request, self.otherwise)
        if not self.answers:
            self.finished.set()
            return web.json_response({"kind": "Status", "message": "end of script"}, status=418)
        return await _play(request, self.answers.popleft())


async def _play(request: web.Request, answer: Answer) -> web.StreamResponse:
    response = web.StreamResponse(status=answer.status, headers=answer.headers)
    await response.prepare(request)
    for piece in answer.pieces:
        await response.write(piece)
        await asyncio.sleep(0)
    if answer.hang:
        await asyncio.sleep(3600)
    if answer.cut:
        assert request.transport is not None
        request.transport.abort()
    return response


class Sleeps(list[float]):
    """Instead of sleeping: remembers for how long it should have."""

    async def __call__(self, seconds: float) -> None:
        self.append(seconds)
        await asyncio.sleep(0)
