"""What apply writes, and what counts as a change of it."""

from quotatree.codec import desired
from quotatree.model.observed import Lifecycle
from quotatree.model.quota import Quota
from quotatree.model.treefile import TreeNode
from quotatree.units.resources import Resources

NODE = TreeNode(
    namespace="vision",
    parent="org",
    lifecycle=Lifecycle.OWNED,
    labels={"stage": "prod"},
    annotations={"note": "x"},
)


def test_a_namespace_carries_its_place_and_its_origin():
    assert desired.namespace(NODE, "org") == {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": "vision",
            "labels": {
                "stage": "prod",
                "quotatree.dev/applied": "org",
                "quotatree.dev/parent": "org",
                "quotatree.dev/lifecycle": "Owned",
            },
            "annotations": {"note": "x"},
        },
    }


def test_a_root_has_no_parent_label():
    labels = desired.namespace(TreeNode(namespace="org"), "org")["metadata"]["labels"]
    assert labels == {"quotatree.dev/applied": "org"}


def test_a_quota_carries_its_origin():
    quota = Quota(namespace="org", name="quota", hard=Resources.parse({"cpu": "5"}))
    written = desired.tree_quota(quota, "org")
    assert desired.applied_root(written) == "org"
    assert written["spec"] == {"hard": {"cpu": "5"}}


def test_bookkeeping_is_no_change_and_everything_else_is():
    before = {"kind": "Namespace", "metadata": {"uid": "u", "labels": {"a": "b"}}}
    marks = {"a": "b", "org.tree.quotatree.dev/depth": "1", "quotatree.dev/enforced": "true"}
    marked = {"kind": "Namespace", "metadata": {"uid": "u", "labels": marks}}
    moved = {"kind": "Namespace", "metadata": {"uid": "u", "labels": {"quotatree.dev/parent": "x"}}}
    assert desired.same(before, marked)
    assert not desired.same(before, moved)


def test_a_changed_spec_is_a_change():
    one = {"kind": "TreeQuota", "metadata": {}, "spec": {"hard": {"cpu": "1"}}}
    two = {"kind": "TreeQuota", "metadata": {}, "spec": {"hard": {"cpu": "2"}}}
    assert not desired.same(one, two)
