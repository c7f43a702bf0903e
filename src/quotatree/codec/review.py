"""AdmissionReview: bytes to values, verdicts to bytes.

A review that cannot be understood is an `InputError` with the place in it: the server answers it
with 400 and lives on. Nothing here decides; an answer is built from what the engine said.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from quotatree.codec import fields, findings, managed, namespaces, quota_rules, quotas
from quotatree.errors import InputError
from quotatree.model import names, scope
from quotatree.model.names import Uid
from quotatree.model.problem import Problem
from quotatree.model.review import NamespaceReview, QuotaReview, UsageReview
from quotatree.units.resources import Resources

API_VERSION: Final = "admission.k8s.io/v1"
FORBIDDEN: Final = 403
INVALID: Final = 422
TOO_MANY_REQUESTS: Final = 429


def request_of(body: bytes) -> Mapping[str, Any]:
    """Return the `request` of an AdmissionReview.

    Raises:
        InputError: it is no JSON, no AdmissionReview of version v1, or has no request.
    """
    try:
        review = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InputError(f"the body is no JSON: {error}") from None
    if not isinstance(review, dict):
        raise InputError("the body must be an AdmissionReview object")
    if review.get("kind") != "AdmissionReview" or review.get("apiVersion") != API_VERSION:
        raise InputError(
            f"expected kind AdmissionReview of {API_VERSION}, got "
            f"{review.get('kind')!r} of {review.get('apiVersion')!r}"
        )
    request = fields.mapping(review, "request")
    if not fields.text(request, "uid"):
        raise InputError("request.uid: required, a string")
    return request


def uid_of(request: Mapping[str, Any]) -> Uid:
    """Return the uid that the answer has to repeat."""
    return Uid(fields.text(request, "uid"))


def usage(request: Mapping[str, Any]) -> UsageReview:
    """Return the review of a status write of a managed ResourceQuota.

    Raises:
        InputError: an object is missing, of another kind, or the two are not the same one.
    """
    old = managed.parse(_object(request, "oldObject", "ResourceQuota"))
    new = managed.parse(_object(request, "object", "ResourceQuota"))
    for name, value in (("namespace", old.namespace), ("name", old.name), ("uid", old.uid)):
        if not value:
            raise InputError(f"request.oldObject.metadata.{name}: required")
    if (old.namespace, old.name, old.uid) != (new.namespace, new.name, new.uid):
        raise InputError("request.object and request.oldObject are not the same ResourceQuota")
    if fields.text(request, "namespace") not in {"", old.namespace}:
        raise InputError("request.namespace is not that of the object")
    if old.name != scope.managed_name(old.scopes):
        raise InputError(
            f"request.oldObject: {old.name} is not the name of a managed ResourceQuota with "
            f"scopes {scope.describe(old.scopes) or '(none)'}"
        )
    if not old.resource_version:
        raise InputError("request.oldObject.metadata.resourceVersion: required")
    for key, seen in (("oldObject", old), ("object", new)):
        _check_usage(request[key], seen.used, f"request.{key}")
    return UsageReview(uid=uid_of(request), old=old, new=new, dry_run=_dry_run(request))


def _check_usage(quota: Mapping[str, Any], read: Resources, where: str) -> None:
    """Refuse a usage that is no amount: left out as absent it would look like no growth at all."""
    status = quota.get("status", fields.NOTHING)
    used = status.get("used", fields.NOTHING) if isinstance(status, Mapping) else None
    if not isinstance(used, Mapping):
        raise InputError(f"{where}.status.used: must be a map of resource names to quantities")
    for name, value in used.items():
        if read.nanos().get(name, -1) < 0:
            raise InputError(
                f'{where}.status.used["{findings.shown(name)}"]: '
                f"must be a quantity that is not negative, is {findings.kind_of(value)}"
            )


def namespace(request: Mapping[str, Any]) -> NamespaceReview:
    """Return the review of a Namespace; raises InputError like `usage`."""
    new = namespaces.parse(_object(request, "object", "Namespace"))
    if not new.name:
        raise InputError("request.object.metadata.name: required")
    old = None
    if isinstance(request.get("oldObject"), dict):
        old = namespaces.parse(_object(request, "oldObject", "Namespace"))
    return NamespaceReview(uid=uid_of(request), old=old, new=new, dry_run=_dry_run(request))


def quota(request: Mapping[str, Any]) -> tuple[QuotaReview, tuple[Problem, ...]]:
    """Return the review of a TreeQuota and what is wrong with its spec by itself."""
    obj = _object(request, "object", quotas.KIND)
    old = None
    if isinstance(request.get("oldObject"), dict):
        old = quotas.parse(_object(request, "oldObject", quotas.KIND))
    review = QuotaReview(
        uid=uid_of(request), old=old, new=quotas.parse(obj), dry_run=_dry_run(request)
    )
    spec = obj.get("spec")
    return review, tuple(found.problem() for found in quota_rules.findings(spec, ("spec",)))


def _object(request: Mapping[str, Any], key: str, kind: str) -> Mapping[str, Any]:
    found = request.get(key)
    if not isinstance(found, dict):
        raise InputError(f"request.{key}: required, an object")
    if found.get("kind") != kind:
        raise InputError(f"request.{key}.kind: expected {kind}, got {found.get('kind')!r}")
    return found


def _dry_run(request: Mapping[str, Any]) -> bool:
    return request.get("dryRun") is True


def allow(uid: Uid, warnings: Sequence[str] = ()) -> bytes:
    """Return the answer that lets it pass; each warning is shown to the client."""
    response: dict[str, Any] = {"uid": uid, "allowed": True}
    if warnings:
        response["warnings"] = list(warnings)
    return _answer(response)


def amend(uid: Uid, *, used: Resources, hard: Resources, touched: int | None = None) -> bytes:
    """Return the answer that lets a status write pass with these amounts put in place of its own.

    Each is one that the status has already. `touched` is the resourceVersion that it replaces: with
    it the write changes the object in any case. One that changes nothing is none, and has no event.
    """
    patch = [
        {"op": "replace", "path": f"/status/{part}/{_pointer(name)}", "value": text}
        for part, amounts in (("used", used), ("hard", hard))
        for name, text in amounts.to_strings().items()
    ]
    if not patch:
        return allow(uid)
    if touched is not None:
        path = f"/metadata/annotations/{_pointer(names.ANNOTATION_TOUCHED)}"
        patch.append({"op": "add", "path": path, "value": str(touched)})
    encoded = base64.b64encode(orjson.dumps(patch)).decode()
    return _answer({"uid": uid, "allowed": True, "patchType": "JSONPatch", "patch": encoded})


def _pointer(name: str) -> str:
    """Return a name as a part of a JSON pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")


def refuse(uid: Uid, message: str, *, code: int = FORBIDDEN, reason: str = "Forbidden") -> bytes:
    """Return the answer that refuses, with the HTTP code and reason that the client gets.

    A 429 carries no `retryAfterSeconds`: with it the API server would retry by itself until its
    ten seconds are over, and hold one of its five quota workers for all of them.
    """
    status = {"code": code, "reason": reason, "message": message}
    return _answer({"uid": uid, "allowed": False, "status": status})


def later(uid: Uid, reason: str) -> bytes:
    """Return the refusal of what cannot be decided now; the client is to ask again."""
    return refuse(
        uid,
        f"quotatree cannot decide yet: {reason}; retry in a second",
        code=TOO_MANY_REQUESTS,
        reason="TooManyRequests",
    )


def _answer(response: Mapping[str, Any]) -> bytes:
    return orjson.dumps(
        {"apiVersion": API_VERSION, "kind": "AdmissionReview", "response": response}
    )
