"""The webhook's certificates in their Secret, shared by all replicas.

What is needed is decided in `certificates`; here it is read and written by compare-and-swap. Two
replicas that find the same need both make certificates, one of them wins the write, and the other
uses what won.
"""

from __future__ import annotations

import base64
import binascii
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from quotatree.cluster import client as clients
from quotatree.cluster import paths
from quotatree.errors import ClusterError
from quotatree.webhook import certificates
from quotatree.webhook.certificates import Issued, Step

log = logging.getLogger(__name__)

SECRET: Final = "quotatree-webhook-tls"  # noqa: S105 - the name of a Secret, not one
CERT_MANAGER: Final = "cert-manager.io/certificate-name"
"""Annotation that cert-manager puts on the Secrets that it fills."""
ROUNDS: Final = 8
"""Writes in a row that may lose against other replicas or need a further step."""


class CertificateKeeper:
    """One replica's hold on the certificates.

    `refresh` is to be called before the first connection and then, in every replica, a few times a
    day or more often; it costs one read when nothing is to be done. `wall` gives Unix seconds.
    """

    def __init__(
        self,
        client: clients.Client,
        *,
        namespace: str,
        hosts: Sequence[str],
        name: str = SECRET,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._hosts = tuple(hosts)
        self._name = name
        self._wall = wall
        self._chain: bytes = b""
        self._bundle: bytes = b""

    @property
    def chain(self) -> bytes:
        """What the server shows, with its key, as PEM; empty before the first `refresh`."""
        return self._chain

    @property
    def bundle(self) -> bytes:
        """What API servers are to trust, as PEM; empty before the first `refresh`.

        Empty also for a certificate by a public authority, which the system's roots vouch for.
        """
        return self._bundle

    async def refresh(self) -> bool:
        """Make the certificates right in the cluster; return whether they changed.

        Raises:
            ClusterError: the Secret cannot be read or written, or holds a certificate of somebody
                else's that cannot be used.
        """
        issued = await self._agree()
        found = (certificates.pem(issued.chain) + issued.key_pem, issued.bundle)
        changed = found != (self._chain, self._bundle)
        self._chain, self._bundle = found
        return changed

    async def _agree(self) -> Issued:
        """Read, decide, write, until nothing is left to be done."""
        for _ in range(ROUNDS):
            secret = await self._client.find(paths.SECRETS, self._name, namespace=self._namespace)
            have = read(secret) if secret else None
            foreign = secret is not None and is_foreign(secret)
            if foreign and have is None:
                raise ClusterError(
                    f"Secret {self._namespace}/{self._name}: its certificate cannot be used; "
                    "next: check the issuer that fills it"
                )
            now = datetime.fromtimestamp(self._wall(), UTC)
            step = Step.LEAVE if foreign else certificates.decide(have, hosts=self._hosts, now=now)
            if have is not None and step in (Step.KEEP, Step.LEAVE):
                self._warn(have, step, now)
                return have
            made = certificates.carry_out(step, have, hosts=self._hosts, now=now)
            if await self._write(secret, made):
                log.info("certificates of the webhook: %s", step.value)
        raise ClusterError(
            f"Secret {self._namespace}/{self._name} is changed by others again and again; "
            "next: see who else writes it"
        )

    async def _write(self, secret: dict[str, Any] | None, made: Issued) -> bool:
        """Store the certificates if nobody was faster; return whether we were."""
        try:
            if secret is None:
                await self._client.create(
                    paths.SECRETS, self._fresh(made), namespace=self._namespace
                )
            else:
                await self._client.replace(paths.SECRETS, _filled(secret, made))
        except ClusterError as error:
            if error.status == 409:
                return False
            raise
        return True

    def _fresh(self, made: Issued) -> dict[str, Any]:
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": self._name,
                "namespace": self._namespace,
                "labels": {
                    "app.kubernetes.io/name": "quotatree",
                    "app.kubernetes.io/managed-by": "quotatree",
                },
            },
            "type": "kubernetes.io/tls",
        }
        return _filled(secret, made)

    def _warn(self, have: Issued, step: Step, now: datetime) -> None:
        """Say what is wrong with a certificate that is not ours to replace."""
        if step is not Step.LEAVE:
            return
        if not certificates.covers(have.serving, self._hosts):
            log.warning(
                "Secret %s: the certificate does not name %s; API servers will not trust it",
                self._name,
                ", ".join(self._hosts),
            )
        if have.serving.not_valid_after_utc <= now:
            log.warning("Secret %s: the certificate has expired", self._name)


def is_foreign(secret: Mapping[str, Any]) -> bool:
    """Whether somebody else fills this Secret: cert-manager, or people who keep their own key.

    A certificate without the key of its authority is one that we did not make.
    """
    annotations = secret["metadata"].get("annotations") or {}
    data = secret.get("data") or {}
    ours = certificates.AUTHORITY_KEY in data or not data.get(certificates.CERTIFICATE)
    return CERT_MANAGER in annotations or not ours


def read(secret: Mapping[str, Any]) -> Issued | None:
    """Return the certificates in a Secret, None when they cannot be used."""
    try:
        data = {
            key: base64.b64decode(value, validate=True)
            for key, value in (secret.get("data") or {}).items()
        }
    except (binascii.Error, TypeError):
        return None
    if CERT_MANAGER in (secret["metadata"].get("annotations") or {}):
        data.pop(certificates.AUTHORITY_KEY, None)
    return certificates.parse(data)


def _filled(secret: Mapping[str, Any], made: Issued) -> dict[str, Any]:
    """Return the Secret with these certificates; what else is in it stays."""
    data = {
        key: base64.b64encode(value).decode() for key, value in certificates.to_data(made).items()
    }
    return {**secret, "data": (secret.get("data") or {}) | data}
