"""Pods of every shape that quota can tell apart, made by chance from a seed."""

from random import Random
from typing import Any

PRIORITY_CLASS = "quotatree-test-high"
RUNTIME_CLASS = "quotatree-test-heavy"
OVERHEAD = {"cpu": "130m", "memory": "77Mi"}

CPU = ["0", "1m", "100m", "250m", "1", "1.5", "0.1234567", "2500000u", "3e0"]
MEMORY = ["0", "1", "64Mi", "100M", "1Gi", "1500m", "123456789", "1e9", "0.5Gi"]
STORAGE = ["1Gi", "500M", "10Mi"]
SHAPES = ["request", "limit", "both", "none"]

Body = dict[str, Any]


def pod(chance: Random, name: str) -> Body:
    """Return a valid pod of any shape: init containers, sidecars, pod-level resources, overhead.

    Three of four say of each container all that a quota of cpu and memory wants to know.
    """
    whole = chance.random() < 0.75
    numbers = range(chance.choice([1, 1, 2, 3])), range(chance.choice([0, 0, 1, 2, 4]))
    containers = [container(chance, f"c{n}", whole=whole) for n in numbers[0]]
    init = [container(chance, f"i{n}", whole=whole) for n in numbers[1]]
    for item in init:
        if chance.random() < 0.4:
            item["restartPolicy"] = "Always"
    spec: Body = {"restartPolicy": "Never", "containers": containers, "initContainers": init}
    if chance.random() < 0.25:
        _pod_level(chance, spec)
    if chance.random() < 0.25:
        spec["runtimeClassName"] = RUNTIME_CLASS
    if chance.random() < 0.3:
        spec["activeDeadlineSeconds"] = chance.randint(1, 10**6)
    if chance.random() < 0.3:
        spec["priorityClassName"] = PRIORITY_CLASS
    if chance.random() < 0.2:
        spec["affinity"] = _affinity(chance)
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def container(chance: Random, name: str, *, whole: bool = False) -> Body:
    """Return a container with any valid requests and limits, or none at all; all when `whole`."""
    requests: Body = {}
    limits: Body = {}
    if chance.random() < 0.2 and not whole:
        return {"name": name, "image": "none"}
    for resource, texts in (("cpu", CPU), ("memory", MEMORY)):
        shape = chance.choice(["limit", "both"] if whole else SHAPES)
        pair = chance.sample(texts, 2)
        _ordered(resource, pair, shape=shape, requests=requests, limits=limits)
    if chance.random() < 0.3:
        pair = chance.sample(STORAGE, 2)
        shape = chance.choice(SHAPES)
        _ordered("ephemeral-storage", pair, shape=shape, requests=requests, limits=limits)
    if chance.random() < 0.3:
        limits["nvidia.com/gpu"] = chance.randint(0, 4)
    if chance.random() < 0.1:
        limits["example.com/fpga"] = requests["example.com/fpga"] = "1"
    if chance.random() < 0.15 and "memory" in {*requests, *limits}:
        limits["hugepages-2Mi"] = chance.choice(["2Mi", "8Mi"])
    resources = {key: found for key, found in (("requests", requests), ("limits", limits)) if found}
    return {"name": name, "image": "none", "resources": resources}


def _ordered(resource: str, pair: list[str], *, shape: str, requests: Body, limits: Body) -> None:
    """Give a request, a limit, both or none; a request is never above its limit."""
    low, high = sorted(pair, key=value)
    if shape in {"request", "both"}:
        requests[resource] = low
    if shape in {"limit", "both"}:
        limits[resource] = high


def value(text: str) -> float:
    """Return what the few texts above mean, to put two of them in order."""
    for suffix, factor in (
        ("Mi", 2**20),
        ("Gi", 2**30),
        ("M", 10**6),
        ("m", 1e-3),
        ("u", 1e-6),
    ):
        if text.endswith(suffix):
            return float(text.removesuffix(suffix)) * factor
    return float(text)


def _pod_level(chance: Random, spec: Body) -> None:
    """Set pod-level resources that are no less than what any container has."""
    every = [*spec["containers"], *spec["initContainers"]]
    for item in every:  # a container's limit may not be above the pod's
        limits = item.get("resources", {}).get("limits", {})
        limits.pop("hugepages-2Mi", None)
    resources: Body = {"requests": {}, "limits": {}}
    if chance.random() < 0.7:
        resources["requests"]["cpu"] = "64"
    if chance.random() < 0.7:
        resources["limits"]["memory"] = "64Gi"
    if chance.random() < 0.5:
        resources["limits"]["cpu"] = "96"
    found = {key: amounts for key, amounts in resources.items() if amounts}
    if found:
        spec["resources"] = found


def _affinity(chance: Random) -> Body:
    term: Body = {"topologyKey": "zone", "labelSelector": {"matchLabels": {"app": "x"}}}
    if chance.random() < 0.7:
        term |= chance.choice([{"namespaces": ["default"]}, {"namespaceSelector": {}}])
    key = chance.choice(["podAffinity", "podAntiAffinity"])
    soft = {
        "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "podAffinityTerm": term}]
    }
    hard = {"requiredDuringSchedulingIgnoredDuringExecution": [term]}
    return {key: chance.choice([soft, hard])}
