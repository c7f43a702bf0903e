"""The JSON Schema of quotatree.yaml, for editors; `treefile` itself is stricter.

It is made from the same tables as the checks, and shipped as
`docs/reference/quotatree.schema.json`.
"""

from __future__ import annotations

from typing import Any, Final

from quotatree.codec import quota_rules, treefile_rules
from quotatree.model import names
from quotatree.model.observed import Lifecycle
from quotatree.model.quota import FailurePolicy, Mode
from quotatree.units import resource_names

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

_DNS_LABEL: Final = f"^{quota_rules.DNS_LABEL.pattern}$"
_DNS_SUBDOMAIN: Final = f"^{quota_rules.DNS_SUBDOMAIN.pattern}$"
_QUANTITY: Final = r"^\+?([0-9]+\.?[0-9]*|\.[0-9]+)([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]+)?$"


def schema() -> dict[str, Any]:
    """Return the schema, in the order in which it is written."""
    return {
        "$schema": DIALECT,
        "title": "quotatree.yaml",
        "description": "A tree of namespaces with their quotas.",
        "type": "object",
        "additionalProperties": False,
        "required": ["apiVersion", "kind", "tree"],
        "properties": {
            "apiVersion": {"const": names.API_VERSION},
            "kind": {"const": treefile_rules.KIND},
            "tree": _ref("nodes", "The roots: namespace name to node."),
        },
        "$defs": {
            "nodes": _nodes(),
            "node": _node(),
            "quota": _quota(),
            "amounts": _amounts(),
            "quantity": _quantity(),
            "scopeSelector": _selector(),
            "failurePolicy": {
                "enum": [policy.value for policy in FailurePolicy],
                "default": FailurePolicy.FAIL.value,
                "description": "What happens to growth while quotatree does not answer.",
            },
            "mode": {
                "enum": [mode.value for mode in Mode],
                "default": Mode.ENFORCE.value,
                "description": "Observe: refuse nothing, say what would have been refused.",
            },
        },
    }


def _ref(name: str, description: str) -> dict[str, Any]:
    return {"$ref": f"#/$defs/{name}", "description": description}


def _nodes() -> dict[str, Any]:
    return {
        "type": "object",
        "propertyNames": {
            "pattern": _DNS_LABEL,
            "maxLength": 63,
            "not": {"enum": sorted(treefile_rules.RESERVED)},
        },
        "additionalProperties": {"oneOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
    }


def _node() -> dict[str, Any]:
    texts = {"type": "object", "additionalProperties": {"type": "string"}}
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "hard": _ref("amounts", "Ceiling of this namespace and everything below it."),
            "guaranteed": _ref("amounts", "Part of the ancestors' capacity kept for this subtree."),
            "failurePolicy": {"$ref": "#/$defs/failurePolicy"},
            "mode": {"$ref": "#/$defs/mode"},
            "quotas": {
                "type": "array",
                "items": {"$ref": "#/$defs/quota"},
                "description": "More quotas of this node, for instance scoped ones.",
            },
            "lifecycle": {
                "enum": [kind.value for kind in Lifecycle],
                "default": Lifecycle.INDEPENDENT.value,
                "description": "Owned: deleted with its parent, if the parent allows it.",
            },
            "labels": texts | {"description": "Labels of the Namespace."},
            "annotations": texts | {"description": "Annotations of the Namespace."},
            "children": {
                "oneOf": [{"$ref": "#/$defs/nodes"}, {"type": "null"}],
                "description": "The namespaces below this one.",
            },
        },
    }


def _quota() -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["name"],
        "anyOf": [{"required": ["hard"]}, {"required": ["guaranteed"]}],
        "properties": {
            "name": {"type": "string", "pattern": _DNS_SUBDOMAIN, "maxLength": 253},
            "hard": _ref("amounts", "Ceiling of this namespace and everything below it."),
            "guaranteed": _ref("amounts", "Part of the ancestors' capacity kept for this subtree."),
            "scopes": {"type": "array", "items": {"enum": list(quota_rules.SCOPES)}},
            "scopeSelector": {"$ref": "#/$defs/scopeSelector"},
            "failurePolicy": {"$ref": "#/$defs/failurePolicy"},
            "mode": {"$ref": "#/$defs/mode"},
        },
    }


def _selector() -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "matchExpressions": {
                "type": "array",
                "items": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["scopeName", "operator"],
                    "properties": {
                        "scopeName": {"enum": list(quota_rules.SCOPES)},
                        "operator": {"enum": list(quota_rules.OPERATORS)},
                        "values": {"type": "array", "items": {"type": "string"}},
                    },
                },
            }
        },
    }


def _amounts() -> dict[str, Any]:
    known = sorted(resource_names.MEASURED)
    return {
        "type": "object",
        "description": "Resource name as in ResourceQuota to quantity.",
        "properties": {name: {"$ref": "#/$defs/quantity"} for name in known},
        # count/<resource>.<group>, requests.<extended resource>, hugepages-<size>, by class.
        "propertyNames": {"anyOf": [{"enum": known}, {"pattern": "/|hugepages-"}]},
        "additionalProperties": {"$ref": "#/$defs/quantity"},
    }


def _quantity() -> dict[str, Any]:
    return {
        "oneOf": [{"type": "string", "pattern": _QUANTITY}, {"type": "number", "minimum": 0}],
        "examples": ["500m", "20", "100Gi"],
    }
