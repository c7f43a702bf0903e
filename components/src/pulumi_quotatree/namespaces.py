"""One namespace of a tree: the Namespace, its TreeQuotas, and what waits for what.

Upwards nothing stands without what holds it: a Namespace waits for the TreeQuotas of its parent,
its own TreeQuotas wait for it. Deletion goes the same way back, so children go first; and between
the last child and its parent the parent's TreeQuotas go, which gives the controller the time to
count its children again: the cluster refuses to delete a namespace that seems to have some.

Labels, annotations, finalizers and owners that the controller writes are never named here. Fields
are owned one by one (server-side apply), so neither side undoes the other.

Server-side apply takes what exists for its own, and to delete it later. So each Namespace that is
made carries a note of who made it, which quotatree's policies accept at its creation only: one that
exists already is refused, at preview too, unless the same program made it and was interrupted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pulumi

from pulumi_quotatree import kubernetes, taking_over
from pulumi_quotatree.kubernetes import KubernetesObject
from pulumi_quotatree.source import Source
from quotatree.model import names
from quotatree.model.observed import Lifecycle
from quotatree.model.treefile import TreeNode

# A stack that is renamed made them all the same: after creation the note is left as it is.
_NOTE: Final = [f'metadata.annotations["{names.ANNOTATION_MADE_BY}"]']


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The component that the resources belong to, where their values are, how long they may take.

    Every resource has the component as its parent: `depends_on=[component]` waits for those alone.
    """

    component: pulumi.ComponentResource
    source: Source
    timeout_seconds: int
    import_only: bool = False

    def options(self, *needs: pulumi.Resource) -> pulumi.ResourceOptions:
        """Return the options of a resource that waits for `needs`."""
        return pulumi.ResourceOptions(parent=self.component, depends_on=list(needs))

    def awaited(self, *needs: pulumi.Resource) -> pulumi.ResourceOptions:
        """Return the options of a resource that waits for `needs`, and then to be ready itself."""
        limit = f"{self.timeout_seconds}s"
        bound = pulumi.ResourceOptions(
            custom_timeouts=pulumi.CustomTimeouts(create=limit, update=limit)
        )
        return pulumi.ResourceOptions.merge(self.options(*needs), bound)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a Namespace goes, and what becomes of it."""

    parent: pulumi.Input[str] | None
    adopt: bool
    protect: bool
    waits: pulumi.ResourceOptions
    """What it waits for, as options."""

    taken_over: bool = False


def namespace(title: str, node: TreeNode, site: Site, *, place: Place) -> KubernetesObject:
    """Return the Namespace: made, imported or, where it is adopted, patched.

    One with a parent and without a TreeQuota of its own counts as made when the limits from above
    are enforced; the others are awaited by their TreeQuotas.

    An adopted one must exist: a patch of nothing would make it, and nobody would ever delete it.
    """
    awaited = place.parent is not None and not node.quotas
    made = not place.adopt and not place.taken_over
    manifest = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": str(node.namespace),
            "labels": _labels(site.source.labels(node), node, place.parent),
            "annotations": _with(
                site.source.annotations(node),
                {
                    **({kubernetes.WAIT_FOR: kubernetes.ENFORCED} if awaited else {}),
                    **({kubernetes.PATCH_FORCE: "true"} if place.taken_over else {}),
                    **({names.ANNOTATION_MADE_BY: _maker(title)} if made else {}),
                },
            ),
        },
    }
    bare = pulumi.ResourceOptions.merge(site.options(), place.waits)
    options = pulumi.ResourceOptions.merge(site.awaited(), place.waits) if awaited else bare
    options.protect = place.protect or None
    if place.taken_over and site.import_only:
        bare.protect = place.protect or None
        return taking_over.namespace(title, manifest, bare)
    if not place.adopt:
        left = pulumi.ResourceOptions(ignore_changes=_NOTE if made else None)
        return kubernetes.made(title, manifest, pulumi.ResourceOptions.merge(options, left))
    found = kubernetes.existing(
        f"{title}-must-exist-to-be-adopted", kubernetes.NAMESPACE, bare, found=str(node.namespace)
    )
    after = pulumi.ResourceOptions(depends_on=[found])
    return kubernetes.patched(title, manifest, pulumi.ResourceOptions.merge(options, after))


def tree_quotas(
    title: str,
    node: TreeNode,
    site: Site,
    *,
    needs: Sequence[pulumi.Resource],
    taken_over: bool = False,
) -> list[KubernetesObject]:
    """Return the TreeQuotas of a node; `title` and the name of each make its logical name."""
    made = []
    for quota in node.quotas:
        spec = site.source.spec(node, quota)
        manifest = kubernetes.tree_quota(quota, spec, forced=taken_over)
        if taken_over and site.import_only:
            options = site.options(*needs)
            made.append(taking_over.tree_quota(f"{title}{quota.name}", manifest, options))
        else:
            options = site.awaited(*needs)
            made.append(kubernetes.made(f"{title}{quota.name}", manifest, options))
    return made


def name_when(name: str, *needs: KubernetesObject) -> pulumi.Output[str]:
    """Return the name, to be had once everything in `needs` stands; at preview it is known."""
    return pulumi.Output.all(*(it.urn for it in needs)).apply(lambda _: str(name))


def _labels(
    own: pulumi.Input[Mapping[str, str]], node: TreeNode, parent: pulumi.Input[str] | None
) -> pulumi.Input[Mapping[str, Any]]:
    ours: dict[str, pulumi.Input[str]] = {}
    if parent is not None:
        ours[names.LABEL_PARENT] = parent
    if node.lifecycle is not Lifecycle.INDEPENDENT:
        ours[names.LABEL_LIFECYCLE] = node.lifecycle.value
    return _with(own, ours)


def _maker(title: str) -> str:
    return f"{pulumi.get_project()}/{pulumi.get_stack()}/{title}"


def _with(
    own: pulumi.Input[Mapping[str, str]], ours: Mapping[str, pulumi.Input[str]]
) -> pulumi.Input[Mapping[str, Any]]:
    if isinstance(own, Mapping):
        return {**own, **ours}
    return pulumi.Output.all(own, dict(ours)).apply(lambda both: {**both[0], **both[1]})
