"""What an acceptor and its decider say to one another over their socket: numbered frames.

A frame is a kind, a number and bytes. Many questions are under way at once; the number says which
of them an answer belongs to.
"""

from __future__ import annotations

import asyncio
import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

_HEAD: Final = struct.Struct(">BII")
_ASKED: Final = struct.Struct(">dH")
_ANSWERED: Final = struct.Struct(">HB")

TEXT: Final = "text/plain"
JSON: Final = "application/json"
_MEDIA: Final = (TEXT, JSON)


class Kind(IntEnum):
    """What a frame is about; the acceptor sends the first, the decider the others."""

    ASK = 1
    TAKEN = 2
    """The decider's loop has the question, and the answer takes its time. It is alive."""
    ANSWER = 3
    TELL = 4
    """Something that the acceptor is to know, as JSON; no question belongs to it."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame."""

    kind: Kind
    number: int
    content: bytes

    def pack(self) -> bytes:
        """Return it as bytes."""
        return _HEAD.pack(self.kind, self.number, len(self.content)) + self.content


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A request to a path; nobody waits for the answer after `until` (monotonic seconds).

    Both processes read the same clock: it is the machine's.
    """

    path: str
    body: bytes = b""
    until: float

    def pack(self) -> bytes:
        """Return it as the content of a frame."""
        path = self.path.encode()
        return _ASKED.pack(self.until, len(path)) + path + self.body


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An HTTP answer: status, media type, body."""

    status: int = 200
    media: str = JSON
    body: bytes

    def pack(self) -> bytes:
        """Return it as the content of a frame."""
        return _ANSWERED.pack(self.status, _MEDIA.index(self.media)) + self.body


def said(text: str, *, status: int = 200) -> Answer:
    """Return an answer of one line of text."""
    return Answer(status=status, media=TEXT, body=f"{text}\n".encode())


def question(content: bytes) -> Question:
    """Return what `Question.pack` packed."""
    until, length = _ASKED.unpack_from(content)
    rest = _ASKED.size + length
    return Question(until=until, path=content[_ASKED.size : rest].decode(), body=content[rest:])


def answer(content: bytes) -> Answer:
    """Return what `Answer.pack` packed.

    Raises:
        ValueError: it is no such thing.
    """
    if len(content) < _ANSWERED.size:
        raise ValueError(f"an answer of {len(content)} bytes")
    status, media = _ANSWERED.unpack_from(content)
    return Answer(status=status, media=_MEDIA[media], body=content[_ANSWERED.size :])


async def read(reader: asyncio.StreamReader) -> Frame | None:
    """Return the next frame, None when the other side is gone."""
    try:
        kind, number, length = _HEAD.unpack(await reader.readexactly(_HEAD.size))
        return Frame(Kind(kind), number, await reader.readexactly(length))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
