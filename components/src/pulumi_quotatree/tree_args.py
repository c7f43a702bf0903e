"""What `QuotaTree` takes. The docstrings are the descriptions in the schema for other languages."""

from typing import Mapping, NotRequired, Sequence, TypedDict  # noqa: UP035 - see NodeArgs.children

import pulumi


class ScopeTermArgs(TypedDict):
    """One requirement on the pods or claims that a quota counts."""

    scope_name: str
    """A scope of native ResourceQuota, for instance `PriorityClass`."""

    operator: str
    """`Exists`, `DoesNotExist`, `In` or `NotIn`."""

    values: NotRequired[Sequence[str]]
    """What the scope is compared with, for `In` and `NotIn`."""


class ScopeSelectorArgs(TypedDict):
    """Which pods or claims a quota counts, as in native ResourceQuota."""

    match_expressions: Sequence[ScopeTermArgs]
    """All of these have to hold."""


class QuotaArgs(TypedDict):
    """A further TreeQuota of a namespace, for instance a scoped one."""

    name: str
    """Name of the TreeQuota. `quota` is that of the namespace's own `hard` and `guaranteed`."""

    hard: NotRequired[pulumi.Input[Mapping[str, pulumi.Input[str]]]]
    """Ceiling of this namespace and everything below it: resource name to quantity."""

    guaranteed: NotRequired[pulumi.Input[Mapping[str, pulumi.Input[str]]]]
    """Part of the ancestors' room that is kept free for this subtree: resource name to quantity."""

    scopes: NotRequired[Sequence[str]]
    """Scopes of native ResourceQuota, for instance `BestEffort`."""

    scope_selector: NotRequired[ScopeSelectorArgs]
    """Scopes with values."""

    failure_policy: NotRequired[str]
    """`Fail` (default) or `Ignore`: what happens to growth while quotatree does not answer."""

    mode: NotRequired[str]
    """`Enforce` (default) or `Observe`: refuse nothing, and say what would have been refused."""


class NodeArgs(TypedDict):
    """One namespace of a nested tree; its name is its key."""

    hard: NotRequired[pulumi.Input[Mapping[str, pulumi.Input[str]]]]
    """Ceiling of this namespace and everything below it: resource name to quantity."""

    guaranteed: NotRequired[pulumi.Input[Mapping[str, pulumi.Input[str]]]]
    """Part of the ancestors' room that is kept free for this subtree: resource name to quantity."""

    failure_policy: NotRequired[str]
    """`Fail` (default) or `Ignore`: what happens to growth while quotatree does not answer."""

    mode: NotRequired[str]
    """`Enforce` (default) or `Observe`: refuse nothing, and say what would have been refused."""

    quotas: NotRequired[Sequence[QuotaArgs]]
    """Further TreeQuotas of this namespace, for instance scoped ones."""

    lifecycle: NotRequired[str]
    """`Independent` (default) or `Owned`: deleted with its parent, if the parent allows it."""

    labels: NotRequired[pulumi.Input[Mapping[str, pulumi.Input[str]]]]
    """Labels of the Namespace. Those of quotatree are written by quotatree."""

    annotations: NotRequired[pulumi.Input[Mapping[str, pulumi.Input[str]]]]
    """Annotations of the Namespace."""

    # A forward reference inside the built-in `dict` is a plain string, which no schema can follow.
    children: NotRequired[Mapping[str, "NodeArgs"]]
    """The namespaces below this one, by name."""


class ListedNodeArgs(TypedDict):
    """One namespace of a tree that is given as a list."""

    namespace: str
    """Name of the namespace."""

    parent: NotRequired[str]
    """Name of its parent, which is in the list too. Without it the namespace is a root."""

    hard: NotRequired[pulumi.Input[Mapping[str, pulumi.Input[str]]]]
    """Ceiling of this namespace and everything below it: resource name to quantity."""

    guaranteed: NotRequired[pulumi.Input[Mapping[str, pulumi.Input[str]]]]
    """Part of the ancestors' room that is kept free for this subtree: resource name to quantity."""

    failure_policy: NotRequired[str]
    """`Fail` (default) or `Ignore`: what happens to growth while quotatree does not answer."""

    mode: NotRequired[str]
    """`Enforce` (default) or `Observe`: refuse nothing, and say what would have been refused."""

    quotas: NotRequired[Sequence[QuotaArgs]]
    """Further TreeQuotas of this namespace, for instance scoped ones."""

    lifecycle: NotRequired[str]
    """`Independent` (default) or `Owned`: deleted with its parent, if the parent allows it."""

    labels: NotRequired[pulumi.Input[Mapping[str, pulumi.Input[str]]]]
    """Labels of the Namespace. Those of quotatree are written by quotatree."""

    annotations: NotRequired[pulumi.Input[Mapping[str, pulumi.Input[str]]]]
    """Annotations of the Namespace."""


class QuotaTreeArgs(TypedDict):
    """A tree of namespaces: exactly one of `tree`, `nodes`, `file` and `text`."""

    tree: NotRequired[Mapping[str, NodeArgs]]
    """The roots: namespace to node. Only amounts, labels and annotations may be Outputs."""

    nodes: NotRequired[Sequence[ListedNodeArgs]]
    """The same as a list in any order, each node with the name of its parent."""

    file: NotRequired[str]
    """Path of a quotatree.yaml, from the directory in which the program runs."""

    text: NotRequired[str]
    """The content of a quotatree.yaml."""

    parent: NotRequired[pulumi.Input[str]]
    """Namespace outside of this tree under which its roots are put."""

    adopt: NotRequired[Sequence[str]]
    """Namespaces of the tree that exist already: labelled and limited, never created or deleted."""

    take_over: NotRequired[Sequence[str]]
    """Namespaces of the tree that exist already and become this program's own, with their
    TreeQuotas: imported, and from then on changed and deleted by it."""

    import_only: NotRequired[bool]
    """Whether what is taken over is imported and nothing more: the cluster stays as it is, and what
    differs from this program is told. For the first `up`; default: false."""

    strict: NotRequired[bool]
    """Whether a limit above an ancestor's, which never bites, is an error; else a warning.

    Default: true, but false where something is taken over.
    """

    protect: NotRequired[bool]
    """Whether Pulumi refuses to delete namespaces with children until this is false again.

    Default: false. The cluster itself refuses it in any case while children stand.
    """

    installation: NotRequired[pulumi.Input[str]]
    """Output `ready` of a QuotaTreeInstallation in the same program, to wait for it."""

    check_installation: NotRequired[bool]
    """Whether to look for quotatree in the cluster before anything is made. Default: true."""

    timeout_seconds: NotRequired[int]
    """Longest that one namespace or TreeQuota may take until it is enforced. Default: 120."""
