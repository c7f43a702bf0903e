"""List, then watch: every change of a kind of object, in order, none lost, none made up.

The protocol, of which each line is a promise of the API server's (Kubernetes documentation,
"Efficient detection of changes"):

- a list without resourceVersion is a consistent read: it holds every write answered before it;
- a watch from that list's resourceVersion gives every later change once, in order of
  resourceVersion, so after an interruption it goes on from the last one seen;
- 410 (as an answer or as an ERROR event) says that this history is gone: list again;
- bookmarks come about once a minute, so a connection that stays silent longer is probably dead;
  it may also be idle, since they are not promised, so it is opened again and nothing more.

What cannot be decoded is never skipped: the watch is opened again from the last change that was
understood, and after `FAILURES_BEFORE_LIST` failures without any progress a fresh list goes
around whatever is in the way.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

import orjson

from quotatree.cluster import client as clients
from quotatree.cluster import paths, refusal, transport
from quotatree.errors import ClusterError

log = logging.getLogger(__name__)

SILENCE: Final = 100.0
"""Seconds without a byte after which a watch is opened again; bookmarks come each 60 s or so."""
WATCH_SECONDS: Final = (300, 600)
"""How long the server keeps one watch open: a random time between, as client-go's reflector."""
FIRST_WAIT: Final = 0.05
"""Seconds of pause after the first failure; doubled for each further one without progress."""
LONGEST_WAIT: Final = 1.0
"""Not longer: whoever decides by what was told waits for the next word."""
FAILURES_BEFORE_LIST: Final = 5
FORBIDDEN, NOT_FOUND = 403, 404
IN_A_ROW: Final = 8
"""Changes given out before others get a turn. A burst arrives in one piece of hundreds, each of
which costs some 0.1 ms to take in, and reviews must not wait for the last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """All objects as they stood at `resource_version`; what is not among them does not exist.

    The first value, and again whenever the history was lost. Items carry no apiVersion and kind
    where the kind is built in; they are what the reflector's `each` made of them.
    """

    items: tuple[Any, ...]
    resource_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """An object was created or changed."""

    object: dict[str, Any]
    resource_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted:
    """An object is gone (or left the label selector); `object` is its last state."""

    object: dict[str, Any]
    resource_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Nothing of interest happened up to and including `resource_version`: a bookmark."""

    resource_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Forbidden:
    """What was listed may not be read any more: it grows stale until the next `Listed`."""


Change = Listed | Changed | Deleted | Progress | Forbidden


class _StreamError(ClusterError):
    """A line of the stream is not an event."""


class Reflector:
    """The changes of one kind of object in one namespace or all.

    `each` is what a list is to keep of an object, all of it by default. `sleep` is used between
    attempts only; `chance` gives a number in [0, 1).
    """

    def __init__(
        self,
        client: clients.Client,
        kind: paths.Kind,
        *,
        namespace: str | None = None,
        label_selector: str | None = None,
        field_selector: str | None = None,
        each: Callable[[dict[str, Any]], Any] | None = None,
        silence: float = SILENCE,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        chance: Callable[[], float] = random.random,  # noqa: S311 - spreads, guards nothing
    ) -> None:
        self._client = client
        self._kind = kind
        self._namespace = namespace
        self._label_selector = label_selector
        self._field_selector = field_selector
        self._each = each
        self._silence = silence
        self._sleep = sleep
        self._chance = chance
        self._failures = 0
        self._row = 0
        self._seen: int | None = None
        self._given = False
        self.cut = False
        """Whether nothing is told at present: the last attempt failed, and none has begun since.

        Of a kind that does not exist there is nothing to tell.
        """

    @property
    def seen(self) -> int | None:
        """The resourceVersion up to which everything was given out; None before the first list."""
        return self._seen

    async def changes(self) -> AsyncGenerator[Change]:
        """Yield a `Listed`, then every change after it, for ever.

        Within one list's reign resource versions only grow. A later `Listed` is a consistent read
        and so never older than what was given out before, unless the cluster itself was restored
        from a backup; consumers compare resource versions.

        Errors do not end it: they are logged and tried again, with pauses that grow. A `Forbidden`
        says that nothing is told until the next `Listed`. The caller ends it by cancelling.
        """
        while True:
            try:
                if self._seen is None:
                    listed = await self._list()
                    self._given = True
                    yield listed
                async with aclosing(self._watch()) as changes:
                    async for change in changes:
                        self._seen = change.resource_version
                        self._failures = 0
                        yield change
                        await self._give_way()
                # The server ends each watch after its time; that is no failure, but a server
                # that ends all of them at once must not be asked in a tight loop.
                self._failures += 1
            except transport.SilenceError as error:
                log.info("watch of %s opened again: %s", self._kind.plural, error)
            except ClusterError as error:
                self._failures += 1
                self.cut = error.status != NOT_FOUND
                self._judge(error)
                if error.status == FORBIDDEN and self._given:
                    self._given, self._seen = False, None
                    yield Forbidden()
            await self._sleep(self._pause())

    def _tells(self) -> None:
        self.cut = False

    async def _give_way(self) -> None:
        self._row += 1
        if self._row >= IN_A_ROW:
            self._row = 0
            await asyncio.sleep(0)

    def _judge(self, error: ClusterError) -> None:
        """Decide what an error means: go on from the last change seen, or list again."""
        causes = error.causes if isinstance(error, refusal.RefusedError) else frozenset()
        lost = error.status == 410 or error.reason in ("Expired", "Gone")
        # The server's history is shorter than what we saw: it was restored from a backup.
        lost = lost or "ResourceVersionTooLarge" in causes
        stuck = self._failures >= FAILURES_BEFORE_LIST
        if lost or stuck:
            self._seen = None
        log.log(
            logging.INFO if lost else logging.WARNING,
            "watch of %s interrupted, %s: %s",
            self._kind.plural,
            "listing again" if self._seen is None else f"going on from {self._seen}",
            error,
        )

    def _pause(self) -> float:
        """Return seconds to wait before the next attempt: growing, and spread by half."""
        wait: float = min(FIRST_WAIT * 2 ** min(self._failures - 1, 16), LONGEST_WAIT)
        return wait * (0.5 + self._chance())

    async def _list(self) -> Listed:
        items, version = await self._client.list_all(
            self._kind,
            namespace=self._namespace,
            label_selector=self._label_selector,
            field_selector=self._field_selector,
            each=self._each,
        )
        self._seen = version
        self._tells()
        return Listed(items=tuple(items), resource_version=version)

    async def _watch(self) -> AsyncGenerator[Changed | Deleted | Progress]:
        """Yield what happened after the last change seen, until the server ends the watch."""
        low, high = WATCH_SECONDS
        path = self._kind.path(self._namespace)
        params = self._selectors() | {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": str(self._seen),
            "timeoutSeconds": str(low + int((high - low) * self._chance())),
        }
        async with aclosing(
            self._client.lines(path, params=params, silence=self._silence, opened=self._tells)
        ) as lines:
            async for line in lines:
                change = _event(line, path)
                self._check_order(change, path)
                yield change

    def _selectors(self) -> dict[str, str]:
        given = {"labelSelector": self._label_selector, "fieldSelector": self._field_selector}
        return {key: value for key, value in given.items() if value}

    def _check_order(self, change: Changed | Deleted | Progress, path: str) -> None:
        """Raise a ClusterError for a change that is not after all those given out.

        The server promises that there is none; dropping one silently might lose a change.
        """
        seen = self._seen or 0
        late = change.resource_version < seen or (
            change.resource_version == seen and not isinstance(change, Progress)
        )
        if late:
            raise _StreamError(f"watch {path}: change {change.resource_version} came after {seen}")


def _event(line: bytes, path: str) -> Changed | Deleted | Progress:
    """Decode one line of a watch.

    Raises:
        ClusterError: it is an ERROR event, or nothing that a watch sends.
    """
    try:
        event = orjson.loads(line)
        kind, obj = event["type"], event["object"]
        if kind == "ERROR":
            raise refusal.from_event(f"watch {path}", obj)
        version = clients.resource_version(obj)
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise _StreamError(f"watch {path}: {line[:80]!r} is not an event") from error
    match kind:
        case "ADDED" | "MODIFIED":
            return Changed(object=obj, resource_version=version)
        case "DELETED":
            return Deleted(object=obj, resource_version=version)
        case "BOOKMARK":
            return Progress(resource_version=version)
        case _:
            raise _StreamError(f"watch {path}: an event of the unknown type {kind!r}")
