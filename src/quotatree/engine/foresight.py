"""What limits of a file that only observe would do: the file tried out with them in force."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from quotatree.engine import forecast, misfit
from quotatree.engine.lint import Finding, found
from quotatree.engine.survey import Observed
from quotatree.engine.whatif import Removals
from quotatree.model.quota import Mode
from quotatree.model.report import Level, Rule
from quotatree.model.treefile import TreeFile

WOULD_BE_OVER: Final = Rule(
    code="observed-over-hard",
    title="A limit that only observes is below what is in use.",
    level=Level.NOTE,
    help="Nothing is refused for it. Enforced, growth would be refused until usage is below it.",
)
RULES: Final = (WOULD_BE_OVER,)


def enforced(tree: TreeFile) -> TreeFile:
    """Return the tree with every limit of it in force."""
    nodes = (
        replace(node, quotas=tuple(replace(q, mode=Mode.ENFORCE) for q in node.quotas))
        for node in tree.nodes
    )
    return TreeFile(nodes=tuple(nodes))


def findings(seen: Observed, tree: TreeFile, removals: Removals) -> Iterator[Finding]:
    """Yield where a limit that only observes would be exceeded at once."""
    observing = {q.key for node in tree.nodes for q in node.quotas if not q.enforced}
    if not observing:
        return
    for finding in misfit.over(forecast.trial(seen, enforced(tree), removals=removals)):
        spot = finding.spot
        if (spot.namespace, spot.quota) in observing:
            message = f"{finding.said}; it only observes"
            yield found(WOULD_BE_OVER, spot, message, resource=spot.resource)
