"""Promises of the keeper: replicas agree, strangers' Secrets are left, reloading drops nothing."""

from __future__ import annotations

import asyncio
import base64
import copy
import ssl
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from quotatree.cluster import paths
from quotatree.errors import ClusterError
from quotatree.webhook import certificates, chain, tls
from quotatree.webhook.certificates import Step

HOSTS = ("quotatree-webhook.quotatree-system.svc", "127.0.0.1")
NOW = datetime(2026, 11, 23, 20, 0, tzinfo=UTC).timestamp()
YEAR = 365 * 86400.0


class Secrets:
    """One Secret behind an API with optimistic concurrency."""

    def __init__(self) -> None:
        self.secret: dict[str, Any] | None = None
        self.writes = 0

    async def find(self, kind: paths.Kind, name: str, *, namespace: str) -> dict[str, Any] | None:
        assert (kind, name, namespace) == (paths.SECRETS, tls.SECRET, "quotatree-system")
        await asyncio.sleep(0)
        return copy.deepcopy(self.secret)

    async def create(self, kind: paths.Kind, body: Any, *, namespace: str) -> Any:
        assert (kind, namespace) == (paths.SECRETS, "quotatree-system")
        if self.secret is not None:
            raise ClusterError("there is one", status=409, reason="AlreadyExists")
        return self.put(body)

    async def replace(self, kind: paths.Kind, body: Any) -> Any:
        assert kind == paths.SECRETS
        assert self.secret is not None
        old = self.secret["metadata"]["resourceVersion"]
        if body["metadata"]["resourceVersion"] != old:
            raise ClusterError("conflict", status=409, reason="Conflict")
        return self.put(body)

    def put(self, body: Any) -> Any:
        self.writes += 1
        self.secret = copy.deepcopy(body)
        self.secret["metadata"]["resourceVersion"] = str(self.writes)
        return self.secret


@pytest.fixture
def secrets() -> Secrets:
    return Secrets()


def keeper(secrets: Secrets, *, at: float = NOW) -> tls.CertificateKeeper:
    return tls.CertificateKeeper(
        secrets,  # type: ignore[arg-type]
        namespace="quotatree-system",
        hosts=HOSTS,
        wall=lambda: at,
    )


def foreign(*, annotation: bool, **changes: str) -> dict[str, Any]:
    made = certificates.carry_out(
        Step.START, None, hosts=HOSTS, now=datetime.fromtimestamp(NOW, UTC)
    )
    data = {
        key: base64.b64encode(value).decode()
        for key, value in certificates.to_data(made).items()
        if key != certificates.AUTHORITY_KEY
    }
    annotations = {tls.CERT_MANAGER: "webhook"} if annotation else {}
    return {
        "metadata": {"name": tls.SECRET, "annotations": annotations},
        "type": "kubernetes.io/tls",
        "data": data | changes,
    }


async def test_the_first_replica_makes_them_and_later_looks_only_read(secrets: Secrets) -> None:
    keeps = keeper(secrets)
    assert await keeps.refresh()
    assert not await keeps.refresh()
    assert secrets.writes == 1
    assert secrets.secret is not None
    assert secrets.secret["type"] == "kubernetes.io/tls"
    assert set(secrets.secret["data"]) == {"ca.crt", "ca.key", "tls.crt", "tls.key"}
    assert keeps.bundle == base64.b64decode(secrets.secret["data"]["ca.crt"])


async def test_replicas_that_start_together_agree(secrets: Secrets) -> None:
    replicas = [keeper(secrets) for _ in range(5)]
    await asyncio.gather(*(replica.refresh() for replica in replicas))
    assert secrets.writes == 1
    assert len({replica.bundle for replica in replicas}) == 1


async def test_a_certificate_in_its_last_third_is_replaced_under_the_same_authority(
    secrets: Secrets,
) -> None:
    await keeper(secrets).refresh()
    later = keeper(secrets, at=NOW + 0.7 * YEAR)
    before = copy.deepcopy(secrets.secret)
    assert before is not None
    await later.refresh()
    assert secrets.secret is not None
    assert secrets.secret["data"]["ca.crt"] == before["data"]["ca.crt"]
    assert secrets.secret["data"]["tls.crt"] != before["data"]["tls.crt"]


async def test_what_others_put_into_our_secret_stays(secrets: Secrets) -> None:
    secrets.put({"metadata": {"name": tls.SECRET, "labels": {"a": "b"}}, "data": {"x": "eA=="}})
    await keeper(secrets).refresh()
    assert secrets.secret is not None
    assert secrets.secret["metadata"]["labels"] == {"a": "b"}
    assert secrets.secret["data"]["x"] == "eA=="


@pytest.mark.parametrize("annotation", [True, False], ids=["cert-manager", "people's own"])
async def test_a_strangers_secret_is_read_and_never_written(
    secrets: Secrets, annotation: bool, caplog: pytest.LogCaptureFixture
) -> None:
    secrets.put(foreign(annotation=annotation))
    keeps = keeper(secrets, at=NOW + 20 * YEAR)
    await keeps.refresh()
    assert secrets.writes == 1
    assert keeps.bundle.startswith(b"-----BEGIN CERTIFICATE-----")
    assert "has expired" in caplog.text


async def test_a_strangers_secret_without_our_name_is_used_with_a_warning(
    secrets: Secrets, caplog: pytest.LogCaptureFixture
) -> None:
    secrets.put(foreign(annotation=True))
    keeps = tls.CertificateKeeper(
        secrets,  # type: ignore[arg-type]
        namespace="quotatree-system",
        hosts=["elsewhere.svc"],
        wall=lambda: NOW,
    )
    await keeps.refresh()
    assert "does not name elsewhere.svc" in caplog.text


async def test_a_strangers_secret_by_a_public_authority_has_an_empty_bundle(
    secrets: Secrets,
) -> None:
    secret = foreign(annotation=True)
    del secret["data"]["ca.crt"]
    secrets.put(secret)
    keeps = keeper(secrets)
    await keeps.refresh()
    assert keeps.bundle == b""


@pytest.mark.parametrize("crt", ["", "!!!", "Z2FyYmFnZQ=="], ids=["empty", "no base64", "garbage"])
async def test_a_strangers_unusable_secret_is_an_error_that_names_it(
    secrets: Secrets, crt: str
) -> None:
    secrets.put(foreign(annotation=True, **{"tls.crt": crt}))
    with pytest.raises(ClusterError, match="Secret quotatree-system/quotatree-webhook-tls"):
        await keeper(secrets).refresh()
    assert secrets.writes == 1


async def test_a_broken_secret_of_ours_is_made_anew(secrets: Secrets) -> None:
    await keeper(secrets).refresh()
    assert secrets.secret is not None
    secrets.secret["data"]["tls.key"] = "AAAA"
    await keeper(secrets).refresh()
    assert secrets.writes == 2


async def test_a_secret_that_others_change_all_the_time_is_given_up(secrets: Secrets) -> None:
    class Busy(Secrets):
        async def replace(self, *_: Any) -> Any:
            raise ClusterError("conflict", status=409, reason="Conflict")

    busy = Busy()
    busy.put({"metadata": {"name": tls.SECRET}})
    with pytest.raises(ClusterError, match="changed by others again and again"):
        await keeper(busy).refresh()


async def test_other_errors_of_the_server_are_the_callers() -> None:
    class Forbidden(Secrets):
        async def create(self, *_: Any, **__: Any) -> Any:
            raise ClusterError("no", status=403)

    with pytest.raises(ClusterError, match="no"):
        await keeper(Forbidden()).refresh()


async def test_reloading_drops_no_connection_and_new_ones_see_the_new_certificate(
    secrets: Secrets,
) -> None:
    # OpenSSL looks at the real clock, so these certificates are made by it.
    keeps = keeper(secrets, at=time.time())
    await keeps.refresh()

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(line)
        writer.close()

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    chain.load(context, keeps.chain)
    listener = await asyncio.start_server(echo, "127.0.0.1", 0, ssl=context)
    port = listener.sockets[0].getsockname()[1]
    trusts = ssl.create_default_context(cadata=keeps.bundle.decode())

    async def connect() -> tuple[asyncio.StreamReader, asyncio.StreamWriter, bytes | None]:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=trusts, server_hostname=HOSTS[0]
        )
        return reader, writer, writer.get_extra_info("ssl_object").getpeercert(True)

    async def works(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        writer.write(b"hello\n")
        return await reader.readline() == b"hello\n"

    reader, writer, before = await connect()
    assert await works(reader, writer)
    secrets.secret = None
    assert await keeps.refresh()
    chain.load(context, keeps.chain)
    trusts.load_verify_locations(cadata=keeps.bundle.decode())
    assert await works(reader, writer)
    new_reader, new_writer, after = await connect()
    assert await works(new_reader, new_writer)
    assert before != after
    for each in (writer, new_writer):
        each.close()
        await each.wait_closed()
    listener.close()
    await listener.wait_closed()
