"""The TreeState document: written in one form, read back, judged when it was edited by hand."""

import pytest

from quotatree.codec import state
from quotatree.model.observed import Lifecycle
from quotatree.model.quota import Mode, Quota, QuotaStatus
from quotatree.model.scope import ScopeTerm
from quotatree.model.state import Figures, NodeState, ScopedFigures, TreeState
from quotatree.units.resources import EMPTY, Resources

CPU = Resources.parse({"cpu": "5"})
PODS = Resources.parse({"pods": "3"})
BEST_EFFORT = (ScopeTerm(scope="BestEffort"),)

STATE = TreeState(
    resource_version=42,
    nodes=(
        NodeState(
            namespace="org",
            enforced=True,
            figures=Figures(held=CPU, used=CPU, charged=CPU, available=CPU, hard=CPU),
            quotas=(Quota(namespace="org", name="quota", hard=CPU, guaranteed=CPU, granted=CPU),),
        ),
        NodeState(
            namespace="team",
            parent="org",
            terminating=True,
            lifecycle=Lifecycle.OWNED,
            scoped=(ScopedFigures(scopes=BEST_EFFORT, figures=Figures(used=PODS, hard=PODS)),),
            quotas=(Quota(namespace="team", name="best", hard=PODS, scopes=BEST_EFFORT),),
        ),
    ),
)


def test_the_document_has_the_fields_of_the_design():
    written = state.to_dict(STATE)
    assert list(written) == ["apiVersion", "kind", "resourceVersion", "nodes"]
    assert list(written["nodes"][0]) == [
        "namespace",
        "parent",
        "enforced",
        "lifecycle",
        "held",
        "used",
        "charged",
        "available",
        "hard",
        "guaranteed",
        "quotas",
    ]
    assert written["nodes"][0]["held"] == {"cpu": "5"}


def test_what_is_only_observed_shows_what_was_counted():
    status = QuotaStatus(
        hard=CPU, used=CPU, charged=CPU, available=EMPTY, guaranteed=EMPTY, observed_generation=1
    )
    quota = Quota(namespace="org", name="quota", hard=CPU, mode=Mode.OBSERVE, status=status)
    node = NodeState(namespace="org", quotas=(quota,))
    (written,) = state.to_dict(TreeState(nodes=(node,)))["nodes"][0]["quotas"]
    assert written == {
        "name": "quota",
        "hard": {"cpu": "5"},
        "mode": "Observe",
        "observed": {"used": {"cpu": "5"}, "charged": {"cpu": "5"}, "available": {}},
    }
    (read,) = state.parse(state.to_dict(TreeState(nodes=(node,)))).nodes[0].quotas
    assert read.mode is Mode.OBSERVE


def test_the_document_is_read_back():
    assert state.parse(state.to_dict(STATE)) == STATE


def document(**node):
    return {
        "apiVersion": "quotatree.dev/v1alpha1",
        "kind": "TreeState",
        "nodes": [{"namespace": "a", **node}],
    }


@pytest.mark.parametrize(
    ("found", "want_path"),
    [
        (None, ""),
        ([], ""),
        ({**document(), "kind": "Tree"}, "kind"),
        ({**document(), "apiVersion": "v1"}, "apiVersion"),
        ({**document(), "nodes": {}}, "nodes"),
        ({**document(), "nodes": ["a"]}, "nodes[0]"),
        (document(namespace="A"), "nodes[0].namespace"),
        (document(namespace=None), "nodes[0].namespace"),
        (document(parent=3), "nodes[0].parent"),
        (document(used={"cpu": "x"}), 'nodes[0].used["cpu"]'),
        (document(held=[]), "nodes[0].held"),
        (document(quotas=["x"]), "nodes[0].quotas[0]"),
        (document(quotas=[{"hard": {}}]), "nodes[0].quotas[0].name"),
        (document(quotas=[{"name": "q", "hard": {"cpu": "x"}}]), 'nodes[0].quotas[0].hard["cpu"]'),
        (document(scoped=[{"used": 3}]), "nodes[0].scoped[0].used"),
    ],
)
def test_a_malformed_document_is_refused_with_its_place(found, want_path):
    problems = state.parse(found)
    assert isinstance(problems, tuple)
    assert [p.path for p in problems] == [want_path]
