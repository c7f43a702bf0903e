"""The pure half of the demo: trace to requests, refusals to who refused, objects to a recount."""

from __future__ import annotations

import csv
import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from quotatree.units.quantity import Quantity
from quotatree.units.resources import EMPTY, Resources

GPU: Final = "nvidia.com/gpu"
MANAGED: Final = "quotatree"
"""What the API server calls the quota when it refuses by quotatree's measurement alone."""
UNTOLD: Final = "(not told)"
ZERO: Final = Quantity.parse("0")

PIPELINES: Final[Mapping[str, tuple[str, ...]]] = {
    "several GPUs": ("language-pretraining", "vision-training", "language-pretraining"),
    "no GPU": ("language-serving", "platform-batch", "vision-labelling"),
    "best effort": (
        "platform-batch",
        "platform-notebooks",
        "vision-labelling",
        "language-finetuning",
    ),
    "one GPU": (
        "language-finetuning",
        "vision-training",
        "language-serving",
        "language-pretraining",
        "ai-pipeline",
        "platform-notebooks",
    ),
}
"""Kind of work → the pipelines that take it in turns; the trace does not name their owners."""

CLAIMS: Final = 14
"""Volumes that `ai-pipeline` asks for: more than its `count/persistentvolumeclaims`."""

_EXCEEDED: Final = re.compile(
    r"exceeded quota: (?P<quota>[^,]+), requested: (?P<requested>\S+), used: (?P<used>\S+), "
    r"limited: (?P<limited>\S+)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One object that a pipeline wants: `kind` is Pod or PersistentVolumeClaim."""

    pipeline: str
    kind: str
    body: dict[str, Any]


def read(path: Path) -> list[dict[str, str]]:
    """Return the rows of the trace, in the order of creation."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def kind_of_work(row: Mapping[str, str]) -> str:
    """Return the key of `PIPELINES` that a row of the trace belongs to."""
    if int(row["num_gpu"]) > 1:
        return "several GPUs"
    if int(row["num_gpu"]) == 0:
        return "no GPU"
    return "best effort" if row["qos"] == "BE" else "one GPU"


def requests(rows: Iterable[Mapping[str, str]], *, claims: int = CLAIMS) -> list[Request]:
    """Return what all pipelines ask for, in the order of the trace; volumes come first."""
    turns = {kind: itertools.cycle(names) for kind, names in PIPELINES.items()}
    found = [
        Request(pipeline="ai-pipeline", kind="PersistentVolumeClaim", body=claim(f"data-{number}"))
        for number in range(claims)
    ]
    for row in rows:
        pipeline = next(turns[kind_of_work(row)])
        found.append(Request(pipeline=pipeline, kind="Pod", body=pod(row)))
    return found


def pod(row: Mapping[str, str]) -> dict[str, Any]:
    """Return a pod that asks for what its row of the trace asked for.

    A share of a GPU is a whole one here: Kubernetes counts devices.
    """
    amounts = {"cpu": f"{row['cpu_milli']}m", "memory": f"{row['memory_mib']}Mi"}
    limits = {GPU: row["num_gpu"]} if int(row["num_gpu"]) else {}
    container = {
        "name": "work",
        "image": "registry.example/work",  # never pulled: the sandbox has no nodes
        "resources": {"requests": {**amounts, **limits}, "limits": limits},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": row["name"], "labels": {"trace-qos": row["qos"]}},
        "spec": {"containers": [container], "restartPolicy": "Never"},
    }


def claim(name: str) -> dict[str, Any]:
    """Return a claim of a volume that nobody provides."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "100Gi"}},
        },
    }


# -- who refused ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """The tree as `quotatree tree -o json` shows it."""

    parents: Mapping[str, str | None]
    hard: Mapping[str, Resources]
    used: Mapping[str, Resources]

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> Tree:
        """Return the tree of a TreeState document."""
        nodes = {node["namespace"]: node for node in document["nodes"]}
        return cls(
            parents={name: node["parent"] for name, node in nodes.items()},
            hard={name: Resources.parse(node["hard"]) for name, node in nodes.items()},
            used={name: Resources.parse(node["used"]) for name, node in nodes.items()},
        )

    def path(self, name: str) -> list[str]:
        """Return a namespace and its ancestors, the root last."""
        found = []
        current: str | None = name
        while current is not None:
            found.append(current)
            current = self.parents.get(current)
        return found

    def level(self, name: str) -> str:
        """Return what a namespace is in this organisation, by its depth."""
        return ("organisation", "team", "pipeline")[min(len(self.path(name)), 3) - 1]


def refuser(message: str, pipeline: str, *, tree: Tree, limited_by: str = "") -> str:
    """Return the namespace whose TreeQuota refused a request of `pipeline`.

    quotatree's own refusals name it. A native one names the managed ResourceQuota: then it is the
    level whose ceiling is the limit that it shows, else the one in `quotatree.dev/limited-by`:
    who made quotatree tighten that limit.
    """
    found = _EXCEEDED.search(message)
    if found is None:
        return UNTOLD
    if found["quota"] != MANAGED and not found["quota"].startswith(f"{MANAGED}."):
        return found["quota"]
    limited = Resources.parse(dict(part.split("=", 1) for part in found["limited"].split(",")))
    for name in tree.path(pipeline):
        own = tree.hard.get(name, EMPTY)
        if any(resource in own and own[resource] == limited[resource] for resource in limited):
            return name
    ancestor, _, _ = limited_by.partition(":")
    return ancestor or UNTOLD


@dataclass(slots=True)
class Tally:
    """What became of the requests."""

    asked: Counter[str] = field(default_factory=Counter)
    admitted: Counter[str] = field(default_factory=Counter)
    refused: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """Pipeline → who refused → how often."""
    again: int = 0
    """Requests that were sent again, since the answer was neither yes nor no."""

    def admit(self, pipeline: str) -> None:
        """Note a request that was admitted."""
        self.asked[pipeline] += 1
        self.admitted[pipeline] += 1

    def refuse(self, pipeline: str, by: str) -> None:
        """Note a request that was refused."""
        self.asked[pipeline] += 1
        self.refused[pipeline][by] += 1

    @property
    def by(self) -> Counter[str]:
        """Who refused, and how often in all."""
        return sum(self.refused.values(), Counter())


# -- does it add up ---------------------------------------------------------------------------


def usage(pods: Iterable[Mapping[str, Any]], claims: Iterable[Mapping[str, Any]]) -> Resources:
    """Return what these objects of one namespace use, counted from their own fields."""
    total = EMPTY
    for one in pods:
        total += Resources.parse({"pods": 1, "count/pods": 1})
        for container in one["spec"]["containers"]:
            for name, amount in container["resources"].get("requests", {}).items():
                # A plain name and its long form are one resource; extended ones have the long only.
                names = [f"requests.{name}"] if "/" in name else [name, f"requests.{name}"]
                total += Resources.parse(dict.fromkeys(names, amount))
    for one in claims:
        storage = one["spec"]["resources"]["requests"]["storage"]
        counted = {"count/persistentvolumeclaims": 1, "persistentvolumeclaims": 1}
        total += Resources.parse({**counted, "requests.storage": storage})
    return total


def differences(tree: Tree, recount: Mapping[str, Resources]) -> list[str]:
    """Return where the tree's usage is not that of the objects, in words; nothing when it is.

    Compared is what a level or one above it limits: that is measured in its whole subtree.
    """
    expected: dict[str, Resources] = dict.fromkeys(tree.parents, EMPTY)
    for namespace, own in recount.items():
        for name in tree.path(namespace):
            expected[name] += own
    return [
        f"{name}: the tree says {resource}={said}, the objects make {counted}"
        for name in sorted(tree.used)
        for resource in sorted({r for above in tree.path(name) for r in tree.hard[above]})
        if (said := tree.used[name].get(resource, ZERO))
        != (counted := expected[name].get(resource, ZERO))
    ]


def over(tree: Tree) -> list[str]:
    """Return which levels are above their ceiling, in words."""
    return [
        f"{name}: {resource} is above its limit"
        for name, hard in sorted(tree.hard.items())
        for resource in tree.used[name].exceeding(hard)
    ]


def shortcomings(tally: Tally, tree: Tree) -> list[str]:
    """Return what would make this demo show too little, in words."""
    asked, refused = tally.asked.total(), tally.by.total()
    levels = {tree.level(name) for name in tally.by if name in tree.parents}
    found = []
    if refused * 5 < asked:
        found.append(f"only {refused} of {asked} requests were refused: less than a fifth")
    if len(levels) < 2:
        found.append(f"refused by one level only: {', '.join(sorted(levels)) or 'none'}")
    return found


def pipelines(found: Sequence[Request]) -> list[str]:
    """Return the pipelines that ask for something, sorted."""
    return sorted({request.pipeline for request in found})
