"""The components on the real engine: two stacks at once, a killed engine, a burst of pods."""

from __future__ import annotations

from typing import Any

import pytest
from tests.pulumi.ground import Census, Ground
from tests.pulumi.soak import SOAK
from tests.pulumi.workshop import PROGRAMS, Stack, Workshop

from quotatree.cluster import paths

pytestmark = pytest.mark.pulumi

TREE = PROGRAMS / "team"
CHAIN = PROGRAMS / "chain"
RUNS = range(20 if SOAK else 1)
DEPTH = 4 if SOAK else 2


def spaces(prefix: str) -> list[str]:
    return [f"{prefix}-{name}" for name in ("org", "vision", "language", "pipeline")]


def is_whole(stack: Stack, ground: Ground, prefix: str) -> None:
    """All namespaces stand and are enforced, and the limits are those of the program."""
    org, vision, language, pipeline = spaces(prefix)
    assert stack.outputs == {
        "namespaces": {org: org, f"{org}/{vision}": vision, f"{org}/{language}": language},
        "pipeline": pipeline,
    }
    assert [name for name in spaces(prefix) if not ground.enforced(name)] == []
    for name, hard in ((org, {"cpu": "40", "pods": "30"}), (pipeline, {"pods": "10"})):
        (quota,) = ground.list(paths.TREE_QUOTAS, name)
        assert quota["status"]["hard"] == hard
        assert ("Ready", "True") in conditions(quota)


def conditions(quota: dict[str, Any]) -> list[tuple[str, str]]:
    return [(found["type"], found["status"]) for found in quota["status"]["conditions"]]


def is_gone(stack: Stack, ground: Ground, prefix: str) -> None:
    assert stack.resources == []
    assert [name for name in spaces(prefix) if ground.exists(name)] == []


def test_two_stacks_at_once_under_one_parent_do_not_meet(
    workshop: Workshop, ground: Ground
) -> None:
    ground.plant({"shared-root": ("", {"cpu": "100"})})
    stacks = {
        prefix: workshop.stack(TREE, prefix, config={"prefix": prefix, "parent": "shared-root"})
        for prefix in ("left", "right")
    }
    together(stacks, "up")
    for prefix, stack in stacks.items():
        is_whole(stack, ground, prefix)
    assert kept_by_root(ground) == "20"  # 10 of each vision
    together(stacks, "destroy")
    for prefix, stack in stacks.items():
        is_gone(stack, ground, prefix)
    ground.until(lambda: kept_by_root(ground) == "0", "the root keeps nothing any more")


def together(stacks: dict[str, Stack], command: str) -> None:
    running = [stack.start(command) for stack in stacks.values()]
    said = {process.pid: process.communicate()[0] for process in running}
    for process in running:
        assert process.returncode == 0, said[process.pid]


def kept_by_root(ground: Ground) -> str:
    status: dict[str, Any] = ground.get(paths.TREE_QUOTAS, "limit", "shared-root")["status"]
    return str(status.get("charged", {}).get("cpu", "0"))


@pytest.mark.parametrize("run", RUNS)
def test_a_deep_tree_without_limits_of_its_own_goes_at_the_first_try(
    workshop: Workshop, ground: Ground, *, run: int
) -> None:
    """The cluster refuses to delete a parent; a count of children that lags must not stop this."""
    prefix = f"deep{run}"
    stack = workshop.stack(CHAIN, config={"prefix": prefix, "depth": str(DEPTH)})
    # The root, two namespaces a level, a TreeQuota, the component and the stack.
    assert stack.up()["create"] == 1 + 2 * DEPTH + 3
    stack.destroy()
    assert stack.resources == []
    left = [it["metadata"]["name"] for it in ground.list(paths.NAMESPACES)]
    assert [name for name in left if name.startswith(prefix)] == []


def test_what_the_controller_writes_is_never_the_programs_affair(
    workshop: Workshop, ground: Ground
) -> None:
    """Refresh takes the live objects into the state; the next change must not fight over them."""
    stack = workshop.stack(TREE, config={"prefix": "calm"})
    stack.up()
    ground.until(lambda: "calm-vision.tree.quotatree.dev/depth" in labels(ground), "labels stand")
    stack.refresh()
    assert set(stack.up()) == {"same", "read"}
    main = stack.directory / "__main__.py"
    main.write_text(main.read_text().replace('"cpu": "40"', '"cpu": "50"'))
    assert stack.up()["update"] == 1
    assert "calm-vision.tree.quotatree.dev/depth" in labels(ground)
    (quota,) = ground.list(paths.TREE_QUOTAS, "calm-org")
    assert quota["status"]["hard"] == {"cpu": "50", "pods": "30"}
    workshop.leave(stack)


def labels(ground: Ground) -> dict[str, str]:
    found: dict[str, str] = ground.get(paths.NAMESPACES, "calm-pipeline")["metadata"]["labels"]
    return found


def test_a_tree_goes_on_after_the_engine_was_killed(workshop: Workshop, ground: Ground) -> None:
    stack = workshop.stack(TREE, config={"prefix": "cut"})
    workshop.kill(stack.start("up"), when=lambda: ground.exists("cut-vision"))
    stack.automation.cancel()
    stack.up()
    is_whole(stack, ground, "cut")
    workshop.kill(stack.start("destroy"), when=lambda: not ground.exists("cut-pipeline"))
    stack.automation.cancel()
    stack.destroy()
    is_gone(stack, ground, "cut")


def test_a_pipeline_is_limited_before_its_first_pod(workshop: Workshop, ground: Ground) -> None:
    ground.plant({"pipeline-root": ("", {"pods": "40"})})
    config = {"namespace": "pipeline-burst", "parent": "pipeline-root", "pods": "15"}
    stack = workshop.stack(PROGRAMS / "pipeline-burst", config=config)
    with Census(ground) as census:
        stack.up()
        ground.until(lambda: census.now["pipeline-burst"] == 15, "15 pods live")
        is_kept_while_it_has_children(stack, ground)
        stack.destroy()
        assert (census.peak["pipeline-burst"], census.gaps) == (15, 0)
    assert not ground.exists("pipeline-burst")


def is_kept_while_it_has_children(stack: Stack, ground: Ground) -> None:
    """Somebody else has put a namespace below this one."""
    ground.plant({"pipeline-child": ("pipeline-burst", {})})
    (said,) = stack.errors("destroy")
    assert "pipeline-namespace" in said
    assert "namespace pipeline-burst has 1 namespaces under it" in said
    assert ground.exists("pipeline-burst")
    ground.begin(ground.client.delete(paths.NAMESPACES, "pipeline-child")).result()
