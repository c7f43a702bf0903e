"""Which requests the birth gate covers, computed from the resource names that TreeQuotas count.

Pure and separate from the policy, because the controller computes the rules again when a TreeQuota
names a kind that no other one named before.

The table of usual kinds, and which updates count, follow the evaluators of native quota
(`pkg/quota/v1/evaluator/core` and `apiserver/pkg/quota/v1/generic` in Kubernetes 1.36): pods,
claims, services and resource claims have evaluators of their own, everything else counts on
creation only.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

_USUAL: Final = frozenset(
    {
        ("", "pods"),
        ("", "persistentvolumeclaims"),
        ("", "services"),
        ("resource.k8s.io", "resourceclaims"),
    }
)

# Names of native quota from before `count/…`, each for the kind that it counts.
_LEGACY: Final = frozenset({"configmaps", "replicationcontrollers", "secrets"})

# A gate that covers ResourceQuotas would wait for itself.
_NEVER: Final = frozenset({("", "resourcequotas")})

# The control plane makes these in every namespace, before any quota can stand.
_EXEMPT: Final = (("configmaps", "kube-root-ca.crt"), ("serviceaccounts", "default"))


def gated_kinds(counted: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Return (API group, resource) of every kind whose creation waits for the quota, sorted.

    `counted` are resource names of TreeQuotas; those that count no further kind add nothing.
    """
    kinds = set(_USUAL)
    for name in counted:
        prefix, _, kind = name.partition("/")
        if name in _LEGACY:
            kinds.add(("", name))
        elif prefix == "count" and kind:
            resource, _, group = kind.partition(".")
            kinds.add((group, resource))
    return tuple(sorted(kinds - _NEVER))


def birth_rules(counted: Iterable[str]) -> list[dict[str, Any]]:
    """Return the `resourceRules` of the birth gate: CREATE of each gated kind, one rule a group."""
    groups: dict[str, list[str]] = {}
    for group, resource in gated_kinds(counted):
        groups.setdefault(group, []).append(resource)
    return [
        _rule(group, resources, operations=["CREATE"])
        for group, resources in sorted(groups.items())
    ]


def exempt_rules() -> list[dict[str, Any]]:
    """Return the `excludeResourceRules` of the birth gate, by name.

    A condition on the user would come too late: a missing parameter refuses before conditions are
    read. The names are as good, since the control plane makes these very objects in any case.
    """
    return [
        {**_rule("", [resource], operations=["CREATE"]), "resourceNames": [name]}
        for resource, name in _EXEMPT
    ]


def update_rules() -> list[dict[str, Any]]:
    """Return the `resourceRules` for the updates that native quota charges.

    Claims (storage), services (type and ports), `pods/resize`, and pods for their
    activeDeadlineSeconds, which moves them between scopes. Resource claims do not grow.
    """
    kinds = ["persistentvolumeclaims", "pods", "pods/resize", "services"]
    return [_rule("", kinds, operations=["UPDATE"])]


def _rule(group: str, resources: list[str], *, operations: list[str]) -> dict[str, Any]:
    return {
        "apiGroups": [group],
        "apiVersions": ["*"],
        "operations": operations,
        "resources": resources,
        "scope": "Namespaced",
    }
