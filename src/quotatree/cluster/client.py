"""Requests to the API server on one event loop: credentials, keep-alive, retries, clear errors.

Why aiohttp and not a Kubernetes library: `docs/decisions/0002-kubernetes-client.md`.
"""

from __future__ import annotations

import asyncio
import dataclasses
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from types import TracebackType
from typing import Any, Final

import orjson

from quotatree.cluster import kubeconfig, paths, refusal, transport
from quotatree.errors import ClusterError
from quotatree.model import names

JSON: Final = "application/json"
MERGE_PATCH: Final = "application/merge-patch+json"
JSON_PATCH: Final = "application/json-patch+json"
APPLY_PATCH: Final = "application/apply-patch+yaml"
"""Server-side apply; JSON is YAML, so the body is JSON all the same."""

PAGE: Final = 500
"""Objects per page of a list, as kubectl's `--chunk-size`."""
LIST_RESTARTS: Final = 3
"""Paginated attempts at one list before it is asked for in one piece, which cannot expire."""
ATTEMPTS: Final = 4
"""Times a request is sent in all, where sending it again is safe."""
FIRST_WAIT: Final = 0.1
"""Seconds before the second attempt of a read; doubled before each further one."""
LONGEST_WAIT: Final = 10.0
"""Seconds; a longer Retry-After is handed to the caller as an error."""
_TRANSIENT: Final = frozenset({500, 502, 503, 504})

Sleep = Callable[[float], Awaitable[None]]


class Client:
    """One API server, spoken to as one user.

    All errors are `ClusterError`: a `refusal.RefusedError` when the server answered, one of
    status 0 when it did not. `sleep` and `chance` (a number in [0, 1)) are used between attempts
    only.
    """

    def __init__(
        self,
        access: kubeconfig.Access,
        *,
        connections: int = 100,
        sleep: Sleep = asyncio.sleep,
        chance: Callable[[], float] = random.random,  # noqa: S311 - spreads, guards nothing
    ) -> None:
        self.server = access.server
        self.namespace = access.namespace
        self._access = access
        self._transport = transport.Transport(access, connections=connections)
        self._sleep = sleep
        self._chance = chance

    @classmethod
    async def connect(
        cls,
        kubeconfig_path: str | None = None,
        context: str | None = None,
        *,
        connections: int = 100,
    ) -> Client:
        """Return a client for the cluster that kubectl would use; no request is sent yet.

        Raises:
            InputError: the kubeconfig is missing or malformed.
        """
        return cls(kubeconfig.load(kubeconfig_path, context), connections=connections)

    def beside(self, server: str, *, connections: int) -> Client:
        """Return a client of the same user for another API server of the same cluster."""
        return Client(dataclasses.replace(self._access, server=server), connections=connections)

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections; running requests and watches fail."""
        await self._transport.close()

    async def request(
        self,
        method: str,
        path: str,
        *,
        body: object | None = None,
        params: Mapping[str, str] | None = None,
        content_type: str = JSON,
        timeout: float = 30.0,
        retry: bool = True,
    ) -> dict[str, Any]:
        """Send one request and return the object that the server answers with.

        Reads are repeated after transport errors and 5xx, everything after a 429 that says when;
        `timeout` is in seconds for each attempt. `retry=False` sends it once.

        Raises:
            ClusterError: the server refused, could not be reached, or did not answer in time.
        """
        asked = transport.Asked(
            method=method,
            path=path,
            params=params or {},
            body=None if body is None else orjson.dumps(body),
            content_type=content_type,
        )
        raw = await self._repeat(asked, timeout=timeout, attempts=ATTEMPTS if retry else 1)
        try:
            answer = orjson.loads(raw) if raw else {}
        except orjson.JSONDecodeError as error:
            raise ClusterError(
                f"{method} {path} on {self.server}: the answer is not JSON; "
                "next: check that this is a Kubernetes API server"
            ) from error
        if not isinstance(answer, dict):
            raise ClusterError(f"{method} {path} on {self.server}: the answer is no object")
        return answer

    async def text(self, path: str, *, timeout: float = 10.0) -> str:
        """Return the plain text at `path`, such as `/readyz`, asked for once.

        Raises:
            ClusterError: as `request`.
        """
        raw = await self._repeat(
            transport.Asked(method="GET", path=path), timeout=timeout, attempts=1
        )
        return raw.decode(errors="replace")

    async def get(
        self, kind: paths.Kind, name: str, *, namespace: str | None = None
    ) -> dict[str, Any]:
        """Return one object. Raises: ClusterError, status 404 when there is none."""
        return await self.request("GET", kind.path(namespace, name))

    async def find(
        self, kind: paths.Kind, name: str, *, namespace: str | None = None
    ) -> dict[str, Any] | None:
        """Return one object, or None when there is none. Raises: ClusterError otherwise."""
        try:
            return await self.get(kind, name, namespace=namespace)
        except ClusterError as error:
            if error.status == 404:
                return None
            raise

    async def list_all(
        self,
        kind: paths.Kind,
        *,
        namespace: str | None = None,
        label_selector: str | None = None,
        field_selector: str | None = None,
        each: Callable[[dict[str, Any]], Any] | None = None,
    ) -> tuple[list[Any], int]:
        """Return all objects of a kind and the resourceVersion at which they stood.

        The read is consistent (it sees every write that was answered before it began) and in
        pages. A snapshot that expires between two pages makes it begin again. `each` is what to
        keep of an object, so that no more than a page of them is in memory at once.

        Raises:
            ClusterError: as `request`.
        """
        selectors = {"labelSelector": label_selector, "fieldSelector": field_selector}
        params = {key: value for key, value in selectors.items() if value}
        path = kind.path(namespace)
        for _ in range(LIST_RESTARTS):
            try:
                return await self._pages(path, params | {"limit": str(PAGE)}, each)
            except ClusterError as error:
                if error.status != 410:
                    raise
        return await self._pages(path, params, each)

    async def _pages(
        self,
        path: str,
        params: dict[str, str],
        each: Callable[[dict[str, Any]], Any] | None,
    ) -> tuple[list[Any], int]:
        items: list[Any] = []
        token = ""
        while True:
            page = await self.request(
                "GET", path, params=params | ({"continue": token} if token else {}), timeout=60.0
            )
            metadata = page.get("metadata") or {}
            found = page.get("items") or ()
            items += found if each is None else map(each, found)
            token = metadata.get("continue") or ""
            if not token:
                return items, resource_version(page)

    async def create(
        self, kind: paths.Kind, body: Mapping[str, Any], *, namespace: str | None = None
    ) -> dict[str, Any]:
        """Create an object. Raises: ClusterError, reason `AlreadyExists` when it is there."""
        namespace = namespace or (body["metadata"].get("namespace") if kind.namespaced else None)
        return await self.request("POST", kind.path(namespace), body=body)

    async def replace(
        self,
        kind: paths.Kind,
        body: Mapping[str, Any],
        *,
        subresource: str | None = None,
    ) -> dict[str, Any]:
        """Replace an object; with its resourceVersion in `body` this is a compare-and-swap.

        Raises:
            ClusterError: status 409 when it has changed since it was read.
        """
        metadata = body["metadata"]
        path = kind.path(metadata.get("namespace"), metadata["name"], subresource)
        return await self.request("PUT", path, body=body)

    async def patch(
        self,
        kind: paths.Kind,
        name: str,
        *,
        body: object,
        namespace: str | None = None,
        subresource: str | None = None,
        content_type: str = MERGE_PATCH,
        timeout: float = 30.0,
        retry: bool = True,
    ) -> dict[str, Any]:
        """Patch an object, by JSON merge patch unless told otherwise.

        Raises:
            ClusterError: status 409 when the patch holds a resourceVersion that has passed.
        """
        return await self.request(
            "PATCH",
            kind.path(namespace, name, subresource),
            body=body,
            content_type=content_type,
            timeout=timeout,
            retry=retry,
        )

    async def apply(
        self,
        body: Mapping[str, Any],
        *,
        field_manager: str = names.FIELD_OWNER,
        force: bool = False,
        dry_run: bool = False,
        subresource: str | None = None,
    ) -> dict[str, Any]:
        """Apply an object server-side; its apiVersion and kind say where.

        Raises:
            ClusterError: status 409 when another manager owns a field and `force` is off.
            InputError: the kind is not one that quotatree handles.
        """
        params = {"fieldManager": field_manager, "force": "true" if force else "false"}
        return await self.request(
            "PATCH",
            paths.of(body, subresource),
            body=body,
            params=params | ({"dryRun": "All"} if dry_run else {}),
            content_type=APPLY_PATCH,
        )

    async def delete(
        self,
        kind: paths.Kind,
        name: str,
        *,
        namespace: str | None = None,
        uid: str | None = None,
        missing_ok: bool = True,
    ) -> dict[str, Any]:
        """Delete an object, only the one with `uid` when it is given; what is gone is no error.

        Raises:
            ClusterError: status 409 when the object there has another uid.
        """
        options: dict[str, Any] = {"apiVersion": "v1", "kind": "DeleteOptions"}
        if uid is not None:
            options["preconditions"] = {"uid": uid}
        try:
            return await self.request("DELETE", kind.path(namespace, name), body=options)
        except ClusterError as error:
            if error.status == 404 and missing_ok:
                return {}
            raise

    async def pages(
        self, kind: paths.Kind, *, namespace: str | None = None, size: int = PAGE
    ) -> AsyncGenerator[list[dict[str, Any]]]:
        """Yield the objects of a kind as they stood at one moment, `size` of them at a time.

        Raises:
            ClusterError: as `request`; 410 when that moment is too long ago to go on reading.
        """
        path, token = kind.path(namespace), ""
        while True:
            params = {"limit": str(size)} | ({"continue": token} if token else {})
            page = await self.request("GET", path, params=params, timeout=60.0)
            yield list(page.get("items") or ())
            token = (page.get("metadata") or {}).get("continue") or ""
            if not token:
                return

    async def lines(
        self,
        path: str,
        *,
        params: Mapping[str, str],
        silence: float,
        opened: Callable[[], None] = lambda: None,
    ) -> AsyncGenerator[bytes]:
        """Yield the whole lines of a streamed answer; a last one that was cut is left out.

        `silence` is the longest time in seconds between two pieces of the stream; `opened` is
        called when the answer begins, which may be long before its first line.

        Raises:
            ClusterError: refused, unreachable or broken off.
            transport.SilenceError: silent for too long.
        """
        asked = transport.Asked(method="GET", path=path, params=params)
        async with self._transport.open(asked, silence=silence) as response:
            opened()
            async for line in transport.lines(response.content):
                yield line

    async def _repeat(self, asked: transport.Asked, *, timeout: float, attempts: int) -> bytes:
        for attempt in range(1, attempts + 1):
            try:
                async with self._transport.open(asked, total=timeout) as response:
                    return await response.read()
            except ClusterError as error:
                wait = _wait(error, asked.reads, attempt)
                if wait is None or attempt == attempts:
                    raise
                # Spread, so that replicas refused together do not come back together.
                await self._sleep(wait * (1 + self._chance()))
        raise AssertionError("a request is sent at least once")


def _wait(error: ClusterError, reads: bool, attempt: int) -> float | None:
    """Return the seconds to wait before sending the request again, None when it must not be.

    A 429 was not carried out (the server's flow control turned it away before), so even a write
    may follow. Of anything else only a read may: the first one might have been carried out.
    """
    asked = error.retry_after if isinstance(error, refusal.RefusedError) else None
    if error.status == 429:
        return asked if asked is not None and asked <= LONGEST_WAIT else None
    if reads and (error.status == 0 or error.status in _TRANSIENT):
        return min(asked or FIRST_WAIT * 2 ** (attempt - 1), LONGEST_WAIT)
    return None


def resource_version(obj: Mapping[str, Any]) -> int:
    """Return the resourceVersion of an object or a list.

    Comparing them as integers is sound: since Kubernetes 1.35 it is part of the API (KEP-5504),
    and before it was so wherever etcd is the store.

    Raises:
        ClusterError: there is none, or it is no number; this server is not built on etcd.
    """
    text = (obj.get("metadata") or {}).get("resourceVersion")
    if not isinstance(text, str) or not text.isascii() or not text.isdecimal():
        raise ClusterError(f"resourceVersion {text!r} is no number; this API server is unsupported")
    return int(text)
