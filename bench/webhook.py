"""The webhook alone: acceptor and decider as two processes, asked over TLS as an API server asks.

`python -m bench.webhook` prints one JSON object. The client is a third process with one connection
that stays; it sends a review in two pieces, as Go does with what is longer than its buffer, and
sends the next when it has the answer. Processor time says what a review costs, whatever else runs.
"""

from __future__ import annotations

import argparse
import asyncio
import copy
import itertools
import json
import os
import random
import socket
import ssl
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from bench import engine, figures
from bench.machine import processor_seconds
from quotatree.cluster import eventloop
from quotatree.cluster.live import Live
from quotatree.cluster.opener import Opener
from quotatree.codec import review
from quotatree.controller.events import Recorder
from quotatree.errors import SandboxError
from quotatree.model.review import UsageReview
from quotatree.sandbox import ports
from quotatree.settings import LogSettings, WebhookSettings
from quotatree.units.resources import Resources
from quotatree.webhook import certificates, routes
from quotatree.webhook.answers import Answers
from quotatree.webhook.certificates import Step
from quotatree.webhook.desk import Desk
from quotatree.webhook.front import Front

HOST: Final = "127.0.0.1"
NAMESPACES: Final = 1000
BUFFER: Final = 4096
"""Bytes that Go's HTTP client writes at a time (`http.Transport.WriteBufferSize`)."""
WARM: Final = 200
"""Reviews before the clock starts."""

_FIELDS: Final = {
    "manager": "kube-apiserver",
    "operation": "Update",
    "apiVersion": "v1",
    "time": "2026-11-26T08:12:13Z",
    "fieldsType": "FieldsV1",
    "fieldsV1": {
        part: {"f:hard": {f"f:{name}": {} for name in engine.RESOURCES}}
        for part in ("f:spec", "f:status")
    },
}


# -- the client -------------------------------------------------------------------------------


def bodies(count: int) -> Iterator[bytes]:
    """Yield reviews of one more pod each, every one on what the one before left."""
    versions = {
        document["metadata"]["namespace"]: int(document["metadata"]["resourceVersion"])
        for kind, document in engine.documents(count)
        if kind == "ResourceQuota"
    }
    names = engine.leaves(count)
    random.Random(1).shuffle(names)
    for pods in itertools.count():
        for name in names:
            old = _document(name, versions[name] + pods, pods)
            # The uid stays that of the first version: the object is one and the same.
            old["metadata"]["uid"] = f"{versions[name]:036}"
            new = copy.deepcopy(old)
            new["status"]["used"] = _used(pods + 1)
            yield orjson.dumps(_review(new, old))


def _document(name: str, version: int, pods: int) -> dict[str, Any]:
    found = engine.managed_document(name, version) | {"kind": "ResourceQuota", "apiVersion": "v1"}
    found["metadata"]["managedFields"] = [_FIELDS] * 2
    found["status"]["used"] = _used(pods)
    return found


def _used(pods: int) -> dict[str, str]:
    return Resources.from_nano({r: a * pods for r, a in engine.GROWTH.items()}).to_strings()


def _review(new: Mapping[str, Any], old: Mapping[str, Any]) -> dict[str, Any]:
    request = {
        "uid": "fcd23637-1a2e-486d-9480-f95867a8c7a1",
        "kind": {"group": "", "version": "v1", "kind": "ResourceQuota"},
        "resource": {"group": "", "version": "v1", "resource": "resourcequotas"},
        "subResource": "status",
        "name": old["metadata"]["name"],
        "namespace": old["metadata"]["namespace"],
        "operation": "UPDATE",
        "userInfo": {"username": "system:apiserver", "groups": ["system:masters"]},
        "object": new,
        "oldObject": old,
        "dryRun": False,
    }
    return {"kind": "AdmissionReview", "apiVersion": review.API_VERSION, "request": request}


class Line:
    """One connection of an API server's."""

    def __init__(self, port: int, authority: str) -> None:
        context = ssl.create_default_context(cadata=authority)
        plain = socket.create_connection((HOST, port))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = context.wrap_socket(plain, server_hostname=HOST)
        self._answers = self._socket.makefile("rb")

    def post(self, path: str, body: bytes) -> bytes:
        """Send a request and return the body of its answer."""
        head = f"POST {path} HTTP/1.1\r\nHost: {HOST}\r\nUser-Agent: kube-apiserver-admission\r\n"
        head += f"Content-Length: {len(body)}\r\nAccept: application/json, */*\r\n"
        whole = head.encode() + b"Content-Type: application/json\r\n\r\n" + body
        for start in range(0, len(whole), BUFFER):
            self._socket.sendall(whole[start : start + BUFFER])
        length = 0
        while (line := self._answers.readline().lower()) not in (b"\r\n", b""):
            if line.startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        return self._answers.read(length)


def client(port: int, authority: str, reviews: int) -> None:
    """Send reviews one after the other; print their seconds, and how many were admitted."""
    line, waiting = Line(port, authority), bodies(NAMESPACES)
    for body in itertools.islice(waiting, WARM):
        line.post(routes.USAGE, body)
    print("warm", flush=True)
    sys.stdin.readline()
    taken, admitted = [], 0
    for body in itertools.islice(waiting, reviews):
        began = time.perf_counter()
        answer = line.post(routes.USAGE, body)
        taken.append(time.perf_counter() - began)
        admitted += b'"allowed":true' in answer
    print(json.dumps({"seconds": taken, "admitted": admitted}), flush=True)


# -- the replica ------------------------------------------------------------------------------


class _Committing:
    """A desk whose admitted growth is committed at once, and seen by the watch."""

    def __init__(self, desk: Desk) -> None:
        self.live = desk.live
        self._desk = desk

    async def usage(self, request: Mapping[str, Any]) -> bytes:
        answer = await self._desk.usage(request)
        asyncio.get_running_loop().call_soon(self._commit, review.usage(request))
        return answer

    def _commit(self, asked: UsageReview) -> None:
        version = asked.old.resource_version + 1
        self.live.world.see_managed(replace(asked.new, resource_version=version))

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - the other entries as they are
        return getattr(self._desk, name)


def desk(live: Live) -> Desk:
    """Return a desk that never needs the cluster: nothing here is refused."""

    async def never(*_: object) -> Any:  # noqa: ANN401
        raise AssertionError("nothing is written and nobody is asked")

    return Desk(
        live=live,
        apply=never,
        opener=Opener(live, never, never),
        lookout=never,
        listener=Recorder(live.world, repeat_after=30.0),
        replan=lambda _: None,
    )


async def measure(
    reviews: int, *, told: Callable[[int, int], None] | None = None
) -> dict[str, Any]:
    """Return what a review costs.

    Raises:
        SandboxError: not every one was admitted.
    """
    made = certificates.carry_out(
        Step.START, None, hosts=[HOST], now=datetime.fromtimestamp(time.time(), tz=UTC)
    )
    answers, (port,) = Answers(), ports.several(random.Random(), 1)
    answers.desk = _Committing(desk(engine.build(NAMESPACES)))  # type: ignore[assignment]
    front = await Front.start(answers, WebhookSettings(host=HOST, port=port), LogSettings())
    serving = asyncio.create_task(front.serve())
    try:
        chain = certificates.pem(made.chain) + made.key_pem
        authority = made.bundle.decode()
        front.counter.tell(chain=chain.decode(), bundle=authority, host=HOST)
        front.counter.tell(here=True, leader="")
        await front.counter.listening.wait()
        asking = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bench.webhook", "--reviews", str(reviews)),
            *("--port", str(port), "--authority", authority),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=2**24,
        )
        assert asking.stdin is not None
        assert asking.stdout is not None
        await asking.stdout.readline()
        pids = {"decider": os.getpid(), "acceptor": front.pid}
        if told is not None:
            told(pids["decider"], pids["acceptor"])
        before = {name: processor_seconds(pid) for name, pid in pids.items()}
        asking.stdin.write(b"\n")
        found = json.loads(await asking.stdout.readline())
        spent = {name: processor_seconds(pid) - before[name] for name, pid in pids.items()}
        await asking.wait()
    finally:
        serving.cancel()
        await asyncio.wait([serving])
        await front.stop()
    if found["admitted"] != reviews:
        raise SandboxError(f"of {reviews} reviews that fit only {found['admitted']} were admitted")
    ordered = sorted(found["seconds"])
    return {
        "reviews": reviews,
        "namespaces": NAMESPACES,
        "p50_us": figures.quantile(ordered, 0.5) * 1e6,
        "p99_us": figures.quantile(ordered, 0.99) * 1e6,
        "decider_us": spent["decider"] / reviews * 1e6,
        "acceptor_us": spent["acceptor"] / reviews * 1e6,
    }


def main() -> None:
    """Measure and print, or be the client of a measurement."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reviews", type=int, default=5000)
    parser.add_argument("--port", type=int, help="Of the acceptor: be the client.")
    parser.add_argument("--authority", default="", help="The certificate to trust, PEM.")
    given = parser.parse_args()
    if given.port:
        client(given.port, given.authority, given.reviews)
        return
    with asyncio.Runner(loop_factory=eventloop.new) as runner:
        print(json.dumps(runner.run(measure(given.reviews))))


if __name__ == "__main__":
    main()
