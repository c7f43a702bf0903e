"""The pod formula: what native quota charges for a pod, and which scopes it is in.

For the requests of a resource, and in the same way for its limits::

    main     = Σ containers + Σ sidecars               sidecar: an init container that restarts
    during i = Σ sidecars before i + init container i  a sidecar counts itself in
    pod      = max(main, during 1, during 2, …)
    pod      = the pod-level amount, where one is set  cpu, memory and huge pages only
    charged  = pod + overhead                          limits: only where the limit is not zero

Once a pod runs, each container counts with the greatest of what is desired, allocated and actual
(limits: desired and actual), and a resize that can never be done leaves the desired out.

Kubernetes 1.36: the formula is `PodRequests` and `PodLimits` in
`k8s.io/component-helpers/resource/helpers.go`; names, scopes and the end of a pod are
`podComputeUsageHelper`, `podMatchesScopeFunc` and `QuotaV1Pod` in
`pkg/quota/v1/evaluator/core/pods.go`; best effort is `ComputePodQOS` in
`pkg/apis/core/v1/helper/qos/qos.go`; what is filled in is `SetDefaults_Pod` and
`SetDefaults_ResourceList` in `pkg/apis/core/v1/defaults.go`, then the LimitRanger.
Pod-level amounts are those of the spec: `PodUsageFunc` does not look at their resize.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from quotatree.codec import fields
from quotatree.codec.defaults import NONE, Defaults
from quotatree.model.charge import Charge
from quotatree.units import resource_names
from quotatree.units.resource_names import COMPUTE, COUNT, HUGE_PAGES, LIMITS, REQUESTS
from quotatree.units.resources import Resources

RESOURCE: Final = "pods"

Amounts = dict[str, int]

_MILLI: Final = 10**6
"""In 10⁻⁹: the API server rounds what a pod asks for up to thousandths."""

_ONE: Final = 10**9
_ENDED: Final = frozenset({"Failed", "Succeeded"})
_POD_LEVEL: Final = frozenset({"cpu", "memory"})
_QUALITY: Final = frozenset({"cpu", "memory"})
_AFFINITIES: Final = ("podAffinity", "podAntiAffinity")
_HARD_TERMS: Final = "requiredDuringSchedulingIgnoredDuringExecution"
_SOFT_TERMS: Final = "preferredDuringSchedulingIgnoredDuringExecution"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Container:
    """One container as quota sees it; `requests` and `limits` are filled in and rounded."""

    name: str
    requests: Amounts
    limits: Amounts
    restarts: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pod:
    """The parts of a pod that quota reads."""

    containers: tuple[_Container, ...]
    init: tuple[_Container, ...]
    pod_requests: Amounts
    pod_limits: Amounts
    overhead: Amounts


def charge(
    obj: Mapping[str, Any], *, defaults: Defaults = NONE, now: datetime | None = None
) -> Charge:
    """Return the cost of a pod; never raises, an amount that is no quantity counts as absent.

    Without `now` (aware) a pod that is being deleted is taken for one whose grace lasts.
    """
    pod = _read(obj, defaults)
    amounts: Amounts = {f"{COUNT}{RESOURCE}": _ONE}
    if not ended(obj, now):
        amounts |= _named(*_demand(obj, pod))
    return Charge(
        resource=RESOURCE,
        amounts=Resources.from_nano(amounts),
        traits=frozenset(_traits(obj, pod)),
        valued={"PriorityClass": _priority(fields.mapping(obj, "spec"), defaults)},
        unspecified=dict(_unspecified(pod)),
    )


def ended(obj: Mapping[str, Any], now: datetime | None) -> bool:
    """Whether a pod is charged no more: it has ended, or should have been gone by now."""
    if fields.text(fields.mapping(obj, "status"), "phase") in _ENDED:
        return True
    last = last_charged(obj)
    return now is not None and last is not None and now > last


def last_charged(obj: Mapping[str, Any]) -> datetime | None:
    """Return until when a pod that is being deleted is charged in full, None for any other."""
    metadata = fields.mapping(obj, "metadata")
    grace = fields.whole(metadata.get("deletionGracePeriodSeconds"))
    if grace is None:
        return None
    try:
        deleted = datetime.fromisoformat(fields.text(metadata, "deletionTimestamp"))
        last = deleted + timedelta(seconds=grace)
    except (ValueError, OverflowError):
        return None
    return last if last.tzinfo is not None else None


def when_ended(running: Charge) -> Charge:
    """Return what is charged of a pod that has ended or should be gone: that it is there."""
    return replace(running, amounts=running.amounts.mask([f"{COUNT}{RESOURCE}"]), unspecified={})


# -- reading --------------------------------------------------------------------------------


def _read(obj: Mapping[str, Any], defaults: Defaults) -> _Pod:
    spec = fields.mapping(obj, "spec")
    containers = [_container(c) for c in fields.items(spec, "containers")]
    init = [_container(c) for c in fields.items(spec, "initContainers")]
    pod_requests, pod_limits = _pod_level(spec, containers, init)
    overhead = _amounts(spec, "overhead")
    if not overhead and (runtime := fields.text(spec, "runtimeClassName")):
        overhead = dict(defaults.overheads.get(runtime, Resources()).nanos())
    return _Pod(
        containers=tuple(_completed(c, defaults) for c in containers),
        init=tuple(_completed(c, defaults) for c in init),
        pod_requests=_rounded(pod_requests),
        pod_limits=_rounded(pod_limits),
        overhead=_rounded(overhead),
    )


def _container(item: Mapping[str, Any]) -> _Container:
    """Return a container as it is decoded: what has only a limit requests as much."""
    resources = fields.mapping(item, "resources")
    limits = _amounts(resources, "limits")
    return _Container(
        name=fields.text(item, "name"),
        requests=limits | _amounts(resources, "requests"),
        limits=limits,
        restarts=item.get("restartPolicy") == "Always",
    )


def _completed(container: _Container, defaults: Defaults) -> _Container:
    """Return the container as admission leaves it: rounded, with the LimitRange's defaults."""
    return _Container(
        name=container.name,
        requests=_rounded(defaults.requests.nanos()) | _rounded(container.requests),
        limits=_rounded(defaults.limits.nanos()) | _rounded(container.limits),
        restarts=container.restarts,
    )


def _pod_level(
    spec: Mapping[str, Any], containers: Sequence[_Container], init: Sequence[_Container]
) -> tuple[Amounts, Amounts]:
    """Return the pod-level requests and limits with what is filled in when some are set."""
    resources = fields.mapping(spec, "resources")
    requests = _supported(_amounts(resources, "requests"))
    limits = _supported(_amounts(resources, "limits"))
    if not requests and not limits:
        return {}, {}
    pages = {
        name: amount
        for name, amount in _most(
            [c.limits for c in containers], [(c.limits, c.restarts) for c in init]
        ).items()
        if name.startswith(HUGE_PAGES) and name not in requests
    }
    limits = pages | limits
    if limits:
        summed = _most([c.requests for c in containers], [(c.requests, c.restarts) for c in init])
        own = {n: a for n, a in summed.items() if n in _POD_LEVEL}
        requests = limits | own | requests
    return requests, limits


def _supported(amounts: Amounts) -> Amounts:
    return {n: a for n, a in amounts.items() if n in _POD_LEVEL or n.startswith(HUGE_PAGES)}


def _amounts(parent: Mapping[str, Any], key: str) -> Amounts:
    return dict(fields.amounts(parent, key).nanos())


def _rounded(amounts: Mapping[str, int]) -> Amounts:
    return {name: -(-nano // _MILLI) * _MILLI for name, nano in amounts.items()}


# -- the formula ----------------------------------------------------------------------------


def _demand(obj: Mapping[str, Any], pod: _Pod) -> tuple[Amounts, Amounts]:
    """Return the requests and limits that are charged."""
    states = _states(fields.mapping(obj, "status"))
    stuck = _resize_is_infeasible(obj)
    requests = _most(
        [_requested(c, states, stuck=stuck) for c in pod.containers],
        [
            (_requested(c, states, stuck=stuck) if c.restarts else c.requests, c.restarts)
            for c in pod.init
        ],
    )
    limits = _most(
        [_limited(c, states, stuck=stuck) for c in pod.containers],
        [
            (_limited(c, states, stuck=stuck) if c.restarts else c.limits, c.restarts)
            for c in pod.init
        ],
    )
    requests |= pod.pod_requests
    limits |= pod.pod_limits
    grown = {n: a + pod.overhead[n] for n, a in limits.items() if a and n in pod.overhead}
    return _sum(requests, pod.overhead), limits | grown


def _most(containers: Iterable[Amounts], init: Iterable[tuple[Amounts, bool]]) -> Amounts:
    """Return the most that runs at once; `init` says of each whether it goes on running."""
    main: Amounts = {}
    for amounts in containers:
        main = _sum(main, amounts)
    running: Amounts = {}
    starting: Amounts = {}
    for amounts, restarts in init:
        during = _sum(running, amounts)
        if restarts:
            main = _sum(main, amounts)
            running = during
        starting = _max(starting, during)
    return _max(main, starting)


def _sum(one: Amounts, other: Amounts) -> Amounts:
    return one | {name: one.get(name, 0) + amount for name, amount in other.items()}


def _max(*lists: Amounts) -> Amounts:
    found: Amounts = {}
    for amounts in lists:
        found |= {name: max(amount, found.get(name, amount)) for name, amount in amounts.items()}
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    """What the node says of a container."""

    requests: Amounts
    limits: Amounts
    allocated: Amounts


def _states(status: Mapping[str, Any]) -> dict[str, _State]:
    """Return the state of each container whose resources the node reports."""
    found = {}
    for key in ("containerStatuses", "initContainerStatuses"):
        for item in fields.items(status, key):
            if type(item.get("resources")) is dict:
                actual = fields.mapping(item, "resources")
                found[fields.text(item, "name")] = _State(
                    requests=_rounded(_amounts(actual, "requests")),
                    limits=_rounded(_amounts(actual, "limits")),
                    allocated=_rounded(_amounts(item, "allocatedResources")),
                )
    return found


def _requested(container: _Container, states: Mapping[str, _State], *, stuck: bool) -> Amounts:
    state = states.get(container.name)
    if state is None:
        return container.requests
    desired = {} if stuck else container.requests
    return _max(desired, state.requests, state.allocated)


def _limited(container: _Container, states: Mapping[str, _State], *, stuck: bool) -> Amounts:
    state = states.get(container.name)
    if state is None:
        return container.limits
    return state.limits if stuck else _max(container.limits, state.limits)


def _resize_is_infeasible(obj: Mapping[str, Any]) -> bool:
    for condition in fields.items(fields.mapping(obj, "status"), "conditions"):
        if condition.get("type") == "PodResizePending":
            return condition.get("reason") == "Infeasible"
    return False


# -- names and scopes -----------------------------------------------------------------------


def _named(requests: Amounts, limits: Amounts) -> Amounts:
    """Return the demand under every name that a quota may count it by."""
    found = {RESOURCE: _ONE}
    for name, amount in requests.items():
        if name in COMPUTE or name.startswith(HUGE_PAGES):
            found[name] = amount
            found[f"{REQUESTS}{name}"] = amount
        elif resource_names.is_extended(f"{REQUESTS}{name}"):
            found[f"{REQUESTS}{name}"] = amount
    for name in COMPUTE:
        if name in limits:
            found[f"{LIMITS}{name}"] = limits[name]
    return found


def _traits(obj: Mapping[str, Any], pod: _Pod) -> Iterator[str]:
    spec = fields.mapping(obj, "spec")
    deadline = spec.get("activeDeadlineSeconds")
    yield "Terminating" if type(deadline) is int and deadline >= 0 else "NotTerminating"
    yield "BestEffort" if _is_best_effort(obj, pod) else "NotBestEffort"
    if _crosses_namespaces(fields.mapping(spec, "affinity")):
        yield "CrossNamespacePodAffinity"


def _is_best_effort(obj: Mapping[str, Any], pod: _Pod) -> bool:
    stored = fields.text(fields.mapping(obj, "status"), "qosClass")
    if stored:
        return stored == "BestEffort"
    if type(fields.mapping(obj, "spec").get("resources")) is dict:
        lists = [pod.pod_requests, pod.pod_limits]
    else:
        lists = [a for c in (*pod.containers, *pod.init) for a in (c.requests, c.limits)]
    return not any(amounts.get(name, 0) > 0 for amounts in lists for name in _QUALITY)


def _unspecified(pod: _Pod) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the names that some containers do not ask for: `podEvaluator.Constraints`."""
    if pod.pod_requests or pod.pod_limits:
        return
    containers = sorted((*pod.containers, *pod.init), key=lambda c: c.name)
    for resource in sorted(_QUALITY):
        without = tuple(c.name for c in containers if resource not in c.requests)
        if without:
            yield resource, without
            yield f"{REQUESTS}{resource}", without
        unlimited = tuple(c.name for c in containers if resource not in c.limits)
        if unlimited:
            yield f"{LIMITS}{resource}", unlimited


def _priority(spec: Mapping[str, Any], defaults: Defaults) -> frozenset[str]:
    name = fields.text(spec, "priorityClassName") or defaults.priority_class
    return frozenset({name} if name else ())


def _crosses_namespaces(affinity: Mapping[str, Any]) -> bool:
    for key in _AFFINITIES:
        rules = fields.mapping(affinity, key)
        soft = [fields.mapping(r, "podAffinityTerm") for r in fields.items(rules, _SOFT_TERMS)]
        for term in (*fields.items(rules, _HARD_TERMS), *soft):
            if fields.texts(term, "namespaces") or type(term.get("namespaceSelector")) is dict:
                return True
    return False
