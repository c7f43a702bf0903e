"""TreeQuota objects to values and back.

`parse` reads what is stored, on every watch event, and never raises: what is malformed counts as
absent, so that one bad key cannot blind the controller to the others. `problems` reads what
somebody wants to store, and says everything that is wrong with it.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from quotatree.codec import fields, quota_rules
from quotatree.codec.findings import Finding
from quotatree.model.names import API_VERSION, LABEL_APPLIED, Namespace, QuotaName, Uid
from quotatree.model.problem import Problem, in_order
from quotatree.model.quota import (
    CONDITION_TYPES,
    Condition,
    FailurePolicy,
    Mode,
    Quota,
    QuotaStatus,
)
from quotatree.model.scope import ScopeSet
from quotatree.units import resource_names
from quotatree.units.quantity import LARGEST, NANO
from quotatree.units.resource_names import requires_whole
from quotatree.units.resources import Resources

KIND: Final = "TreeQuota"

_POLICIES: Final = {policy.value: policy for policy in FailurePolicy}
_MODES: Final = {mode.value: mode for mode in Mode}


def parse(obj: Mapping[str, Any]) -> Quota:
    """Return the TreeQuota as a value; never raises, malformed entries are left out."""
    metadata = fields.mapping(obj, "metadata")
    spec = fields.mapping(obj, "spec")
    status = fields.mapping(obj, "status")
    return Quota(
        namespace=Namespace(fields.text(metadata, "namespace")),
        name=QuotaName(fields.text(metadata, "name")),
        uid=Uid(fields.text(metadata, "uid")),
        generation=fields.whole(metadata.get("generation")) or 0,
        resource_version=fields.whole(metadata.get("resourceVersion")) or 0,
        created=fields.text(metadata, "creationTimestamp"),
        hard=_enforceable(fields.amounts(spec, "hard")),
        guaranteed=_enforceable(fields.amounts(spec, "guaranteed")),
        scopes=fields.scopes(spec),
        failure_policy=_POLICIES.get(fields.text(spec, "failurePolicy"), FailurePolicy.FAIL),
        mode=_MODES.get(fields.text(spec, "mode"), Mode.ENFORCE),
        granted=_enforceable(fields.amounts(status, "guaranteed")),
        applied=fields.text(fields.mapping(metadata, "labels"), LABEL_APPLIED),
        status=_status(status) if status else None,
    )


def _enforceable(amounts: Resources) -> Resources:
    """Return what the API server would take in a ResourceQuota.

    Names that nothing measures are left out, since one of them would fail the whole write. An
    amount that cannot be is read as the next lower one that can: no limit is lost that way.
    """
    if all(_is_enforceable(name, amount) for name, amount in amounts.nanos().items()):
        return amounts
    nanos = {n: v for n, v in amounts.nanos().items() if _wrong_name(n) is None}
    return Resources.from_nano({name: _next_lower(name, nano) for name, nano in nanos.items()})


def _next_lower(name: str, nano: int) -> int:
    bounded = min(max(0, nano), LARGEST)
    return bounded - bounded % NANO if requires_whole(name) else bounded


def _is_enforceable(name: str, nano: int) -> bool:
    if _wrong_name(name) is not None:
        return False
    return 0 <= nano <= LARGEST and (nano % NANO == 0 or not requires_whole(name))


_wrong_name = functools.lru_cache(maxsize=4096)(resource_names.problem_with)


def _status(status: Mapping[str, Any]) -> QuotaStatus:
    return QuotaStatus(
        hard=fields.amounts(status, "hard"),
        used=fields.amounts(status, "used"),
        charged=fields.amounts(status, "charged"),
        available=fields.amounts(status, "available"),
        guaranteed=fields.amounts(status, "guaranteed"),
        observed_generation=fields.whole(status.get("observedGeneration")) or 0,
        conditions=tuple(
            condition
            for item in fields.items(status, "conditions")
            if (condition := _condition(item)).type in CONDITION_TYPES
        ),
    )


def _condition(item: Mapping[str, Any]) -> Condition:
    return Condition(
        type=fields.text(item, "type"),
        status=item.get("status") == "True",
        reason=fields.text(item, "reason"),
        message=fields.text(item, "message"),
    )


def problems(obj: Mapping[str, Any]) -> tuple[Problem, ...]:
    """Return everything that is wrong with a TreeQuota that somebody wants to store."""
    return in_order(finding.problem() for finding in _findings(obj))


def _findings(obj: Mapping[str, Any]) -> Iterable[Finding]:
    for key, want in (("apiVersion", API_VERSION), ("kind", KIND)):
        if obj.get(key) != want:
            yield Finding(path=(key,), message=f"must be {want}, is {obj.get(key)!r}")
    name = fields.mapping(obj, "metadata").get("name")
    yield from quota_rules.name_findings(name, ("metadata", "name"))
    yield from quota_rules.findings(obj.get("spec"), ("spec",))


def spec_to_dict(quota: Quota) -> dict[str, Any]:
    """Return the spec as the API takes it; what is empty or a default is left out."""
    spec: dict[str, Any] = {}
    if quota.hard:
        spec["hard"] = quota.hard.to_strings()
    if quota.guaranteed:
        spec["guaranteed"] = quota.guaranteed.to_strings()
    spec |= scopes_to_dict(quota.scopes)
    if quota.failure_policy is not FailurePolicy.FAIL:
        spec["failurePolicy"] = quota.failure_policy.value
    if quota.mode is not Mode.ENFORCE:
        spec["mode"] = quota.mode.value
    return spec


def scopes_to_dict(scopes: ScopeSet) -> dict[str, Any]:
    """Return the spec fields of a scope set: plain terms in `scopes`, the others as a selector."""
    plain = [term.scope for term in scopes if term.operator == "Exists"]
    others = [
        {"scopeName": term.scope, "operator": term.operator}
        | ({"values": list(term.values)} if term.values else {})
        for term in scopes
        if term.operator != "Exists"
    ]
    return ({"scopes": plain} if plain else {}) | (
        {"scopeSelector": {"matchExpressions": others}} if others else {}
    )


def to_dict(quota: Quota) -> dict[str, Any]:
    """Return the TreeQuota to apply: what identifies it, and its spec."""
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": quota.name, "namespace": quota.namespace},
        "spec": spec_to_dict(quota),
    }


def status_to_dict(
    status: QuotaStatus, previous_conditions: Iterable[Mapping[str, Any]], now: datetime
) -> dict[str, Any]:
    """Return the whole status, to replace what is stored (a merge would keep dropped resources).

    `previous_conditions` are those that the object shows, as decoded JSON: a condition whose status
    is unchanged keeps its `lastTransitionTime`, and types that are not ours are kept. `now` is
    aware.
    """
    before = {fields.text(item, "type"): item for item in previous_conditions}
    return {
        "observedGeneration": status.observed_generation,
        **{
            name: amounts.to_strings()
            for name, amounts in (
                ("hard", status.hard),
                ("used", status.used),
                ("charged", status.charged),
                ("available", status.available),
                ("guaranteed", status.guaranteed),
            )
        },
        "conditions": [
            _condition_to_dict(
                c,
                before.get(c.type, fields.NOTHING),
                generation=status.observed_generation,
                now=now,
            )
            for c in status.conditions
        ]
        + [dict(item) for kind, item in before.items() if kind not in CONDITION_TYPES],
    }


def _condition_to_dict(
    condition: Condition, before: Mapping[str, Any], *, generation: int, now: datetime
) -> dict[str, Any]:
    value = "True" if condition.status else "False"
    since = fields.text(before, "lastTransitionTime") if before.get("status") == value else ""
    return {
        "type": condition.type,
        "status": value,
        "reason": condition.reason,
        "message": condition.message,
        "lastTransitionTime": since or timestamp(now),
        "observedGeneration": generation,
    }


def timestamp(moment: datetime) -> str:
    """Return an aware moment as the API writes times: UTC, whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
