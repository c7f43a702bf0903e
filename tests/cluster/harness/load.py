"""Load: pods asked for by many creators at once, and what each of them was told, and when."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from quotatree.cluster import paths, refusal
from quotatree.cluster.client import Client, resource_version
from quotatree.errors import ClusterError
from quotatree.model.names import Namespace
from quotatree.units.resources import Resources

ADMITTED = 201
"""The HTTP status of a created pod, kept in `Answer.status` beside those of refusals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One pod to be created; `size` is what its one container requests."""

    namespace: Namespace
    name: str
    size: Resources

    @property
    def charge(self) -> Resources:
        """What a quota counts for it, under every name that a test limits."""
        counts = {"pods": "1", "count/pods": "1"}
        also = {f"requests.{r}": q for r, q in self.size.to_strings().items()}
        return Resources.parse({**self.size.to_strings(), **also, **counts})


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of it: local times in seconds, and the resourceVersion of a created pod."""

    ask: Ask
    sent: float
    answered: float
    status: int
    message: str = ""
    version: int = 0

    @property
    def admitted(self) -> bool:
        return self.status == ADMITTED

    @property
    def refused(self) -> bool:
        """Whether a quota refused it: natively, or by quotatree's own sentence."""
        return self.status == 403 and "exceeded quota" in self.message


def body(ask: Ask) -> dict[str, object]:
    """Return the pod; GPUs have to be limits too."""
    size = ask.size.to_strings()
    gpus = {r: q for r, q in size.items() if "/" in r}
    container = {"name": "c", "image": "none", "resources": {"requests": size, "limits": gpus}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": ask.name},
        "spec": {
            "containers": [container],
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 0,
        },
    }


async def create(client: Client, ask: Ask, *, timeout: float = 30.0) -> Answer:
    """Ask for one pod, once; `timeout` is in seconds."""
    path, pod = paths.PODS.path(ask.namespace), body(ask)
    sent = time.monotonic()
    try:
        made = await client.request("POST", path, body=pod, retry=False, timeout=timeout)
    except ClusterError as error:
        said = error.said if isinstance(error, refusal.RefusedError) else str(error)
        return Answer(
            ask=ask, sent=sent, answered=time.monotonic(), status=error.status, message=said
        )
    answered = time.monotonic()
    version = resource_version(made)
    return Answer(ask=ask, sent=sent, answered=answered, status=ADMITTED, version=version)


async def burst(client: Client, asks: Iterable[Ask], *, creators: int) -> list[Answer]:
    """Let `creators` clients work the list off, each with one request under way at a time."""
    left: Iterator[Ask] = iter(asks)
    answers: list[Answer] = []

    async def creator() -> None:
        for ask in left:
            answers.append(await create(client, ask))

    await asyncio.gather(*(creator() for _ in range(creators)))
    return answers


def told(answers: Iterable[Answer]) -> str:
    """Say how many were told what, for the message of a failing test."""
    kinds = Counter(
        "admitted" if a.admitted else "refused" if a.refused else f"{a.status} {a.message[:200]}"
        for a in answers
    )
    return ", ".join(f"{count} × {kind}" for kind, count in sorted(kinds.items()))
