"""Keys and certificates of a sandbox: two authorities, one for the cluster and one for etcd.

Elliptic keys (P-256), because they are made in a millisecond. Everything is valid for ten years:
a sandbox has no one who would renew it, and its keys never leave the owner's directory.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from quotatree.sandbox.state import write_private

VALIDITY: Final = timedelta(days=3650)
CLOCK_TOLERANCE: Final = timedelta(hours=1)

SERVING_NAMES: Final = (
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)
# The last one is the first address of the service range, that of the Service "kubernetes".
SERVING_ADDRESSES: Final = ("127.0.0.1", "::1", "10.96.0.1")

ADMIN: Final = "admin"
# Names and groups that the API server's bootstrap roles are bound to (source: Kubernetes
# `plugin/pkg/auth/authorizer/rbac/bootstrappolicy`).
CLIENTS: Final = {
    ADMIN: ("quotatree-sandbox-admin", "system:masters"),
    "kube-controller-manager": ("system:kube-controller-manager", None),
    "kube-scheduler": ("system:kube-scheduler", None),
}


@dataclass(frozen=True, slots=True)
class Files:
    """The names of all files; a certificate `x.crt` has its key in `x.key`."""

    directory: Path

    @property
    def ca(self) -> Path:
        """The cluster's authority."""
        return self.directory / "ca.crt"

    @property
    def etcd_ca(self) -> Path:
        """The authority of etcd: a user of the cluster must not be one of etcd."""
        return self.directory / "etcd-ca.crt"

    @property
    def etcd(self) -> Path:
        """For etcd as a server and as a peer."""
        return self.directory / "etcd.crt"

    @property
    def etcd_client(self) -> Path:
        """The API server as a client of etcd."""
        return self.directory / "etcd-client.crt"

    @property
    def api_server(self) -> Path:
        """The API server as a server."""
        return self.directory / "kube-apiserver.crt"

    @property
    def service_account_key(self) -> Path:
        """Signs tokens of ServiceAccounts."""
        return self.directory / "service-account.key"

    @property
    def service_account_public(self) -> Path:
        """Verifies them."""
        return self.directory / "service-account.pub"

    def client(self, name: str) -> Path:
        """The certificate of one of `CLIENTS`."""
        return self.directory / f"{name}.crt"

    @staticmethod
    def key(certificate: Path) -> Path:
        """The key that belongs to a certificate."""
        return certificate.with_suffix(".key")

    def all(self) -> tuple[Path, ...]:
        """Every file that `issue` writes; the public key comes last."""
        pairs = [self.ca, self.etcd_ca, self.etcd, self.etcd_client, self.api_server]
        pairs += [self.client(name) for name in CLIENTS]
        certificates = [path for pair in pairs for path in (pair, self.key(pair))]
        return (*certificates, self.service_account_key, self.service_account_public)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Authority:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    now: datetime


def issue(directory: Path, *, now: datetime) -> Files:
    """Make all keys and certificates in `directory`, unless all of them are there already."""
    files = Files(directory)
    if all(path.exists() for path in files.all()):
        return files
    cluster = _authority(files.ca, now=now)
    both = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)
    _leaf(cluster, files.api_server, name="kube-apiserver", usages=both[:1], serving=True)
    for client, (name, group) in CLIENTS.items():
        _leaf(cluster, files.client(client), name=name, group=group, usages=both[1:])
    etcd = _authority(files.etcd_ca, now=now)
    _leaf(etcd, files.etcd, name="etcd", usages=both, serving=True)
    _leaf(etcd, files.etcd_client, name="kube-apiserver", usages=both[1:])
    key = ec.generate_private_key(ec.SECP256R1())
    write_private(files.service_account_key, _key_text(key))
    public = serialization.PublicFormat.SubjectPublicKeyInfo
    write_private(
        files.service_account_public,
        key.public_key().public_bytes(serialization.Encoding.PEM, public),
    )
    return files


def _authority(path: Path, *, now: datetime) -> _Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name(f"quotatree-sandbox-{path.stem}", None)
    builder = _builder(subject, subject, now=now).public_key(key.public_key())
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    _store(path, certificate, key)
    return _Authority(certificate=certificate, key=key, now=now)


def _leaf(
    authority: _Authority,
    path: Path,
    *,
    name: str,
    usages: Sequence[x509.ObjectIdentifier],
    group: str | None = None,
    serving: bool = False,
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = authority.certificate.subject
    builder = (
        _builder(_name(name, group), issuer, now=authority.now)
        .public_key(key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()),
            critical=False,
        )
    )
    if serving:
        builder = builder.add_extension(_serving_names(), critical=False)
    _store(path, builder.sign(authority.key, hashes.SHA256()), key)


def _builder(subject: x509.Name, issuer: x509.Name, *, now: datetime) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_TOLERANCE)
        .not_valid_after(now + VALIDITY)
    )


def _name(common: str, group: str | None) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, common)]
    if group is not None:
        parts.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, group))
    return x509.Name(parts)


def _serving_names() -> x509.SubjectAlternativeName:
    names: list[x509.GeneralName] = [x509.DNSName(name) for name in SERVING_NAMES]
    names += [x509.IPAddress(ipaddress.ip_address(text)) for text in SERVING_ADDRESSES]
    return x509.SubjectAlternativeName(names)


def _store(path: Path, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    write_private(path, certificate.public_bytes(serialization.Encoding.PEM))
    write_private(Files.key(path), _key_text(key))


def _key_text(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
