"""Is the installation there: the kind, the objects, the rights, the webhook, its certificate."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from quotatree.cli.doctor.rules import Check, found
from quotatree.codec import fields
from quotatree.codec.findings import some
from quotatree.manifests import crd, objects, rbac
from quotatree.manifests.objects import Manifest
from quotatree.manifests.settings import InstallSettings
from quotatree.model.report import Item
from quotatree.webhook import certificates
from quotatree.webhook.certificates import Issued

SOON: Final = timedelta(days=14)
"""A certificate that has less than this left should have been replaced long ago."""

REINSTALL: Final = "quotatree manifests | kubectl apply --server-side -f -"
_VERSION: Final = "app.kubernetes.io/version"


def kind(definition: Mapping[str, Any] | None) -> Check:
    """Check the CustomResourceDefinition: established, our version served and stored."""
    name = "custom resource"
    if definition is None:
        item = found("crd-missing", f"{crd.CRD_NAME} is not there", remedy=REINSTALL)
        return Check(name=name, summary="missing", items=(item,))
    spec, status = fields.mapping(definition, "spec"), fields.mapping(definition, "status")
    versions = {fields.text(v, "name"): v for v in fields.items(spec, "versions")}
    served = sorted(version for version, v in versions.items() if v.get("served") is True)
    stored = sorted(version for version, v in versions.items() if v.get("storage") is True)
    established = any(
        c.get("type") == "Established" and c.get("status") == "True"
        for c in fields.items(status, "conditions")
    )
    items = []
    if not established:
        items.append(found("crd-missing", f"{crd.CRD_NAME} is not established", remedy=REINSTALL))
    if crd.VERSION not in served:
        message = f"{crd.CRD_NAME} does not serve {crd.VERSION}, only {some(served) or 'nothing'}"
        items.append(found("crd-missing", message, remedy=REINSTALL))
    summary = f"{crd.CRD_NAME}: served {', '.join(served)}, stored {', '.join(stored)}"
    return Check(name=name, summary=summary, items=tuple(items))


def parts(wanted: Sequence[Manifest], seen: Sequence[Mapping[str, Any] | None]) -> Check:
    """Check that each object of the installation is there, in this version."""
    if not any(seen):
        message = "nothing of an installation is there"
        item = found("object-missing", message, remedy=REINSTALL)
        return Check(name="installation", summary="missing", items=(item,))
    items = []
    for manifest, obj in zip(wanted, seen, strict=True):
        subject = _subject(manifest)
        if obj is None:
            message = f"{subject} is not there"
            items.append(found("object-missing", message, remedy=REINSTALL, subject=subject))
            continue
        version, ours = _version(obj), _version(manifest)
        if version != ours:
            message = f"{subject} is of version {version or 'unknown'}, this command of {ours}"
            items.append(found("other-version", message, remedy=REINSTALL, subject=subject))
    there = sum(obj is not None for obj in seen)
    summary = f"{there} of {len(wanted)} objects are there"
    return Check(name="installation", summary=summary, items=tuple(items))


def _subject(manifest: Manifest) -> str:
    metadata = manifest["metadata"]
    place = f" -n {metadata['namespace']}" if "namespace" in metadata else ""
    return f"{manifest['kind'].lower()}/{metadata['name']}{place}"


def _version(obj: Mapping[str, Any]) -> str:
    return fields.text(fields.mapping(fields.mapping(obj, "metadata"), "labels"), _VERSION)


# -- rights ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Right:
    """One thing that somebody may do; an empty namespace means in all of them."""

    verb: str
    group: str
    resource: str
    namespace: str = ""
    name: str = ""

    def __str__(self) -> str:
        named = f"/{self.name}" if self.name else ""
        place = f" in {self.namespace}" if self.namespace else ""
        return f"{self.verb} {self.resource}{f'.{self.group}' if self.group else ''}{named}{place}"

    def attributes(self) -> dict[str, str]:
        """Return the right as a SubjectAccessReview asks for it."""
        resource, _, subresource = self.resource.partition("/")
        written = {
            "verb": self.verb,
            "group": self.group,
            "resource": resource,
            "subresource": subresource,
            "namespace": self.namespace,
            "name": self.name,
        }
        return {key: value for key, value in written.items() if value}


def controller_rights(settings: InstallSettings) -> tuple[Right, ...]:
    """Return all that the controller has to be allowed, from its own roles."""
    wanted: set[Right] = set()
    for manifest in rbac.controller_rights(settings):
        namespace = settings.namespace if manifest["kind"] == "Role" else ""
        for rule in manifest.get("rules", ()):
            wanted |= set(_rights(rule, namespace))
    return tuple(sorted(wanted))


def _rights(rule: Mapping[str, Any], namespace: str) -> Iterator[Right]:
    for group in rule["apiGroups"]:
        for resource in rule["resources"]:
            for verb in rule["verbs"]:
                for name in rule.get("resourceNames", ("",)):
                    yield Right(
                        verb=verb, group=group, resource=resource, namespace=namespace, name=name
                    )


def rights(wanted: Sequence[Right], allowed: Sequence[bool], *, user: str) -> Check:
    """Check the controller's rights."""
    missing = [right for right, may in zip(wanted, allowed, strict=True) if not may]
    items = tuple(
        found("right-missing", f"{user} may not {right}", remedy=REINSTALL, subject=str(right))
        for right in missing
    )
    summary = f"{len(wanted) - len(missing)} of {len(wanted)} rights of {user}"
    return Check(name="rights", summary=summary, items=items)


# -- the webhook ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back of a request that only the webhook refuses: nothing means as it should."""

    wrong: str = ""
    forbidden: bool = False
    busy: bool = False
    seconds: float = 0.0


def webhook(answer: Answer, *, leader: str, namespace: str) -> Check:
    """Check that a request that the webhook must answer is answered by it.

    `namespace` is that of the installation.
    """
    name = "webhook"
    who = f" by {leader}" if leader else ""
    if not answer.wrong:
        return Check(name=name, summary=f"answered{who} in {answer.seconds * 1000:.0f} ms")
    if answer.forbidden:
        message = f"a request on trial could not be made: {answer.wrong}"
        item = found("not-checked", message, remedy="ask with the right to create namespaces")
        return Check(name=name, summary="unknown", items=(item,))
    code = "webhook-not-ready" if answer.busy else "webhook-unreachable"
    remedy = f"look at the controller: kubectl -n {namespace} get pods,lease"
    item = found(code, answer.wrong, remedy=remedy)
    return Check(name=name, summary="does not decide", items=(item,))


def certificate(
    configuration: Mapping[str, Any] | None, issued: Issued | None, *, why: str, now: datetime
) -> Check:
    """Check the serving certificate: when it ends, for which names, and whether it is trusted.

    `issued` is None where the Secret could not be read, for the reason `why`.
    """
    name = "certificate"
    entries = list(fields.items(configuration or {}, "webhooks"))
    if issued is None or not entries:
        item = found("not-checked", f"the webhook's certificate: {why or 'it is not configured'}")
        return Check(name=name, summary="unknown", items=(item,))
    items = [*_age(issued, now), *_trust(entries, issued)]
    summary = _left(issued.serving.not_valid_after_utc - now)
    if issued.authorities:
        last = max(a.not_valid_after_utc for a in issued.authorities)
        summary += f", its authority {_left(last - now)}"
    return Check(name=name, summary=summary, items=tuple(items))


def _left(left: timedelta) -> str:
    return f"ends in {left.days} days" if left > timedelta() else "has ended"


def _age(issued: Issued, now: datetime) -> Iterator[Item]:
    begin, end = issued.serving.not_valid_before_utc, issued.serving.not_valid_after_utc
    remedy = (
        "the controller renews it: is it running?"
        if issued.authority_key is not None
        else "whoever signs it has to renew it"
    )
    if not begin <= now < end:
        yield found(
            "certificate-expired", f"it is valid from {begin:%F} to {end:%F}", remedy=remedy
        )
    elif end - now < SOON:
        yield found("certificate-ends-soon", f"it ends in {(end - now).days} days", remedy=remedy)


def _trust(entries: Sequence[Mapping[str, Any]], issued: Issued) -> Iterator[Item]:
    remedy = "the controller publishes its authority: is it running?"
    for entry in entries:
        subject = f"webhook {fields.text(entry, 'name')}"
        config = fields.mapping(entry, "clientConfig")
        host = _host(config)
        if not certificates.covers(issued.serving, [host]):
            message = f"{subject}: the certificate is not for {host}"
            yield found("certificate-untrusted", message, remedy=remedy, subject=subject)
        # Without a bundle the API server trusts what its machine trusts: that is not ours to know.
        elif "caBundle" in config and not _signed(config, issued):
            message = f"{subject}: no authority in its caBundle signed the certificate"
            yield found("certificate-untrusted", message, remedy=remedy, subject=subject)


def _host(config: Mapping[str, Any]) -> str:
    if url := fields.text(config, "url"):
        return urlsplit(url).hostname or ""
    service = fields.mapping(config, "service")
    return f"{fields.text(service, 'name')}.{fields.text(service, 'namespace')}.svc"


def _signed(config: Mapping[str, Any], issued: Issued) -> bool:
    last = issued.chain[-1]
    for authority in _bundle(config):
        try:
            last.verify_directly_issued_by(authority)
        except (InvalidSignature, ValueError, TypeError):
            continue
        return True
    return False


def _bundle(config: Mapping[str, Any]) -> list[x509.Certificate]:
    try:
        text = base64.b64decode(fields.text(config, "caBundle"), validate=True)
        return x509.load_pem_x509_certificates(text)
    except (binascii.Error, ValueError):
        return []


def base_url(configuration: Mapping[str, Any] | None) -> str | None:
    """Return the URL of a controller outside the cluster, None for one inside it."""
    for entry in fields.items(configuration or {}, "webhooks"):
        if url := fields.text(fields.mapping(entry, "clientConfig"), "url"):
            parts = urlsplit(url)
            return f"{parts.scheme}://{parts.netloc}"
    return None


SECRET: Final = objects.WEBHOOK_SECRET
