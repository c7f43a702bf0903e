"""Other tools' objects become the tree that they describe, and what does not fit is said."""

import pytest
import yaml
from tools.golden import GOLDEN, imported

from quotatree.codec import treefile
from quotatree.importers import convert, objects
from quotatree.importers.convert import READERS
from quotatree.model.treefile import TreeFile


def convert_text(text, *tools):
    found = objects.of(d for d in yaml.safe_load_all(text) if d)
    return convert.convert(found, tools)


def said(imported, lost=True):
    return [f"{n.source}: {n.message}" for n in imported.notes if n.lost is lost]


def parents(imported):
    return {n.namespace: n.parent for n in imported.tree.nodes}


@pytest.mark.parametrize("tool", READERS)
def test_objects_of_each_tool_give_the_accepted_tree_and_notes(tool):
    for name, text in imported(tool).items():
        assert text == (GOLDEN / name).read_text(encoding="utf-8"), name


@pytest.mark.parametrize("tool", READERS)
def test_what_is_written_is_a_file_without_mistakes(tool):
    (name, text), *_ = imported(tool).items()
    assert isinstance(treefile.parse(text.encode()), TreeFile), name


def test_a_tool_that_is_not_asked_for_is_left_out():
    text = """
{apiVersion: v1, kind: ResourceQuota, metadata: {name: q, namespace: a}, spec: {hard: {pods: 3}}}
---
apiVersion: hnc.x-k8s.io/v1alpha2
kind: HierarchicalResourceQuota
metadata: {name: h, namespace: b}
spec: {hard: {pods: 3}}
"""
    assert parents(convert_text(text, "hnc")) == {"b": None}
    assert parents(convert_text(text, "resourcequota")) == {"a": None}
    assert parents(convert_text(text)) == {"a": None, "b": None}


QUOTA = "{{apiVersion: v1, kind: ResourceQuota, metadata: {{name: q, namespace: a}}, spec: {spec}}}"


@pytest.mark.parametrize(
    ("spec", "want"),
    [
        pytest.param("{hard: {cpu: -1}}", "must not be negative", id="negative"),
        pytest.param("{hard: {cpu: true}}", "must be a quantity", id="no quantity"),
        pytest.param("{hard: {cpu: 1Zi}}", "1Zi", id="an unknown suffix"),
        pytest.param("{hard: {pods: 500m}}", "whole numbers", id="half a pod"),
        pytest.param("{hard: {}}", "limits nothing", id="empty"),
        pytest.param("{}", "limits nothing", id="no hard"),
        pytest.param("{hard: {pods: 1}, scopes: [Bad]}", 'unknown scope "Bad"', id="bad scope"),
        pytest.param(
            "{hard: {services: 1}, scopes: [BestEffort]}", "cannot limit", id="not by scope"
        ),
    ],
)
def test_a_quota_that_cannot_be_is_named_with_the_reason(spec, want):
    found = convert_text(QUOTA.format(spec=spec))
    assert found.tree.nodes == ()
    (message,) = said(found)
    assert message.startswith("resourcequota/q -n a: ")
    assert want in message


def test_a_fraction_stays_exact_whether_it_is_a_number_or_a_text():
    for value in ("0.1", "'0.1'", "100m"):
        (node,) = convert_text(QUOTA.format(spec=f"{{hard: {{cpu: {value}}}}}")).tree.nodes
        assert node.quotas[0].hard.to_strings() == {"cpu": "100m"}


def anchor(parent, child):
    return f"""
---
apiVersion: hnc.x-k8s.io/v1alpha2
kind: SubnamespaceAnchor
metadata: {{name: {child}, namespace: {parent}}}
"""


def test_a_cycle_of_parents_is_cut_and_named():
    found = convert_text(anchor("a", "b") + anchor("b", "c") + anchor("c", "a"))
    assert len([p for p in parents(found).values() if p is None]) == 1
    (message,) = said(found)
    assert "would make a cycle" in message


def tenant(name, *members):
    return f"""
---
apiVersion: capsule.clastix.io/v1beta2
kind: Tenant
metadata: {{name: {name}}}
spec: {{resourceQuotas: {{items: [{{hard: {{pods: 5}}}}]}}}}
status: {{namespaces: [{", ".join(members)}]}}
"""


def test_a_namespace_with_two_parents_keeps_the_first_and_names_the_other():
    found = convert_text(anchor("org", "team") + tenant("oil", "team", "rig"))
    assert parents(found) == {"org": None, "team": "org", "oil": None, "rig": "oil"}
    assert said(found) == [
        "tenant/oil: team is below org already, and a namespace has one parent",
    ]


@pytest.mark.parametrize(
    ("tenants", "want"),
    [
        pytest.param(tenant("oil", "rig"), {"oil", "rig"}, id="the tenant's own"),
        pytest.param(tenant("oil", "oil"), {"oil-tenant", "oil"}, id="a namespace has that name"),
        pytest.param(
            tenant("kube-system", "rig"), {"kube-system-tenant", "rig"}, id="a reserved name"
        ),
        pytest.param(
            tenant("oil", "oil", "oil-tenant"),
            {"oil-tenant-2", "oil", "oil-tenant"},
            id="both names are taken",
        ),
    ],
)
def test_what_stands_for_a_tenant_has_a_name_of_its_own(tenants, want):
    assert set(parents(convert_text(tenants))) == want


def crq(name, *members):
    listed = ", ".join(f"{{namespace: {m}}}" for m in members)
    return f"""
---
apiVersion: quota.openshift.io/v1
kind: ClusterResourceQuota
metadata: {{name: {name}}}
spec: {{quota: {{hard: {{pods: 9}}}}, selector: {{labels: {{matchLabels: {{x: "y"}}}}}}}}
status: {{namespaces: [{listed}]}}
"""


@pytest.mark.parametrize(
    ("text", "want"),
    [
        pytest.param(
            crq("big", "a", "b", "c") + crq("small", "a", "b"),
            {"big": None, "small": "big", "a": "small", "b": "small", "c": "big"},
            id="a set inside another one is a level below it",
        ),
        pytest.param(
            crq("one", "a", "b") + crq("two", "a", "b"),
            {"one": None, "a": "one", "b": "one"},
            id="equal sets are one level",
        ),
        pytest.param(crq("one", "a"), {"a": None}, id="a single namespace needs no level"),
        pytest.param(
            anchor("a", "b") + crq("both", "a", "b"),
            {"a": None, "b": "a"},
            id="a whole subtree needs no level",
        ),
    ],
)
def test_sets_of_namespaces_become_levels_where_a_tree_can_have_them(text, want):
    found = convert_text(text)
    assert parents(found) == want
    assert said(found) == []


@pytest.mark.parametrize(
    ("text", "want"),
    [
        pytest.param(
            crq("one", "a", "b") + crq("two", "b", "c"), "overlaps another one", id="overlapping"
        ),
        pytest.param(
            anchor("a", "b") + crq("top", "a", "x"), "leaves out b", id="without what is below"
        ),
    ],
)
def test_a_set_that_is_no_subtree_is_not_carried_over(text, want):
    assert any(want in message for message in said(convert_text(text)))


def test_a_set_with_the_clusters_own_namespaces_leaves_those_out():
    found = convert_text(crq("all", "a", "b", "kube-system"))
    assert parents(found) == {"all": None, "a": "all", "b": "all"}
    assert said(found) == [
        "clusterresourcequota/all: namespace kube-system belongs to the cluster itself: left out"
    ]


def test_selection_without_namespaces_says_what_to_give():
    (message,) = said(convert_text(crq("nobody")))
    assert "give the Namespaces too" in message


def test_objects_of_other_kinds_are_counted_and_named():
    found = convert_text("{apiVersion: apps/v1, kind: Deployment, metadata: {name: d}}")
    assert said(found) == ["deployment: 1 of a kind that is not read"]


def test_order_of_the_objects_does_not_matter():
    text = (GOLDEN / "import" / "capsule.objects.yaml").read_text(encoding="utf-8")
    documents = [d for d in yaml.safe_load_all(text) if d]
    forwards = convert.convert(objects.of(documents))
    assert convert.convert(objects.of(reversed(documents))) == forwards
