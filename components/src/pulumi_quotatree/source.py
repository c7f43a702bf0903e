"""Where the values of a tree come from: known at once, or judged when the last Output is known."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import pulumi

from pulumi_quotatree import plan
from pulumi_quotatree.plan import Plan, Terms
from pulumi_quotatree.values import Draft, Later
from quotatree.codec import quotas
from quotatree.model.names import Namespace
from quotatree.model.problem import Problem
from quotatree.model.quota import Quota
from quotatree.model.treefile import DEFAULT_QUOTA, TreeFile, TreeNode

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A tree as far as it is known, and the whole of it for what is not."""

    tree: TreeFile
    warnings: tuple[Problem, ...] = ()
    final: pulumi.Output[Plan] | None = None
    later: frozenset[tuple[str, str]] = frozenset()

    def labels(self, node: TreeNode) -> pulumi.Input[Mapping[str, str]]:
        """Return the user's labels of a node."""
        return self._read(node, "labels", lambda known: known.labels)

    def annotations(self, node: TreeNode) -> pulumi.Input[Mapping[str, str]]:
        """Return the user's annotations of a node."""
        return self._read(node, "annotations", lambda known: known.annotations)

    def spec(self, node: TreeNode, quota: Quota) -> pulumi.Input[Mapping[str, Any]]:
        """Return the spec of a TreeQuota of a node."""

        def spec_of(known: TreeNode) -> dict[str, Any]:
            return next(quotas.spec_to_dict(q) for q in known.quotas if q.name == quota.name)

        return self._read(node, f"quota {quota.name}", spec_of)

    def _read(
        self, node: TreeNode, what: str, read: Callable[[TreeNode], T]
    ) -> T | pulumi.Output[T]:
        if self.final is None or (node.namespace, what) not in self.later:
            return read(node)
        return self.final.apply(lambda known: read(_node(known.tree, node.namespace)))


def of_draft(draft: Draft, terms: Terms, component: Callable[[], pulumi.Resource]) -> Source:
    """Return the source of a draft; `component` is asked for when late warnings are told.

    Raises:
        TreeError: what is known already makes no tree.
    """
    first = plan.of_document(draft.document(), terms, *draft.problems)
    if not draft.later:
        return Source(tree=first.tree, warnings=first.warnings)

    def judge(known: Sequence[Any]) -> Plan:
        found = plan.of_document(draft.document(known), terms)
        warn([w for w in found.warnings if w not in first.warnings], component())
        return found

    return Source(
        tree=first.tree,
        warnings=first.warnings,
        final=pulumi.Output.all(*draft.outputs()).apply(judge),
        later=frozenset(_place(draft, later) for later in draft.later),
    )


def of_plan(found: Plan) -> Source:
    """Return the source of a tree that is known as a whole."""
    return Source(tree=found.tree, warnings=found.warnings)


def warn(warnings: Sequence[Problem], component: pulumi.Resource) -> None:
    """Tell what does not hinder anything."""
    for warning in warnings:
        pulumi.log.warn(str(warning), resource=component)


def _node(tree: TreeFile, name: Namespace) -> TreeNode:
    return next(node for node in tree.nodes if node.namespace == name)


def _place(draft: Draft, later: Later) -> tuple[str, str]:
    """Return whose value it is, and which: a key of the node, or a quota by its name."""
    steps = list(later.path)
    namespace, tree = str(steps.pop(0)), draft.tree
    while steps[0] == "children":
        tree = tree[namespace]["children"]
        namespace, steps = str(steps[1]), steps[2:]
    if steps[0] == "quotas":
        return namespace, f"quota {tree[namespace]['quotas'][steps[1]].get('name')}"
    key = str(steps[0])
    return namespace, key if key in {"labels", "annotations"} else f"quota {DEFAULT_QUOTA}"
