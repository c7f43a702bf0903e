"""The client, reflector, lease and certificates against the real API server."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from quotatree.cluster import client as clients
from quotatree.cluster import kubeconfig as kubeconfigs
from quotatree.cluster import lease, paths, reflector, refusal
from quotatree.cluster.client import Client
from quotatree.errors import ClusterError
from quotatree.webhook import tls

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(120)]


@pytest.fixture
async def api(kubeconfig: Path) -> AsyncIterator[Client]:
    async with await Client.connect(str(kubeconfig)) as api:
        yield api


@pytest.fixture
def access(kubeconfig: Path) -> kubeconfigs.Access:
    return kubeconfigs.load(str(kubeconfig), None)


@pytest.fixture
async def namespace(api: Client) -> str:
    name = f"client-{random.randrange(16**8):08x}"
    await api.create(paths.NAMESPACES, {"metadata": {"name": name}})
    return name


def config_map(namespace: str, name: str, **data: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace},
        "data": data,
    }


async def test_an_objects_life(api: Client, namespace: str) -> None:
    made = await api.create(paths.CONFIG_MAPS, config_map(namespace, "c", a="1"))
    merged = await api.patch(
        paths.CONFIG_MAPS, "c", namespace=namespace, body={"data": {"a": None, "b": "2"}}
    )
    assert merged["data"] == {"b": "2"}
    patched = await api.patch(
        paths.CONFIG_MAPS,
        "c",
        namespace=namespace,
        body=[{"op": "replace", "path": "/data/b", "value": "3"}],
        content_type=clients.JSON_PATCH,
    )
    assert patched["data"] == {"b": "3"}
    with pytest.raises(refusal.RefusedError, match="read it again and repeat") as caught:
        await api.replace(paths.CONFIG_MAPS, made)
    assert (caught.value.status, caught.value.reason) == (409, "Conflict")
    with pytest.raises(ClusterError) as caught_uid:
        await api.delete(paths.CONFIG_MAPS, "c", namespace=namespace, uid="another")
    assert caught_uid.value.status == 409
    await api.delete(paths.CONFIG_MAPS, "c", namespace=namespace, uid=made["metadata"]["uid"])
    assert await api.find(paths.CONFIG_MAPS, "c", namespace=namespace) is None


async def test_server_side_apply_owns_fields_and_conflicts(api: Client, namespace: str) -> None:
    await api.apply(config_map(namespace, "c", a="1"), field_manager="other")
    dry = await api.apply(config_map(namespace, "c", b="1"), dry_run=True)
    assert dry["data"] == {"a": "1", "b": "1"}
    with pytest.raises(ClusterError, match='"other"') as caught:
        await api.apply(config_map(namespace, "c", a="2"))
    assert caught.value.status == 409
    forced = await api.apply(config_map(namespace, "c", a="2"), force=True)
    assert forced["data"] == {"a": "2"}


async def test_a_list_in_pages_is_whole_and_of_one_moment(
    api: Client, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "PAGE", 3)
    wanted = {f"c{index}" for index in range(10)}
    for name in wanted:
        await api.create(paths.CONFIG_MAPS, config_map(namespace, name))
    items, version = await api.list_all(paths.CONFIG_MAPS, namespace=namespace)
    assert wanted <= {item["metadata"]["name"] for item in items}
    assert version >= max(clients.resource_version(item) for item in items)


async def test_a_user_without_rights_learns_which_right_is_missing(
    access: kubeconfigs.Access,
) -> None:
    async with Client(replace(access, impersonate=(("Impersonate-User", "tom"),))) as tom:
        with pytest.raises(ClusterError, match="grant tom the right to list pods cluster-wide"):
            await tom.list_all(paths.PODS)


async def test_who_is_not_known_learns_it(access: kubeconfigs.Access) -> None:
    nobody = replace(access, certificate=None, key=None, token="wrong")
    async with Client(nobody) as api:
        with pytest.raises(ClusterError, match="renew the token or certificate") as caught:
            await api.list_all(paths.PODS)
        assert caught.value.status == 401


async def test_a_server_that_is_not_trusted_is_a_tls_error(access: kubeconfigs.Access) -> None:
    async with Client(replace(access, ca=None)) as api:
        with pytest.raises(ClusterError, match=r"certificate is not trusted: .*next: check"):
            await api.request("GET", "/version", retry=False)
    async with Client(replace(access, ca=None, insecure=True)) as api:
        assert await api.text("/readyz") == "ok"


async def test_an_invalid_object_names_its_field(api: Client, namespace: str) -> None:
    pod = {"metadata": {"name": "p"}, "spec": {}}
    with pytest.raises(refusal.RefusedError, match=r"spec\.containers") as caught:
        await api.create(paths.PODS, pod, namespace=namespace)
    assert caught.value.status == 422
    assert "FieldValueRequired" in caught.value.causes


class Cutter:
    """A TCP relay that cuts all its connections when told."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.relayed = 0

    async def __aenter__(self) -> Cutter:
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.relayed += 1
        far_reader, far_writer = await asyncio.open_connection(*self._target)
        self._writers |= {writer, far_writer}
        for source, sink in ((reader, far_writer), (far_reader, writer)):
            self._tasks.add(asyncio.create_task(_pump(source, sink)))


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while piece := await source.read(700):
            sink.write(piece)
            await sink.drain()
    sink.transport.abort()


async def test_a_watch_over_a_line_that_breaks_all_the_time_loses_and_repeats_nothing(
    api: Client, access: kubeconfigs.Access, namespace: str
) -> None:
    """200 writes, and again and again every connection is cut."""
    address = urlsplit(access.server)
    state: dict[str, int] = {}
    history: list[int] = []
    lists = 0
    async with Cutter(address.hostname or "", address.port or 443) as cutter:
        relayed = replace(access, server=f"https://127.0.0.1:{cutter.port}")
        async with Client(relayed) as watcher:
            follower = reflector.Reflector(watcher, paths.CONFIG_MAPS, namespace=namespace)

            async def follow() -> None:
                nonlocal lists
                async for change in follower.changes():
                    match change:
                        case reflector.Listed():
                            lists += 1
                            state.clear()
                            state.update(map(_known, change.items))
                        case reflector.Changed():
                            state.update([_known(change.object)])
                            history.append(change.resource_version)
                        case reflector.Deleted():
                            del state[change.object["metadata"]["name"]]
                            history.append(change.resource_version)

            following = asyncio.create_task(follow())
            while not lists:
                await asyncio.sleep(0.01)
            written = await _write(api, namespace, cutter, told=lambda: len(history))
            items, version = await api.list_all(paths.CONFIG_MAPS, namespace=namespace)
            await api.create(paths.CONFIG_MAPS, config_map(namespace, "last"))
            while "last" not in state and not following.done():
                await asyncio.sleep(0.01)
            following.cancel()
            await asyncio.wait([following])
    assert lists == 1
    assert cutter.relayed > 5
    assert state.pop("last") > version
    assert state == dict(map(_known, items))
    ours = [seen for seen in history if seen in written]
    assert ours == sorted(written)
    assert history == sorted(set(history))


async def _write(
    api: Client, namespace: str, cutter: Cutter, *, told: Callable[[], int]
) -> set[int]:
    """Create, change and delete objects; return the resource versions of the first two.

    Cut when something was `told` since the cut before: a watch that hears nothing lists again.
    """
    versions, heard = set(), 0
    for number in range(200):
        name = f"c{number % 7}"
        if number % 5 == 4:
            await api.delete(paths.CONFIG_MAPS, name, namespace=namespace)
        else:
            done = await api.apply(config_map(namespace, name, n=str(number)), force=True)
            versions.add(clients.resource_version(done))
        if number % 6 == 0 and told() > heard:
            heard = told()
            cutter.cut()
    return versions


def _known(obj: dict[str, Any]) -> tuple[str, int]:
    return obj["metadata"]["name"], clients.resource_version(obj)


async def test_leadership_changes_hands_on_a_real_lease(api: Client, namespace: str) -> None:
    first, second = (
        lease.LeaseElector(api, namespace=namespace, name="quotatree", identity=who, duration=3.0)
        for who in ("a", "b")
    )
    epoch = await first.acquire()
    renewing = asyncio.create_task(first.renew())
    waiting = asyncio.create_task(second.acquire())
    await asyncio.sleep(4)
    assert (first.epoch, waiting.done(), second.holder) == (epoch, False, "a")
    renewing.cancel()
    await asyncio.wait([renewing])
    await first.release()
    assert await asyncio.wait_for(waiting, 2) > epoch
    renewing = asyncio.create_task(second.renew())
    assert (
        await lease.LeaseElector(
            api, namespace=namespace, name="quotatree", identity="b", duration=3.0
        ).acquire(above=10**12)
        > 10**12
    )
    await asyncio.wait_for(second.lost.wait(), 3)
    await renewing


async def test_replicas_agree_on_one_real_secret(api: Client, namespace: str) -> None:
    keepers = [
        tls.CertificateKeeper(api, namespace=namespace, hosts=["webhook.svc", "127.0.0.1"])
        for _ in range(4)
    ]
    await asyncio.gather(*(keeper.refresh() for keeper in keepers))
    secret = await api.get(paths.SECRETS, tls.SECRET, namespace=namespace)
    assert secret["type"] == "kubernetes.io/tls"
    bundle = base64.b64decode(secret["data"]["ca.crt"])
    assert {keeper.bundle for keeper in keepers} == {bundle}
