"""Server-side apply foretold: what is set, dropped, kept, and whose word stands."""

from __future__ import annotations

from typing import Any

import pytest

from quotatree.codec import standing
from quotatree.codec.standing import Standing
from quotatree.model.names import Namespace, QuotaName
from quotatree.model.quota import Quota
from quotatree.model.treefile import TreeFile, TreeNode
from quotatree.units.resources import Resources

ORG = Namespace("org")


def owned(manager: str, *paths: str, operation: str = "Apply") -> dict[str, Any]:
    """Return an entry of managedFields; a path is written `spec hard cpu`."""
    fields: dict[str, Any] = {}
    for path in paths:
        level = fields
        for step in path.split():
            level = level.setdefault(f"f:{step}", {})
    return {"manager": manager, "operation": operation, "fieldsV1": fields}


def quota(hard: dict[str, str], *managed: dict[str, Any]) -> dict[str, Any]:
    return {
        "kind": "TreeQuota",
        "metadata": {"namespace": "org", "name": "quota", "managedFields": list(managed)},
        "spec": {"hard": hard},
    }


def namespace(labels: dict[str, str], *managed: dict[str, Any]) -> dict[str, Any]:
    return {
        "kind": "Namespace",
        "metadata": {"name": "org", "labels": labels, "managedFields": list(managed)},
    }


def stands(
    *live: dict[str, Any], hard: dict[str, str] | None = None, labels: dict[str, str] | None = None
) -> Standing:
    wanted = Quota(namespace=ORG, name=QuotaName("quota"), hard=Resources.parse(hard or {}))
    quotas = () if hard is None else (wanted,)
    node = TreeNode(namespace=ORG, quotas=quotas, labels=labels or {})
    objects = {(o["metadata"].get("namespace", ""), o["metadata"]["name"]): o for o in live}
    return standing.standing(TreeFile(nodes=(node,)), {ORG: ORG}, objects)


@pytest.mark.parametrize(
    ("managed", "want"),
    [
        pytest.param([], {"cpu": "5", "pods": "9"}, id="what nobody owns stays"),
        pytest.param(
            [owned("quotatree", "spec hard pods")], {"cpu": "5"}, id="what only we set goes"
        ),
        pytest.param(
            [owned("quotatree", "spec hard pods"), owned("kubectl", "spec hard pods")],
            {"cpu": "5", "pods": "9"},
            id="what somebody else set too stays",
        ),
        pytest.param(
            [owned("quotatree", "spec hard pods", operation="Update")],
            {"cpu": "5", "pods": "9"},
            id="what the controller wrote is not what we applied",
        ),
    ],
)
def test_a_key_that_the_file_names_no_more(managed: list[Any], want: dict[str, str]) -> None:
    found = stands(quota({"cpu": "4", "pods": "9"}, *managed), hard={"cpu": "5"})
    assert found.tree.nodes[0].quotas[0].hard == Resources.parse(want)
    assert found.conflicts == ()


def test_another_value_of_somebody_else_is_a_conflict_an_equal_one_is_not() -> None:
    theirs = owned("kubectl-edit", "spec hard cpu", "spec hard pods", operation="Update")
    found = stands(quota({"cpu": "4", "pods": "9"}, theirs), hard={"cpu": "5", "pods": "9"})
    (conflict,) = found.conflicts
    assert (conflict.field, conflict.value, conflict.managers) == (
        'spec.hard["cpu"]',
        "4",
        ("kubectl-edit",),
    )


@pytest.mark.parametrize(
    ("managed", "want"),
    [
        pytest.param([], "old", id="set by hand, it stays"),
        pytest.param(
            [owned("quotatree", "metadata labels quotatree.dev/parent")],
            None,
            id="applied, it goes",
        ),
    ],
)
def test_a_parent_that_the_file_does_not_name(managed: list[Any], want: str | None) -> None:
    found = stands(namespace({"quotatree.dev/parent": "old"}, *managed))
    assert found.tree.nodes[0].parent == want


def test_labels_show_before_and_after_but_not_those_of_the_controller() -> None:
    live = namespace(
        {"stage": "dev", "gone": "x", "kubernetes.io/metadata.name": "org"},
        owned("quotatree", "metadata labels stage", "metadata labels gone"),
    )
    found = stands(live, labels={"stage": "prod"})
    changes = [(c.field, c.before, c.after) for c in found.labels[ORG]]
    assert changes == [
        ("labels[gone]", "x", ""),
        ("labels[quotatree.dev/applied]", "", "org"),
        ("labels[stage]", "dev", "prod"),
    ]


def test_what_does_not_exist_yet_stands_as_written() -> None:
    found = stands(hard={"cpu": "5"}, labels={"stage": "prod"})
    assert found.tree.nodes[0].quotas[0].hard == Resources.parse({"cpu": "5"})
    assert found.labels[ORG] == ()
