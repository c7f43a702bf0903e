"""Who else limits, and which pods native admission refuses."""

import pytest
from tests.unit.cli.doctor.test_standing import look, seen

from quotatree.cli.doctor import neighbours
from quotatree.importers import objects


def others(*found):
    check = neighbours.others(look(seen()), objects.of(found))
    return [(item.code, item.subject, item.message) for item in check.items]


def quota(name, namespace, labels=None):
    return {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": name, "namespace": namespace, "labels": labels or {}},
        "spec": {"hard": {"pods": "3", "cpu": "5"}},
    }


def test_nobody_else_is_no_finding():
    managed = {"quotatree.dev/managed": "true"}
    assert others(quota("quotatree", "team", managed), quota("own", "elsewhere")) == []


@pytest.mark.parametrize(
    ("labels", "want"),
    [
        pytest.param({}, "it limits cpu, pods there too: the tighter", id="somebody's own"),
        pytest.param({"capsule.clastix.io/tenant": "x"}, "made by Capsule", id="a tool's"),
    ],
)
def test_a_second_quota_is_named_with_what_it_limits(labels, want):
    ((code, subject, message),) = others(quota("own", "team", labels))
    assert (code, subject) == ("other-quota", "resourcequota/own -n team")
    assert want in message


def hrq(namespace):
    return {
        "apiVersion": "hnc.x-k8s.io/v1alpha2",
        "kind": "HierarchicalResourceQuota",
        "metadata": {"name": "hrq", "namespace": namespace},
        "spec": {"hard": {"pods": "3"}},
    }


def test_another_tool_is_named_with_the_namespaces_that_both_limit():
    ((code, subject, message),) = others(hrq("team"), hrq("elsewhere"))
    assert (code, subject) == ("other-tool", "hnc")
    assert message == "hnc limits 1 namespace of the tree as well: team"


def test_a_tools_limit_counts_for_everything_below_it():
    anchor = {
        "apiVersion": "hnc.x-k8s.io/v1alpha2",
        "kind": "SubnamespaceAnchor",
        "metadata": {"name": "alice", "namespace": "elsewhere"},
    }
    ((_, _, message),) = others(hrq("elsewhere"), anchor)
    assert message.endswith(": alice")


def limit_range(**defaults):
    limits = [{"type": "Container", **defaults}]
    return {"metadata": {"name": "d", "namespace": "team"}, "spec": {"limits": limits}}


@pytest.mark.parametrize(
    ("ranges", "want"),
    [
        pytest.param([], ["alice", "team"], id="no default"),
        pytest.param([limit_range(defaultRequest={"cpu": "1"})], ["alice"], id="a default"),
        pytest.param([limit_range(default={"cpu": "1"})], ["alice"], id="a default limit does"),
        pytest.param(
            [limit_range(defaultRequest={"memory": "1Gi"})], ["alice", "team"], id="of another"
        ),
    ],
)
def test_namespaces_where_pods_have_to_say_what_they_request(ranges, want):
    check = neighbours.requests(look(seen()), {"team": ranges})
    assert [item.namespace for item in check.items] == want
