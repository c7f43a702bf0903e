"""TreeQuota as a CustomResourceDefinition: what the API server itself refuses, controller or not.

The rules on scopes are those of native ResourceQuota (`validateResourceQuotaScopes` and
`validateScopedResourceSelectorRequirement` in Kubernetes 1.36), since every TreeQuota becomes one.
Quantities are judged by CEL's `isQuantity`, which is the API server's own parser, and not by a
pattern: the refusal then says what a quantity looks like. Every list and map is bounded, because
CEL rules are admitted by their greatest possible cost.
"""

from __future__ import annotations

from typing import Any, Final

from quotatree.manifests import cel, objects
from quotatree.manifests.settings import InstallSettings
from quotatree.model import names

CRD_NAME: Final = f"treequotas.{names.GROUP}"
VERSION: Final = "v1alpha1"

_MAX_RESOURCES: Final = 128
_MAX_SCOPES: Final = 8
_MAX_VALUES: Final = 32

# Native scopes, each with what a quota of that scope may name of the standard resources.
_COMPUTE: Final = (
    "pods",
    "cpu",
    "memory",
    "limits.cpu",
    "limits.memory",
    "requests.cpu",
    "requests.memory",
)
_STORAGE: Final = ("persistentvolumeclaims", "requests.storage")
_SCOPES: Final[dict[str, tuple[str, ...]]] = {
    "Terminating": _COMPUTE,
    "NotTerminating": _COMPUTE,
    "BestEffort": ("pods",),
    "NotBestEffort": _COMPUTE,
    "PriorityClass": _COMPUTE,
    "CrossNamespacePodAffinity": _COMPUTE,
    "VolumeAttributesClass": _STORAGE,
}
# Those two take values; the others exist or not.
_VALUED: Final = ("PriorityClass", "VolumeAttributesClass")
_OPPOSITES: Final = (("BestEffort", "NotBestEffort"), ("Terminating", "NotTerminating"))

# Standard resource names without a slash or prefix rule; a scope limits which of them are allowed.
_STANDARD: Final = (
    *_COMPUTE,
    *_STORAGE,
    "ephemeral-storage",
    "requests.ephemeral-storage",
    "limits.ephemeral-storage",
    "resourcequotas",
    "services",
    "services.nodeports",
    "services.loadbalancers",
    "replicationcontrollers",
    "secrets",
    "configmaps",
)


def tree_quotas(settings: InstallSettings) -> objects.Manifest:
    """Return the CustomResourceDefinition of TreeQuota."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": objects.metadata(settings, CRD_NAME, component="api"),
        "spec": {
            "group": names.GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": "TreeQuota",
                "listKind": "TreeQuotaList",
                "plural": "treequotas",
                "singular": "treequota",
                "shortNames": ["tq"],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": _columns(),
                    "schema": {"openAPIV3Schema": _schema()},
                }
            ],
        },
    }


def _columns() -> list[dict[str, Any]]:
    ready = '.status.conditions[?(@.type=="Ready")]'
    return [
        {"name": "Ready", "type": "string", "jsonPath": f"{ready}.status"},
        {"name": "Reason", "type": "string", "jsonPath": f"{ready}.reason"},
        {"name": "Hard", "type": "string", "jsonPath": ".spec.hard"},
        {"name": "Used", "type": "string", "jsonPath": ".status.used"},
        {"name": "Available", "type": "string", "jsonPath": ".status.available", "priority": 1},
        {"name": "Guaranteed", "type": "string", "jsonPath": ".spec.guaranteed", "priority": 1},
        {"name": "Scopes", "type": "string", "jsonPath": ".spec.scopes", "priority": 1},
        {"name": "Mode", "type": "string", "jsonPath": ".spec.mode", "priority": 1},
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    ]


def _schema() -> dict[str, Any]:
    return {
        "type": "object",
        "description": "A limit on everything that a namespace and all namespaces under it use.",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": _spec(),
            "status": _status(),
        },
    }


def _spec() -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            "hard": _limits(
                "Most that the namespace and all namespaces under it may use, by the resource "
                "names of native ResourceQuota."
            ),
            "guaranteed": _limits(
                "Part of the ancestors' room that is kept for this namespace and those under it."
            ),
            "scopes": {
                "type": "array",
                "description": "Which pods or claims are counted, as in native ResourceQuota.",
                "items": {"type": "string", "enum": list(_SCOPES)},
                "maxItems": _MAX_SCOPES,
                "x-kubernetes-list-type": "set",
                "x-kubernetes-validations": _opposites("scopes", "self"),
            },
            "scopeSelector": _scope_selector(),
            "failurePolicy": {
                "type": "string",
                "description": (
                    "What happens to growth while no replica of quotatree answers: refuse it "
                    "(Fail) or let it pass (Ignore)."
                ),
                "enum": ["Fail", "Ignore"],
                "default": "Fail",
            },
            "mode": {
                "type": "string",
                "description": (
                    "Limit (Enforce), or refuse nothing and say what would have been refused "
                    "(Observe)."
                ),
                "enum": ["Enforce", "Observe"],
                "default": "Enforce",
            },
        },
        "x-kubernetes-validations": [
            *(_immutable(field) for field in ("scopes", "scopeSelector")),
            _guarantee_within_hard(),
            *(_names_for_scope(scopes, allowed) for allowed, scopes in _scopes_by_names().items()),
        ],
    }


def _limits(description: str) -> dict[str, Any]:
    """Return the schema of resource names with amounts that are not negative."""
    return {
        "type": "object",
        "description": description,
        "maxProperties": _MAX_RESOURCES,
        "additionalProperties": {
            "x-kubernetes-int-or-string": True,
            "maxLength": 64,
            "x-kubernetes-validations": [
                {
                    "rule": "isQuantity(string(self))",
                    "message": "not a quantity; write a number such as 20, 500m or 100Gi",
                },
                {
                    "rule": "!isQuantity(string(self)) || sign(quantity(string(self))) >= 0",
                    "message": "a limit must not be negative",
                },
            ],
        },
    }


def _scope_selector() -> dict[str, Any]:
    return {
        "type": "object",
        "description": "Which pods or claims are counted, with values, as in native ResourceQuota.",
        "properties": {
            "matchExpressions": {
                "type": "array",
                "maxItems": _MAX_SCOPES,
                "x-kubernetes-list-type": "atomic",
                "items": _requirement(),
                "x-kubernetes-validations": _opposites(
                    "scopeSelector", "self.map(it, it.scopeName)"
                ),
            }
        },
    }


def _requirement() -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["scopeName", "operator"],
        "properties": {
            "scopeName": {"type": "string", "enum": list(_SCOPES)},
            "operator": {"type": "string", "enum": ["In", "NotIn", "Exists", "DoesNotExist"]},
            "values": {
                "type": "array",
                "items": {"type": "string", "maxLength": 253},
                "maxItems": _MAX_VALUES,
                "x-kubernetes-list-type": "set",
            },
        },
        "x-kubernetes-validations": [
            {
                "rule": f"self.scopeName in {cel.quoted(_VALUED)} || self.operator == 'Exists'",
                "message": "this scope takes no values: its operator must be Exists",
            },
            {
                "rule": (
                    "(self.operator in ['In', 'NotIn'])"
                    " == (has(self.values) && size(self.values) > 0)"
                ),
                "message": "In and NotIn need values, Exists and DoesNotExist take none",
            },
        ],
    }


def _opposites(field: str, scopes: str) -> list[dict[str, Any]]:
    """Return the rules against two scopes that no object has at once."""
    return [
        {
            "rule": f"!('{one}' in {scopes} && '{other}' in {scopes})",
            "message": f"{field}: {one} and {other} exclude each other, nothing would be counted",
        }
        for one, other in _OPPOSITES
    ]


def _immutable(field: str) -> dict[str, Any]:
    return {
        "rule": (
            f"has(self.{field}) == has(oldSelf.{field})"
            f" && (!has(self.{field}) || self.{field} == oldSelf.{field})"
        ),
        "message": f"{field} cannot be changed; make another TreeQuota and delete this one",
        "fieldPath": f".{field}",
    }


def _guarantee_within_hard() -> dict[str, Any]:
    """Return the rule; amounts that are no quantities are reported by their own rule."""
    return {
        "rule": (
            "!has(self.guaranteed) || !has(self.hard) || self.guaranteed.all(k,"
            " !(k in self.hard)"
            " || !isQuantity(string(self.guaranteed[k])) || !isQuantity(string(self.hard[k]))"
            " || !quantity(string(self.guaranteed[k])).isGreaterThan("
            "quantity(string(self.hard[k]))))"
        ),
        "message": "guaranteed must not be above hard for a resource that both name",
        "fieldPath": ".guaranteed",
    }


def _scopes_by_names() -> dict[tuple[str, ...], list[str]]:
    """Return the table of scopes turned round: allowed names to the scopes that allow them."""
    turned: dict[tuple[str, ...], list[str]] = {}
    for scope, allowed in _SCOPES.items():
        turned.setdefault(allowed, []).append(scope)
    return turned


def _names_for_scope(scopes: list[str], allowed: tuple[str, ...]) -> dict[str, Any]:
    """Return the rule that a quota of one of `scopes` names only resources that it can count."""
    refused = cel.quoted(name for name in _STANDARD if name not in allowed)
    wanted = cel.quoted(scopes)
    return {
        "rule": (
            f"!((has(self.scopes) && self.scopes.exists(it, it in {wanted}))"
            " || (has(self.scopeSelector) && has(self.scopeSelector.matchExpressions)"
            f" && self.scopeSelector.matchExpressions.exists(it, it.scopeName in {wanted})))"
            " || !((has(self.hard) ? self.hard.map(k, k) : [])"
            " + (has(self.guaranteed) ? self.guaranteed.map(k, k) : [])).exists(k,"
            f" k in {refused}"
            " || k.startsWith('hugepages-') || k.startsWith('requests.hugepages-'))"
        ),
        "message": f"with scope {' or '.join(scopes)} only these can be counted: "
        + ", ".join(allowed),
    }


def _status() -> dict[str, Any]:
    def amounts(description: str) -> dict[str, Any]:
        return {
            "type": "object",
            "description": description,
            "additionalProperties": {"x-kubernetes-int-or-string": True},
        }

    return {
        "type": "object",
        "description": "Written by quotatree's controller only.",
        "properties": {
            "hard": amounts("The limit in force."),
            "used": amounts("What the namespace and all namespaces under it use."),
            "charged": amounts("Use with guarantees: what is taken from the ancestors' room."),
            "available": amounts(
                "Greatest growth of this namespace that would be admitted now, whatever ancestor "
                "is the tightest."
            ),
            "guaranteed": amounts("The guarantee in force; it may be pending in spec."),
            "observedGeneration": {"type": "integer", "format": "int64"},
            "conditions": {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["type"],
                "items": _condition(),
            },
        },
    }


def _condition() -> dict[str, Any]:
    text = {"type": "string"}
    return {
        "type": "object",
        "required": ["type", "status", "lastTransitionTime", "reason", "message"],
        "properties": {
            "type": text,
            "status": {"type": "string", "enum": ["True", "False", "Unknown"]},
            "reason": text,
            "message": text,
            "lastTransitionTime": {"type": "string", "format": "date-time"},
            "observedGeneration": {"type": "integer", "format": "int64"},
        },
    }
