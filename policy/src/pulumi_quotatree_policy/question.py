"""What every rule is asked: the plan, how the rule is configured, and the state of the cluster."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from pulumi_quotatree_policy.finding import Finding
from pulumi_quotatree_policy.planned import Plan, Planned
from pulumi_quotatree_policy.settings import Settings
from quotatree.model.state import TreeState

_SHOWN: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """The input of a rule."""

    plan: Plan
    settings: Settings
    state: TreeState | None = None

    def concerns(self, it: Planned) -> bool:
        """Whether an object is to be judged; one in an unknown namespace is."""
        return it.namespace is None or not self.settings.exempts(it.namespace)


def not_known(it: Planned, places: Iterable[str], what: str) -> Iterator[Finding]:
    """Yield one finding for all values of an object that are not known yet, none for none."""
    found = sorted(set(places))
    if found:
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        listed = ", ".join(found[:_SHOWN])
        message = f"{it.label}: {what}: {listed}{more} not known yet"
        yield Finding(urn=it.urn, message=message, unknown=True)


def opaque(question: Question, what: str) -> Iterator[Finding]:
    """Yield what cannot be looked into."""
    for it in question.plan.opaque:
        message = (
            f"{it.urn.rpartition('::')[2]}: {what}: the objects of a Helm release are made behind "
            "Pulumi's back; a Chart (helm.sh/v4) shows them"
        )
        yield Finding(urn=it.urn, message=message, unknown=True)
