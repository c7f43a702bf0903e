"""A namespace with neither a quota nor a parent takes what it likes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pulumi_quotatree_policy import plain
from pulumi_quotatree_policy.finding import Finding
from pulumi_quotatree_policy.planned import Planned
from pulumi_quotatree_policy.question import Question
from quotatree.model.names import LABEL_PARENT, Namespace

_LABELS: Final = ("metadata", "labels")


def judge(question: Question) -> Iterator[Finding]:
    """Yield each Namespace of the program that nothing limits."""
    limited, vague = _limited(question)
    for it in question.plan.namespaces():
        if question.settings.exempts(it.name) or it.name in limited or it.parent:
            continue
        if not it.name or _parent_is_unknown(it):
            what = f"its name or label {LABEL_PARENT} is not known yet"
            yield Finding(urn=it.urn, message=f"{it.label}: {what}", unknown=True)
        elif vague:
            what = f"{vague[0].label} may limit it, in which namespace that is is not known yet"
            yield Finding(urn=it.urn, message=f"{it.label}: {what}", unknown=True)
        else:
            yield Finding(urn=it.urn, message=_message(it.name))


def _limited(question: Question) -> tuple[set[str], list[Planned]]:
    """Return the namespaces that are limited, and the quotas of which nobody knows whom."""
    plan = question.plan
    found = {name for name, said in plan.named_namespaces().items() if any(i.parent for i in said)}
    vague = []
    for quota in (*plan.tree_quotas(), *plan.resource_quotas()):
        if quota.namespace is None:
            vague.append(quota)
        else:
            found.add(quota.namespace)
    if question.state is not None:
        found |= {n.namespace for n in question.state.nodes if n.quotas or n.parent is not None}
    return {str(name) for name in found}, vague


def _parent_is_unknown(it: Planned) -> bool:
    return any(plain.is_unknown(it.obj, *place) for place in (_LABELS, (*_LABELS, LABEL_PARENT)))


def _message(name: str) -> str:
    return (
        f"namespace {Namespace(name)} has neither a quota nor a parent: nothing limits what it "
        f"takes. Label it {LABEL_PARENT}: <namespace> to put it under one that is limited, or give "
        "it a TreeQuota (or a ResourceQuota) in this program"
    )
