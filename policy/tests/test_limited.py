"""Rule namespace-limited."""

import pytest
from checking import UNKNOWN, check, namespace, node, resource_quota, state, tree_quota

RULE = "namespace-limited"


def test_a_namespace_that_nothing_limits_is_a_violation_with_its_remedy():
    told = check(RULE, namespace("etl"))
    assert list(told.violations) == ["etl"]
    assert "namespace etl has neither a quota nor a parent" in told.one()
    assert "Label it quotatree.dev/parent: <namespace>" in told.one()
    assert told.unknown == ""


@pytest.mark.parametrize(
    "others",
    [
        [namespace("etl", "org")],
        [namespace("etl"), tree_quota("etl", cpu="1")],
        [namespace("etl"), resource_quota("etl", {"cpu": "1"})],
        [namespace("kube-system")],
    ],
    ids=["parent", "tree-quota", "resource-quota", "exempt"],
)
def test_a_limited_or_exempt_namespace_is_not(others):
    assert check(RULE, *others).is_clean


def test_a_patch_may_bring_the_parent():
    props = {"metadata": {"name": "etl", "labels": {"quotatree.dev/parent": "org"}}}
    assert check(
        RULE, namespace("etl"), ("kubernetes:core/v1:NamespacePatch", "patch", props)
    ).is_clean


def test_a_patched_namespace_is_somebody_elses():
    props = {"metadata": {"name": "etl"}}
    assert check(RULE, ("kubernetes:core/v1:NamespacePatch", "patch", props)).is_clean


def test_what_the_cluster_knows_counts(tmp_path):
    where = state(tmp_path, node("org", hard={"cpu": "1"}), node("etl", "org"))
    assert check(RULE, namespace("etl"), state=where).is_clean
    assert "other" in check(RULE, namespace("other"), state=where).violations


@pytest.mark.parametrize(
    "metadata",
    [{"name": UNKNOWN}, {"labels": UNKNOWN}, {"labels": {"quotatree.dev/parent": UNKNOWN}}],
    ids=["name", "labels", "label"],
)
def test_what_is_not_known_yet_is_no_pass_and_no_violation(metadata):
    token, name, props = namespace("etl")
    told = check(RULE, (token, name, {**props, "metadata": {**props["metadata"], **metadata}}))
    assert told.violations == {}
    assert told.unknown.startswith("not judged: namespace/etl: ")


def test_a_quota_for_nobody_knows_whom_may_be_this_ones():
    told = check(RULE, namespace("etl"), tree_quota(UNKNOWN, cpu="1"))
    assert told.violations == {}
    assert "treequota/quota may limit it" in told.unknown


def test_what_is_not_known_can_be_made_a_violation():
    told = check(RULE, namespace("etl", UNKNOWN), unknown="fail")
    assert told.one().startswith("not judged: ")
    assert told.unknown == ""


def test_exempt_namespaces_can_be_chosen():
    assert check(RULE, namespace("scratch-1"), exemptNamespaces=["scratch-*"]).is_clean
    assert not check(RULE, namespace("kube-system"), exemptNamespaces=[]).is_clean
