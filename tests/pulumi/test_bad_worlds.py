"""What the program meets is not what it needs: one clear error that names it, and no half tree."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.pulumi.ground import Ground
from tests.pulumi.workshop import PROGRAMS, Workshop

from quotatree.cluster import paths

pytestmark = pytest.mark.pulumi

ONE = PROGRAMS / "one-node"


def test_a_namespace_that_exists_is_taken_on_request_only_and_stays(
    workshop: Workshop, ground: Ground
) -> None:
    ground.plant({"taken": ("", {})})
    before = ground.get(paths.NAMESPACES, "taken")
    stack = workshop.stack(ONE, config={"namespace": "taken"})
    for command in ("preview", "up"):
        (said,) = stack.errors(command)
        assert "tree-taken" in said
        assert re.search("namespace taken exists already|taken.* already exists", said)
    assert [urn for urn in stack.resources if "core/v1" in urn] == []
    assert ground.get(paths.NAMESPACES, "taken") == before
    stack.configure(adopt="true")  # The refused run left nothing that the next one stumbles over.
    stack.up()
    ground.until(lambda: ground.enforced("taken"), "the tree holds it")
    stack.destroy()
    assert stack.resources == []
    assert ground.list(paths.TREE_QUOTAS, "taken") == []
    assert "deletionTimestamp" not in ground.get(paths.NAMESPACES, "taken")["metadata"]


def test_a_namespace_of_another_stack_is_not_taken(workshop: Workshop, ground: Ground) -> None:
    first, second = (workshop.stack(ONE, n, config={"namespace": "mine"}) for n in ("one", "two"))
    first.up()
    (said,) = second.errors("preview")
    assert "namespace mine exists already, made by one-node/one/tree-mine" in said
    (said,) = second.errors("up")
    assert "tree-mine" in said
    # In the words of the policy, or of the provider for fields of another program.
    assert "quotatree.dev/made-by" in said or "field-conflicts" in said
    second.destroy()
    assert ground.enforced("mine")
    workshop.leave(first)


def test_what_an_interrupted_run_made_is_its_own(workshop: Workshop, ground: Ground) -> None:
    """The engine died between the creation and its record: the next `up` takes it up again."""
    stack = workshop.stack(ONE, config={"namespace": "orphaned"})
    note = {"quotatree.dev/made-by": f"one-node/{stack.name}/tree-orphaned"}
    manifest = {"apiVersion": "v1", "kind": "Namespace"}
    metadata = {"name": "orphaned", "annotations": note}
    ground.begin(ground.client.apply(manifest | {"metadata": metadata}, force=True)).result()
    stack.up()
    assert ground.enforced("orphaned")
    workshop.leave(stack)


def test_a_guarantee_without_room_is_awaited_told_and_mended_by_the_next_up(
    workshop: Workshop, ground: Ground
) -> None:
    ground.plant({"narrow": ("", {"pods": "3"})})
    config = {"namespace": "waiting", "parent": "narrow", "guaranteed": "4", "timeout": "5"}
    stack = workshop.stack(ONE, config=config)
    (said,) = stack.errors("up")
    assert "tree-waiting.quota" in said
    ground.plant({"narrow": ("", {"pods": "9"})})
    stack.up()
    (quota,) = ground.list(paths.TREE_QUOTAS, "waiting")
    assert quota["status"]["guaranteed"] == {"pods": "4"}
    workshop.leave(stack)


def test_what_does_not_exist_is_not_adopted(workshop: Workshop, ground: Ground) -> None:
    stack = workshop.stack(ONE, config={"namespace": "missing", "adopt": "true"})
    (said,) = stack.errors("preview")
    assert "missing-must-exist-to-be-adopted" in said
    assert "'missing' does not exist" in said


def test_a_cluster_that_does_not_answer_is_told_once(
    workshop: Workshop, ground: Ground, *, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    nobody = tmp_path / "nobody"
    text = ground.kubeconfig.read_text()
    nobody.write_text(re.sub(r"https://127\.0\.0\.1:\d+", "https://127.0.0.1:9", text))
    monkeypatch.setenv("KUBECONFIG", str(nobody))
    stack = workshop.stack(ONE, config={"namespace": "never"})
    (said,) = stack.errors("preview")
    assert "unreachable" in said or "connection refused" in said
