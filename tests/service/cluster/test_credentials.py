"""Credentials that renew themselves: files, plugins, certificates. Plugins are real programs."""

from __future__ import annotations

import asyncio
import math
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from quotatree.cluster import credentials, kubeconfig, plugin
from quotatree.errors import ClusterError, InputError

V1 = "client.authentication.k8s.io/v1"
SERVER = "https://127.0.0.1"


def pair() -> tuple[str, str]:
    """A client certificate and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "tom")])
    now = datetime.now(UTC)  # noqa: TID251 - OpenSSL looks at the real clock
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(hours=1))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(pem).decode(), private.decode()


def program(tmp_path: Path, body: str, *, version: str = V1, **more: str) -> kubeconfig.Plugin:
    """A plugin that is a Python program; `n` is how often it was called before."""
    file = tmp_path / "login.py"
    file.write_text(
        "import json, os, pathlib, sys, time\n"
        f"count = pathlib.Path({str(tmp_path / 'count')!r})\n"
        "n = len(count.read_text()) if count.exists() else 0\n"
        "count.write_text('x' * (n + 1))\n"
        "info = json.loads(os.environ['KUBERNETES_EXEC_INFO'])\n"
        "def give(**status):\n"
        "    print(json.dumps({'apiVersion': info['apiVersion'], 'status': status}))\n" + body
    )
    return kubeconfig.Plugin(
        api_version=version, command=sys.executable, args=(str(file),), env={"HINT": "h"}, **more
    )


def by_plugin(spec: kubeconfig.Plugin) -> kubeconfig.Access:
    return kubeconfig.Access(server=SERVER, plugin=spec)


async def test_a_plugins_token_is_kept_until_shortly_before_it_ends(tmp_path: Path) -> None:
    ends = "2026-11-23T20:00:00Z"
    spec = program(
        tmp_path, f"give(token=f'{{os.environ[\"HINT\"]}}{{n}}', expirationTimestamp={ends!r})"
    )
    now = [datetime(2026, 11, 23, 19, 0, tzinfo=UTC).timestamp()]
    holder = credentials.Credentials(by_plugin(spec), now=lambda: now[0])
    assert await holder.headers() == [("Authorization", "Bearer h0")]
    now[0] += 3580
    assert await holder.headers() == [("Authorization", "Bearer h0")]
    now[0] += 15
    assert await holder.headers() == [("Authorization", "Bearer h1")]


async def test_requests_refused_together_ask_the_plugin_once(tmp_path: Path) -> None:
    holder = credentials.Credentials(by_plugin(program(tmp_path, "give(token=str(n))")))
    await holder.headers()
    stamp = holder.stamp
    assert all(await asyncio.gather(*(holder.refused(stamp) for _ in range(5))))
    assert await holder.headers() == [("Authorization", "Bearer 1")]


async def test_a_plugin_that_gives_the_same_again_is_nothing_newer(tmp_path: Path) -> None:
    holder = credentials.Credentials(by_plugin(program(tmp_path, "give(token='t')")))
    await holder.headers()
    assert not await holder.refused(holder.stamp)


async def test_a_plugins_certificate_is_shown_and_counts_as_a_new_chain(tmp_path: Path) -> None:
    certificate, key = pair()
    spec = program(tmp_path, f"give(clientCertificateData={certificate!r}, clientKeyData={key!r})")
    holder = credentials.Credentials(by_plugin(spec))
    assert await holder.headers() == []
    assert holder.chain == 1
    holder.tls()


async def test_a_plugin_learns_the_cluster_and_that_nobody_is_there(tmp_path: Path) -> None:
    spec = program(tmp_path, "give(token=json.dumps(info['spec'], sort_keys=True))")
    status = await plugin.run(
        kubeconfig.Plugin(
            api_version=V1,
            command=spec.command,
            args=spec.args,
            env={},
            interactive="Never",
            cluster_info={"server": SERVER},
        )
    )
    assert status.token == f'{{"cluster": {{"server": "{SERVER}"}}, "interactive": false}}'
    assert status.expires == math.inf


@pytest.mark.parametrize(
    ("body", "want"),
    [
        ("sys.exit(3)", "failed with exit code 3"),
        ("print('hello')", "no ExecCredential printed"),
        ("print('[]')", "no ExecCredential printed"),
        ("give()", "neither token nor certificate"),
        ("give(clientCertificateData='x')", "neither token nor certificate"),
        ("give(token='t', expirationTimestamp='soon')", "no ExecCredential printed"),
        ("info['apiVersion'] = 'v0'; give(token='t')", "apiVersion v0, expected"),
    ],
)
async def test_a_plugin_that_fails_is_named(tmp_path: Path, body: str, want: str) -> None:
    with pytest.raises(ClusterError, match=want) as caught:
        await plugin.run(program(tmp_path, body))
    assert str(caught.value).startswith(f"exec plugin {sys.executable}")


async def test_a_plugin_that_hangs_is_stopped(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match=r"no answer in 0\.3 s"):
        await plugin.run(program(tmp_path, "time.sleep(60)"), timeout=0.3)


async def test_a_plugin_that_is_not_there_says_how_to_get_it() -> None:
    spec = kubeconfig.Plugin(
        api_version=V1, command="/absent/login", env={}, install_hint="install login"
    )
    with pytest.raises(ClusterError, match=r"cannot start: .*next: install login"):
        await plugin.run(spec)


async def test_a_plugin_of_an_old_version_is_refused(tmp_path: Path) -> None:
    old = program(tmp_path, "give(token='t')", version="client.authentication.k8s.io/v1alpha1")
    with pytest.raises(ClusterError, match="v1alpha1 is not supported"):
        await plugin.run(old)


async def test_a_plugin_that_needs_a_terminal_says_so_without_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(ClusterError, match="needs a terminal"):
        await plugin.run(program(tmp_path, "give(token='t')", interactive="Always"))


async def test_a_token_file_is_read_again_every_minute(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("a\n")
    now = [100.0]
    access = kubeconfig.Access(server=SERVER, token_file=file, token="older")
    holder = credentials.Credentials(access, now=lambda: now[0])
    assert await holder.headers() == [("Authorization", "Bearer a")]
    file.write_text("b")
    assert await holder.headers() == [("Authorization", "Bearer a")]
    now[0] += 60
    assert await holder.headers() == [("Authorization", "Bearer b")]


@pytest.mark.parametrize("content", [None, b"", b"\xff"], ids=["absent", "empty", "no text"])
async def test_a_token_file_that_cannot_be_used_is_named(
    tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)
    holder = credentials.Credentials(kubeconfig.Access(server=SERVER, token_file=file))
    with pytest.raises(ClusterError, match=f"token file {file}"):
        await holder.headers()


async def test_basic_credentials_are_sent_only_without_a_token() -> None:
    access = kubeconfig.Access(server=SERVER, basic=("tom", "pw"))
    assert await credentials.Credentials(access).headers() == [("Authorization", "Basic dG9tOnB3")]


@pytest.mark.parametrize(
    ("access", "want"),
    [
        (kubeconfig.Access(server=SERVER, ca="garbage"), "certificate-authority is unusable"),
        (
            kubeconfig.Access(server=SERVER, certificate="garbage", key="garbage"),
            "client-certificate and client-key are unusable",
        ),
    ],
    ids=["authority", "client"],
)
def test_certificates_that_cannot_be_used_are_named(access: kubeconfig.Access, want: str) -> None:
    with pytest.raises(InputError, match=want):
        credentials.Credentials(access).tls()
