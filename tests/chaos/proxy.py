"""TCP links that can be cut, delayed, refused, stalled and half closed: a process of the tests.

`python -m tests.chaos.proxy PORT …` listens on a port of its own in front of each PORT and prints
them as a JSON list. Then each line on its standard input is a command, answered with a line:
`{"link": 0, "mode": "stall"}`, `{"link": 0, "delay": 0.2}`, `{"link": 0, "cut": "reset"}`.
"""

import asyncio
import contextlib
import json
import sys
from typing import Any

CHUNK = 64 * 1024
Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Link:
    """One listening port, and the connections through it.

    Modes: `pass`; `refuse`: nobody listens; `stall`: connections are accepted and stand, and no
    byte moves on any of them.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._server: asyncio.Server | None = None
        self._moving = asyncio.Event()
        self._moving.set()
        self._pairs: set[tuple[Pair, Pair]] = set()
        self.delay = 0.0
        self.port = 0

    async def listen(self) -> None:
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", self.port, backlog=512)
        self.port = self._server.sockets[0].getsockname()[1]

    async def mode(self, name: str) -> None:
        if name == "refuse" and self._server is not None:
            self._server.close()
            self._server = None
        elif name != "refuse" and self._server is None:
            await self.listen()
        (self._moving.clear if name == "stall" else self._moving.set)()

    def cut(self, how: str) -> int:
        """End all connections: `reset` both ways, or `half`, of which only one side hears."""
        for client, server in self._pairs:
            if how == "half":
                with contextlib.suppress(OSError, RuntimeError):
                    client[1].write_eof()
            else:
                client[1].transport.abort()
                server[1].transport.abort()
        return len(self._pairs)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = reader, writer
        try:
            server = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        pair = client, server
        self._pairs.add(pair)
        try:
            await asyncio.gather(self._pump(client[0], server[1]), self._pump(server[0], client[1]))
        finally:
            self._pairs.discard(pair)
            client[1].close()
            server[1].close()

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, RuntimeError):  # the other way has ended it
            while chunk := await source.read(CHUNK):
                if self.delay:
                    await asyncio.sleep(self.delay)
                await self._moving.wait()
                target.write(chunk)
                await target.drain()
        with contextlib.suppress(OSError, RuntimeError):
            target.write_eof()


async def obey(links: list[Link], command: dict[str, Any]) -> object:
    """Carry a command out and return what is to be answered."""
    link = links[command["link"]]
    if "delay" in command:
        link.delay = command["delay"]
    if "mode" in command:
        await link.mode(command["mode"])
    return link.cut(command["cut"]) if "cut" in command else "done"


async def main(targets: list[int]) -> None:
    links = [Link(target) for target in targets]
    for link in links:
        await link.listen()
    print(json.dumps([link.port for link in links]), flush=True)
    commands = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(commands), sys.stdin
    )
    while line := await commands.readline():
        print(json.dumps(await obey(links, json.loads(line))), flush=True)


if __name__ == "__main__":
    asyncio.run(main([int(port) for port in sys.argv[1:]]))
