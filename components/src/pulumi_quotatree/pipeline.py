"""`PipelineNamespace`: everything that one pipeline needs before its first pod."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, NotRequired, TypedDict

import pulumi

from pulumi_quotatree import arguments, defaults, kubernetes, namespaces, plan, source, values
from pulumi_quotatree.kubernetes import KubernetesObject
from pulumi_quotatree.namespaces import Place, Site
from pulumi_quotatree.plan import Terms
from pulumi_quotatree.source import Source
from quotatree.codec import findings
from quotatree.model.treefile import TreeNode

__all__ = ["PipelineNamespace", "PipelineNamespaceArgs"]

TYPE: Final = "pulumi-quotatree:index:PipelineNamespace"
ACCOUNT: Final = "pipeline"
ROLE: Final = "edit"
_NODE: Final = (
    "hard",
    "guaranteed",
    "failure_policy",
    "mode",
    "lifecycle",
    "labels",
    "annotations",
)


class PipelineNamespaceArgs(TypedDict):
    """What a pipeline gets. It needs `hard`, `guaranteed` or a `parent`."""

    namespace: NotRequired[str]
    """Name of the namespace. Default: the name of this component."""

    parent: NotRequired[pulumi.Input[str]]
    """Namespace under which it is put, for instance an output of a QuotaTree."""

    hard: NotRequired[pulumi.Input[Mapping[str, pulumi.Input[str]]]]
    """Ceiling of the namespace and everything below it: resource name to quantity."""

    guaranteed: NotRequired[pulumi.Input[Mapping[str, pulumi.Input[str]]]]
    """Part of the ancestors' room that is kept free for it: resource name to quantity."""

    failure_policy: NotRequired[str]
    """`Fail` (default) or `Ignore`: what happens to growth while quotatree does not answer."""

    mode: NotRequired[str]
    """`Enforce` (default) or `Observe`: refuse nothing, and say what would have been refused."""

    lifecycle: NotRequired[str]
    """`Independent` (default) or `Owned`: deleted with its parent, if the parent allows it."""

    labels: NotRequired[pulumi.Input[Mapping[str, pulumi.Input[str]]]]
    """Labels of the Namespace. Those of quotatree are written by quotatree."""

    annotations: NotRequired[pulumi.Input[Mapping[str, pulumi.Input[str]]]]
    """Annotations of the Namespace."""

    default_requests: NotRequired[pulumi.Input[Mapping[str, pulumi.Input[str]]]]
    """Requests of containers that name none. Default: cpu 100m, memory 128Mi."""

    default_limits: NotRequired[pulumi.Input[Mapping[str, pulumi.Input[str]]]]
    """Limits of containers that name none.

    Default: none, but cpu 1 and memory 1Gi where `hard` names limits.cpu or limits.memory. A
    container that requests more than this and names no limit is refused.
    """

    service_account: NotRequired[str]
    """Name of the ServiceAccount for the pipeline's pods. Default: pipeline."""

    role: NotRequired[str]
    """ClusterRole that the ServiceAccount gets in this namespace. Default: edit."""

    deny_network: NotRequired[bool]
    """Whether all traffic is denied, in and out, until other NetworkPolicies allow some.

    Default: false. Name resolution is traffic too.
    """

    adopt: NotRequired[bool]
    """Whether the namespace exists already: labelled and limited, never created or deleted."""

    protect: NotRequired[bool]
    """Whether Pulumi refuses to delete the namespace until this is false again.

    Default: false. The cluster itself refuses it in any case while namespaces are below it.
    """

    installation: NotRequired[pulumi.Input[str]]
    """Output `ready` of a QuotaTreeInstallation in the same program, to wait for it."""

    check_installation: NotRequired[bool]
    """Whether to look for quotatree in the cluster before anything is made. Default: true."""

    timeout_seconds: NotRequired[int]
    """Longest that the namespace or its TreeQuota may take until enforced. Default: 120."""


class PipelineNamespace(pulumi.ComponentResource):
    """A namespace for one pipeline, with its quota, defaults for its pods and an account.

    Native quota refuses pods that do not say what a quota counts. The LimitRange says it for them.
    The account gets its rights last, when all limits and defaults stand.
    """

    namespace: pulumi.Output[str]
    """Name of the namespace, to be had once everything in it stands and is enforced."""

    service_account: pulumi.Output[str]
    """Name of the ServiceAccount, to be had at the same time."""

    def __init__(
        self, name: str, args: PipelineNamespaceArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Check the values, then register the resources.

        Raises:
            TreeError: the namespace cannot be made; the message names every value that is wrong.
        """
        title = f"PipelineNamespace {findings.quoted(name)}"
        given = arguments.known(args, PipelineNamespaceArgs, title=title)
        place = Place(
            parent=arguments.parent(given, title=title),
            adopt=arguments.flag(given, "adopt", title=title),
            protect=arguments.flag(given, "protect", title=title),
            waits=pulumi.ResourceOptions(),  # known once the component is registered
        )
        found = _source(
            given, name, Terms(title=title, rooted=place.parent is not None), component=self
        )
        inside = _Inside.of(given, found, title=title)
        timeout = arguments.seconds(given, title=title)
        look = arguments.look(given, title=title)
        super().__init__(TYPE, name, None, opts)
        source.warn(found.warnings, self)
        site = Site(component=self, source=found, timeout_seconds=timeout)
        place = replace(place, waits=arguments.first_waits(name, look, component=self, opts=opts))
        standing = _register(name, site, place=place, inside=inside)
        self.namespace = namespaces.name_when(inside.node.namespace, *standing)
        self.service_account = namespaces.name_when(inside.account, *standing)
        self.register_outputs({"namespace": self.namespace, "serviceAccount": self.service_account})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Inside:
    """What stands in the namespace, checked."""

    node: TreeNode
    container: pulumi.Input[Mapping[str, Any]]
    account: str
    role: str
    deny_network: bool

    @classmethod
    def of(cls, given: Mapping[str, Any], found: Source, *, title: str) -> "_Inside":
        """Return the checked values.

        Raises:
            TreeError: one of them cannot be.
        """
        (node,) = found.tree.nodes
        return cls(
            node=node,
            container=_container(given, found, node, title=title),
            account=arguments.object_name(given, "service_account", title=title, default=ACCOUNT),
            role=_role(given, title=title),
            deny_network=arguments.flag(given, "deny_network", title=title),
        )


def _source(
    given: Mapping[str, Any], name: str, terms: Terms, *, component: pulumi.Resource
) -> Source:
    namespace = given.get("namespace", name)
    if not isinstance(namespace, str):
        raise plan.refuse(terms.title, "namespace", "must be a text that is known at the start")
    draft = values.nested({namespace: {key: given[key] for key in _NODE if key in given}})
    found = source.of_draft(draft, terms, lambda: component)
    if not terms.rooted and not any(node.quotas for node in found.tree.nodes):
        message = "nothing limits this namespace"
        raise plan.refuse(terms.title, "", message, hint="give it hard, guaranteed or a parent")
    return found


def _container(
    given: Mapping[str, Any], found: Source, node: TreeNode, *, title: str
) -> pulumi.Input[Mapping[str, Any]]:
    asked = {
        "requests": given.get("default_requests"),
        "limits": given.get("default_limits"),
        "hard": [found.spec(node, quota) for quota in node.quotas],
    }

    def judge(known: Mapping[str, Any]) -> dict[str, Any]:
        hard = {key: value for spec in known["hard"] for key, value in spec.get("hard", {}).items()}
        return defaults.container(known["requests"], known["limits"], hard=hard, title=title)

    if values.has_later(asked):
        return pulumi.Output.from_input(asked).apply(judge)
    return judge(asked)


def _role(given: Mapping[str, Any], *, title: str) -> str:
    role = given.get("role", ROLE)
    # Names of roles are segments of a path: more is allowed than elsewhere, `system:…` too.
    if not isinstance(role, str) or not role or any(c in role for c in "/%") or role in {".", ".."}:
        kind = "an Output" if values.is_later(role) else findings.kind_of(role)
        raise plan.refuse(title, "role", f"must be the name of a ClusterRole, is {kind}")
    return role


def _register(name: str, site: Site, *, place: Place, inside: _Inside) -> list[KubernetesObject]:
    """Register all objects; return those that stand last."""
    made = namespaces.namespace(f"{name}-namespace", inside.node, site, place=place)
    limits = namespaces.tree_quotas(f"{name}-", inside.node, site, needs=[made])
    enforced = limits or [made]

    def put(title: str, manifest: Mapping[str, Any], *needs: KubernetesObject) -> KubernetesObject:
        metadata = {**manifest["metadata"], "namespace": str(inside.node.namespace)}
        needed = needs or enforced
        return kubernetes.made(
            f"{name}-{title}", {**manifest, "metadata": metadata}, site.options(*needed)
        )

    before = [put("defaults", _limit_range(inside)), put("account", _account(inside))]
    if inside.deny_network:
        before.append(put("default-deny", _NO_TRAFFIC))
    binding = put("binding", _binding(inside), *before)
    return [*enforced, binding]


def _limit_range(inside: _Inside) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "LimitRange",
        "metadata": {"name": "defaults"},
        "spec": inside.container,
    }


def _account(inside: _Inside) -> dict[str, Any]:
    metadata = {"name": inside.account}
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}


def _binding(inside: _Inside) -> dict[str, Any]:
    namespace = str(inside.node.namespace)
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": inside.account},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": inside.role,
        },
        "subjects": [
            {"kind": "ServiceAccount", "name": inside.account, "namespace": namespace},
        ],
    }


_NO_TRAFFIC: Final[Mapping[str, Any]] = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "default-deny"},
    "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
}
