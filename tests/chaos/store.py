"""The store itself: etcd by its JSON gateway, asked around all API servers.

Only so is there an order of everything, whichever API server was killed or stands still; and what
was committed while nobody watched is in the history of the store all the same.
"""

import base64
import ssl
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import aiohttp
import orjson

from quotatree.sandbox import SandboxState, certs

PODS = b"/registry/pods/"
QUOTAS = b"/registry/resourcequotas/"
LINE = 64 * 1024 * 1024
"""The most bytes of one answer of a watch: many changes may come in one."""


class StoreError(Exception):
    """The store does not answer, or has forgotten what was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One committed write: `value` is None where the key was deleted."""

    revision: int
    key: bytes
    value: bytes | None


class Store:
    """A client of etcd: `async with Store(sandbox) as store`."""

    def __init__(self, sandbox: SandboxState) -> None:
        files = certs.Files(sandbox.certificates)
        context = ssl.create_default_context(cafile=str(files.etcd_ca))
        context.load_cert_chain(files.etcd_client, files.key(files.etcd_client))
        connector = aiohttp.TCPConnector(ssl=context, limit=64)
        self._url = f"https://127.0.0.1:{sandbox.ports.etcd}"
        self._session = aiohttp.ClientSession(connector=connector, read_bufsize=LINE)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._session.close()

    async def revision(self) -> int:
        """Return the store's revision at some moment between the question and the answer."""
        answer = await self._call("kv/range", {"key": _text(b"/none"), "count_only": True})
        return int(answer["header"]["revision"])

    async def read(self, prefix: bytes, *, keys_only: bool = False) -> tuple[list[Change], int]:
        """Return all that lies below a prefix, and the revision at which it does."""
        body = {**_below(prefix), "keys_only": keys_only}
        answer = await self._call("kv/range", body)
        found = [_change(item) for item in answer.get("kvs", [])]
        return found, int(answer["header"]["revision"])

    async def write(self, key: bytes, value: bytes) -> None:
        """Write behind the back of all API servers: to them it is an event like any other."""
        await self._call("kv/put", {"key": _text(key), "value": _text(value)}, within=60)

    async def compact(self, revision: int) -> None:
        """Forget everything older than this revision."""
        await self._call("kv/compaction", {"revision": revision, "physical": True})

    async def watch(self, prefix: bytes, *, after: int) -> AsyncGenerator[Change, None]:
        """Yield every change below a prefix from the one that follows `after` on, in order.

        Ends when the connection does.
        """
        body = {"create_request": {**_below(prefix), "start_revision": after + 1}}
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5)
        try:
            async with self._session.post(
                f"{self._url}/v3/watch", json=body, timeout=timeout
            ) as answer:
                async for line in answer.content:
                    result = orjson.loads(line).get("result")
                    if result is None or result.get("canceled"):
                        raise StoreError(f"the watch of {prefix.decode()} ended: {line[:200]!r}")
                    for event in result.get("events", []):
                        deleted = event.get("type") == "DELETE"
                        yield _change(event["kv"], deleted=deleted)
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return

    async def _call(self, what: str, body: dict[str, Any], *, within: float = 10) -> dict[str, Any]:
        timeout = aiohttp.ClientTimeout(total=within)
        try:
            async with self._session.post(
                f"{self._url}/v3/{what}", json=body, timeout=timeout
            ) as answer:
                found: dict[str, Any] = orjson.loads(await answer.read())
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise StoreError(f"etcd {what}: {error!r}") from error
        if "header" not in found:
            raise StoreError(f"etcd {what}: {found}")
        return found


def _below(prefix: bytes) -> dict[str, Any]:
    end = prefix[:-1] + bytes([prefix[-1] + 1])
    return {"key": _text(prefix), "range_end": _text(end)}


def _change(item: dict[str, Any], *, deleted: bool = False) -> Change:
    value = None if deleted else base64.b64decode(item.get("value", ""))
    key = base64.b64decode(item["key"])
    return Change(revision=int(item["mod_revision"]), key=key, value=value)


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()
