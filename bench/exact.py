"""Whether a cluster has what the state of a Pulumi stack says, object by object. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

NAMESPACE: Final = "kubernetes:core/v1:Namespace"
TREE_QUOTA: Final = "kubernetes:quotatree.dev/v1alpha1:TreeQuota"

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What there is of a stack.

    `exact` counts the objects of its state that the cluster has, as they are written there, and
    enforced.
    """

    namespaces: int
    quotas: int
    exact: int
    recorded: int

    @property
    def objects(self) -> int:
        """Everything that there is, in the cluster or in the state."""
        return self.namespaces + self.quotas + self.recorded


def standing(
    prefix: str, recorded: Iterable[Object], *, spaces: Iterable[Object], quotas: Iterable[Object]
) -> Standing:
    """Compare the resources of a stack's state with the objects under its prefix."""
    made = [it for it in recorded if it["type"] in _JUDGES and not it.get("external")]
    mine = {_key(it): it for it in spaces if _is_of(it["metadata"]["name"], prefix)}
    limits = {_key(it): it for it in quotas if _is_of(it["metadata"]["namespace"], prefix)}
    there = {NAMESPACE: mine, TREE_QUOTA: limits}
    exact = 0
    for it in made:
        found = there[it["type"]].get(_key(it["inputs"]))
        exact += found is not None and _JUDGES[it["type"]](it["inputs"], found)
    return Standing(namespaces=len(mine), quotas=len(limits), exact=exact, recorded=len(made))


def _namespace_holds(wanted: Object, found: Object) -> bool:
    labels = found["metadata"].get("labels", {})
    enforced: bool = labels.get("quotatree.dev/enforced") == "true"
    return enforced and _holds(wanted["metadata"].get("labels", {}), labels)


def _quota_holds(wanted: Object, found: Object) -> bool:
    status, spec = found.get("status", {}), wanted["spec"]
    conditions = {it["type"]: it["status"] for it in status.get("conditions", ())}
    limits: bool = status.get("hard", {}) == spec.get("hard", {})
    return conditions.get("Ready") == "True" and limits and _holds(spec, found["spec"])


_JUDGES: Final[Mapping[str, Callable[[Object, Object], bool]]] = {
    NAMESPACE: _namespace_holds,
    TREE_QUOTA: _quota_holds,
}


def _holds(asked: Object, found: Object) -> bool:
    return all(found.get(key) == value for key, value in asked.items())


def _key(it: Object) -> tuple[str, str]:
    return it["metadata"].get("namespace", ""), it["metadata"]["name"]


def _is_of(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(f"{prefix}-")
