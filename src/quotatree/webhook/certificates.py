"""Which certificates the webhook needs, decided from those it has; and how new ones are made.

A certificate authority of our own signs the webhook's serving certificate. API servers trust the
*bundle*, which stands in the webhook configuration and reaches them some time after it is written.
So an authority is replaced in two steps (`Step`, decided by `decide`): first the new one joins
the bundle while the old certificate goes on serving, and only after `OVERLAP` does it sign. At no
moment is a certificate shown whose authority was not in the bundle long before.

No I/O and no clock here: `now` is passed in. Only making keys uses the system's randomness.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_LIFE: Final = timedelta(days=5 * 365)
SERVING_LIFE: Final = timedelta(days=365)
BACKDATE: Final = timedelta(hours=1)
"""Certificates begin this long before they are made: API servers' clocks may be behind ours."""
OVERLAP: Final = timedelta(days=1)
"""How long a new authority is only trusted before it signs."""
RENEW_SHARE: Final = 1 / 3
"""A certificate is replaced when less than this part of its life is left."""

BUNDLE: Final = "ca.crt"
AUTHORITY_KEY: Final = "ca.key"
CERTIFICATE: Final = "tls.crt"
KEY: Final = "tls.key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """Certificates with their keys; the first of `authorities` is the one that signs.

    `authority_key` is None where somebody else signs: cert-manager, or people with their own
    authority. Such certificates are used and never replaced. `chain` begins with the serving one.
    """

    authorities: tuple[x509.Certificate, ...]
    authority_key: ec.EllipticCurvePrivateKey | None
    chain: tuple[x509.Certificate, ...]
    key_pem: bytes

    @property
    def serving(self) -> x509.Certificate:
        """The certificate that the webhook shows."""
        return self.chain[0]

    @property
    def bundle(self) -> bytes:
        """What API servers are to trust, as PEM."""
        return pem(self.authorities)


class Step(Enum):
    """What is to be done about the certificates now; the first whose condition holds."""

    START = "nothing usable is there: a new authority and a new certificate"
    LEAVE = "somebody else signs: nothing is ours to do"
    SIGN = "the certificate is about to end, lacks a name or is trusted by nobody: a new one"
    SUCCEED = "the authority is about to end: a new one joins the bundle, and does not sign yet"
    SWITCH = "the new authority has been trusted for long enough: it signs a new certificate"
    PRUNE = "an authority in the bundle has ended: it leaves"
    KEEP = "all is well"


def decide(have: Issued | None, *, hosts: Sequence[str], now: datetime) -> Step:
    """Return the next step; after it is done the next look may find another."""
    if have is None:
        return Step.START
    if have.authority_key is None:
        return Step.LEAVE
    signs = have.authorities[0]
    conditions = (
        (Step.START, signs.not_valid_after_utc <= now),
        (Step.SIGN, _useless(have, hosts, now)),
        (Step.SIGN, needs_rotation(have.serving, now=now) and _trusted(have, now)),
        (Step.SUCCEED, needs_rotation(signs, now=now)),
        (Step.SWITCH, not _issued(have.serving, signs) and _trusted(have, now)),
        (Step.PRUNE, any(other.not_valid_after_utc <= now for other in have.authorities)),
    )
    return next((step for step, holds in conditions if holds), Step.KEEP)


def needs_rotation(
    certificate: x509.Certificate, *, now: datetime, share: float = RENEW_SHARE
) -> bool:
    """Whether less than `share` of the certificate's life is left, or it has not begun."""
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return now < begin or end - now < (end - begin) * share


def covers(certificate: x509.Certificate, hosts: Iterable[str]) -> bool:
    """Whether the certificate is valid for every one of these DNS names and IP addresses."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return False
    return all(_general_name(host) in names or _wildcard(host) in names for host in hosts)


def carry_out(step: Step, have: Issued | None, *, hosts: Sequence[str], now: datetime) -> Issued:
    """Return the certificates after `step`, which `decide` gave for the same arguments.

    Raises:
        ValueError: the step changes nothing, or needs certificates that are not there.
    """
    match step, have:
        case (Step.START, _):
            key, authority = _authority(now)
            old = have.authorities if have else ()
            return _signed(_Signer(key, (authority, *_alive(old, now))), hosts, now)
        case ((Step.SIGN | Step.SWITCH), Issued(authority_key=ec.EllipticCurvePrivateKey() as key)):
            return _signed(_Signer(key, _alive(have.authorities, now)), hosts, now)
        case (Step.SUCCEED, Issued()):
            key, authority = _authority(now)
            return Issued(
                authorities=(authority, *_alive(have.authorities, now)),
                authority_key=key,
                chain=have.chain,
                key_pem=have.key_pem,
            )
        case (Step.PRUNE, Issued()):
            return Issued(
                authorities=_alive(have.authorities, now),
                authority_key=have.authority_key,
                chain=have.chain,
                key_pem=have.key_pem,
            )
        case _:
            raise ValueError(f"{step} is nothing to carry out here")


def parse(data: Mapping[str, bytes]) -> Issued | None:
    """Return the certificates in a Secret's decoded data, None when they cannot be used.

    Unusable: no certificate or key, broken PEM, keys that do not belong to their certificates.
    """
    try:
        chain = tuple(x509.load_pem_x509_certificates(data[CERTIFICATE]))
        key = serialization.load_pem_private_key(data[KEY], password=None)
        authorities = _certificates(data.get(BUNDLE, b""))
        authority_key = _authority_key(data.get(AUTHORITY_KEY, b""))
    except (KeyError, ValueError, TypeError):
        return None
    if key.public_key() != chain[0].public_key():
        return None
    if authority_key is not None and (
        not authorities or authorities[0].public_key() != authority_key.public_key()
    ):
        return None
    return Issued(
        authorities=authorities, authority_key=authority_key, chain=chain, key_pem=data[KEY]
    )


def to_data(issued: Issued) -> dict[str, bytes]:
    """Return the data of the Secret that holds these certificates."""
    data = {BUNDLE: issued.bundle, CERTIFICATE: pem(issued.chain), KEY: issued.key_pem}
    if issued.authority_key is not None:
        data[AUTHORITY_KEY] = _key_pem(issued.authority_key)
    return data


def pem(certificates: Iterable[x509.Certificate]) -> bytes:
    """Return certificates as one PEM text."""
    return b"".join(item.public_bytes(serialization.Encoding.PEM) for item in certificates)


@dataclass(frozen=True, slots=True)
class _Signer:
    key: ec.EllipticCurvePrivateKey
    authorities: tuple[x509.Certificate, ...]


def _certificates(text: bytes) -> tuple[x509.Certificate, ...]:
    return tuple(x509.load_pem_x509_certificates(text)) if text.strip() else ()


def _authority_key(text: bytes) -> ec.EllipticCurvePrivateKey | None:
    if not text:
        return None
    key = serialization.load_pem_private_key(text, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError("an authority of ours has an elliptic-curve key")
    return key


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _alive(authorities: Iterable[x509.Certificate], now: datetime) -> tuple[x509.Certificate, ...]:
    return tuple(item for item in authorities if item.not_valid_after_utc > now)


def _useless(have: Issued, hosts: Sequence[str], now: datetime) -> bool:
    """Whether no API server accepts the serving certificate, so that waiting gains nothing."""
    return (
        not covers(have.serving, hosts)
        or have.serving.not_valid_after_utc <= now
        or not any(_issued(have.serving, authority) for authority in have.authorities)
    )


def _trusted(have: Issued, now: datetime) -> bool:
    """Whether API servers have had time to learn of the authority that signs."""
    signs = have.authorities[0]
    made = signs.not_valid_before_utc + BACKDATE
    return _issued(have.serving, signs) or now >= made + OVERLAP


def _issued(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _wildcard(host: str) -> x509.GeneralName:
    """Return the wildcard that would stand for `host`: TLS lets it replace the first label."""
    return x509.DNSName(f"*.{host.partition('.')[2]}")


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(
    key: ec.EllipticCurvePrivateKey, now: datetime, life: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATE)
        .not_valid_after(now + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _authority(now: datetime) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    """Make an authority. Its name holds the moment, so that two in a bundle differ by name."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(f"quotatree webhook CA {now:%Y-%m-%dT%H:%M:%SZ}")
    certificate = (
        _builder(key, now, AUTHORITY_LIFE)
        .subject_name(name)
        .issuer_name(name)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    return key, certificate


def _signed(signer: _Signer, hosts: Sequence[str], now: datetime) -> Issued:
    """Make a serving certificate; it never outlives its authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    authority = signer.authorities[0]
    life = min(SERVING_LIFE, authority.not_valid_after_utc - now)
    names = [_general_name(host) for host in hosts]
    certificate = (
        _builder(key, now, life)
        # The names that count are the alternative ones; a common name holds 64 characters.
        .subject_name(_name("quotatree webhook"))
        .issuer_name(authority.subject)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.key.public_key()),
            critical=False,
        )
        .sign(signer.key, hashes.SHA256())
    )
    return Issued(
        authorities=signer.authorities,
        authority_key=signer.key,
        chain=(certificate,),
        key_pem=_key_pem(key),
    )
