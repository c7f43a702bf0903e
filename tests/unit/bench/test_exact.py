"""Whether a stack stands as its state says."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from bench import exact
from bench.exact import Standing

TEAM: dict[str, Any] = {
    "metadata": {"name": "a-team", "labels": {"quotatree.dev/parent": "a"}},
}
QUOTA: dict[str, Any] = {
    "metadata": {"name": "quota", "namespace": "a-team"},
    "spec": {"hard": {"cpu": "10"}, "guaranteed": {"cpu": "1"}},
}
STATE = [
    {"type": exact.NAMESPACE, "inputs": TEAM},
    {"type": exact.TREE_QUOTA, "inputs": QUOTA},
    {"type": exact.NAMESPACE, "inputs": {}, "external": True},
    {"type": "pulumi:pulumi:Stack"},
]


def live() -> tuple[dict[str, Any], dict[str, Any]]:
    """The two objects as the controller has left them."""
    team, quota = copy.deepcopy(TEAM), copy.deepcopy(QUOTA)
    team["metadata"]["labels"]["quotatree.dev/enforced"] = "true"
    quota["spec"]["failurePolicy"] = "Fail"
    ready = [{"type": "Ready", "status": "True"}]
    return team, quota | {"status": {"hard": {"cpu": "10"}, "conditions": ready}}


def standing(team: dict[str, Any], quota: dict[str, Any]) -> Standing:
    others = [{"metadata": {"name": "ab"}}, {"metadata": {"name": "b"}}]
    return exact.standing("a", STATE, spaces=[team, *others], quotas=[quota])


def test_objects_as_written_and_enforced_are_exact() -> None:
    assert standing(*live()) == Standing(namespaces=1, quotas=1, exact=2, recorded=2)


@pytest.mark.parametrize(
    ("of", "path", "value"),
    [
        (0, ("metadata", "labels", "quotatree.dev/parent"), "b"),
        (0, ("metadata", "labels", "quotatree.dev/enforced"), "false"),
        (1, ("spec", "guaranteed"), {"cpu": "2"}),
        (1, ("spec", "hard"), {"cpu": "11"}),
        (1, ("status", "hard"), {}),
        (1, ("status", "conditions"), []),
    ],
    ids=["moved", "not-enforced", "other-guarantee", "other-limit", "not-in-force", "not-ready"],
)
def test_what_differs_is_not_exact(of: int, path: tuple[str, ...], value: object) -> None:
    objects = live()
    place: Any = objects[of]
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    assert standing(*objects).exact == 1


def test_what_is_left_on_either_side_is_counted() -> None:
    team, quota = live()
    nothing_recorded = exact.standing("a", [], spaces=[team], quotas=[quota])
    assert nothing_recorded.objects == 2
    assert exact.standing("a", STATE, spaces=[], quotas=[]).objects == 2
    assert exact.standing("a", [], spaces=[], quotas=[]).objects == 0
