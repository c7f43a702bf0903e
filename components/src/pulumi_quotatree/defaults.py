"""What containers get that say nothing: the one entry of a LimitRange. Pure.

The quota evaluator of pods refuses a pod that does not name each of cpu, memory and their
`requests.` and `limits.` forms that a quota in its namespace counts (Kubernetes 1.36,
`pkg/quota/v1/evaluator/core/pods.go`, `Constraints`). Requests are always defaulted, since a quota
of an ancestor may count them. Limits only where this namespace's own quota does: a default limit
refuses every container that requests more than it and names no limit.
"""

from collections.abc import Mapping
from typing import Any, Final

from pulumi_quotatree import plan
from quotatree.codec import findings
from quotatree.units.quantity import Quantity, QuantityError
from quotatree.units.resource_names import COMPUTE, HUGE_PAGES

REQUESTS: Final[Mapping[str, str]] = {"cpu": "100m", "memory": "128Mi"}
LIMITS: Final[Mapping[str, str]] = {"cpu": "1", "memory": "1Gi"}
"""Given where the namespace's own quota counts them."""


def container(
    requests: object, limits: object, *, hard: Mapping[str, Any], title: str
) -> dict[str, Any]:
    """Return the limits of a LimitRange for containers.

    Raises:
        TreeError: an amount is none, or a default request is above its default limit.
    """
    asked = _amounts(requests, "default_requests", title=title)
    bound = _amounts(limits, "default_limits", title=title)
    default_requests = {**{name: Quantity.parse(text) for name, text in REQUESTS.items()}, **asked}
    usual = {n: Quantity.parse(text) for n, text in LIMITS.items() if f"limits.{n}" in hard}
    # A request that somebody chose lifts the usual limit with it.
    raised = {name: max(amount, asked.get(name, amount)) for name, amount in usual.items()}
    default_limits = {**raised, **bound}
    # A limit that somebody chose lowers the usual request with it.
    default_requests = {
        name: amount if name in asked else min(amount, default_limits.get(name, amount))
        for name, amount in default_requests.items()
    }
    for name, amount in default_requests.items():
        limit = default_limits.get(name, amount)
        if amount > limit:
            message = f"{amount} is above the default limit {limit}"
            path = f'default_requests["{findings.shown(name)}"]'
            raise plan.refuse(title, path, message, hint="lower it, or raise default_limits")
    entry = {"type": "Container", "defaultRequest": _texts(default_requests)}
    if default_limits:
        entry["default"] = _texts(default_limits)
    return {"limits": [entry]}


def _amounts(found: object, where: str, *, title: str) -> dict[str, Quantity]:
    if found is None:
        return {}
    if not isinstance(found, Mapping):
        message = f"must be a map of resource names to quantities, is {findings.kind_of(found)}"
        raise plan.refuse(title, where, message)
    amounts = {}
    for name, value in found.items():
        path = f'{where}["{findings.shown(name)}"]'
        if not _is_resource(name):
            hint = findings.closest(str(name), COMPUTE) or f"known here: {', '.join(COMPUTE)}"
            raise plan.refuse(title, path, "no container can ask for this", hint=hint)
        amounts[name] = _amount(value, path, title=title)
    return amounts


def _is_resource(name: object) -> bool:
    if not isinstance(name, str):
        return False
    return name in COMPUTE or name.startswith(HUGE_PAGES) or "/" in name


def _amount(value: object, path: str, *, title: str) -> Quantity:
    if isinstance(value, bool) or not isinstance(value, str | int):
        message = f'must be a quantity such as "500m", is {findings.kind_of(value)}'
        raise plan.refuse(title, path, message)
    try:
        amount = Quantity.parse(str(value))
    except QuantityError as error:
        raise plan.refuse(title, path, str(error)) from error
    if amount.nano < 0:
        raise plan.refuse(title, path, f"must not be negative, is {amount}")
    return amount


def _texts(amounts: Mapping[str, Quantity]) -> dict[str, str]:
    return {name: str(amounts[name]) for name in sorted(amounts)}
