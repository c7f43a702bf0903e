"""The engine alone: time of a decision and memory of the ledger. Runs as a process of its own.

`python -m bench.engine --namespaces 1000` prints one JSON object. The forest is a root with chains
of seven below it, so that each leaf stands at depth 8; each namespace has a TreeQuota with a
ceiling of five resources, and one level of each chain a guarantee. Everything is taken in as the
controller does it: decoded JSON through the codec into the world.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import json
import os
import random
import time
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

import orjson

from bench.machine import resident
from quotatree.cluster.live import Live
from quotatree.codec import managed, namespaces, quotas
from quotatree.engine import admit
from quotatree.engine.world import World
from quotatree.model import names
from quotatree.model.names import Uid
from quotatree.model.observed import ManagedQuota
from quotatree.model.review import UsageReview
from quotatree.model.verdict import Admit
from quotatree.units.resources import Resources

DEPTH: Final = 8
RESOURCES: Final = (
    "requests.cpu",
    "requests.memory",
    "requests.nvidia.com/gpu",
    "pods",
    "count/pods",
)
ROOM: Final = {
    "requests.cpu": "1M",
    "requests.memory": "1Pi",
    "requests.nvidia.com/gpu": "1M",
    "pods": "1M",
    "count/pods": "1M",
}
GROWTH: Final = {
    "requests.cpu": 250 * 10**6,
    "requests.memory": 2**28 * 10**9,
    "requests.nvidia.com/gpu": 10**9,
    "pods": 10**9,
    "count/pods": 10**9,
}
"""What one pod of the benchmark asks for, in 10⁻⁹."""

ROUND: Final = 500
"""Decisions that are timed in one go: long against the clock's resolution, short against the
moments in which the operating system takes the processor away."""


def parents(count: int) -> Iterator[tuple[str, str | None]]:
    """Yield `count` namespaces with their parents: a root and chains of `DEPTH - 1` below it."""
    yield "root", None
    for number in range(count - 1):
        chain, level = divmod(number, DEPTH - 1)
        above = f"team-{chain:05}-level-{level}" if level else "root"
        yield f"team-{chain:05}-level-{level + 1}", above


def leaves(count: int) -> list[str]:
    """Return the namespaces at depth 8."""
    return [name for name, _ in parents(count) if name.endswith(f"-level-{DEPTH - 1}")]


def documents(count: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the objects of the forest as the API server sends them, with their kind."""
    versions = itertools.count(1)
    for name, parent in parents(count):
        labels = {"kubernetes.io/metadata.name": name}
        if parent is not None:
            labels[names.LABEL_PARENT] = parent
        yield "Namespace", {"metadata": _metadata(name, "", next(versions)) | {"labels": labels}}
        guaranteed = {"pods": "10"} if name.endswith("-level-3") else {}
        yield (
            "TreeQuota",
            {
                "metadata": _metadata("quota", name, next(versions)) | {"generation": 1},
                "spec": {"hard": ROOM, "guaranteed": guaranteed},
                "status": {"guaranteed": guaranteed},
            },
        )
        yield "ResourceQuota", managed_document(name, next(versions))


def managed_document(namespace: str, version: int) -> dict[str, Any]:
    """Return the managed ResourceQuota of a namespace without usage, open and fenced."""
    annotations = {names.ANNOTATION_EPOCH: "1", names.ANNOTATION_READY: "true"}
    labels = {names.LABEL_MANAGED: "true"}
    metadata = _metadata(names.MANAGED_QUOTA, namespace, version)
    return {
        "metadata": metadata | {"annotations": annotations, "labels": labels},
        "spec": {"hard": ROOM},
        "status": {"hard": ROOM, "used": dict.fromkeys(RESOURCES, "0")},
    }


def _metadata(name: str, namespace: str, version: int) -> dict[str, Any]:
    found = {"name": name, "uid": f"{version:036}", "resourceVersion": str(version)}
    return found | ({"namespace": namespace} if namespace else {})


def build(count: int) -> Live:
    """Return a loaded replica's state with a forest of `count` namespaces."""
    live = Live(clock=time.monotonic)
    live.lead(1)
    for kind, document in documents(count):
        # Through bytes: the strings are then those that the decoder makes, not shared constants.
        obj = orjson.loads(orjson.dumps(document))
        if kind == "Namespace":
            live.world.see_namespace(namespaces.parse(obj))
        elif kind == "TreeQuota":
            live.world.see_quota(quotas.parse(obj))
        else:
            live.world.see_managed(managed.parse(obj))
    live.world.limits.settle()
    live.loaded = True
    return live


class Leaf:
    """One namespace at depth 8 as the API server sees it: each growth is a new version of it."""

    def __init__(self, name: str, versions: Iterator[int]) -> None:
        self._name = name
        self._versions = versions
        self._pods = 0
        self.shown = self._at(0)

    def _at(self, pods: int) -> ManagedQuota:
        used = {resource: amount * pods for resource, amount in GROWTH.items()}
        document = managed_document(self._name, next(self._versions))
        document["status"]["used"] = Resources.from_nano(used).to_strings()
        return managed.parse(orjson.loads(orjson.dumps(document)))

    def grow(self) -> UsageReview:
        """Return the review of one more pod."""
        old, self._pods = self.shown, self._pods + 1
        self.shown = self._at(self._pods)
        new = replace(self.shown, resource_version=old.resource_version)
        return UsageReview(uid=Uid("review"), old=old, new=new, dry_run=False)


def decisions(world: World, count: int, *, seconds: float) -> tuple[list[float], list[float]]:
    """Return the time of one decision and of one settlement, in µs, once for each round.

    Reviews and events are made beforehand: only the engine is timed.
    """
    versions = itertools.count(10 * count)
    found = [Leaf(name, versions) for name in leaves(count)]
    random.Random(1).shuffle(found)  # neighbours in memory must not help
    turns = itertools.cycle(found)
    deciding: list[float] = []
    settling: list[float] = []
    until = time.monotonic() + seconds
    while time.monotonic() < until or len(deciding) < 3:
        # At most one pod each: a second growth would begin before the first is settled.
        batch = [next(turns) for _ in range(min(ROUND, len(found)))]
        reviews = [leaf.grow() for leaf in batch]
        began = time.process_time()
        verdicts = [admit.decide(world.ledger, r, now=0.0, arrived=0.0) for r in reviews]
        decided = time.process_time()
        for leaf in batch:
            world.ledger.observe(leaf.shown)
        settled = time.process_time()
        assert all(verdict == Admit(reserved=True) for verdict in verdicts)
        deciding.append((decided - began) / len(batch) * 1e6)
        settling.append((settled - decided) / len(batch) * 1e6)
    return deciding, settling


def memory(count: int) -> tuple[Live, int]:
    """Return a forest of `count` namespaces and the bytes that Python allocated for it."""
    build(10)  # caches and code that exist once must not be counted
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    live = build(count)
    gc.collect()
    size = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    return live, size


def measure(count: int, *, seconds: float) -> dict[str, Any]:
    """Return everything about a forest of `count` namespaces."""
    live, size = memory(count)
    deciding, settling = decisions(live.world, count, seconds=seconds)
    return {
        "namespaces": count,
        "depth": DEPTH,
        "resources": len(RESOURCES),
        "decide_us": deciding,
        "settle_us": settling,
        "bytes": size,
        "resident": resident(os.getpid()),
    }


def main() -> None:
    """Measure one size and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--namespaces", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=2.0)
    given = parser.parse_args()
    print(json.dumps(measure(given.namespaces, seconds=given.seconds)))


if __name__ == "__main__":
    main()
