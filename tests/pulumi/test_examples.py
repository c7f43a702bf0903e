"""The example programs: alone, and inside a tree with no change but one label."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from typing import Any

import pytest
from tests.pulumi.ground import Ground, claim, pod
from tests.pulumi.soak import SOAK
from tests.pulumi.workshop import EXAMPLES, Stack, Workshop

from quotatree.cluster import paths
from quotatree.units.resources import Resources

pytestmark = pytest.mark.pulumi

SEED, FULL, TREE = (
    EXAMPLES / name for name in ("namespace-quota", "namespace-quota-full", "quota-tree")
)
PIPELINE, FULL_PIPELINE = "ai-pipeline", "ai-pipeline-full"
TEAM, SIBLING = "team-of-examples", "sibling-of-examples"


def one_label(text: str) -> str:
    """Put the program's namespace under the team; nothing else changes."""
    name = re.compile(r'("name": "ai-pipeline[-a-z]*")')
    changed = name.sub(rf'\1, "labels": {{"quotatree.dev/parent": "{TEAM}"}}', text, count=1)
    lines = difflib.unified_diff(text.splitlines(), changed.splitlines(), n=0, lineterm="")
    added = [line for line in lines if re.match(r"\+[^+]", line)]
    assert len(added) == 1, added
    return changed


def unchanged(text: str) -> str:
    return text


@pytest.fixture(scope="module")
def team(ground: Ground) -> str:
    """A team with 34 CPUs, of which a sibling pipeline holds 12."""
    ground.plant({TEAM: ("", {"cpu": "34", "memory": "400Gi"}), SIBLING: (TEAM, {})})
    if not ground.list(paths.PODS, SIBLING):
        assert ground.create(pod("busy", cpu="12", memory="1Gi"), SIBLING) == ""
    return TEAM


def lives(
    stack: Stack, ground: Ground, *, namespace: str, check: Callable[[], None], in_a_tree: bool
) -> None:
    """Preview, up, both outputs, `check`, unchanged up, refresh, unchanged up, destroy.

    In short form a tree has no preview, and an unchanged up after the refresh only.
    """
    if SOAK or not in_a_tree:
        assert stack.preview() == {"create": 3}
        assert not ground.exists(namespace)
    assert stack.up() == {"create": 3}
    assert stack.outputs == {"ai_namespace": namespace, "ai_resource_quota": "ai-quota"}
    check()
    if SOAK or not in_a_tree:
        assert stack.up() == {"same": 3}
    stack.refresh()
    if SOAK or in_a_tree:
        assert stack.up() == {"same": 3}
    assert stack.destroy() == {"delete": 3}
    assert stack.resources == []
    assert not ground.exists(namespace)


def hard(ground: Ground, namespace: str) -> dict[str, str]:
    quota = ground.get(paths.RESOURCE_QUOTAS, "ai-quota", namespace)
    assert quota["status"]["hard"] == quota["spec"]["hard"]
    return dict(quota["spec"]["hard"])


def test_the_seed_program_limits_its_namespace(workshop: Workshop, ground: Ground) -> None:
    def check() -> None:
        assert hard(ground, PIPELINE) == {"cpu": "20", "memory": "100Gi"}
        said = ground.create(pod("big", cpu="21", memory="1Gi"), PIPELINE)
        assert "exceeded quota: ai-quota, requested: cpu=21, used: cpu=0, limited: cpu=20" in said
        assert ground.create(pod("whole", cpu="20", memory="100Gi"), PIPELINE) == ""
        assert "limited: cpu=20" in ground.create(pod("one", cpu="1m", memory="0"), PIPELINE)

    lives(workshop.stack(SEED), ground, namespace=PIPELINE, check=check, in_a_tree=False)


def test_the_seed_program_in_a_tree_is_held_by_both_levels(
    workshop: Workshop, ground: Ground, *, team: str
) -> None:
    def check() -> None:
        ground.until(lambda: ground.enforced(PIPELINE), "the tree holds the namespace")
        assert ground.create(pod("fits", cpu="15", memory="1Gi"), PIPELINE) == ""
        own = ground.create(pod("own", cpu="6", memory="1Gi"), PIPELINE)
        assert "exceeded quota: ai-quota, requested: cpu=6, used: cpu=15, limited: cpu=20" in own
        assert ground.create(pod("busier", cpu="5", memory="1Gi"), SIBLING) == ""
        above = ground.create(pod("above", cpu="4", memory="1Gi"), PIPELINE)
        assert "exceeded quota: " in above
        assert "ai-quota" not in above
        assert team in above or "exceeded quota: quotatree, requested: cpu=4" in above

    stack = workshop.stack(SEED, edit=one_label)
    lives(stack, ground, namespace=PIPELINE, check=check, in_a_tree=True)
    ground.until(lambda: used_by(ground, team) == "17", "the team gets its room back")


def used_by(ground: Ground, team: str) -> str:
    status: dict[str, Any] = ground.get(paths.TREE_QUOTAS, "limit", team).get("status", {})
    return str(status.get("used", {}).get("cpu"))


AMOUNTS = (
    "cpu",
    "memory",
    "requests.storage",
    "requests.ephemeral-storage",
    "requests.nvidia.com/gpu",
)
COUNTS: dict[str, Callable[[str], dict[str, Any]]] = {
    "count/pods": lambda name: pod(name, cpu="1m", memory="1Mi"),
    "count/persistentvolumeclaims": lambda name: claim(name, "1Mi"),
}


def beyond(resource: str, limit: str) -> dict[str, Any]:
    """An object that asks for more than `limit` of the resource, and for next to nothing else."""
    more = str((Resources.parse({resource: limit}) + Resources.parse({resource: "1"}))[resource])
    if resource == "requests.storage":
        return claim("too-large", more)
    asked = {"cpu": "1m", "memory": "1Mi", resource.removeprefix("requests."): more}
    return pod("too-large", **asked)


def refuses_each(ground: Ground) -> None:
    """Each limit of the program by itself refuses what is beyond it."""
    limits = hard(ground, FULL_PIPELINE)
    assert set(limits) == {*AMOUNTS, *COUNTS}
    for resource in AMOUNTS:
        said = ground.create(beyond(resource, limits[resource]), FULL_PIPELINE)
        assert "exceeded quota: " in said, resource
        assert f"limited: {resource}={limits[resource]}" in said
    for resource, make in COUNTS.items():
        for index in range(int(limits[resource])):
            assert ground.create(make(f"n{index}"), FULL_PIPELINE) == ""
        said = ground.create(make("more"), FULL_PIPELINE)
        assert f"limited: {resource}={limits[resource]}" in said


@pytest.mark.parametrize("edit", [unchanged, one_label], ids=["alone", "in-a-tree"])
def test_the_full_program_limits_storage_counts_and_gpus(
    workshop: Workshop, ground: Ground, *, team: str, edit: Callable[[str], str]
) -> None:
    stack = workshop.stack(FULL, edit=edit)
    assert stack.up() == {"create": 3}
    assert stack.outputs == {"ai_namespace": FULL_PIPELINE, "ai_resource_quota": "ai-quota"}
    refuses_each(ground)
    if SOAK:
        assert stack.up() == {"same": 3}
    assert stack.destroy() == {"delete": 3}
    assert not ground.exists(FULL_PIPELINE)


def test_the_example_of_a_tree_lives_and_goes(workshop: Workshop, ground: Ground) -> None:
    stack = workshop.stack(TREE)
    stack.up()
    assert stack.outputs == {
        "namespaces": {
            "research": "research",
            "research/vision": "vision",
            "research/language": "language",
        },
        "ai_pipeline": PIPELINE,
    }
    assert ground.create(pod("says-nothing"), PIPELINE) == ""
    assert "exceeded quota: " in ground.create(pod("big", cpu="21"), PIPELINE)
    if SOAK:  # In short form test_components.py shows it, on a tree like this one.
        stack.refresh()
        assert set(stack.up()) == {"same", "read"}
    stack.destroy()
    assert stack.resources == []
    names = ("research", "vision", "language", PIPELINE)
    assert [name for name in names if ground.exists(name)] == []
