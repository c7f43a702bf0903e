"""The judge: what was committed, in order, and whether an answer was right by it.

It watches the managed ResourceQuotas from before a burst on and keeps every committed state. It
believes the tree that the test wrote down, and adds up from scratch with `engine.rollup`; nothing
of the ledger is in it.

**Never over.** resourceVersions of one cluster are revisions of one store, so the watched states in
that order are all the states that there ever were. In each of them no ancestor may be above its
hard.

**Wrongly refused.** A refusal is wrong if the request fitted every ancestor in all states from its
arrival to its answer. Local clocks do not say which states these were: an event is received some
time after its commit. *Marks* do. A mark is a write whose answer named its resourceVersion: it was
committed between `sent` and `answered`. So

- of the last mark answered before a request was sent, the state was in force then or had been;
- whatever was committed before a request's answer has a smaller resourceVersion than the first mark
  sent after it.

The states from the one to the other include all those of the request's life, and a few more on
both sides: what fitted in all of them was refused wrongly without any doubt. The few more cost the
judge some wrong refusals that it lets pass; so the marks are kept dense.

A refusal soon after room came back is not judged: a tightening lives for up to a second.
"""

import asyncio
import contextlib
import time
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from tests.cluster.harness.load import Answer, Ask
from tests.cluster.harness.marks import RETURNED_WITHIN, Mark, Marks
from tests.cluster.harness.trees import Tree, eventually

from quotatree.cluster import paths
from quotatree.cluster.client import Client, resource_version
from quotatree.cluster.reflector import Changed, Deleted, Listed, Reflector
from quotatree.engine import rollup
from quotatree.errors import ClusterError
from quotatree.model import names
from quotatree.model.names import Namespace
from quotatree.units.resources import EMPTY, Resources

MARK_EVERY = 0.02
"""Seconds between marks of the judge's own; every created pod is one more."""

Held = dict[Namespace, Resources]


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """A committed state of one managed ResourceQuota, and when it was heard of here."""

    version: int
    namespace: Namespace
    used: Resources
    received: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Over:
    """An ancestor above its hard in a committed state."""

    version: int
    ancestor: Namespace
    charged: Resources
    hard: Resources


class Judge:
    """Watches a tree while it is used: `async with Judge(client, tree) as judge`."""

    def __init__(self, client: Client, tree: Tree) -> None:
        self._client = client
        self._tree = tree
        self._tasks: list[asyncio.Task[None]] = []
        self._listed = asyncio.Event()
        self._seen: dict[Namespace, int] = {}
        self.start: Held = {}
        self.commits: list[Commit] = []
        self.marks: list[Mark] = []

    async def __aenter__(self) -> Self:
        name = f"mark-{self._tree.prefix}"
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}
        with contextlib.suppress(ClusterError):  # the judge of an earlier round made it
            await self._client.create(paths.CONFIG_MAPS, body, namespace="default")
        self._tasks = [
            asyncio.create_task(self._watch(), name="judge watches"),
            asyncio.create_task(self._mark(name), name="judge marks"),
        ]
        async with asyncio.timeout(60):
            await self._listed.wait()
            while not self.marks:
                await asyncio.sleep(0.01)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for task in self._tasks:
            task.cancel()
        results = await asyncio.gather(*self._tasks, return_exceptions=True)
        if error is None:
            for result in results:
                if isinstance(result, Exception):
                    raise result

    # -- seeing -------------------------------------------------------------------------------

    async def _watch(self) -> None:
        selector = f"{names.LABEL_MANAGED}=true"
        reflector = Reflector(self._client, paths.RESOURCE_QUOTAS, label_selector=selector)
        async for change in reflector.changes():
            match change:
                case Listed(items=items):
                    assert not self._listed.is_set(), "the judge lost a part of the history"
                    for item in filter(self._ours, items):
                        namespace = Namespace(item["metadata"]["namespace"])
                        self.start[namespace] = _used(item)
                        self._seen[namespace] = resource_version(item)
                    self._listed.set()
                case Changed(object=obj, resource_version=version) if self._ours(obj):
                    self._note(obj, version)
                case Deleted(object=obj) if self._ours(obj):
                    raise AssertionError(f"a managed quota vanished: {obj['metadata']}")
                case _:
                    pass

    def _note(self, obj: dict[str, Any], version: int) -> None:
        namespace = Namespace(obj["metadata"]["namespace"])
        self._seen[namespace] = version
        commit = Commit(
            version=version, namespace=namespace, used=_used(obj), received=time.monotonic()
        )
        self.commits.append(commit)

    def _ours(self, obj: dict[str, Any]) -> bool:
        return obj["metadata"]["namespace"] in self._tree.parents

    async def _mark(self, name: str) -> None:
        """Write marks; each one is a different object, so each gets a version of its own."""
        number = 0
        while True:
            number += 1
            body = {"data": {"mark": str(number)}}
            sent = time.monotonic()
            made = await self._client.patch(paths.CONFIG_MAPS, name, body=body, namespace="default")
            answered = time.monotonic()
            self.marks.append(Mark(version=resource_version(made), sent=sent, answered=answered))
            await asyncio.sleep(MARK_EVERY)

    async def caught_up(self) -> None:
        """Return when everything that is committed by now has been seen, and is marked as past."""
        items, _ = await self._client.list_all(
            paths.RESOURCE_QUOTAS, label_selector=f"{names.LABEL_MANAGED}=true"
        )
        wanted = {
            item["metadata"]["namespace"]: resource_version(item)
            for item in filter(self._ours, items)
        }
        now = time.monotonic()

        async def seen() -> bool:
            for task in self._tasks:
                if task.done():
                    task.result()
            return self.marks[-1].sent > now and all(
                self._seen[name] >= version for name, version in wanted.items()
            )

        await eventually(seen, what="the judge has seen everything")

    # -- judging ------------------------------------------------------------------------------

    def states(self) -> Iterator[tuple[int, Held]]:
        """Yield every committed state of the whole tree and the version that made it."""
        held = dict(self.start)
        yield 0, dict(held)
        for commit in self.commits:
            held[commit.namespace] = commit.used
            yield commit.version, dict(held)

    def final(self) -> Held:
        """What every namespace holds by the last committed state."""
        return {**self.start, **{commit.namespace: commit.used for commit in self.commits}}

    def falls(self) -> list[Commit]:
        """Return the commits in which a usage fell.

        Where nothing is deleted, that is the native controller alone: it counts from a cache that
        lags behind the pods which admission has charged already, and room comes back that there is
        not. It does so with every ResourceQuota each five minutes, and the busier the machine is,
        the further its cache lags.
        """
        held, found = dict(self.start), []
        for commit in self.commits:
            before = held.get(commit.namespace, EMPTY)
            held[commit.namespace] = commit.used
            if before.exceeding(commit.used):
                found.append(commit)
        return found

    def overshoots(self) -> list[Over]:
        """Return every committed state in which an ancestor was above its hard."""
        found = []
        for version, held in self.states():
            numbers = self.numbers(held)
            for ancestor, hard in self._tree.hard.items():
                charged = numbers[ancestor].charged
                if charged.exceeding(hard):
                    over = Over(version=version, ancestor=ancestor, charged=charged, hard=hard)
                    found.append(over)
        return found

    def numbers(self, held: Held) -> dict[Namespace, rollup.Numbers]:
        """Return every namespace's numbers, from scratch."""
        return rollup.rollup(self._tree.parents, hard=self._tree.hard, guaranteed={}, held=held)

    def wrong_refusals(self, answers: Iterable[Answer]) -> list[Answer]:
        """Return the refused requests that fitted all the time and were refused nevertheless."""
        answers = list(answers)
        marks = self._all_marks(answers)
        versions = [commit.version for commit in self.commits]
        rooms = [self.numbers(held) for _, held in self.states()]
        returned = self._returned(rooms)
        wrong = []
        for answer in answers:
            if not answer.refused:
                continue
            before, after = marks.before(answer.sent), marks.after(answer.answered)
            assert before is not None, "a request was sent before the judge's first mark"
            assert after is not None, "a request was answered after the judge's last mark"
            # rooms[i] is the state after i commits.
            first, last = bisect_right(versions, before), bisect_left(versions, after)
            if any(
                answer.sent - RETURNED_WITHIN <= moment <= answer.answered
                for moment in returned.get(answer.ask.namespace, ())
            ):
                continue
            if all(fits(rooms[i], answer.ask) for i in range(first, last + 1)):
                wrong.append(answer)
        return wrong

    def phantoms(self, answers: Iterable[Answer]) -> dict[Namespace, Resources]:
        """Return what was charged in the end beyond what was admitted since the judge came.

        For bursts in which nothing is deleted: usage that no pod stands for takes the room of
        others until the native controller counts again.
        """
        wanted = dict(self.start)
        for answer in answers:
            if answer.admitted:
                name = answer.ask.namespace
                wanted[name] = wanted[name] + answer.ask.charge.mask(wanted[name])
        final = self.final()
        surplus = {name: final[name].growth(wanted[name]) for name in wanted}
        return {name: more for name, more in surplus.items() if more}

    def _all_marks(self, answers: Iterable[Answer]) -> Marks:
        pods = [
            Mark(version=a.version, sent=a.sent, answered=a.answered) for a in answers if a.version
        ]
        return Marks([*self.marks, *pods])

    def _returned(
        self, rooms: list[dict[Namespace, rollup.Numbers]]
    ) -> dict[Namespace, list[float]]:
        """When room came back, for each namespace that it came back to."""
        moments: dict[Namespace, list[float]] = {}
        for commit, old, new in zip(self.commits, rooms, rooms[1:], strict=False):
            for name in self._tree.parents:
                if new[name].available.growth(old[name].available):
                    moments.setdefault(name, []).append(commit.received)
        return moments


def fits(numbers: dict[Namespace, rollup.Numbers], ask: Ask) -> bool:
    """Whether a pod fits every ancestor of its namespace."""
    available = numbers[ask.namespace].available
    return ask.charge.mask(available).fits(available)


def _used(obj: dict[str, Any]) -> Resources:
    found = obj.get("status", {}).get("used", {})
    return Resources.parse(found) if found else EMPTY
