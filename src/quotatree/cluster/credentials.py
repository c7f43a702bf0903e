"""Who we are on every request: authorization headers and client certificates that renew themselves.

Service account tokens are replaced on disk about once an hour and exec plugins give short-lived
ones, so a token is a question asked anew, never a constant.
"""

from __future__ import annotations

import asyncio
import base64
import math
import ssl
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from quotatree.cluster import plugin
from quotatree.cluster.kubeconfig import Access
from quotatree.errors import ClusterError, InputError

TOKEN_FILE_PERIOD: Final = 60.0
"""Seconds for which a token read from a file is used; client-go's `CachedFileTokenSource`."""
EXPIRY_MARGIN: Final = 10.0
"""Seconds before a plugin's expirationTimestamp at which it is asked again."""


class Credentials:
    """The changing part of an `Access`: its headers now, and its TLS context.

    `stamp` grows with every change of them, `chain` with every change of the client certificate:
    connections that were made before still speak for the old one. `now` gives Unix seconds.
    """

    def __init__(self, access: Access, *, now: Callable[[], float] = time.time) -> None:
        self._access = access
        self._now = now
        self._lock = asyncio.Lock()
        self._token = access.token
        self._certificate = (access.certificate, access.key)
        self._renewable = bool(access.token_file or access.plugin)
        self._renew_at = 0.0 if self._renewable else math.inf
        self.stamp = 0
        self.chain = 0

    async def headers(self) -> list[tuple[str, str]]:
        """Return the headers that say who asks.

        Raises:
            ClusterError: the token's file cannot be read or the plugin failed.
        """
        if self._now() >= self._renew_at:
            async with self._lock:
                if self._now() >= self._renew_at:
                    await self._renew()
        headers = list(self._access.impersonate)
        if self._token:
            headers.append(("Authorization", f"Bearer {self._token}"))
        elif self._access.basic:
            pair = base64.b64encode(":".join(self._access.basic).encode()).decode()
            headers.append(("Authorization", f"Basic {pair}"))
        return headers

    async def refused(self, stamp: int) -> bool:
        """Take note of a 401 to what had this `stamp`; return whether there is something newer.

        Requests that are refused together renew once, not each for itself.

        Raises:
            ClusterError: as `headers`.
        """
        async with self._lock:
            if self.stamp == stamp and self._renewable:
                await self._renew()
        return self.stamp != stamp

    def tls(self) -> ssl.SSLContext:
        """Return a context that trusts the server's CA and shows the present client certificate.

        Raises:
            InputError: the CA, the certificate or the key is not usable PEM.
        """
        try:
            context = ssl.create_default_context(cadata=self._access.ca)
        except (ssl.SSLError, ValueError) as error:
            raise InputError(f"kubeconfig: certificate-authority is unusable: {error}") from error
        # Python 3.13 asks for extensions that many clusters' own CAs lack and Go never asked for.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if self._access.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        certificate, key = self._certificate
        if certificate:
            _load_chain(context, certificate, key)
        return context

    async def _renew(self) -> None:
        if self._access.token_file is not None:
            # A small local file: reading it takes less than a thread would.
            self._adopt(_read_token(self._access.token_file), self._certificate)
            self._renew_at = self._now() + TOKEN_FILE_PERIOD
        elif self._access.plugin is not None:
            status = await plugin.run(self._access.plugin)
            self._adopt(status.token, status.certificate or self._certificate)
            self._renew_at = status.expires - EXPIRY_MARGIN

    def _adopt(self, token: str | None, certificate: tuple[str | None, str | None]) -> None:
        self.stamp += (token, certificate) != (self._token, self._certificate)
        self.chain += certificate != self._certificate
        self._token, self._certificate = token, certificate


def _load_chain(context: ssl.SSLContext, certificate: str, key: str | None) -> None:
    # OpenSSL's interface takes files only: a private folder that lives as long as the call.
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "client.pem")
        file.touch(mode=0o600)
        file.write_text(f"{certificate}\n{key or ''}")
        try:
            context.load_cert_chain(file)
        except (ssl.SSLError, OSError) as error:
            raise InputError(
                f"kubeconfig: client-certificate and client-key are unusable: {error}"
            ) from error


def _read_token(file: Path) -> str:
    try:
        token = file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ClusterError(f"the token file {file} cannot be read: {error}") from error
    if not token:
        raise ClusterError(f"the token file {file} is empty")
    return token
