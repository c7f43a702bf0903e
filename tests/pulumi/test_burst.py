"""Namespace, quota and a Job of 50 pods in one program: never a pod beyond, never a race lost.

Two runs each way; 20 with QUOTATREE_SOAK=1.
"""

from __future__ import annotations

import time

import pytest
from tests.pulumi.ground import Census, Ground
from tests.pulumi.soak import SOAK
from tests.pulumi.workshop import PROGRAMS, Workshop

pytestmark = pytest.mark.pulumi

RUNS = range(20 if SOAK else 2)
SETTLED_SECONDS = 2.0


def bursts(workshop: Workshop, ground: Ground, *, config: dict[str, str], room: int) -> None:
    """Bring the program up: exactly `room` pods come to live, and never one more.

    Every change of a pod is judged: the watch is there before the namespace, and has no gap. In
    soak it goes down again.
    """
    name = config["namespace"]
    stack = workshop.stack(PROGRAMS / "burst", config=config)
    with Census(ground) as census:
        assert stack.up() == {"create": 4}
        ground.until(lambda: census.now[name] == room, f"{room} pods live in {name}")
        time.sleep(SETTLED_SECONDS)  # The Job goes on asking; it must go on getting nothing.
        assert (census.peak[name], census.gaps) == (room, 0)
    workshop.leave(stack)
    if SOAK:
        assert stack.destroy() == {"delete": 4}
        assert not ground.exists(name)


@pytest.mark.parametrize("run", RUNS)
def test_a_quota_stands_before_the_pods_of_the_same_program(
    workshop: Workshop, ground: Ground, *, run: int
) -> None:
    bursts(workshop, ground, config={"namespace": f"burst-{run}", "pods": "25"}, room=25)


@pytest.mark.parametrize("run", RUNS)
def test_a_tree_stands_before_the_pods_of_the_same_program(
    workshop: Workshop, ground: Ground, *, run: int
) -> None:
    team = f"burst-team-{run}"
    ground.plant({team: ("", {"pods": "20"})})
    config = {"namespace": f"burst-leaf-{run}", "pods": "25", "parent": team}
    bursts(workshop, ground, config=config, room=20)
