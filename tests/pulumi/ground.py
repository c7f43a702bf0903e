"""The cluster beneath the stacks, asked and changed without Pulumi."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Coroutine, Mapping
from concurrent.futures import Future
from contextlib import aclosing, suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from quotatree.cluster import paths, refusal
from quotatree.cluster.client import Client
from quotatree.cluster.reflector import Changed, Deleted, Listed, Reflector

DEADLINE = 30.0
PARENT = "quotatree.dev/parent"
_T = TypeVar("_T")


def pod(name: str, **asked: str) -> dict[str, Any]:
    """A pod that requests `asked`, by resource name."""
    extended = {key: value for key, value in asked.items() if "/" in key}
    resources = {"requests": asked} | ({"limits": extended} if extended else {})
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"containers": [{"name": "c", "image": "none", "resources": resources}]},
    }


def claim(name: str, storage: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": storage}},
        },
    }


class Ground:
    """One client on a loop of its own in the background; any thread may call."""

    def __init__(self, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.client = self.begin(Client.connect(str(kubeconfig))).result()

    def begin(self, work: Coroutine[Any, Any, _T]) -> Future[_T]:
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def close(self) -> None:
        self.begin(self.client.close()).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def get(self, kind: paths.Kind, name: str, namespace: str | None = None) -> dict[str, Any]:
        """Return the object, empty when there is none."""
        try:
            return self.begin(self.client.get(kind, name, namespace=namespace)).result()
        except refusal.RefusedError as error:
            if error.status == 404:
                return {}
            raise

    def list(self, kind: paths.Kind, namespace: str | None = None) -> list[dict[str, Any]]:
        return self.begin(self.client.list_all(kind, namespace=namespace)).result()[0]

    def create(self, manifest: Mapping[str, Any], namespace: str) -> str:
        """Create it; return what the server said when it refused, "" when it did not."""
        path = paths.of_object(manifest).path(namespace)
        try:
            self.begin(self.client.request("POST", path, body=manifest)).result()
        except refusal.RefusedError as error:
            if error.status != 403:
                raise
            return error.said
        return ""

    def plant(self, tree: Mapping[str, tuple[str, Mapping[str, str]]]) -> None:
        """Put up namespaces: name to (parent or "", hard or nothing), parents first."""
        for name, (parent, hard) in tree.items():
            labels = {PARENT: parent} if parent else {}
            metadata = {"name": name, "labels": labels}
            namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
            quota = {
                "apiVersion": "quotatree.dev/v1alpha1",
                "kind": "TreeQuota",
                "metadata": {"name": "limit", "namespace": name},
                "spec": {"hard": dict(hard)},
            }
            for manifest in (namespace, quota) if hard else (namespace,):
                self.begin(self.client.apply(manifest, force=True)).result()
        for name, (parent, hard) in tree.items():
            if parent or hard:
                self.until(partial(self.enforced, name), f"{name} is enforced")

    def enforced(self, name: str) -> bool:
        labels = self.get(paths.NAMESPACES, name).get("metadata", {}).get("labels", {})
        return bool(labels.get("quotatree.dev/enforced") == "true")

    def exists(self, name: str) -> bool:
        return bool(self.get(paths.NAMESPACES, name))

    def until(self, check: Callable[[], bool], what: str, *, every: float = 0.1) -> None:
        end = time.monotonic() + DEADLINE
        while not check():
            if time.monotonic() > end:
                raise AssertionError(f"not within {DEADLINE:.0f} s: {what}")
            time.sleep(every)


class Census:
    """How many pods live in each namespace, at every instant that the API server's watch shows.

    `gaps` are the times that the watch broke and pods were listed again: nobody saw those moments.
    """

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._ready = threading.Event()
        self._watching: Future[None] | None = None
        self.now: Counter[str] = Counter()
        self.peak: Counter[str] = Counter()
        self.gaps = -1  # The first list is none.

    def __enter__(self) -> Self:
        self._watching = self._ground.begin(self._watch())
        assert self._ready.wait(DEADLINE)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._watching
        self._watching.cancel()

    async def _watch(self) -> None:
        living: dict[str, str] = {}
        async with aclosing(Reflector(self._ground.client, paths.PODS).changes()) as changes:
            async for change in changes:
                match change:
                    case Listed(items=items):
                        self.gaps += 1
                        living = dict(map(_identity, items))
                    case Changed(object=found):
                        living.update([_identity(found)])
                    case Deleted(object=found):
                        living.pop(_identity(found)[0], None)
                self._count(living)

    def _count(self, living: Mapping[str, str]) -> None:
        self.now = Counter(living.values())
        self.peak |= self.now
        self._ready.set()


class Kubelet:
    """Ends each pod some time after it was seen: there are no nodes here that would run it.

    Those in the namespaces `fails` fail, all others succeed.
    """

    def __init__(self, ground: Ground, *, seconds: float, fails: Collection[str] = ()) -> None:
        self._ground = ground
        self._seconds = seconds
        self._fails = fails
        self._working: Future[None] | None = None

    def __enter__(self) -> Self:
        self._working = self._ground.begin(self._work())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._working
        self._working.cancel()

    async def _work(self) -> None:
        client = self._ground.client
        seen: dict[str, float] = {}
        while True:
            pods, _ = await client.list_all(paths.PODS)
            for found in pods:
                uid, namespace = _identity(found)
                due = seen.setdefault(uid, time.monotonic() + self._seconds)
                if found["status"].get("phase") == "Pending" and time.monotonic() > due:
                    await self._end(found["metadata"]["name"], namespace)
            await asyncio.sleep(0.1)

    async def _end(self, name: str, namespace: str) -> None:
        phase = "Failed" if namespace in self._fails else "Succeeded"
        body = {"status": {"phase": phase}}
        with suppress(refusal.RefusedError):  # It was deleted meanwhile.
            await self._ground.client.patch(
                paths.PODS, name, body=body, namespace=namespace, subresource="status"
            )


def _identity(found: Mapping[str, Any]) -> tuple[str, str]:
    return found["metadata"]["uid"], found["metadata"]["namespace"]
