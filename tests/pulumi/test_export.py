"""`quotatree export pulumi`: the program that it writes imports a live tree and changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.pulumi.ground import Ground
from tests.pulumi.soak import SOAK
from tests.pulumi.workshop import Stack, Workshop

from quotatree.cli import main
from quotatree.cluster import paths

pytestmark = pytest.mark.pulumi

FILE = """\
apiVersion: quotatree.dev/v1alpha1
kind: Tree
tree:
  taken:
    hard: {cpu: "20", memory: 40Gi}
    labels: {stage: prod}
    annotations: {owner: 'ann "the" owner', quotatree.dev/allow-cascading-deletion: "true"}
    children:
      taken-a:
        guaranteed: {cpu: "5"}
        quotas:
        - {name: best-effort, hard: {pods: "10"}, scopes: [BestEffort]}
      taken-b: {lifecycle: Owned}
"""
SPACES = ("taken", "taken-a", "taken-b")
QUOTAS = (("taken", "quota"), ("taken-a", "quota"), ("taken-a", "best-effort"))
IMPORTED = len(SPACES) + len(QUOTAS)


def run(ground: Ground, *arguments: str, given: str = "") -> None:
    line = [*arguments, "--kubeconfig", str(ground.kubeconfig)]
    done = CliRunner().invoke(main.cli, line, input=given)
    assert done.exit_code == 0, done.stderr


def exported(
    ground: Ground, workshop: Workshop, directory: Path, *, file: str, live: bool = True
) -> Stack:
    """The tree of a file, applied, as a stack that was never up: exported live, or by the file."""
    run(ground, "apply", "-f", "-", given=file)
    root = file.split("tree:\n  ")[1].partition(":")[0]
    source = [root] if live else ["-f", "-"]
    target = ["--directory", str(directory / root)]
    run(ground, "export", "pulumi", *source, *target, given="" if live else file)
    return workshop.stack(directory / root)


def stored(ground: Ground) -> dict[str, Any]:
    """What of the tree would change if somebody wrote to it; the controller's own writes do not."""
    spaces = {name: ground.get(paths.NAMESPACES, name)["metadata"] for name in SPACES}
    quotas = {key: ground.get(paths.TREE_QUOTAS, key[1], key[0]) for key in QUOTAS}
    return {
        **{name: (it["uid"], it["labels"], owners(it)) for name, it in spaces.items()},
        **{name: quota["metadata"]["generation"] for name, quota in quotas.items()},
    }


def owners(metadata: dict[str, Any]) -> list[tuple[str, str]]:
    return [(it["manager"], it["operation"]) for it in metadata["managedFields"]]


def generations(ground: Ground) -> list[int]:
    return [ground.get(paths.TREE_QUOTAS, q, ns)["metadata"]["generation"] for ns, q in QUOTAS]


def labels(ground: Ground) -> list[dict[str, str]]:
    return [ground.get(paths.NAMESPACES, name)["metadata"]["labels"] for name in SPACES]


def edit(stack: Stack, old: str, new: str) -> None:
    main_file = stack.directory / "__main__.py"
    text = main_file.read_text()
    assert old in text
    main_file.write_text(text.replace(old, new, 1))


def without_reads(counts: dict[str, int]) -> dict[str, int]:
    """Operations without the look for an installed quotatree."""
    return {name: count for name, count in counts.items() if name != "read"}


def test_an_exported_tree_is_imported_taken_over_and_changed(
    workshop: Workshop, ground: Ground, *, tmp_path: Path
) -> None:
    stack = exported(ground, workshop, tmp_path, file=FILE)
    before = stored(ground)
    assert without_reads(stack.preview()) == {"create": 2, "import": IMPORTED}
    assert "the cluster has" not in stack.said
    assert without_reads(stack.up()) == {"create": 2, "import": IMPORTED}
    assert stored(ground) == before
    stack.refresh()
    assert set(without_reads(stack.preview())) == {"same"}
    if SOAK:
        assert set(without_reads(stack.up())) == {"same"}
    assert stored(ground) == before
    take_over(stack, ground)
    workshop.leave(stack)


def take_over(stack: Stack, ground: Ground) -> None:
    """From now on the program decides: first with the same values, then with another limit."""
    ours, numbers = labels(ground), generations(ground)
    edit(stack, '        "import_only": True,\n', "")
    assert without_reads(stack.up()) == {"same": 2, "update": IMPORTED}
    assert generations(ground) == numbers
    assert labels(ground) == ours
    if SOAK:
        assert set(without_reads(stack.preview())) == {"same"}
    stack.refresh()
    assert set(without_reads(stack.up())) == {"same"}
    edit(stack, '"cpu": "20"', '"cpu": "30"')
    assert without_reads(stack.up()) == {"same": IMPORTED + 1, "update": 1}
    quota = ground.get(paths.TREE_QUOTAS, "quota", "taken")
    assert quota["spec"]["hard"]["cpu"] == "30"
    if SOAK:
        stack.destroy()
        assert [name for name in SPACES if ground.exists(name)] == []


def test_what_differs_meanwhile_is_told_at_preview(
    workshop: Workshop, ground: Ground, *, tmp_path: Path
) -> None:
    file = FILE.replace("taken", "drifted")
    stack = exported(ground, workshop, tmp_path, file=file, live=False)
    run(ground, "apply", "-f", "-", given=file.replace('"20"', '"25"'))
    stack.preview()
    said = " ".join(stack.said.split())
    assert "hard: the cluster has cpu=25,memory=40Gi, this program cpu=20,memory=40Gi" in said
    assert f"{IMPORTED} to import" in said
