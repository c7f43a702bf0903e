"""What apply is going to do, decided from the file and the cluster alone."""

import pytest

from quotatree.cli import plan_apply
from quotatree.cli.plan_apply import Cluster, Marked
from quotatree.model.observed import Lifecycle
from quotatree.model.quota import Condition, Quota, QuotaStatus
from quotatree.model.state import NodeState, TreeState
from quotatree.model.treefile import TreeFile, TreeNode
from quotatree.units.resources import EMPTY, Resources


def node(name, parent=None, *quotas):
    return TreeNode(
        namespace=name,
        parent=parent,
        quotas=tuple(
            Quota(namespace=name, name=q, hard=Resources.parse({"cpu": "1"})) for q in quotas
        ),
    )


TREE = TreeFile(nodes=(node("org", None, "quota"), node("team", "org", "quota", "best")))


def space(name, parent=None, root="org"):
    return Marked(namespace=name, uid=f"{name}-uid", root=root, parent=parent)


def limit(name, quota="quota", root="org"):
    return Marked(namespace=name, uid=f"{name}-{quota}", root=root, quota=quota)


def cluster(*marked, **parents):
    return Cluster(namespaces=parents, marked=marked)


def test_everything_of_the_file_is_applied_parents_first():
    plan = plan_apply.plan(TREE, cluster())
    assert [(s.node.namespace, s.root) for s in plan.namespaces] == [
        ("org", "org"),
        ("team", "org"),
    ]
    assert [s.quota.key for s in plan.quotas] == [
        ("org", "quota"),
        ("team", "quota"),
        ("team", "best"),
    ]


def test_a_dry_run_cannot_ask_about_what_is_not_there_yet():
    plan = plan_apply.plan(TREE, cluster(org=None))
    assert [step.blind for step in plan.namespaces] == [False, False]
    assert [step.blind for step in plan.quotas] == [False, True, True]
    assert [s.blind for s in plan_apply.plan(TREE, cluster()).namespaces] == [False, True]


OLD = (
    space("org"),
    space("team", "org"),
    space("old", "org"),
    space("older", "old"),
    limit("team", "gone"),
    limit("team", "best"),
    limit("old"),
    space("foreign", "else", root="else"),
    limit("foreign", root="else"),
)
PARENTS = {
    "org": None,
    "team": "org",
    "old": "org",
    "older": "old",
    "else": None,
    "foreign": "else",
}


def test_nothing_is_removed_without_prune():
    plan = plan_apply.plan(TREE, cluster(*OLD, **PARENTS))
    assert (plan.delete_quotas, plan.detach, plan.delete_namespaces) == ((), (), ())


def test_prune_removes_what_this_tree_no_longer_names_and_no_namespace():
    plan = plan_apply.plan(TREE, cluster(*OLD, **PARENTS), prune=True)
    assert plan.delete_quotas == (limit("team", "gone"), limit("old"))
    assert plan.detach == (space("older", "old"), space("old", "org"))
    assert plan.delete_namespaces == ()


def test_namespaces_are_deleted_from_the_leaves_up_and_take_their_quotas_along():
    plan = plan_apply.plan(TREE, cluster(*OLD, **PARENTS), prune=True, delete_namespaces=True)
    assert [item.namespace for item in plan.delete_namespaces] == ["older", "old"]
    assert plan.delete_quotas == (limit("team", "gone"),)
    assert plan.detach == ()


def test_what_another_file_applied_is_left_alone():
    plan = plan_apply.plan(TREE, cluster(*OLD, **PARENTS), prune=True, delete_namespaces=True)
    touched = [*plan.delete_quotas, *plan.detach, *plan.delete_namespaces]
    assert not [item for item in touched if item.root != "org"]


# -- waiting --------------------------------------------------------------------------------


def live(*, generation=2, observed=2, conditions=(), enforced=True):
    status = QuotaStatus(
        hard=EMPTY,
        used=EMPTY,
        charged=EMPTY,
        available=EMPTY,
        guaranteed=EMPTY,
        observed_generation=observed,
        conditions=tuple(conditions),
    )
    quota = Quota(namespace="a", name="quota", generation=generation, status=status)
    return TreeState(nodes=(NodeState(namespace="a", enforced=enforced, quotas=(quota,)),))


def condition(kind, value):
    return Condition(type=kind, status=value, reason="R", message="because")


ONE = TreeFile(nodes=(node("a", None, "quota"),))


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (TreeState(), "has not seen it"),
        (TreeState(nodes=(NodeState(namespace="a"),)), "no status yet"),
        (live(observed=1), "not taken in"),
        (live(conditions=[condition("Ready", False)]), "because"),
        (live(enforced=False), "not measured"),
    ],
)
def test_what_is_not_enforced_says_why(state, words):
    assert words in plan_apply.waiting(ONE, state)["a"]


def test_what_is_enforced_is_not_waited_for():
    assert plan_apply.waiting(ONE, live(conditions=[condition("Ready", True)])) == {}


@pytest.mark.parametrize(
    ("kind", "value", "told"),
    [
        ("Exceeded", True, True),
        ("Exceeded", False, False),
        ("GuaranteeGranted", False, True),
        ("GuaranteeGranted", True, False),
        ("LooserThanAncestor", True, True),
        ("Ready", True, False),
    ],
)
def test_what_stands_but_may_surprise_is_told(kind, value, told):
    found = plan_apply.warnings(ONE, live(conditions=[condition(kind, value)]))
    assert found == (["treequota a/quota: because"] if told else [])


UNOWNED = (
    "namespace team: Owned has no effect until org allows it; "
    'annotate org with quotatree.dev/allow-cascading-deletion: "true"'
)


@pytest.mark.parametrize(
    ("allowed", "told"), [("true", []), ("false", [UNOWNED]), (None, [UNOWNED])]
)
def test_owned_below_a_parent_that_does_not_allow_it_is_told(allowed, told):
    cascade = {"quotatree.dev/allow-cascading-deletion": allowed} if allowed else {}
    tree = TreeFile(
        nodes=(
            TreeNode(namespace="org", annotations=cascade),
            TreeNode(namespace="team", parent="org", lifecycle=Lifecycle.OWNED),
        )
    )
    assert plan_apply.warnings(tree, TreeState()) == told
