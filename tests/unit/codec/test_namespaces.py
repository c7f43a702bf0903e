"""Namespaces: our own keys and nothing else."""

import pytest

from quotatree.codec import namespaces
from quotatree.model.observed import Lifecycle, ObservedNamespace, OwnerReference
from quotatree.model.scope import ScopeTerm
from quotatree.units.resources import Resources


def test_a_namespace_in_a_tree_is_read():
    seen = namespaces.parse(
        {
            "metadata": {
                "name": "vision",
                "uid": "u2",
                "resourceVersion": "5",
                "deletionTimestamp": "2026-01-01T00:00:00Z",
                "labels": {
                    "quotatree.dev/parent": "org",
                    "quotatree.dev/lifecycle": "Owned",
                    "org.tree.quotatree.dev/depth": "1",
                    "app": "x",
                    "notquotatree.dev/parent": "y",
                },
                "annotations": {"quotatree.dev/children": "2", "other": "z"},
                "finalizers": ["quotatree.dev/has-children"],
                "ownerReferences": [
                    {"apiVersion": "v1", "kind": "Namespace", "name": "org", "uid": "u1"}
                ],
            }
        }
    )
    assert seen == ObservedNamespace(
        name="vision",
        uid="u2",
        resource_version=5,
        parent="org",
        lifecycle=Lifecycle.OWNED,
        terminating=True,
        labels={
            "quotatree.dev/parent": "org",
            "quotatree.dev/lifecycle": "Owned",
            "org.tree.quotatree.dev/depth": "1",
        },
        annotations={"quotatree.dev/children": "2"},
        finalizers=("quotatree.dev/has-children",),
        owners=(OwnerReference(name="org", uid="u1"),),
    )


@pytest.mark.parametrize("lifecycle", ["owned", "", "Cascade", None, 3])
def test_an_unknown_lifecycle_deletes_nothing(lifecycle):
    seen = namespaces.parse({"metadata": {"labels": {"quotatree.dev/lifecycle": lifecycle}}})
    assert seen.lifecycle is Lifecycle.INDEPENDENT


@pytest.mark.parametrize(
    "garbage",
    [
        {},
        {"metadata": None},
        {"metadata": {"labels": ["quotatree.dev/parent"]}},
        {"metadata": {"labels": {"quotatree.dev/parent": ""}}},
        {"metadata": {"labels": {"quotatree.dev/parent": 7}}},
        {"metadata": {"ownerReferences": "org", "finalizers": {"a": 1}}},
    ],
)
def test_garbage_makes_a_namespace_without_parent(garbage):
    seen = namespaces.parse(garbage)
    assert (seen.parent, seen.owners, seen.finalizers) == (None, (), ())


def test_what_a_terminating_namespace_held_is_read_as_it_was_written():
    held = {
        (): Resources.parse({"pods": "4", "requests.cpu": "1500m"}),
        (ScopeTerm(scope="PriorityClass", operator="In", values=("a",)),): Resources.parse(
            {"pods": "1"}
        ),
    }
    metadata = {
        "name": "a",
        "deletionTimestamp": "2026-01-01T00:00:00Z",
        "annotations": {"quotatree.dev/held": namespaces.held_to_text(held)},
    }
    assert namespaces.parse({"metadata": metadata}).held == held
    del metadata["deletionTimestamp"]
    assert namespaces.parse({"metadata": metadata}).held == {}


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", "3", "[3]", '[{"used": 3}]', '[{"used": {"pods": "-3", "cpu": "x"}}]'],
)
def test_garbage_was_never_held(text):
    assert not any(namespaces.held_from_text(text).values())
