"""Steps that the tests of a tree's life share: each does one thing that people do."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from tests.cluster.harness.load import Answer, Ask, body, create

from quotatree import sandbox as control_plane
from quotatree.cluster import client as clients
from quotatree.cluster import paths, refusal
from quotatree.cluster.client import Client
from quotatree.errors import ClusterError
from quotatree.model import names
from quotatree.model.names import Namespace
from quotatree.units.resources import Resources

HANG = 40.0
"""Seconds after which a test gives up waiting."""

T = TypeVar("T")
Document = dict[str, Any]


async def soon(ask: Callable[[], Awaitable[T]], *, what: str, within: float = HANG) -> T:
    """Return the first answer that says something (is true); until then errors mean "not yet"."""
    end, last = time.monotonic() + within, ""
    while True:
        try:
            if answer := await ask():
                return answer
        except ClusterError as error:
            last = f": {error}"
        if time.monotonic() > end:
            raise AssertionError(f"not within {within:g} s: {what}{last}")
        await asyncio.sleep(0.05)


async def said(request: Awaitable[Any]) -> str:
    """Return the sentence with which a request is refused, empty when it passes."""
    try:
        await request
    except refusal.RefusedError as error:
        return error.said
    return ""


async def decided(request: Callable[[], Awaitable[Any]]) -> str:
    """Return what a request is told in the end, empty when it passes; "retry" is no answer."""
    while "retry in a second" in (why := await said(request())):
        await asyncio.sleep(0.1)
    return why


async def restarted(client: Client, name: str) -> None:
    """Kill quotatree in a sandbox, start it again, and wait until it decides."""
    await asyncio.to_thread(control_plane.kill, name, "quotatree")
    await asyncio.to_thread(control_plane.restart, name, "quotatree")
    await deciding(client)


async def deciding(client: Client) -> None:
    """Wait until quotatree refuses what only it can refuse."""
    probe = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": "probe", "labels": {names.LABEL_PARENT: "probe"}},
    }

    async def refuses() -> bool:
        return "its own parent" in await said(
            client.request("POST", paths.NAMESPACES.path(), body=probe, params={"dryRun": "All"})
        )

    await soon(refuses, what="quotatree decides")


# -- objects ----------------------------------------------------------------------------------

ONE_CPU = Resources.parse({"cpu": "1"})


async def grow(
    client: Client, namespace: Namespace, name: str, size: Resources = ONE_CPU
) -> Answer:
    """Ask for one pod, once."""
    return await create(client, Ask(namespace=namespace, name=name, size=size))


async def fill(client: Client, namespace: Namespace, *pods: str, size: Resources = ONE_CPU) -> None:
    """Create pods, all of which fit; a refusal for other reasons than quota is tried again."""
    for name in pods:
        ask = Ask(namespace=namespace, name=name, size=size)
        answer = await create(client, ask)
        while not answer.admitted and not answer.refused:
            await asyncio.sleep(0.1)
            answer = await create(client, ask)
        assert answer.admitted, answer.message


async def fits(client: Client, namespace: Namespace, name: str, *, within: float = HANG) -> None:
    """Ask for a pod until it is admitted."""

    async def admitted() -> bool:
        return (await grow(client, namespace, name)).admitted

    await soon(admitted, what=f"pod {namespace}/{name} fits", within=within)


async def free(client: Client, namespace: Namespace, *pods: str) -> None:
    """Delete pods; without a node they are gone at once."""
    for name in pods:
        await client.delete(paths.PODS, name, namespace=namespace)


def claim(name: str) -> Document:
    """Return a PersistentVolumeClaim of 1Gi."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "",
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }


def pod(name: str) -> Document:
    return body(Ask(namespace=Namespace(""), name=name, size=ONE_CPU))


def stubborn(obj: Document) -> Document:
    """Return the object with a finalizer: it stays until somebody takes that away."""
    return {**obj, "metadata": {**obj["metadata"], "finalizers": ["example.com/stays"]}}


# -- namespaces -------------------------------------------------------------------------------


async def label(client: Client, namespace: Namespace, **labels: str | None) -> Document:
    """Set (or with None remove) labels of ours, `parent` and `lifecycle`."""
    keyed = {f"{names.GROUP}/{key}": value for key, value in labels.items()}
    return await client.patch(paths.NAMESPACES, namespace, body={"metadata": {"labels": keyed}})


async def permit(client: Client, namespace: Namespace, value: str | None = "true") -> Document:
    """Allow the deletion of a namespace to cascade."""
    annotations = {names.ANNOTATION_CASCADE: value}
    return await client.patch(
        paths.NAMESPACES, namespace, body={"metadata": {"annotations": annotations}}
    )


async def gone(client: Client, namespace: Namespace) -> None:
    """Wait until a Namespace is gone."""

    async def absent() -> bool:
        return await client.find(paths.NAMESPACES, namespace) is None

    await soon(absent, what=f"namespace {namespace} is gone")


async def deletable(client: Client, namespace: Namespace) -> None:
    """Delete a Namespace as soon as it is not a parent any more."""

    async def deleted() -> bool:
        return not await said(client.delete(paths.NAMESPACES, namespace))

    await soon(deleted, what=f"namespace {namespace} may be deleted")


async def metadata(client: Client, namespace: Namespace) -> Document:
    found: Document = (await client.get(paths.NAMESPACES, namespace))["metadata"]
    return found


async def tree_labels(client: Client, namespace: Namespace) -> dict[str, str]:
    """Return `ancestor → depth` as the labels of a namespace say."""
    labels = (await metadata(client, namespace)).get("labels", {})
    suffix = names.TREE_LABEL_SUFFIX
    return {key.removesuffix(suffix): v for key, v in labels.items() if key.endswith(suffix)}


async def enforced(client: Client, *namespaces: str) -> None:
    """Wait until namespaces say that they are enforced."""

    async def standing() -> bool:
        found = [await metadata(client, Namespace(name)) for name in namespaces]
        return all(m.get("labels", {}).get(names.LABEL_ENFORCED) == "true" for m in found)

    await soon(standing, what=f"{', '.join(namespaces)} are enforced")


# -- quotas -----------------------------------------------------------------------------------


async def limit(
    client: Client, namespace: Namespace, *, name: str = "limit", **spec: Any
) -> Document:
    """Put a TreeQuota with this spec on a namespace, new or changed."""
    manifest = {
        "apiVersion": names.API_VERSION,
        "kind": "TreeQuota",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }
    if await client.find(paths.TREE_QUOTAS, name, namespace=namespace) is None:
        return await client.create(paths.TREE_QUOTAS, manifest, namespace=namespace)
    replacement = [{"op": "replace", "path": "/spec", "value": spec}]
    return await client.patch(
        paths.TREE_QUOTAS,
        name,
        body=replacement,
        namespace=namespace,
        content_type=clients.JSON_PATCH,
    )


async def status(
    client: Client,
    namespace: Namespace,
    *,
    name: str = "limit",
    that: Callable[[Document], bool] = bool,
    what: str = "",
) -> Document:
    """Return the status of a TreeQuota once it answers the present spec and `that` holds."""
    last: Document = {}

    async def answered() -> Document | None:
        nonlocal last
        found = await client.get(paths.TREE_QUOTAS, name, namespace=namespace)
        last = found.get("status", {})
        current = last.get("observedGeneration") == found["metadata"]["generation"]
        return last if current and that(last) else None

    try:
        return await soon(answered, what=what or f"status of {namespace}/{name}")
    except AssertionError as error:
        raise AssertionError(f"{error}; last seen: {last}") from None


def condition(status: Document, kind: str) -> Document:
    """Return one condition, empty when it is not there."""
    return next((c for c in status.get("conditions", ()) if c["type"] == kind), {})


def holds(kind: str, value: str = "True") -> Callable[[Document], bool]:
    return lambda status: condition(status, kind).get("status") == value


async def managed(
    client: Client, namespace: Namespace, name: str = names.MANAGED_QUOTA
) -> Document | None:
    return await client.find(paths.RESOURCE_QUOTAS, name, namespace=namespace)


async def measures(
    client: Client, namespace: Namespace, *resources: str, quota: str = names.MANAGED_QUOTA
) -> None:
    """Wait until a managed ResourceQuota names these resources and is measured in each."""
    last: object = None

    async def so() -> bool:
        nonlocal last
        found = await managed(client, namespace, quota)
        last = found and (found["spec"].get("hard", {}), found["status"])
        return found is not None and all(
            part.keys() == set(resources)
            for part in (
                found["spec"].get("hard", {}),
                found["status"].get("hard", {}),
                found["status"].get("used", {}),
            )
        )

    try:
        await soon(so, what=f"{namespace}/{quota} measures {resources}")
    except AssertionError as error:
        raise AssertionError(f"{error}; last seen: {last}") from None


async def events(client: Client, namespace: Namespace, reason: str) -> list[Document]:
    """Return the Events with a reason, once there is one."""

    async def found() -> list[Document]:
        items, _ = await client.list_all(paths.EVENTS, namespace=namespace)
        return [item for item in items if item.get("reason") == reason]

    return await soon(found, what=f"an Event {reason} in {namespace}")
