"""AdmissionReviews as the API server sends them, and a server in this process to send them to."""

import asyncio
import copy
import io
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp
import orjson
from aiohttp import test_utils

from quotatree.cluster.live import Live
from quotatree.cluster.opener import Opener
from quotatree.engine.reservation import Timing
from quotatree.errors import ClusterError
from quotatree.model import effect, names
from quotatree.model.names import Namespace
from quotatree.model.observed import ManagedQuota
from quotatree.model.verdict import Limit
from quotatree.testing import words
from quotatree.units.resources import Resources
from quotatree.webhook import server
from quotatree.webhook.acceptor import Acceptor
from quotatree.webhook.answers import Answering, Answers, Counter
from quotatree.webhook.desk import Desk

Document = dict[str, Any]

# Short, so that a refusal that waits for others costs a test nothing.
TIMING = Timing(hold=0.05, wait=0.02, fence=0.02)


class Clock:
    """A clock of which each look takes a millisecond."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 0.001
        return self.now


@dataclass
class FakeApply:
    """Carries a tightening or an opening out on the world itself; `error` makes it lose instead.

    `leads`: whether the Lease is ours when it is looked at.
    """

    live: Live
    error: ClusterError | None = None
    seen_by_admission: bool = True
    leads: bool = True
    written: list[effect.Effect] = field(default_factory=list)

    async def __call__(self, what: effect.Effect) -> Document:
        self.written.append(what)
        if self.error is not None:
            raise self.error
        assert isinstance(what, effect.PatchManagedStatus | effect.PatchManaged)
        before = self.live.world.managed[what.namespace][what.quota]
        epoch = what.annotations.get(names.ANNOTATION_EPOCH)
        after = replace(
            before,
            resource_version=before.resource_version + 1,
            status_hard=what.hard or before.status_hard,
            limited_by=what.annotations.get(names.ANNOTATION_LIMITED_BY) or "",
            epoch=before.epoch if epoch is None else int(epoch),
        )
        self.live.world.see_managed(after)
        return quota_object(after)

    async def confirm(self) -> bool:
        """Look at the Lease."""
        return self.leads

    async def lookout(self, namespace: Namespace, quota: str) -> int | None:
        """Quota admission's cache: it is late by one version, or as new as the store."""
        version = self.live.world.managed[namespace][quota].resource_version
        return version if self.seen_by_admission else version - 1


@dataclass
class Heard:
    """Who was refused by what, whose recount was put right, whose plan was asked for."""

    refusals: list[tuple[Namespace, tuple[Limit, ...]]] = field(default_factory=list)
    corrections: list[tuple[Namespace, Resources, Resources]] = field(default_factory=list)
    replanned: list[Namespace] = field(default_factory=list)

    def refused(self, namespace: Namespace, limits: tuple[Limit, ...]) -> None:
        self.refusals.append((namespace, limits))

    def corrected(self, quota: ManagedQuota, used: Resources, said: Resources) -> None:
        self.corrections.append((quota.namespace, used, said))


@dataclass(frozen=True)
class Office:
    """The server, and everything behind it."""

    live: Live
    apply: FakeApply
    heard: Heard
    client: test_utils.TestClient[Any, Any]

    async def post(self, path: str, body: bytes | Document) -> tuple[int, str]:
        """Return status and text of an answer."""
        raw = body if isinstance(body, bytes) else orjson.dumps(body)
        answer = await self.client.post(path, data=io.BytesIO(raw))
        return answer.status, await answer.text()

    async def ask(self, path: str, body: Document) -> Document:
        """Return the `response` of an AdmissionReview that can be answered."""
        status, text = await self.post(path, body)
        assert status == 200, text
        answer = orjson.loads(text)
        assert answer["response"]["uid"] == body["request"]["uid"]
        response: Document = answer["response"]
        return response

    def managed(self, name: str) -> ManagedQuota:
        return self.live.world.managed[Namespace(name)][names.MANAGED_QUOTA]

    def ledger(self) -> object:
        """Return everything that the ledger counts, to be compared."""
        forest = self.live.world.ledger.forest
        return {
            node.name: (
                node.declared,
                tuple(node.ghosts),
                {scopes: (book.charges(), dict(book.held)) for scopes, book in node.books.items()},
            )
            for node in forest.nodes()
        }


@dataclass(frozen=True)
class Replica:
    """An acceptor with its decider, both in this process, and the socket between them."""

    counter: Counter
    acceptor: Acceptor

    def lead(self) -> None:
        self.counter.tell(here=True, leader="")


@asynccontextmanager
async def replica(
    session: aiohttp.ClientSession, answers: Answering, *, serves: bool = True
) -> AsyncIterator[Replica]:
    """Connect an acceptor with a decider, or with one that hangs."""
    ours, theirs = socket.socketpair()
    own_reader, own_writer = await asyncio.open_connection(sock=ours)
    counter = Counter(answers, own_reader, own_writer)
    acceptor = Acceptor(*await asyncio.open_connection(sock=theirs), session=session)
    serving = asyncio.create_task(counter.serve() if serves else asyncio.sleep(0))
    listening = asyncio.create_task(acceptor.own.run())
    try:
        yield Replica(counter, acceptor)
    finally:
        own_writer.close()
        await asyncio.gather(serving, listening)
        await own_writer.wait_closed()


@asynccontextmanager
async def office(text: str, *, loaded: bool = True) -> AsyncIterator[Office]:
    """Open a server over the tree that `text` describes."""
    live = Live(clock=Clock(), timing=TIMING)
    live.lead(1)
    words.world(text, into=live.world)
    live.loaded = loaded
    apply, heard = FakeApply(live), Heard()
    answers = Answers()
    answers.desk = Desk(
        live=live,
        apply=apply,
        opener=Opener(live, apply, apply.confirm),
        lookout=apply.lookout,
        listener=heard,
        replan=heard.replanned.extend,
        metrics=answers.metrics,
    )
    async with aiohttp.ClientSession() as session, replica(session, answers) as ours:
        ours.lead()
        app = server.application(ours.acceptor)
        async with test_utils.TestClient(test_utils.TestServer(app)) as client:
            yield Office(live, apply, heard, client)


# -- objects ----------------------------------------------------------------------------------


def quota_object(seen: ManagedQuota, **used: str) -> Document:
    """Return the ResourceQuota as JSON, with another usage if one is given."""
    return {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {
            "name": seen.name,
            "namespace": seen.namespace,
            "uid": seen.uid,
            "resourceVersion": str(seen.resource_version),
            "labels": {names.LABEL_MANAGED: "true"},
            "annotations": {
                names.ANNOTATION_EPOCH: str(seen.epoch),
                names.ANNOTATION_READY: "true",
            },
        },
        "spec": {"hard": seen.spec_hard.to_strings()},
        "status": {
            "hard": seen.status_hard.to_strings(),
            "used": seen.used.to_strings() | used,
        },
    }


def namespace_object(name: str, parent: str | None, *, version: int = 5) -> Document:
    labels = {} if parent is None else {names.LABEL_PARENT: parent}
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": name,
            "uid": f"uid-{name}",
            "resourceVersion": str(version),
            "labels": labels,
        },
    }


def tree_quota(namespace: str, spec: object) -> Document:
    return {
        "apiVersion": names.API_VERSION,
        "kind": "TreeQuota",
        "metadata": {"name": "limit", "namespace": namespace, "uid": "", "generation": 1},
        "spec": spec,
    }


def review(*, obj: object, old: object = None, dry_run: bool = False, **request: Any) -> Document:
    return {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "a-review",
            "operation": "UPDATE" if old is not None else "CREATE",
            "dryRun": dry_run,
            "object": obj,
            "oldObject": old,
            **request,
        },
    }


def growth(seen: ManagedQuota, *, dry_run: bool = False, **used: str) -> Document:
    """Return the review of a growth of one managed quota to `used`."""
    return review(
        obj=quota_object(seen, **used),
        old=quota_object(seen),
        dry_run=dry_run,
        namespace=seen.namespace,
        name=seen.name,
    )


def changed(document: Document, path: str, value: object) -> Document:
    """Return a copy with another value at a dotted path; `...` deletes what is there."""
    copied = copy.deepcopy(document)
    *above, last = path.split(".")
    at: Mapping[str, Any] = copied
    for key in above:
        at = at[key]
    assert isinstance(at, dict)
    if value is ...:
        del at[last]
    else:
        at[last] = value
    return copied
