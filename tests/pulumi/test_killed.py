"""The engine is killed in the middle of an operation: the next run ends right.

A killed engine leaves its lock in a file backend, as in any other; `pulumi cancel` takes it away.
In short form test_components.py shows the same with a tree.
"""

from __future__ import annotations

import pytest
from tests.pulumi.ground import Ground
from tests.pulumi.soak import only_in_soak
from tests.pulumi.workshop import EXAMPLES, Stack, Workshop

from quotatree.cluster import paths

pytestmark = [pytest.mark.pulumi, only_in_soak]

SEED = EXAMPLES / "namespace-quota"
NAMESPACE = "ai-pipeline"


def has_quota(ground: Ground) -> bool:
    return bool(ground.get(paths.RESOURCE_QUOTAS, "ai-quota", NAMESPACE))


def going(ground: Ground) -> bool:
    metadata = ground.get(paths.NAMESPACES, NAMESPACE).get("metadata", {})
    return not metadata or "deletionTimestamp" in metadata


def is_whole(stack: Stack, ground: Ground) -> None:
    assert stack.outputs == {"ai_namespace": NAMESPACE, "ai_resource_quota": "ai-quota"}
    assert len(stack.resources) == 2
    quota = ground.get(paths.RESOURCE_QUOTAS, "ai-quota", NAMESPACE)
    assert quota["status"]["hard"] == {"cpu": "20", "memory": "100Gi"}


@pytest.mark.parametrize("moment", ["namespace", "quota"])
def test_up_goes_on_after_the_engine_was_killed(
    workshop: Workshop, ground: Ground, *, moment: str
) -> None:
    stack = workshop.stack(SEED)
    seen = {"namespace": lambda: ground.exists(NAMESPACE), "quota": lambda: has_quota(ground)}
    workshop.kill(stack.start("up"), when=seen[moment])
    stack.automation.cancel()
    stack.up()
    is_whole(stack, ground)
    assert stack.up() == {"same": 3}
    stack.destroy()
    assert stack.resources == []
    assert not ground.exists(NAMESPACE)


@pytest.mark.parametrize("moment", ["quota", "namespace"])
def test_destroy_goes_on_after_the_engine_was_killed(
    workshop: Workshop, ground: Ground, *, moment: str
) -> None:
    stack = workshop.stack(SEED)
    stack.up()
    seen = {"quota": lambda: not has_quota(ground), "namespace": lambda: going(ground)}
    workshop.kill(stack.start("destroy"), when=seen[moment])
    stack.automation.cancel()
    stack.destroy()
    assert stack.resources == []
    assert not ground.exists(NAMESPACE)
