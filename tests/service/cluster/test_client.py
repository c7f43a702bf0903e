"""Promises of the client against a scripted server."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from tests.service.cluster.scripted import Answer, Script, Sleeps

import quotatree
from quotatree.cluster import client, kubeconfig, paths, refusal
from quotatree.errors import ClusterError

POD = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "ns"}}


async def test_says_who_it_is(api: client.Client, script: Script) -> None:
    script.json(POD)
    assert await api.get(paths.PODS, "p", namespace="ns") == POD
    headers = script.seen[0].headers
    assert headers["User-Agent"] == f"quotatree/{quotatree.__version__}"
    assert headers["Authorization"] == "Bearer t0"


@pytest.mark.parametrize(
    ("call", "want"),
    [
        (lambda c: c.create(paths.PODS, POD), ("POST", "/api/v1/namespaces/ns/pods", client.JSON)),
        (
            lambda c: c.patch(paths.PODS, "p", namespace="ns", body={"a": None}),
            ("PATCH", "/api/v1/namespaces/ns/pods/p", "application/merge-patch+json"),
        ),
        (
            lambda c: c.patch(
                paths.RESOURCE_QUOTAS,
                "q",
                namespace="ns",
                subresource="status",
                body=[{"op": "remove", "path": "/a"}],
                content_type=client.JSON_PATCH,
            ),
            (
                "PATCH",
                "/api/v1/namespaces/ns/resourcequotas/q/status",
                "application/json-patch+json",
            ),
        ),
        (
            lambda c: c.apply(POD),
            ("PATCH", "/api/v1/namespaces/ns/pods/p", "application/apply-patch+yaml"),
        ),
        (
            lambda c: c.replace(paths.PODS, POD),
            ("PUT", "/api/v1/namespaces/ns/pods/p", client.JSON),
        ),
    ],
    ids=["create", "merge patch", "JSON patch of a status", "server-side apply", "replace"],
)
async def test_writes_name_method_path_and_content_type(
    api: client.Client, script: Script, call: Any, want: tuple[str, str, str]
) -> None:
    script.json(POD)
    await call(api)
    [seen] = script.seen
    assert (seen.method, seen.path, seen.headers["Content-Type"]) == want


async def test_apply_names_the_owner_and_forces_only_when_told(
    api: client.Client, script: Script
) -> None:
    script.json(POD)
    script.json(POD)
    await api.apply(POD)
    await api.apply(POD, force=True, dry_run=True)
    assert script.seen[0].query == {"fieldManager": "quotatree", "force": "false"}
    assert script.seen[1].query == {"fieldManager": "quotatree", "force": "true", "dryRun": "All"}


async def test_delete_of_what_is_gone_is_no_error_unless_asked(
    api: client.Client, script: Script
) -> None:
    script.refuse(404, "NotFound")
    assert await api.delete(paths.PODS, "p", namespace="ns", uid="u1") == {}
    assert script.seen[0].body["preconditions"] == {"uid": "u1"}
    script.refuse(404, "NotFound")
    with pytest.raises(ClusterError):
        await api.delete(paths.PODS, "p", namespace="ns", missing_ok=False)


async def test_find_returns_none_only_for_404(api: client.Client, script: Script) -> None:
    script.refuse(404, "NotFound")
    assert await api.find(paths.PODS, "p", namespace="ns") is None
    script.refuse(403, "Forbidden")
    with pytest.raises(ClusterError):
        await api.find(paths.PODS, "p", namespace="ns")


def page(names: str, version: str = "7", token: str = "") -> dict[str, Any]:
    return {
        "metadata": {"resourceVersion": version, "continue": token},
        "items": [{"metadata": {"name": name}} for name in names],
    }


def names_of(items: list[dict[str, Any]]) -> str:
    return "".join(item["metadata"]["name"] for item in items)


async def test_list_follows_pages_and_asks_for_a_consistent_read(
    api: client.Client, script: Script
) -> None:
    script.json(page("ab", token="t1"))
    script.json(page("cd", token="t2"))
    script.json(page("e"))
    items, version = await api.list_all(paths.PODS, label_selector="x=y")
    assert (names_of(items), version) == ("abcde", 7)
    assert [seen.query.get("continue") for seen in script.seen] == [None, "t1", "t2"]
    assert all("resourceVersion" not in seen.query for seen in script.seen)
    assert all(seen.query["labelSelector"] == "x=y" for seen in script.seen)


async def test_list_that_expires_between_pages_begins_again(
    api: client.Client, script: Script
) -> None:
    script.json(page("ab", token="t1"))
    script.refuse(410, "Expired")
    script.json(page("xy", version="9"))
    items, version = await api.list_all(paths.PODS)
    assert (names_of(items), version) == ("xy", 9)


async def test_list_that_always_expires_is_asked_for_in_one_piece(
    api: client.Client, script: Script
) -> None:
    for _ in range(client.LIST_RESTARTS):
        script.refuse(410, "Expired")
    script.json(page("z"))
    items, _ = await api.list_all(paths.PODS)
    assert names_of(items) == "z"
    assert "limit" not in script.seen[-1].query


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_read_is_repeated_after_a_server_error(
    api: client.Client, script: Script, sleeps: Sleeps, status: int
) -> None:
    script.refuse(status)
    script.refuse(status)
    script.json(POD)
    assert await api.get(paths.PODS, "p", namespace="ns") == POD
    assert sleeps == [0.1, 0.2]


async def test_read_is_repeated_after_a_broken_connection(
    api: client.Client, script: Script
) -> None:
    script.add(Answer(pieces=(b'{"kind":',), cut=True))
    script.json(POD)
    assert await api.get(paths.PODS, "p", namespace="ns") == POD


async def test_repeats_of_a_read_are_bounded(api: client.Client, script: Script) -> None:
    for _ in range(client.ATTEMPTS + 1):
        script.refuse(503)
    with pytest.raises(ClusterError) as caught:
        await api.get(paths.PODS, "p", namespace="ns")
    assert caught.value.status == 503
    assert len(script.seen) == client.ATTEMPTS


@pytest.mark.parametrize("answer", [Answer(status=503), Answer(cut=True)], ids=["503", "cut"])
async def test_write_is_never_repeated_when_it_may_have_been_carried_out(
    api: client.Client, script: Script, answer: Answer
) -> None:
    script.add(answer)
    with pytest.raises(ClusterError):
        await api.create(paths.PODS, POD)
    assert len(script.seen) == 1


async def test_write_is_repeated_when_flow_control_says_when(
    api: client.Client, script: Script, sleeps: Sleeps
) -> None:
    script.json({}, 429, **{"Retry-After": "2"})
    script.json(POD, 201)
    assert await api.create(paths.PODS, POD) == POD
    assert sleeps == [2.0]


@pytest.mark.parametrize(
    "headers", [{}, {"Retry-After": "11"}, {"Retry-After": "soon"}], ids=["no", "long", "no number"]
)
async def test_a_429_without_a_short_retry_after_is_the_callers(
    api: client.Client, script: Script, headers: dict[str, str]
) -> None:
    script.json({}, 429, **headers)
    with pytest.raises(ClusterError):
        await api.create(paths.PODS, POD)
    assert len(script.seen) == 1


async def test_retry_can_be_switched_off(api: client.Client, script: Script) -> None:
    script.json({}, 429, **{"Retry-After": "1"})
    with pytest.raises(ClusterError):
        await api.patch(paths.PODS, "p", namespace="ns", body={}, retry=False)
    assert len(script.seen) == 1


async def test_token_file_is_read_again_after_a_401(
    script: Script, tmp_path: Any, sleeps: Sleeps
) -> None:
    file = tmp_path / "token"
    file.write_text("old\n")
    script.json(POD)
    script.refuse(401, "Unauthorized")
    script.json(POD)
    access = kubeconfig.Access(server=script.url, token_file=file)
    async with client.Client(access, sleep=sleeps) as api:
        await api.get(paths.PODS, "p", namespace="ns")
        file.write_text("new")
        await api.get(paths.PODS, "p", namespace="ns")
    tokens = [seen.headers["Authorization"] for seen in script.seen]
    assert tokens == ["Bearer old", "Bearer old", "Bearer new"]


async def test_a_401_with_nothing_newer_is_an_error_at_once(
    api: client.Client, script: Script
) -> None:
    script.refuse(401, "Unauthorized")
    with pytest.raises(ClusterError) as caught:
        await api.get(paths.PODS, "p", namespace="ns")
    assert caught.value.status == 401
    assert len(script.seen) == 1


async def test_impersonation_is_sent_with_every_group(script: Script) -> None:
    script.json(POD)
    access = kubeconfig.Access(
        server=script.url,
        impersonate=(("Impersonate-User", "tom"), ("Impersonate-Group", "dev")),
    )
    async with client.Client(access) as api:
        await api.get(paths.PODS, "p", namespace="ns")
    assert script.seen[0].headers["Impersonate-User"] == "tom"
    assert script.seen[0].headers["Impersonate-Group"] == "dev"


async def test_server_below_a_path_keeps_its_path(script: Script) -> None:
    script.json(POD)
    access = kubeconfig.Access(server=f"{script.url}/k8s/clusters/c1")
    async with client.Client(access) as api:
        await api.get(paths.PODS, "p", namespace="ns")
    assert script.seen[0].path == "/k8s/clusters/c1/api/v1/namespaces/ns/pods/p"


async def test_unreachable_server_is_named_with_the_next_step(sleeps: Sleeps) -> None:
    access = kubeconfig.Access(server="http://127.0.0.1:1")
    async with client.Client(access, sleep=sleeps) as api:
        with pytest.raises(ClusterError, match=r"127\.0\.0\.1:1: cannot be reached.*next: "):
            await api.get(paths.PODS, "p", namespace="ns")


async def test_hanging_server_is_given_up_after_the_timeout(
    api: client.Client, script: Script
) -> None:
    script.add(Answer(hang=True))
    with pytest.raises(ClusterError, match=r"no answer within 0\.05 s; next: ") as caught:
        await api.request("POST", "/api/v1/namespaces", body={}, timeout=0.05)
    assert caught.value.status == 0


async def test_plain_http_asked_by_https_is_a_tls_error(script: Script, sleeps: Sleeps) -> None:
    access = kubeconfig.Access(server=script.url.replace("http:", "https:"))
    async with client.Client(access, sleep=sleeps) as api:
        with pytest.raises(ClusterError, match=r"TLS failed: .*next: check that the server speaks"):
            await api.get(paths.PODS, "p", namespace="ns")


async def test_an_answer_that_is_not_json_is_an_error(api: client.Client, script: Script) -> None:
    script.add(Answer(pieces=(b"<html>",)))
    with pytest.raises(ClusterError, match="not JSON"):
        await api.get(paths.PODS, "p", namespace="ns")


async def test_text_is_returned_as_it_is(api: client.Client, script: Script) -> None:
    script.add(Answer(pieces=(b"ok",)))
    assert await api.text("/readyz") == "ok"


async def test_an_error_keeps_the_servers_own_words(api: client.Client, script: Script) -> None:
    script.refuse(422, "Invalid", "spec.hard: bad", details={"causes": [{"reason": "Odd"}]})
    with pytest.raises(refusal.RefusedError) as caught:
        await api.create(paths.PODS, POD)
    error = caught.value
    assert (error.status, error.reason, error.said) == (422, "Invalid", "spec.hard: bad")
    assert error.causes == {"Odd"}
    assert re.search(r"^POST /api/v1/namespaces/ns/pods on http:.*: 422 Invalid: ", str(error))


def test_a_client_is_bound_to_its_proxy_only_away_from_loopback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from quotatree.cluster import transport

    monkeypatch.setenv("https_proxy", "http://proxy:1")
    monkeypatch.setenv("no_proxy", "inside.example")
    far = kubeconfig.Access(server="https://far.example")
    assert transport._proxy(far) == "http://proxy:1"
    assert transport._proxy(replace(far, server="https://inside.example")) is None
    assert transport._proxy(replace(far, server="https://127.0.0.1:6443")) is None
    assert (
        transport._proxy(replace(far, server="https://localhost", proxy="http://p")) == "http://p"
    )
