"""The witness: every pod and every usage that was ever committed, in the order of the store.

What pods there were says the first, by their keys alone (a pod's size is in its name); what quotas
said they were says the second. Nothing in it comes from quotatree or from an API server.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from tests.chaos import wire
from tests.chaos.store import PODS, QUOTAS, Change, Store, StoreError
from tests.chaos.verdict import NOTHING, Amounts, Held
from tests.cluster.harness.marks import Mark

from quotatree.codec import managed
from quotatree.model import names
from quotatree.units.resources import Resources

MARK_EVERY = 0.03
MANAGED = b"quotatree"
"""The name of the managed ResourceQuota of a namespace."""


def size_of(pod: str) -> Amounts:
    """Return what a pod of the traffic is charged: `c250-…` asks for 250 thousandths of a cpu."""
    return 1, int(pod.removeprefix("c").partition("-")[0])


class History:
    """Watches some namespaces from now on: `async with History(store, namespaces) as history`."""

    def __init__(self, store: Store, namespaces: frozenset[str]) -> None:
        self._store = store
        self._namespaces = namespaces
        self._tasks: list[asyncio.Task[None]] = []
        self._revisions = {PODS: 0, QUOTAS: 0}
        self.pods: dict[str, set[str]] = defaultdict(set)
        self._there: dict[str, set[str]] = defaultdict(set)
        self._used: dict[str, Amounts] = {}
        self._stored: dict[bytes, bytes | None] = {}
        self.lost: list[str] = []
        self.epochs: dict[str, int] = {}
        self.begin()

    def begin(self) -> None:
        """Forget the past: a new chapter, judged by itself, begins with what is there now."""
        self.start_real = {namespace: _sum(pods) for namespace, pods in self.pods.items()}
        self.start_there = {namespace: _sum(pods) for namespace, pods in self._there.items()}
        self.start_used = dict(self._used)
        self.start_epochs = dict(self.epochs)
        self.real: list[Held] = []
        self.there: list[Held] = []
        self.used: list[Held] = []
        self.marks: list[Mark] = []

    async def __aenter__(self) -> Self:
        for prefix in (PODS, QUOTAS):
            changes, revision = await self._store.read(prefix)
            for change in changes:
                self._note(change)
            self._revisions[prefix] = revision
        self.begin()
        for prefix in (PODS, QUOTAS):
            self._tasks.append(asyncio.create_task(self._watch(prefix), name="history"))
        self._tasks.append(asyncio.create_task(self._mark(), name="marks"))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _watch(self, prefix: bytes) -> None:
        while True:
            try:
                async for change in self._store.watch(prefix, after=self._revisions[prefix]):
                    self._note(change)
                    self._revisions[prefix] = change.revision
            except StoreError as error:
                self.lost.append(str(error))
                return
            await asyncio.sleep(0.05)

    async def _mark(self) -> None:
        while True:
            sent = time.monotonic()
            try:
                revision = await self._store.revision()
            except StoreError:
                await asyncio.sleep(0.2)
                continue
            self.marks.append(Mark(version=revision, sent=sent, answered=time.monotonic()))
            await asyncio.sleep(MARK_EVERY)

    def _note(self, change: Change) -> None:
        _, _, kind, namespace, name = change.key.decode().split("/")
        if namespace not in self._namespaces or self._stored.get(change.key) == change.value:
            return
        self._stored[change.key] = change.value
        if kind == "pods":
            self._note_pod(change, namespace, name)
        elif name.encode() == MANAGED and change.value is not None:
            self._note_quota(change, namespace, wire.quota(change.value))

    def _note_pod(self, change: Change, namespace: str, name: str) -> None:
        """All pods of the traffic are deleted without grace: what is deleted, is gone."""
        present = change.value is not None
        _count(self._there, self.there, change, present=present, of=(namespace, name))
        charged = change.value is not None and not wire.is_deleted(change.value)
        _count(self.pods, self.real, change, present=charged, of=(namespace, name))

    def _note_quota(self, change: Change, namespace: str, quota: wire.Quota) -> None:
        now = amounts(quota.used)
        epoch = int(quota.annotations.get(names.ANNOTATION_EPOCH, "0"))
        self._used[namespace] = now
        self.epochs[namespace] = max(epoch, self.epochs.get(namespace, 0))
        self.used.append(
            Held(
                revision=change.revision,
                namespace=namespace,
                amounts=now,
                received=time.monotonic(),
                epoch=epoch,
                sliced=amounts(managed.slice_from_annotations(quota.annotations).to_strings()),
            )
        )

    def held(self, namespace: str) -> Amounts:
        """Return what the pods of a namespace add up to."""
        return _sum(self.pods[namespace])

    def differing(self) -> dict[str, tuple[Amounts, Amounts]]:
        """Return where usage and pods differ at this moment: both of them."""
        found = {}
        for namespace in self._namespaces:
            used, real = self._used.get(namespace, NOTHING), self.held(namespace)
            if used != real:
                found[namespace] = used, real
        return found

    async def caught_up(self) -> None:
        """Return when everything that is committed by now has been seen.

        Raises:
            StoreError: the store does not answer.
        """
        keys, _ = await self._store.read(PODS, keys_only=True)
        quotas, _ = await self._store.read(QUOTAS, keys_only=True)
        wanted = {
            PODS: max((key.revision for key in keys), default=0),
            QUOTAS: max((key.revision for key in quotas), default=0),
        }
        there = {key.key.decode() for key in keys}
        end = time.monotonic() + 60
        while True:
            behind = any(self._revisions[p] < revision for p, revision in wanted.items())
            gone = [
                f"/registry/pods/{namespace}/{pod}"
                for namespace, pods in self._there.items()
                for pod in pods
            ]
            if not behind and there.issuperset(gone):
                return
            if time.monotonic() > end or self.lost:
                raise StoreError(f"the history stands still: {self.lost}")
            if not behind:  # what was created since is no sign of being behind
                keys, _ = await self._store.read(PODS, keys_only=True)
                there = {key.key.decode() for key in keys}
            await asyncio.sleep(0.02)


def _count(
    pods: dict[str, set[str]],
    steps: list[Held],
    change: Change,
    *,
    present: bool,
    of: tuple[str, str],
) -> None:
    namespace, name = of
    if present == (name in pods[namespace]):
        return
    (pods[namespace].add if present else pods[namespace].discard)(name)
    steps.append(
        Held(
            revision=change.revision,
            namespace=namespace,
            amounts=_sum(pods[namespace]),
            received=time.monotonic(),
        )
    )


def _sum(pods: set[str]) -> Amounts:
    return len(pods), sum(size_of(pod)[1] for pod in pods)


def amounts(used: Mapping[str, str]) -> Amounts:
    """Return a quota's figures as they are judged here; pods, which have no fractions, and cpu."""
    found = Resources.parse({name: used[name] for name in ("pods", "cpu") if name in used})
    return found.nano("pods") // 10**9, found.nano("cpu") // 10**6
