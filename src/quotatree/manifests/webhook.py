"""The webhook configuration: what the API server asks quotatree about, and what it must not.

Every condition narrows the calls to what cannot be decided without the tree. The native quota
controller's writes are never judged: a webhook in its way would leave the status of a ResourceQuota
empty, and an empty status enforces nothing. They are put right where they are too low, by an entry
that is ignored when nobody answers.
"""

from __future__ import annotations

from typing import Any, Final

from quotatree.manifests import cel, objects
from quotatree.manifests.settings import InstallSettings
from quotatree.model import names, quota

WEBHOOK_CONFIGURATION: Final = "quotatree"
USAGE_PATH: Final = "/admit/usage"
LENIENT_USAGE_PATH: Final = "/admit/usage-or-pass"
"""Growth that passes where nobody decides: there it is answered with an error, not a refusal."""
RECOUNT_PATH: Final = "/correct/usage"
TREE_QUOTA_PATH: Final = "/validate/treequota"
NAMESPACE_PATH: Final = "/validate/namespace"

# The least that there is: the native controller goes on after it, whatever became of us.
_RECOUNT_TIMEOUT_SECONDS: Final = 1

# People wait for these two, one at a time; nobody's pods do.
_VALIDATION_TIMEOUT_SECONDS: Final = 5


def spec_configuration(settings: InstallSettings) -> objects.Manifest:
    """Return the ValidatingWebhookConfiguration: what people say of the tree."""
    entries = [_tree_quota(settings), _namespace(settings)]
    return _configuration(settings, "ValidatingWebhookConfiguration", entries)


def usage_configuration(settings: InstallSettings) -> objects.Manifest:
    """Return the MutatingWebhookConfiguration: writes of usage, growth (entry 1) and recounts (2).

    Growth has two entries, one for each policy. Mutating ones are called before the resourceVersion
    is compared, on the object that is replaced. A recount that will lose is not asked about; growth
    is, and held back until quota admission sees what it lost to: it has four tries.
    """
    entries = (
        _usage(settings, "usage", lenient=False),
        _usage(settings, "usage-ignore", lenient=True),
        _recount(settings),
    )
    once = [{**entry, "reinvocationPolicy": "Never"} for entry in entries]
    return _configuration(settings, "MutatingWebhookConfiguration", once)


def _configuration(
    settings: InstallSettings, kind: str, entries: list[dict[str, Any]]
) -> objects.Manifest:
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": kind,
        "metadata": objects.metadata(settings, WEBHOOK_CONFIGURATION, component="webhook"),
        "webhooks": entries,
    }


def _recount(settings: InstallSettings) -> dict[str, Any]:
    """Return entry 2: whoever counts the usage of a managed ResourceQuota."""
    return _entry(
        settings,
        "recount",
        path=RECOUNT_PATH,
        rule=_rule("", ["resourcequotas/status"], operations=["UPDATE"]),
        conditions={
            # Whatever the native controller is called here: everybody but these two only counts.
            "not-quota-admission": f"!({_BY_QUOTA_ADMISSION})",
            "not-the-controller": f"!({cel.by_controller(settings)})",
            "managed": _MANAGED,
            "not-lost": _NOT_LOST,
        },
        failure_policy="Ignore",
        timeout_seconds=_RECOUNT_TIMEOUT_SECONDS,
    )


_BY_QUOTA_ADMISSION: Final = "request.userInfo.username == 'system:apiserver'"
_MANAGED: Final = (
    f"request.name == '{names.MANAGED_QUOTA}'"
    f" || request.name.startsWith('{names.managed_prefix()}')"
)

# What replaces another version than the one that is there is a conflict; with none, or 0, it is not
# compared (`Update` in apiserver's pkg/registry/generic/registry/store.go).
_NOT_LOST: Final = """
    [object.metadata.?resourceVersion.orValue('0')].exists(base,
      base == '0' || base == oldObject.metadata.?resourceVersion.orValue(''))
"""


def _usage(settings: InstallSettings, name: str, *, lenient: bool) -> dict[str, Any]:
    """Return entry 1: growth of a managed ResourceQuota beyond its slice.

    The label on the ResourceQuota itself tells the two of them apart: only the controller may
    change it (`quotatree-managed-quotas`), and the API server reads it from the very object whose
    growth it is about, not from a cache of Namespaces. A selector spares the other entry's
    conditions. It counts the old object and the new one: in doubt both entries are asked.
    """
    policy = quota.FailurePolicy.IGNORE if lenient else settings.failure_policy
    return _entry(
        settings,
        name,
        path=LENIENT_USAGE_PATH if policy is quota.FailurePolicy.IGNORE else USAGE_PATH,
        rule=_rule("", ["resourcequotas/status"], operations=["UPDATE"]),
        conditions={
            "by-quota-admission": _BY_QUOTA_ADMISSION,
            "managed": _MANAGED,
            "grows-beyond-its-slice": _GROWS_BEYOND_ITS_SLICE,
        },
        selector={
            "key": names.LABEL_FAILURE_POLICY,
            "operator": "In" if lenient else "NotIn",
            "values": [quota.FailurePolicy.IGNORE.value],
        },
        failure_policy=policy.value,
        timeout_seconds=settings.usage_timeout_seconds,
    )


# A name whose annotation would be too long has no slice, and each of its growths is asked about.
# What is not a quantity cannot be compared: it is taken for growth, never for a slice, and the
# expression never fails, since a failure would refuse with `Fail` and wave through with `Ignore`.
_GROWS_BEYOND_ITS_SLICE: Final = f"""
    object.?status.?used.orValue({{}}).exists(k,
      !isQuantity(object.status.used[k])
      || (quantity(object.status.used[k]).isGreaterThan(
            [oldObject.?status.?used[?k].orValue('0')].map(was,
              isQuantity(was) ? quantity(was) : quantity('0'))[0])
          && ![oldObject.metadata.?annotations[?('{names.SLICE_PREFIX}' + k.replace('/', '_'))]
                 .orValue('')].exists(room,
               isQuantity(room)
               && !quantity(object.status.used[k]).isGreaterThan(quantity(room)))))
"""


def _tree_quota(settings: InstallSettings) -> dict[str, Any]:
    """Return the check of TreeQuotas; deletion and metadata (finalizers) pass without it."""
    return _entry(
        settings,
        "treequota",
        path=TREE_QUOTA_PATH,
        rule=_rule(names.GROUP, ["treequotas"], operations=["CREATE", "UPDATE"]),
        conditions={
            "spec-changes": "request.operation == 'CREATE' || object.?spec != oldObject.?spec"
        },
    )


def _namespace(settings: InstallSettings) -> dict[str, Any]:
    """Return the check of parents: asked only when a Namespace gets one or another one.

    Leaving a tree only gives capacity back, so a dead controller keeps nobody from it.
    """
    parent = f"metadata.?labels['{names.LABEL_PARENT}']"
    return _entry(
        settings,
        "namespace",
        path=NAMESPACE_PATH,
        rule=_rule(
            "",
            ["namespaces", "namespaces/status", "namespaces/finalize"],
            operations=["CREATE", "UPDATE"],
            scope="Cluster",
        ),
        conditions={
            "gets-a-parent": f"""
                object.{parent}.hasValue()
                  && (oldObject == null || object.{parent} != oldObject.{parent})
                """
        },
    )


def _entry(
    settings: InstallSettings,
    name: str,
    *,
    path: str,
    rule: dict[str, Any],
    conditions: dict[str, str],
    selector: dict[str, Any] | None = None,
    failure_policy: str = "Fail",
    timeout_seconds: int = _VALIDATION_TIMEOUT_SECONDS,
) -> dict[str, Any]:
    return {
        "name": f"{name}.{names.GROUP}",
        "admissionReviewVersions": ["v1"],
        "clientConfig": _client_config(settings, path),
        "rules": [rule],
        **({"objectSelector": {"matchExpressions": [selector]}} if selector else {}),
        "matchConditions": [
            {"name": key, "expression": cel.text(expression)}
            for key, expression in conditions.items()
        ],
        "matchPolicy": "Equivalent",
        "failurePolicy": failure_policy,
        "sideEffects": "NoneOnDryRun",
        "timeoutSeconds": timeout_seconds,
    }


def _client_config(settings: InstallSettings, path: str) -> dict[str, Any]:
    """Return where the webhook listens; without a CA bundle the field is left to the controller."""
    config: dict[str, Any]
    if settings.webhook_url is not None:
        config = {"url": settings.webhook_url.rstrip("/") + path}
    else:
        config = {
            "service": {
                "namespace": settings.namespace,
                "name": objects.WEBHOOK_SERVICE,
                "path": path,
                "port": 443,
            }
        }
    if settings.ca_bundle:
        config["caBundle"] = settings.ca_bundle
    return config


def _rule(
    group: str, resources: list[str], *, operations: list[str], scope: str = "Namespaced"
) -> dict[str, Any]:
    return {
        "apiGroups": [group],
        "apiVersions": ["v1" if group == "" else "v1alpha1"],
        "operations": operations,
        "resources": resources,
        "scope": scope,
    }
