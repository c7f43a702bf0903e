"""GPUs without a limit: in a container that requests some, or in a namespace that may take all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pulumi_quotatree_policy import forecast
from pulumi_quotatree_policy.finding import Finding
from pulumi_quotatree_policy.forecast import Forecast
from pulumi_quotatree_policy.planned import Planned, templates
from pulumi_quotatree_policy.question import Question, not_known, opaque
from quotatree.codec import fields
from quotatree.codec.quotas import parse as parse_quota
from quotatree.model.names import Namespace
from quotatree.model.workload import Workload
from quotatree.units.resource_names import REQUESTS

_LISTS: Final = ("containers", "initContainers")


def judge(question: Question) -> Iterator[Finding]:
    """Yield each workload that requests GPUs without a limit above them."""
    cast = forecast.make(question.plan, question.state)
    own = _own_limits(question)
    for it, found in templates(question.plan).workloads():
        if not question.concerns(it) or not any(part.is_pods for part in found.parts):
            continue
        yield from not_known(it, _unknown(it), "how many GPUs its pods ask for")
        yield from _containers(it, question)
        yield from _namespace(it, _gpus(found, question), cast=cast, own=own)
    yield from opaque(question, "whether its pods ask for GPUs")


def _unknown(it: Planned) -> list[str]:
    return [p for p in it.unknown("spec") if "ontainers" in p or p == "spec"]


# -- containers -------------------------------------------------------------------------------


def _containers(it: Planned, question: Question) -> Iterator[Finding]:
    for container in _all_containers(it.obj):
        resources = fields.mapping(container, "resources")
        limits = fields.mapping(resources, "limits")
        for name in sorted(fields.mapping(resources, "requests")):
            if question.settings.is_gpu(name) and name not in limits:
                message = (
                    f"{it.label}: container {fields.text(container, 'name')} requests {name} "
                    "without a limit, which the API server refuses: GPUs are not shared out. Set "
                    f'resources.limits["{name}"] to the same amount'
                )
                yield Finding(urn=it.urn, message=message)


def _all_containers(value: object) -> Iterator[Mapping[str, Any]]:
    """Yield the containers of an object of any kind, wherever its pod templates stand."""
    if isinstance(value, dict):
        for key, below in value.items():
            if key in _LISTS:
                yield from fields.items(value, key)
            else:
                yield from _all_containers(below)
    elif isinstance(value, list):
        for item in value:
            yield from _all_containers(item)


# -- namespaces -------------------------------------------------------------------------------


def _gpus(found: Workload, question: Question) -> list[str]:
    """Return the names under which a quota counts the GPUs of a workload."""
    names = {
        name
        for part in found.parts
        if part.is_pods
        for name, amount in part.charge.amounts.nanos().items()
        if amount and question.settings.is_gpu(name.removeprefix(REQUESTS))
    }
    return sorted(name for name in names if name.startswith(REQUESTS))


def _own_limits(question: Question) -> dict[Namespace, set[str]]:
    """Return what the ResourceQuotas of the program limit, by namespace."""
    found: dict[Namespace, set[str]] = {}
    for it in question.plan.resource_quotas():
        if it.namespace is not None:
            found.setdefault(it.namespace, set()).update(parse_quota(it.obj).hard)
    return found


def _namespace(
    it: Planned, names: list[str], *, cast: Forecast, own: Mapping[Namespace, set[str]]
) -> Iterator[Finding]:
    if not names:
        return
    if it.namespace is None:
        yield from not_known(it, ["metadata.namespace"], "what limits its GPUs")
        return
    limited = set(own.get(it.namespace, ()))
    for scopes in cast.scope_sets(it.namespace):
        limited.update(cast.limited(it.namespace, scopes))
    for name in (name for name in names if name not in limited):
        stranger = cast.stranger_above(it.namespace)
        if stranger is not None:
            what = f"whether something limits {name}: namespace {stranger} is neither in this"
            message = f"{it.label}: {what} program nor in a state; configure `state`"
            yield Finding(urn=it.urn, message=message, unknown=True)
        else:
            yield Finding(urn=it.urn, message=_unlimited(it, name))


def _unlimited(it: Planned, name: str) -> str:
    return (
        f"{it.label} asks for GPUs, and nothing limits {name} in namespace {it.namespace} or above "
        f"it: it may take all there are. Add {name} to the hard of a TreeQuota there, or above"
    )
