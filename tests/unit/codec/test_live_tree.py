"""What people set on a cluster's namespaces, without what programs write there."""

from quotatree.codec import live_tree
from quotatree.model.names import Namespace
from quotatree.model.observed import Lifecycle
from quotatree.model.state import NodeState


def namespace(name, labels=None, annotations=None):
    metadata = {"name": name, "labels": labels or {}, "annotations": annotations or {}}
    return {"metadata": metadata}


def test_labels_are_those_of_people():
    labels = {
        "stage": "prod",
        "kubernetes.io/metadata.name": "org",
        "quotatree.dev/parent": "top",
        "quotatree.dev/applied": "top",
        "org.tree.quotatree.dev/depth": "0",
        "a": "b",
    }
    assert list(live_tree.own_labels(namespace("org", labels))) == ["a", "stage"]


def test_annotations_are_those_of_people_with_their_consent_to_deletion():
    annotations = {
        "quotatree.dev/allow-cascading-deletion": "true",
        "quotatree.dev/children": "2",
        "kubectl.kubernetes.io/last-applied-configuration": "{}",
        "pulumi.com/patchForce": "true",
        "owner": "ann",
    }
    found = live_tree.own_annotations(namespace("org", annotations=annotations))
    assert found == {"owner": "ann", "quotatree.dev/allow-cascading-deletion": "true"}


def test_a_parent_outside_makes_a_root_without_lifecycle():
    owned = Lifecycle.OWNED
    nodes = [
        NodeState(namespace=Namespace("team"), parent=Namespace("org"), lifecycle=owned),
        NodeState(namespace=Namespace("ann"), parent=Namespace("team"), lifecycle=owned),
    ]
    team, ann = live_tree.of_nodes(nodes, [namespace("team", {"a": "b"})]).nodes
    assert (team.parent, team.lifecycle, team.labels) == (None, Lifecycle.INDEPENDENT, {"a": "b"})
    assert (ann.parent, ann.lifecycle) == ("team", owned)
