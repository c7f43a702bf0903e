"""`QuotaTreeInstallation`: quotatree itself, from the very manifests of `quotatree manifests`."""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any, Final, NotRequired, TypedDict

import pulumi

from pulumi_quotatree import arguments, kubernetes, plan, values
from pulumi_quotatree.errors import TreeError
from pulumi_quotatree.kubernetes import KubernetesObject
from quotatree.codec import findings
from quotatree.errors import InputError
from quotatree.manifests import install, quota_policies, webhook
from quotatree.manifests.settings import DEFAULT_NAMESPACE, InstallSettings
from quotatree.model.names import API_VERSION
from quotatree.model.quota import FailurePolicy

__all__ = ["QuotaTreeInstallation", "QuotaTreeInstallationArgs"]

TYPE: Final = "pulumi-quotatree:index:QuotaTreeInstallation"

Manifest = Mapping[str, Any]

# The controller writes its certificates into them.
_CALLERS: Final = frozenset({"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"})
PHASES: Final = (
    frozenset({"Namespace", "CustomResourceDefinition"}),
    frozenset(
        {
            "ServiceAccount",
            "ClusterRole",
            "ClusterRoleBinding",
            "Role",
            "RoleBinding",
            "PriorityLevelConfiguration",
            "FlowSchema",
            "ValidatingAdmissionPolicy",
            "ValidatingAdmissionPolicyBinding",
        }
    ),
    frozenset({"Service", "Deployment", "PodDisruptionBudget"}),
    _CALLERS,
)
"""Kinds by the order in which they come: what guards a thing stands before it.

Deletion goes back the same way, so the webhooks are gone before those who answer for it.
"""

WEBHOOK: Final = (
    "kubernetes:admissionregistration.k8s.io/v1:ValidatingWebhookConfiguration",
    webhook.WEBHOOK_CONFIGURATION,
)

# The controller adds kinds to the gate when a TreeQuota counts them. To put the field back would
# open the gate for those kinds; to fight over it would fail each update after a refresh.
_CONTROLLERS: Final = {quota_policies.BIRTH_GATE: ["spec.matchConstraints.resourceRules"]}

# The controller writes its certificates there once it can answer for them.
_CALLED: Final = "jsonpath={.webhooks[*].clientConfig.caBundle}"

# Stands in the manifests where an Output goes.
_IMAGE: Final = "quotatree-image.invalid"
_BUNDLE: Final = "cXVvdGF0cmVl"


class QuotaTreeInstallationArgs(TypedDict):
    """How quotatree is installed. It needs `image`, `webhook_url` or `existing`."""

    existing: NotRequired[bool]
    """Whether quotatree is there already: nothing is made, only looked for. Default: false."""

    image: NotRequired[pulumi.Input[str]]
    """Container image of the controller."""

    namespace: NotRequired[str]
    """Where the controller lives. Default: quotatree-system."""

    replicas: NotRequired[int]
    """Pods of the controller; one of them leads. Default: 2."""

    webhook_url: NotRequired[str]
    """Base URL of a controller outside the cluster; leaves Deployment and Service out."""

    ca_bundle: NotRequired[pulumi.Input[str]]
    """Base64 of the PEM certificates that vouch for the webhook. Default: the controller's own."""

    usage_timeout_seconds: NotRequired[int]
    """Longest that one decision about usage may take, of up to four per request. Default: 1."""

    failure_policy: NotRequired[str]
    """`Fail` (default) or `Ignore`: what happens to growth while no controller answers."""

    gated: NotRequired[Sequence[str]]
    """Further kinds (`count/…`) whose creation waits for the quota of a new namespace."""

    controller_users: NotRequired[Sequence[str]]
    """Users that are trusted as the controller beside its ServiceAccount."""

    owner_references_enforced: NotRequired[bool]
    """Whether the API server runs the plugin OwnerReferencesPermissionEnforcement."""

    timeout_seconds: NotRequired[int]
    """Longest that the controller may take to answer. Default: 120."""


class QuotaTreeInstallation(pulumi.ComponentResource):
    """Quotatree in the cluster: its kind, rights, policies, controller and webhook.

    With `existing` it only makes sure that an installation is there, at preview already.
    """

    ready: pulumi.Output[str]
    """API version of TreeQuota, to be had once the controller answers. For `installation`."""

    def __init__(
        self, name: str, args: QuotaTreeInstallationArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Check the settings, then register what they ask for.

        Raises:
            TreeError: the settings make no installation; the message names the setting.
        """
        title = f"QuotaTreeInstallation {findings.quoted(name)}"
        given = arguments.known(args, QuotaTreeInstallationArgs, title=title)
        timeout = arguments.seconds(given, title=title)
        looked = arguments.flag(given, "existing", title=title)
        manifests = [] if looked else _manifests(given, title=title)
        super().__init__(TYPE, name, None, opts)
        waits = pulumi.ResourceOptions(
            parent=self, depends_on=opts.depends_on if opts is not None else None
        )
        if looked:
            last = _look(name, waits)
        else:
            last = _register(name, manifests, waits, timeout_seconds=timeout)
        # By their ids, which nobody knows at the preview of a first installation: until then there
        # is no kind TreeQuota to be looked for.
        self.ready = pulumi.Output.all(*(it.id for it in last)).apply(lambda _: API_VERSION)
        self.register_outputs({"ready": self.ready})


def _look(name: str, waits: pulumi.ResourceOptions) -> list[KubernetesObject]:
    token, found = WEBHOOK
    title = f"{name}-needs-the-webhook-of-quotatree-installed"
    kind = kubernetes.installed(name, None, waits)
    return [kind, kubernetes.existing(title, token, waits, found=found)]


def _register(
    name: str,
    manifests: Sequence[Manifest],
    waits: pulumi.ResourceOptions,
    *,
    timeout_seconds: int,
) -> list[KubernetesObject]:
    """Register all objects, each phase after the one before; return those of the last."""
    limit = f"{timeout_seconds}s"
    bound = pulumi.ResourceOptions(
        custom_timeouts=pulumi.CustomTimeouts(create=limit, update=limit)
    )
    last: list[KubernetesObject] = []
    for phase in PHASES:
        after = pulumi.ResourceOptions(depends_on=list(last))
        options = pulumi.ResourceOptions.merge(pulumi.ResourceOptions.merge(waits, bound), after)
        found = [manifest for manifest in manifests if manifest["kind"] in phase]
        last = [_made(name, manifest, options) for manifest in found] or last
    return last


def _made(name: str, manifest: Manifest, options: pulumi.ResourceOptions) -> KubernetesObject:
    own = manifest["metadata"]["name"]
    theirs = pulumi.ResourceOptions(ignore_changes=_CONTROLLERS.get(own))
    # Two kinds may have one name: all of them are called quotatree.
    title = f"{name}-{manifest['kind']}-{own}"
    return kubernetes.made(title, manifest, pulumi.ResourceOptions.merge(options, theirs))


# -- manifests ------------------------------------------------------------------------------


def _manifests(given: Mapping[str, Any], *, title: str) -> list[Manifest]:
    """Return the objects; where the image or the certificates are Outputs, so is their place."""
    outputs = {}
    for key, stand_in in (("image", _IMAGE), ("ca_bundle", _BUNDLE)):
        if values.is_later(given.get(key)):
            outputs[stand_in] = _later_text(given[key], key, title=title)
            given = {**given, key: stand_in}
    settings = _settings(given, title=title)
    found = [_awaited(manifest, settings) for manifest in install.installation(settings)]
    return [{key: _filled(part, outputs) for key, part in it.items()} for it in found]


def _awaited(manifest: Manifest, settings: InstallSettings) -> Manifest:
    """Return the object with what makes it ready, where Pulumi's own idea of that is another."""
    if manifest["kind"] not in _CALLERS or settings.ca_bundle:
        return manifest
    metadata = manifest["metadata"]
    annotations = {**metadata.get("annotations", {}), kubernetes.WAIT_FOR: _CALLED}
    return {**manifest, "metadata": {**metadata, "annotations": annotations}}


def _filled(value: object, outputs: Mapping[str, pulumi.Output[Any]]) -> object:
    if isinstance(value, dict):
        return {key: _filled(entry, outputs) for key, entry in value.items()}
    if isinstance(value, list):
        return [_filled(item, outputs) for item in value]
    return outputs.get(value, value) if isinstance(value, str) else value


def _settings(given: Mapping[str, Any], *, title: str) -> InstallSettings:
    policies = [policy.value for policy in FailurePolicy]
    policy = given.get("failure_policy", FailurePolicy.FAIL.value)
    if policy not in policies:
        hint = f"one of {', '.join(policies)}"
        raise plan.refuse(title, "failure_policy", f"is {findings.kind_of(policy)}", hint=hint)
    try:
        return InstallSettings(
            namespace=arguments.object_name(
                given, "namespace", title=title, default=DEFAULT_NAMESPACE
            ),
            version=version("quotatree"),
            image=_text(given, "image", title=title) or "",
            replicas=arguments.whole(given, "replicas", title=title, default=2),
            webhook_url=_text(given, "webhook_url", title=title),
            ca_bundle=_text(given, "ca_bundle", title=title) or "",
            usage_timeout_seconds=arguments.whole(
                given, "usage_timeout_seconds", title=title, default=1
            ),
            failure_policy=FailurePolicy(policy),
            gated=arguments.names(given, "gated", title=title),
            controller_users=arguments.names(given, "controller_users", title=title),
            owner_references_enforced=arguments.flag(
                given, "owner_references_enforced", title=title
            ),
        )
    except TreeError:
        raise
    except InputError as error:
        raise plan.refuse(title, "", str(error)) from error


def _later_text(value: pulumi.Input[str], name: str, *, title: str) -> pulumi.Output[str]:
    """Return an Output that turns out to be a text, or ends the program."""

    def check(found: object) -> str:
        if not isinstance(found, str) or not found:
            raise plan.refuse(title, name, f"must be a text, is {findings.kind_of(found)}")
        return found

    return pulumi.Output.from_input(value).apply(check)


def _text(given: Mapping[str, Any], name: str, *, title: str) -> str | None:
    found = given.get(name)
    if found is not None and not isinstance(found, str):
        kind = "an Output" if values.is_later(found) else findings.kind_of(found)
        raise plan.refuse(title, name, f"must be a text that is known at the start, is {kind}")
    return found
