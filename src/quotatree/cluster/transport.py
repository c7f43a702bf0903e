"""Bytes to the API server and back over kept-alive connections; every failure is a ClusterError."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
import sys
import weakref
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlencode, urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import yarl

import quotatree
from quotatree.cluster import credentials, kubeconfig, refusal
from quotatree.errors import ClusterError, InputError

CONNECT_TIMEOUT: Final = 10.0
"""Seconds to reach the server, TLS included."""
CLOSING_TURNS: Final = 10
"""Turns of the event loop that closing waits for the sockets; aborted ones need one or two."""
PEER_DEAD_AFTER: Final = 30
"""Seconds without a sign of life from the other machine's kernel; as client-go's HTTP/2 pings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request as a value: it can be sent, and sent again."""

    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    content_type: str = "application/json"

    @property
    def reads(self) -> bool:
        """Whether sending it twice changes no more than sending it once: it changes nothing."""
        return self.method == "GET"

    @property
    def target(self) -> str:
        """The path and its query."""
        return f"{self.path}?{urlencode(self.params)}" if self.params else self.path


class SilenceError(ClusterError):
    """A stream sent nothing for longer than was to be expected; it may be dead or just idle."""


class Transport:
    """A pool of at most `connections` connections to one server, as one user."""

    def __init__(self, access: kubeconfig.Access, *, connections: int) -> None:
        self._access = access
        self._credentials = credentials.Credentials(access)
        self._connections = connections
        self._proxy = _proxy(access)
        self._tls = self._credentials.tls()
        self._session: aiohttp.ClientSession | None = None
        self._chain = 0
        self._retired: list[aiohttp.ClientSession] = []
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()

    async def close(self) -> None:
        """Close all connections; running requests and streams fail."""
        sessions = [*self._retired, *([self._session] if self._session else [])]
        self._retired, self._session = [], None
        for session in sessions:
            await session.close()
        # The loop closes what was dropped a moment ago; it may end right after this.
        for _ in range(CLOSING_TURNS):
            if all(made.fileno() == -1 for made in self._sockets):
                break
            await asyncio.sleep(0)

    @asynccontextmanager
    async def open(
        self, asked: Asked, *, total: float | None = None, silence: float | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send `asked` and give its successful answer, whose body is still to be read.

        `total` bounds everything, `silence` the pause between two pieces, both in seconds.
        Transport errors inside the block are turned into ours too.

        Raises:
            ClusterError: `refusal.RefusedError` for an answer of 300 or more, else status 0;
                `SilenceError` where the pause was too long.
        """
        limit = aiohttp.ClientTimeout(total=total, sock_connect=CONNECT_TIMEOUT, sock_read=silence)
        try:
            response = await self._send(asked, limit)
            async with _whole_or_broken_off(response):
                if response.status >= 300:
                    raise refusal.from_answer(
                        self._what(asked),
                        response.status,
                        await response.read(),
                        retry_after=response.headers.get("Retry-After"),
                    )
                yield response
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            text = f"{self._what(asked)}: {_unanswered(error, total or silence)}"
            if isinstance(error, aiohttp.SocketTimeoutError):
                raise SilenceError(text) from error
            raise ClusterError(text) from error

    def _what(self, asked: Asked) -> str:
        return f"{asked.method} {asked.path} on {self._access.server}"

    async def _send(self, asked: Asked, limit: aiohttp.ClientTimeout) -> aiohttp.ClientResponse:
        """Send; after a 401 once more if there are newer credentials: it was not carried out."""
        headers = await self._credentials.headers()
        stamp = self._credentials.stamp
        response = await self._send_once(asked, headers, limit)
        if response.status == 401 and await self._credentials.refused(stamp):
            response.close()
            response = await self._send_once(asked, await self._credentials.headers(), limit)
        return response

    async def _send_once(
        self, asked: Asked, headers: list[tuple[str, str]], limit: aiohttp.ClientTimeout
    ) -> aiohttp.ClientResponse:
        if asked.body is not None:
            headers = [*headers, ("Content-Type", asked.content_type)]
        return await self._pool().request(
            asked.method,
            # The path is quoted already; quoting it again would change it.
            yarl.URL(self._access.server + asked.target, encoded=True),
            data=asked.body,
            headers=headers,
            timeout=limit,
            proxy=self._proxy,
            server_hostname=self._access.tls_server_name,
            allow_redirects=False,
        )

    def _pool(self) -> aiohttp.ClientSession:
        """Return the session; a new one when the client certificate has changed."""
        if self._session is not None and self._chain != self._credentials.chain:
            # Its running requests may end in peace; idle connections close by themselves.
            self._retired.append(self._session)
            self._session, self._tls = None, self._credentials.tls()
        if self._session is None:
            self._chain = self._credentials.chain
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    ssl=self._tls, limit=self._connections, socket_factory=self._socket
                ),
                headers={
                    "Accept": "application/json",
                    # Unpacking costs more than the bytes: it would run on the admission path.
                    "Accept-Encoding": "identity",
                    "User-Agent": f"quotatree/{quotatree.__version__}",
                },
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session

    def _socket(self, address: aiohttp.AddrInfoType) -> socket.socket:
        made = _lively_socket(address)
        self._sockets.add(made)
        return made


@asynccontextmanager
async def _whole_or_broken_off(response: aiohttp.ClientResponse) -> AsyncIterator[None]:
    """Keep the connection of an answer that was read to its end; drop any other at once.

    The polite end of TLS waits for the other side, longer than the event loop may live; its sockets
    would stay open.
    """
    async with response:
        try:
            yield
        finally:
            connection = response.connection
            if connection is not None and connection.transport is not None:
                connection.transport.abort()


def _lively_socket(address: aiohttp.AddrInfoType) -> socket.socket:
    """Return a socket that notices within `PEER_DEAD_AFTER` that the other machine is gone.

    A machine that loses power closes nothing; without this a watch would wait for it in vain.
    """
    family, kind, protocol, *_ = address
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if sys.platform == "linux":
        third = PEER_DEAD_AFTER // 3
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, third)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, third)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 2)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, PEER_DEAD_AFTER * 1000)
    return made


async def lines(stream: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Yield the whole lines of a stream, however long; a last one without its end is left out."""
    held: list[bytes] = []
    async for piece in stream.iter_any():
        head, *rest = piece.split(b"\n")
        held.append(head)
        for begun in rest:
            line = b"".join(held)
            held = [begun]
            if line:
                yield line


def _proxy(access: kubeconfig.Access) -> str | None:
    """Return the proxy to use: the kubeconfig's, else the environment's, as Go's clients do.

    Go never asks a proxy for loopback addresses, whatever the environment says.

    Raises:
        InputError: a proxy that is not spoken to by HTTP.
    """
    url = urlsplit(access.server)
    host = url.hostname or ""
    proxy = access.proxy
    if proxy is None and not _loopback(host) and not proxy_bypass(host):
        proxy = getproxies().get(url.scheme)
    if proxy and urlsplit(proxy).scheme not in ("http", "https"):
        raise InputError(f"proxy {proxy}: only http:// and https:// proxies are supported")
    return proxy or None


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _unanswered(error: Exception, seconds: float | None) -> str:
    """Say why there is no answer, and what to do."""
    match error:
        case aiohttp.ClientConnectorCertificateError() | ssl.SSLCertVerificationError():
            return (
                f"the server's certificate is not trusted: {error}; next: check "
                "certificate-authority and tls-server-name in the kubeconfig"
            )
        case aiohttp.ClientConnectorSSLError() | ssl.SSLError():
            return (
                f"TLS failed: {error}; next: check that the server speaks HTTPS and accepts the "
                "client certificate of the kubeconfig"
            )
        case aiohttp.ConnectionTimeoutError():
            return (
                f"no connection within {CONNECT_TIMEOUT:g} s; next: check `server` in the "
                "kubeconfig and the network"
            )
        case aiohttp.ServerTimeoutError() | asyncio.TimeoutError():
            within = f" within {seconds:g} s" if seconds else ""
            return f"no answer{within}; next: check the server's health and the network"
        case aiohttp.ClientConnectorError() | aiohttp.ClientProxyConnectionError():
            return f"cannot be reached: {error}; next: check that it runs and `server` is right"
        case _:
            return f"the connection broke off: {error!r}; next: check the server's log"
