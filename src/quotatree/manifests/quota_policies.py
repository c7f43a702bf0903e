"""Policies inside a namespace: the gates, the managed ResourceQuotas, the TreeQuotas themselves.

`namespace_policies` holds those on Namespace objects. Why each of them is as it is stands in
docs/decisions/0003-who-may-touch-what.md.

What passes in the ordinary case is decided by `matchConditions`, not by `validations`: for the
latter the API server converts every object three times (validations, messages, audit annotations,
all of them even when nothing is refused), for the former once. These policies stand in the way of
each pod and of each write of usage.
"""

from __future__ import annotations

from typing import Any, Final

from quotatree.manifests import cel, gate, objects
from quotatree.manifests.settings import InstallSettings
from quotatree.model import names

BIRTH_GATE: Final = "quotatree-birth-gate"
# The API server names the binding when there is no ResourceQuota yet, and lets us say no more.
BIRTH_GATE_BINDING: Final = "no-quota-here-yet.retry-in-a-second.quotatree.dev"
GROWTH_GATE: Final = "quotatree-growth-gate"
MANAGED_QUOTAS: Final = "quotatree-managed-quotas"
LIMITS: Final = "quotatree-limits"

_COMPONENT: Final = "policy"
_NAMESPACE_CONTROLLER: Final = "system:serviceaccount:kube-system:namespace-controller"
_READY: Final = f"params.metadata.?annotations['{names.ANNOTATION_READY}'].orValue('') == 'true'"
_HAS_PARENT: Final = {
    "matchExpressions": [{"key": names.LABEL_PARENT, "operator": "Exists"}],
}


def policy(settings: InstallSettings, name: str, *, spec: dict[str, Any]) -> objects.Manifest:
    """Return a ValidatingAdmissionPolicy that denies when in doubt."""
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": objects.metadata(settings, name, component=_COMPONENT),
        "spec": {"failurePolicy": "Fail", **spec},
    }


def binding(
    settings: InstallSettings, name: str, *, of: str, spec: dict[str, Any] | None = None
) -> objects.Manifest:
    """Return the binding that puts policy `of` into force."""
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": objects.metadata(settings, name, component=_COMPONENT),
        "spec": {"policyName": of, "validationActions": ["Deny"], **(spec or {})},
    }


def birth_gate(settings: InstallSettings) -> list[objects.Manifest]:
    """Return the gate of creation: closed until the namespace's quota stands.

    The parameter is the ResourceQuota itself: the API server reads it from the store that quota
    admission reads, so nothing falls between two caches. None found denies.
    """
    spec = {
        "paramKind": {"apiVersion": "v1", "kind": "ResourceQuota"},
        "matchConstraints": {
            "matchPolicy": "Equivalent",
            "namespaceSelector": _HAS_PARENT,
            "resourceRules": gate.birth_rules(settings.gated),
            "excludeResourceRules": gate.exempt_rules(),
        },
        "matchConditions": [{"name": "not-ready", "expression": f"!({_READY})"}],
        "validations": [_not_measured("false", what="")],
    }
    return [
        policy(settings, BIRTH_GATE, spec=spec),
        binding(
            settings,
            BIRTH_GATE_BINDING,
            of=BIRTH_GATE,
            spec={"paramRef": _param_ref(when_missing="Deny")},
        ),
    ]


def growth_gate(settings: InstallSettings) -> list[objects.Manifest]:
    """Return the gate of growing updates while the quota exists but is not measured.

    Without any ResourceQuota it lets pass: a missing parameter would refuse every update before
    its content is looked at, the removal of finalizers included, and a namespace whose quota went
    first would never finish terminating. Only a manager can cause that state in a living one.
    """
    spec = {
        "paramKind": {"apiVersion": "v1", "kind": "ResourceQuota"},
        "matchConstraints": {
            "matchPolicy": "Equivalent",
            "namespaceSelector": _HAS_PARENT,
            "resourceRules": gate.update_rules(),
        },
        "matchConditions": [
            {"name": "what-is-charged-changes", "expression": cel.text(_CHARGED_CHANGES)},
            {"name": "not-ready", "expression": f"!({_READY})"},
        ],
        "validations": [_not_measured(cel.TERMINATING, what=" this change")],
    }
    return [
        policy(settings, GROWTH_GATE, spec=spec),
        binding(
            settings,
            GROWTH_GATE,
            of=GROWTH_GATE,
            spec={"paramRef": _param_ref(when_missing="Allow")},
        ),
    ]


# What native quota charges of an update: of a pod its deadline, which moves it between scopes, and
# its size through `resize`; of a claim its storage and class; of a service its type and ports.
_CHARGED_CHANGES: Final = f"""
    request.resource.resource == 'pods' && {cel.SUBRESOURCE} == ''
      ? object.?spec.?activeDeadlineSeconds != oldObject.?spec.?activeDeadlineSeconds
      : request.resource.resource == 'persistentvolumeclaims'
        ? object.?spec.?resources != oldObject.?spec.?resources
          || object.?spec.?volumeAttributesClassName != oldObject.?spec.?volumeAttributesClassName
        : object.?spec != oldObject.?spec
"""


def managed_quotas(settings: InstallSettings) -> list[objects.Manifest]:
    """Return the guard of managed ResourceQuotas, by name and by label.

    Native quota must go on measuring whatever its users are called: whoever may update the status
    of ResourceQuotas in all namespaces may do that here too, and nothing else.

    Nor may a manager end the measuring. A request that passed the gate a moment before would find
    no quota and be charged to nobody (`checkQuotas` in apiserver's
    plugin/resourcequota/controller.go skips a quota that went: "After all, you removed it").
    """
    label = f"'{names.LABEL_MANAGED}'"
    spec = {
        "matchConstraints": {
            "matchPolicy": "Equivalent",
            "resourceRules": [
                rule("", ["resourcequotas"], operations=["CREATE", "UPDATE", "DELETE"]),
                rule("", ["resourcequotas/status"], operations=["UPDATE"]),
            ],
        },
        "matchConditions": [
            {"name": "managed", "expression": _managed("object", "oldObject")},
            {"name": "not-the-controller", "expression": f"!({cel.by_controller(settings)})"},
            {"name": "not-a-measurement", "expression": cel.text(f"!({_MEASUREMENT})")},
        ],
        "variables": [
            cel.variable("name", "(object == null ? oldObject : object).metadata.name"),
            cel.variable(
                "labelOnly",
                f"variables.name != '{names.MANAGED_QUOTA}'"
                f" && !variables.name.startsWith('{names.managed_prefix()}')",
            ),
        ],
        "validations": [
            cel.validation(
                f"""
                request.operation == 'DELETE'
                  ? request.userInfo.username == '{_NAMESPACE_CONTROLLER}' || {cel.TERMINATING}
                  : ({_GOES_ON_MEASURING}) && {cel.MANAGER}
                """,
                message="this ResourceQuota belongs to quotatree; change a TreeQuota instead",
                says=f"""
                variables.labelOnly
                  ? 'the label ' + {label} + ' marks ResourceQuotas of quotatree; '
                    + 'leave it off ResourceQuota ' + variables.name
                  : 'ResourceQuota ' + variables.name + ' in namespace ' + request.namespace
                    + ' belongs to quotatree; to change a limit, change a TreeQuota of this '
                    + 'namespace or of one above it; it goes when the namespace leaves its tree'
                """,
            )
        ],
    }
    return [
        policy(settings, MANAGED_QUOTAS, spec=spec),
        binding(settings, MANAGED_QUOTAS, of=MANAGED_QUOTAS),
    ]


# Native quota measures what `status.hard` names, and its controller takes the names from the spec.
_STATUS_GOES_ON: Final = """oldObject.?status.?hard.orValue({}).all(r,
          r in object.?status.?hard.orValue({}) || !(r in object.?spec.?hard.orValue({})))"""
_GOES_ON_MEASURING: Final = f"""
    oldObject == null
      || oldObject.?spec.?hard.orValue({{}}).all(r, r in object.?spec.?hard.orValue({{}}))
        && {_STATUS_GOES_ON}
"""

# A change of the status and of nothing else, by quota admission or by the native controller,
# whatever its name: it may update the status of ResourceQuotas everywhere. A growth that says less
# than it was counted has a mark of ours, so that it is a write in any case.
_SAME_ANNOTATIONS: Final = f"""[object, oldObject].all(one, [object, oldObject].all(other,
          one.metadata.?annotations.orValue({{}}).all(key, key == '{names.ANNOTATION_TOUCHED}'
            || other.metadata.?annotations[?key].orValue('')
               == one.metadata.annotations[key])))"""
_MEASUREMENT: Final = f"""
    request.operation == 'UPDATE' && {cel.SUBRESOURCE} == 'status'
      && object.metadata.?labels.orValue({{}}) == oldObject.metadata.?labels.orValue({{}})
      && {_SAME_ANNOTATIONS}
      && object.metadata.?finalizers.orValue([]) == oldObject.metadata.?finalizers.orValue([])
      && object.metadata.?ownerReferences.orValue([])
         == oldObject.metadata.?ownerReferences.orValue([])
      && (request.userInfo.username == 'system:apiserver'
          || authorizer.group('').resource('resourcequotas').subresource('status')
               .check('update').allowed()
            && {_STATUS_GOES_ON})
"""


def _managed(*which: str) -> str:
    """Return the expression for "managed by name or by label", of any of the two objects."""
    return "\n|| ".join(
        f"({it} != null && ({it}.metadata.name == '{names.MANAGED_QUOTA}'"
        f"\n  || {it}.metadata.name.startsWith('{names.managed_prefix()}')"
        f"\n  || '{names.LABEL_MANAGED}' in {it}.metadata.?labels.orValue({{}})))"
        for it in which
    )


def limits(settings: InstallSettings) -> list[objects.Manifest]:
    """Return the guard of TreeQuotas: below a parent, the parent's people set the limits.

    A TreeQuota bounds the namespace that it lies in, and its guarantee takes room from everybody
    else under the same ancestors. So the right inside the namespace alone is not enough.
    """
    spec = {
        "matchConstraints": {
            "matchPolicy": "Equivalent",
            "resourceRules": [
                rule(names.GROUP, ["treequotas"], operations=["CREATE", "UPDATE", "DELETE"]),
                rule(names.GROUP, ["treequotas/status"], operations=["UPDATE"]),
            ],
        },
        "matchConditions": [
            {"name": "not-the-controller", "expression": f"!({cel.by_controller(settings)})"}
        ],
        "variables": [
            cel.variable(
                "parent",
                f"namespaceObject.metadata.?labels['{names.LABEL_PARENT}'].orValue('')",
            ),
        ],
        "validations": [
            cel.validation(
                f"{cel.SUBRESOURCE} != 'status' || {cel.MANAGER}",
                message="the status of a TreeQuota is written by quotatree's controller only",
            ),
            cel.validation(
                f"""
                {cel.SUBRESOURCE} == 'status'
                  || variables.parent == ''
                  || (request.operation == 'DELETE'
                      && (request.userInfo.username == '{_NAMESPACE_CONTROLLER}'
                          || {cel.TERMINATING}))
                  || {cel.may_update_quotas("variables.parent")}
                """,
                message="this needs the right to update treequotas in the parent namespace",
                says="""
                'namespace ' + request.namespace + ' lies under ' + variables.parent
                  + '; to change its limits, ' + request.userInfo.username
                  + ' needs the right to update treequotas in namespace ' + variables.parent
                """,
            ),
        ],
    }
    return [policy(settings, LIMITS, spec=spec), binding(settings, LIMITS, of=LIMITS)]


def _not_measured(expression: str, *, what: str) -> dict[str, Any]:
    """Return the refusal of both gates, unless `expression` holds."""
    later = f"is not measured yet; retry{what} in a second"
    return cel.validation(
        expression,
        message=f"the quota of this namespace {later}",
        says=f"'the quota of namespace ' + request.namespace + ' {later}'",
    )


def _param_ref(*, when_missing: str) -> dict[str, str]:
    return {"name": names.MANAGED_QUOTA, "parameterNotFoundAction": when_missing}


def rule(group: str, resources: list[str], *, operations: list[str]) -> dict[str, Any]:
    """Return one of a policy's `resourceRules`."""
    return {
        "apiGroups": [group],
        "apiVersions": ["*"],
        "operations": operations,
        "resources": resources,
        "scope": "Namespaced",
    }
