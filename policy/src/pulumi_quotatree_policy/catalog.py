"""All rules, as a table: the reference is tested against it, and the pack is made from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from pulumi_quotatree_policy import complete, gpus, limited, requested, room, settings
from pulumi_quotatree_policy.finding import Finding
from pulumi_quotatree_policy.question import Question
from pulumi_quotatree_policy.settings import Property

ADVISORY: Final = "advisory"
MANDATORY: Final = "mandatory"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule. `whole` ones look at the whole program at its end, others at one resource."""

    name: str
    description: str
    level: str
    remedy: str
    properties: tuple[Property, ...]
    judge: Callable[[Question], Iterator[Finding]]
    whole: bool = True


_COMMON: Final = (settings.EXEMPT, settings.UNKNOWN)
_ON_STATE: Final = (settings.STATE, settings.COMMAND)

RULES: Final = (
    Rule(
        name="namespace-limited",
        description="A namespace has a quota, or a parent that may have one.",
        level=MANDATORY,
        remedy="Label the Namespace quotatree.dev/parent, or give it a TreeQuota.",
        properties=(*_COMMON, *_ON_STATE),
        judge=limited.judge,
    ),
    Rule(
        name="resource-quota-complete",
        description="A ResourceQuota limits cpu and memory.",
        level=ADVISORY,
        remedy="Add requests.cpu and requests.memory to spec.hard.",
        properties=(*_COMMON, settings.RESOURCES),
        judge=complete.judge,
        whole=False,
    ),
    Rule(
        name="workload-requests",
        description="Every container of a workload requests cpu and memory.",
        level=ADVISORY,
        remedy="Set resources.requests, or make a LimitRange with defaultRequest.",
        properties=(*_COMMON, settings.RESOURCES),
        judge=requested.judge,
    ),
    Rule(
        name="gpu-limited",
        description="GPUs have a limit: on the container, and on its namespace or above it.",
        level=MANDATORY,
        remedy="Set resources.limits, and limit the GPUs in a TreeQuota.",
        properties=(*_COMMON, settings.GPUS, *_ON_STATE),
        judge=gpus.judge,
    ),
    Rule(
        name="tree-room",
        description="Everything that the program plans fits into the tree.",
        level=MANDATORY,
        remedy="Lower replicas, requests or the guarantee, or raise the limit that is named.",
        properties=(*_COMMON, *_ON_STATE),
        judge=room.judge,
    ),
)
