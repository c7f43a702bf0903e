"""Limits of a file that only observe: what they would hit is said, and nothing else is judged."""

from __future__ import annotations

import pytest

from quotatree.codec import treefile
from quotatree.engine import foresight
from quotatree.engine.survey import Observed
from quotatree.engine.whatif import Removals
from quotatree.model.report import Level
from quotatree.model.treefile import TreeFile
from quotatree.testing import words

HEAD = "apiVersion: quotatree.dev/v1alpha1\nkind: Tree\ntree:\n"


def said(now: str, wanted: str) -> list[tuple[str, str]]:
    """Return namespace and message of each finding."""
    world = words.world(now)
    seen = Observed(
        namespaces=tuple(world.namespaces.values()),
        quotas=tuple(world.limits.all()),
        managed=tuple(m for found in world.managed.values() for m in found.values()),
    )
    tree = treefile.parse((HEAD + f"  {wanted}\n").encode())
    assert isinstance(tree, TreeFile), [str(problem) for problem in tree]
    found = list(foresight.findings(seen, tree, Removals()))
    assert {f.item.level for f in found} <= {Level.NOTE}
    return [(f.item.namespace, f.item.message) for f in found]


@pytest.mark.parametrize(
    ("now", "wanted", "want"),
    [
        pytest.param(
            "org: holds cpu 6",
            "org: {hard: {cpu: 5}, mode: Observe}",
            [("org", "cpu: 6 in use, 5 allowed: over by 1 at once; it only observes")],
            id="below its usage",
        ),
        pytest.param(
            "org: holds cpu 6", "org: {hard: {cpu: 6}, mode: Observe}", [], id="just full"
        ),
        pytest.param("org: holds cpu 6", "org: {hard: {cpu: 5}}", [], id="another judges those"),
        pytest.param(
            "org > a: holds cpu 6",
            "org: {hard: {cpu: 5}, children: {a: {hard: {cpu: 2}, mode: Observe}}}",
            [("a", "cpu: 6 in use, 2 allowed: over by 4 at once; it only observes")],
            id="below one in force",
        ),
    ],
)
def test_a_limit_that_observes_and_is_below_usage_is_noted(now, wanted, want) -> None:
    assert said(now, wanted) == want
