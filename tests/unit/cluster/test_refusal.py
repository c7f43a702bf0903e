"""Each refusal says what was asked, what the server said, and what to do."""

from __future__ import annotations

import orjson
import pytest

from quotatree.cluster import refusal


def answer(status: int, reason: str, message: str) -> str:
    body = orjson.dumps({"kind": "Status", "reason": reason, "message": message})
    return str(refusal.from_answer("GET /x", status, body))


@pytest.mark.parametrize(
    ("status", "reason", "message", "want"),
    [
        (401, "Unauthorized", "Unauthorized", "renew the token or certificate"),
        (
            403,
            "Forbidden",
            (
                'User "tom" cannot update resource "treequotas" in API group "quotatree.dev" '
                'in the namespace "org"'
            ),
            "grant tom the right to update treequotas.quotatree.dev in namespace org",
        ),
        (
            403,
            "Forbidden",
            (
                'namespaces is forbidden: User "tom" cannot list resource "namespaces" in API '
                'group "" at the cluster scope'
            ),
            "grant tom the right to list namespaces cluster-wide",
        ),
        (
            403,
            "Forbidden",
            'forbidden: User "tom" cannot get path "/metrics"',
            "grant tom the right to get /metrics cluster-wide",
        ),
        (
            403,
            "Forbidden",
            (
                'pods "p" is forbidden: exceeded quota: quotatree, requested: pods=1, '
                "used: pods=3, limited: pods=3"
            ),
            "an admission rule or a quota said no",
        ),
        (404, "NotFound", 'pods "p" not found', "check the name and the namespace"),
        (409, "Conflict", "the object has been modified", "read it again and repeat"),
        (409, "AlreadyExists", 'pods "p" already exists', "choose another name"),
        (422, "Invalid", "spec.hard: Invalid value", "correct the fields"),
        (429, "TooManyRequests", "busy", "repeat later"),
        (418, "", "", "the server's log says more"),
    ],
)
def test_next_step(status: int, reason: str, message: str, want: str) -> None:
    text = answer(status, reason, message)
    assert text.startswith(f"GET /x: {status} ")
    assert message in text
    assert want in text.partition("; next: ")[2]


@pytest.mark.parametrize("status", refusal.NEXT_STEP)
def test_every_known_status_has_its_own_words(status: int) -> None:
    assert refusal.NEXT_STEP[status] in answer(status, "R", "m")


@pytest.mark.parametrize(
    ("body", "want"),
    [
        (b"", "no message"),
        (b"404 page not found\n", "404 page not found"),
        (b"<html>\n  <b>Bad\tGateway</b>", "<html> <b>Bad Gateway</b>"),
        (b"\xff\xfe", "\N{REPLACEMENT CHARACTER}"),
        (b"[1]", "[1]"),
        (b'{"kind":"Status","message":null,"details":[]}', "no message"),
        (b"x" * 10_000, "x" * 300 + ";"),
    ],
    ids=["empty", "plain", "page", "no text", "no object", "odd status", "long"],
)
def test_any_body_makes_a_message(body: bytes, want: str) -> None:
    assert want in str(refusal.from_answer("GET /x", 502, body))


@pytest.mark.parametrize(
    ("header", "want"), [(None, None), ("3", 3.0), ("soon", None), ("-1", None), ("1.5", None)]
)
def test_retry_after_is_whole_seconds_or_nothing(header: str | None, want: float | None) -> None:
    assert refusal.from_answer("GET /x", 429, b"", retry_after=header).retry_after == want


def test_an_error_event_is_a_refusal_with_its_causes() -> None:
    status = {"code": 410, "reason": "Expired", "details": {"causes": [{"reason": "Old"}, "odd"]}}
    error = refusal.from_event("watch /x", status)
    assert (error.status, error.reason, error.causes) == (410, "Expired", {"Old"})
    assert refusal.from_event("watch /x", {}).status == 500
