"""What the API server's refusals mean, in our words: what was asked, what it said, what to do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import orjson

from quotatree.errors import ClusterError

_MISSING_RIGHT: Final = re.compile(
    r'User "(?P<user>[^"]*)" cannot (?P<verb>\S+) (?:resource|path) "(?P<resource>[^"]*)"'
    r'(?: in API group "(?P<group>[^"]*)")?(?: in the namespace "(?P<namespace>[^"]*)")?'
)

NEXT_STEP: Final[Mapping[int, str]] = {
    400: "the request is malformed; correct what is named",
    401: "the credentials are not accepted; renew the token or certificate of this kubeconfig",
    404: "check the name and the namespace, and that the CRDs are installed",
    405: "the server does not know this operation; check its version",
    406: "the server cannot answer in JSON; is this a Kubernetes API server?",
    409: "someone else changed it in between; read it again and repeat",
    410: "the resourceVersion is too old; list again",
    413: "the object is too large for the server",
    415: "the server does not know this kind of patch; check its version",
    422: "correct the fields that are named and repeat",
    429: "the server is busy; repeat later",
    500: "the server failed; its log says more",
    503: "the server is starting or overloaded; repeat later",
    504: "the server did not finish in time; repeat later",
}
"""What the caller can do, by HTTP status. A 403 is looked at more closely in `_forbidden`."""


class RefusedError(ClusterError):
    """The API server answered, and the answer was no.

    `said` is the server's own sentence, unchanged. `retry_after` is in seconds, None where the
    server named none. `details` is that of the Kubernetes `Status` object, possibly empty.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        reason: str,
        said: str = "",
        retry_after: float | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message, status=status, reason=reason)
        self.said = said
        self.retry_after = retry_after
        self.details: Mapping[str, Any] = details or {}

    @property
    def causes(self) -> frozenset[str]:
        """Reasons of the single causes, e.g. `ResourceVersionTooLarge`, `FieldValueInvalid`."""
        return frozenset(
            cause.get("reason", "")
            for cause in self.details.get("causes") or ()
            if isinstance(cause, dict)
        )


def from_answer(
    asked: str, status: int, body: bytes, *, retry_after: str | None = None
) -> RefusedError:
    """Return the error for an HTTP answer of 300 or more to the request `asked`."""
    said = parse_status(body)
    return _build(asked, status, said, retry_after=retry_after)


def from_event(asked: str, status_object: Mapping[str, Any]) -> RefusedError:
    """Return the error for an `ERROR` event of a watch, whose object is a `Status`."""
    code = status_object.get("code")
    return _build(asked, code if isinstance(code, int) else 500, status_object)


def parse_status(body: bytes) -> dict[str, Any]:
    """Return the `Status` object in an answer; plain text becomes its message."""
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        parsed = None
    if isinstance(parsed, dict) and parsed.get("kind") == "Status":
        return parsed
    # A proxy's page or a server that is just starting: enough of it to recognise.
    return {"message": " ".join(body[:300].decode(errors="replace").split())}


def _build(
    asked: str, status: int, said: Mapping[str, Any], *, retry_after: str | None = None
) -> RefusedError:
    details = said.get("details")
    details = details if isinstance(details, dict) else {}
    message = str(said.get("message") or "")
    reason = str(said.get("reason") or "")
    return RefusedError(
        f"{asked}: {status} {reason or 'without a reason'}: {message or 'no message'}; "
        f"next: {_next_step(status, reason, message)}",
        status=status,
        reason=reason,
        said=message,
        retry_after=_seconds(retry_after),
        details=details,
    )


def _next_step(status: int, reason: str, message: str) -> str:
    if status == 403:
        return _forbidden(message)
    if reason == "AlreadyExists":
        return "change the one that is there, or choose another name"
    return NEXT_STEP.get(status, "the server's log says more")


def _forbidden(message: str) -> str:
    """Tell a missing right, which somebody can grant, from an admission refusal."""
    right = _MISSING_RIGHT.search(message)
    if right is None:
        return "an admission rule or a quota said no; the message above names it"
    resource = f"{right['resource']}.{right['group']}" if right["group"] else right["resource"]
    where = f"in namespace {right['namespace']}" if right["namespace"] else "cluster-wide"
    return f"grant {right['user']} the right to {right['verb']} {resource} {where}"


def _seconds(header: str | None) -> float | None:
    """Read Retry-After; its other form, a date, is never sent by the API server."""
    return float(header) if header is not None and header.strip().isdecimal() else None
