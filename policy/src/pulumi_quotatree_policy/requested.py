"""Pods that name no requests are refused where a quota counts them, and uncounted elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from pulumi_quotatree_policy.finding import Finding
from pulumi_quotatree_policy.plain import Unknown
from pulumi_quotatree_policy.planned import Plan, Planned, templates
from pulumi_quotatree_policy.question import Question, not_known, opaque
from quotatree.model.workload import Workload

_SOME: Final = "1"
_UNKNOWN_AS: Final = {
    "resources": {"requests": {"cpu": _SOME, "memory": _SOME}},
    "requests": {"cpu": _SOME, "memory": _SOME},
}


def judge(question: Question) -> Iterator[Finding]:
    """Yield each workload with containers that do not name their requests.

    What a LimitRange of the same program fills in counts as named.
    """
    unknown = {it.urn: _unknown(it) for it in question.plan.objects}
    for it, found in _supposed(templates(question.plan)).workloads():
        if not question.concerns(it) or not any(part.is_pods for part in found.parts):
            continue
        yield from not_known(it, unknown[it.urn], "what its pods request")
        missing = _missing(found, question.settings.resources)
        if missing:
            yield Finding(urn=it.urn, message=_message(it, missing))
    yield from opaque(question, "what its pods request")


def _missing(found: Workload, resources: tuple[str, ...]) -> dict[str, list[str]]:
    """Return the resources that are not requested, each with the containers."""
    missing: dict[str, set[str]] = {}
    for part in found.parts:
        for name in resources:
            for container in part.charge.unspecified.get(f"requests.{name}", ()):
                missing.setdefault(name, set()).add(container)
    return {name: sorted(containers) for name, containers in missing.items()}


def _message(it: Planned, missing: Mapping[str, list[str]]) -> str:
    listed = "; ".join(f"{name} for {', '.join(missing[name])}" for name in missing)
    where = f" in namespace {it.namespace}" if it.namespace else ""
    return (
        f"{it.label}{where} requests no {listed}: where a quota counts it, its pods are refused "
        '("must specify …"), elsewhere nobody counts them. Set resources.requests, or make a '
        "LimitRange with defaultRequest in this program"
    )


# -- values that are not known ----------------------------------------------------------------


def _unknown(it: Planned) -> list[str]:
    """Return the unknown values that a request can hide in."""
    places = it.unknown("spec")
    return [p for p in places if "ontainers" in p or "resources" in p or p == "spec"]


def _supposed(plan: Plan) -> Plan:
    """Return the plan with something in the place of each unknown amount: it is named."""
    objects = (replace(it, obj=_suppose(it.obj)) for it in plan.objects)
    return replace(plan, objects=tuple(objects))


def _suppose(parent: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _supposed_value(key, value) for key, value in parent.items()}


def _supposed_value(key: str, value: object) -> object:
    if isinstance(value, Unknown):
        return _UNKNOWN_AS.get(key, value)
    if isinstance(value, list):
        return [_suppose(item) if isinstance(item, dict) else item for item in value]
    if not isinstance(value, dict):
        return value
    if key in {"requests", "limits"}:
        return {name: _SOME if isinstance(it, Unknown) else it for name, it in value.items()}
    return _suppose(value)
