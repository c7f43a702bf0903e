"""What a plan reports beside the forecast: what it could not ask for is no silent pass."""

from __future__ import annotations

from quotatree.cli import plan_report
from quotatree.cli.plan_inputs import Situation
from quotatree.cluster import recount
from quotatree.codec import treefile
from quotatree.codec.treefile import Located
from quotatree.engine.survey import Observed
from quotatree.engine.whatif import Removals
from quotatree.model.names import Namespace, ResourceName
from quotatree.model.report import Level
from quotatree.model.scope import UNSCOPED

TREE = b"""\
apiVersion: quotatree.dev/v1alpha1
kind: Tree
tree:
  org: {hard: {cpu: 5}, children: {a: }}
"""


def test_objects_that_may_not_be_listed_are_a_warning_with_reason_and_next_step() -> None:
    located = treefile.read(TREE)
    assert isinstance(located, Located)
    unlisted = recount.wanted({(Namespace("a"), UNSCOPED): (ResourceName("cpu"),)})
    around = Situation(where="", seen=Observed(), tree=located.tree, unlisted=unlisted)
    found = plan_report.planned(around, located, Removals(), file="f.yaml", force=False)
    (item,) = (i for i in found.report.items if i.code == "usage-not-listed")
    assert item.level is Level.WARNING
    assert "what a uses of cpu counts as nothing" in item.message
    assert item.remedy == "allow `list` of pods in all namespaces"
    assert item.place.line == 4
