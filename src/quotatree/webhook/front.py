"""The acceptor as its decider holds it: a process to be started, told things, and ended."""

from __future__ import annotations

import asyncio
import socket
import sys
from dataclasses import dataclass
from typing import Final, Self

import orjson

from quotatree.errors import ClusterError
from quotatree.settings import LogSettings, WebhookSettings
from quotatree.webhook.answers import Answers, Counter

ENDS_WITHIN: Final = 3.0
"""Seconds that an acceptor has to end by itself when its decider has let go of it."""


@dataclass(frozen=True, slots=True)
class Front:
    """A running acceptor."""

    counter: Counter
    _process: asyncio.subprocess.Process
    _writer: asyncio.StreamWriter

    @classmethod
    async def start(cls, answers: Answers, where: WebhookSettings, log: LogSettings) -> Self:
        """Start the process; it listens when it has been told a certificate."""
        ours, theirs = socket.socketpair()
        with theirs:
            settings = {
                "fd": theirs.fileno(),
                "host": where.host,
                "port": where.port,
                "level": log.level,
                "form": log.form,
            }
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "quotatree.webhook.acceptor",
                orjson.dumps(settings).decode(),
                stdin=asyncio.subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )
        reader, writer = await asyncio.open_connection(sock=ours)
        return cls(Counter(answers, reader, writer), process, writer)

    @property
    def pid(self) -> int:
        """The acceptor's process."""
        return self._process.pid

    async def serve(self) -> None:
        """Answer what it asks.

        Raises:
            ClusterError: it has ended; a replica that cannot be asked must not lead.
        """
        await self.counter.serve()
        code = await self._process.wait()
        raise ClusterError(f"the acceptor has ended with code {code}; next: see its log above")

    async def stop(self) -> None:
        """Let it end: its sockets are closed when this returns."""
        self._writer.close()
        try:
            async with asyncio.timeout(ENDS_WITHIN):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
