"""The policy that tells which state of a managed ResourceQuota quota admission goes by.

Its parameters come from the cache that quota admission reads (`compileParams` in the API server's
pkg/admission/plugin/policy/generic/policy_source.go takes the shared informer for built-in kinds).
It refuses every update that asks, and matches no other.
"""

from __future__ import annotations

from typing import Final

from quotatree.manifests import cel, objects, quota_policies
from quotatree.manifests.settings import InstallSettings
from quotatree.model import names

LOOKOUT: Final = "quotatree-lookout"
SEES: Final = "quota admission sees resourceVersion "


def lookout(settings: InstallSettings) -> list[objects.Manifest]:
    """Return the policy and its binding."""
    annotations = "object.metadata.?annotations.orValue({})"
    spec = {
        "paramKind": {"apiVersion": "v1", "kind": "ResourceQuota"},
        "matchConstraints": {
            "matchPolicy": "Equivalent",
            "resourceRules": [
                quota_policies.rule("", ["resourcequotas"], operations=["UPDATE"]),
            ],
        },
        "matchConditions": [
            {"name": "asks", "expression": f"'{names.ANNOTATION_LOOKOUT}' in {annotations}"},
            {"name": "this-one", "expression": "params.metadata.name == object.metadata.name"},
        ],
        "validations": [
            cel.validation(
                "false",
                message=f"the annotation {names.ANNOTATION_LOOKOUT} is never stored",
                says=f"'{SEES}' + string(params.metadata.resourceVersion)",
            )
        ],
    }
    reference = {
        "selector": {"matchLabels": {names.LABEL_MANAGED: "true"}},
        "parameterNotFoundAction": "Allow",
    }
    return [
        quota_policies.policy(settings, LOOKOUT, spec=spec),
        quota_policies.binding(settings, LOOKOUT, of=LOOKOUT, spec={"paramRef": reference}),
    ]
