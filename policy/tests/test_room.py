"""Rule tree-room: the engine's own answers about what is planned."""

import pytest
from checking import (
    UNKNOWN,
    check,
    container,
    deployment,
    limit_range,
    namespace,
    node,
    pod,
    resource_quota,
    state,
    tree_quota,
    workload,
)

RULE = "tree-room"
CPU = container({"cpu": "2"})
ORG = [namespace("org"), tree_quota("org", cpu="10"), namespace("etl", "org")]


def test_replicas_times_requests_that_fit_pass():
    assert check(RULE, *ORG, deployment("etl", CPU, replicas=5)).is_clean


def test_beyond_the_room_names_level_numbers_workload_and_remedy():
    message = check(RULE, *ORG, deployment("etl", CPU, replicas=6)).one()
    assert "exceeded quota: org, requested: cpu=12, used: cpu=0, limited: cpu=10" in message
    assert "held by ancestor org's TreeQuota" in message
    assert "Planned cpu: deployment/app 12 (6 pods); lower replicas or requests" in message


def test_workloads_of_a_namespace_are_added_up_and_the_largest_is_blamed():
    small = deployment("etl", container({"cpu": "1"}), replicas=3, name="small")
    large = deployment("etl", CPU, replicas=4, name="large")
    told = check(RULE, *ORG, small, large)
    assert list(told.violations) == ["large"]
    assert "Planned cpu: deployment/large 8 (4 pods), deployment/small 3 (3 pods)" in told.one()


def test_siblings_share_their_parents_room():
    web, etl = deployment("web", CPU, replicas=3, name="w"), deployment("etl", CPU, replicas=3)
    told = check(RULE, *ORG, namespace("web", "org"), web, etl)
    assert list(told.violations) == ["w"]
    assert "exceeded quota: org, requested: cpu=6, used: cpu=6, limited: cpu=10" in told.one()


@pytest.mark.parametrize(
    ("planned", "want"),
    [
        (pod("etl", container({"cpu": "11"})), "cpu=11"),
        (workload("batch/v1:Job", "etl", CPU, parallelism=6, completions=50), "cpu=12"),
        (workload("apps/v1:StatefulSet", "etl", CPU, replicas=7), "cpu=14"),
    ],
    ids=["pod", "job", "stateful-set"],
)
def test_other_kinds_are_counted_by_their_own_rules(planned, want):
    assert f"requested: {want}," in check(RULE, *ORG, planned).one()


def test_a_limit_range_counts_where_nothing_is_said():
    told = check(
        RULE, *ORG, limit_range("etl", cpu="3"), deployment("etl", container(), replicas=4)
    )
    assert "requested: cpu=12" in told.one()


def test_claims_and_services_count_too():
    spec = {"resources": {"requests": {"storage": "2Gi"}}}
    metadata = {"name": "data", "namespace": "org"}
    claim = (
        "kubernetes:core/v1:PersistentVolumeClaim",
        "data",
        {"metadata": metadata, "spec": spec},
    )
    told = check(RULE, namespace("org"), tree_quota("org", requests_storage="1Gi"), claim)
    assert "requested: requests.storage=2Gi" in told.one()


def test_a_guarantee_of_a_sibling_is_kept_free():
    token, name, props = tree_quota("web")
    guarantee = (token, name, {**props, "spec": {"guaranteed": {"cpu": "6"}}})
    told = check(RULE, *ORG, namespace("web", "org"), guarantee, deployment("etl", CPU, replicas=3))
    assert "exceeded quota: org, requested: cpu=6, used: cpu=6, limited: cpu=10" in told.one()


def test_a_scoped_limit_holds_for_the_pods_of_its_scope():
    token, name, props = tree_quota("org", name="best", pods="2")
    best = (token, name, {**props, "spec": {**props["spec"], "scopes": ["BestEffort"]}})
    told = check(RULE, *ORG, best, deployment("etl", container(), replicas=3))
    assert "requested: pods=3" in told.one()
    assert "[BestEffort]" in told.one()
    assert check(RULE, *ORG, best, deployment("etl", CPU, replicas=3)).is_clean


# -- the cluster ------------------------------------------------------------------------------


def cluster(path, **used):
    """Org has 10 CPUs; etl below it uses what is used."""
    nothing = dict.fromkeys(used, "0")
    org = node("org", hard={"cpu": "10"}, used=used, held=nothing)
    return state(path, org, node("etl", "org", used=used))


def test_what_the_cluster_uses_already_counts(tmp_path):
    where = cluster(tmp_path, cpu="4")
    assert check(RULE, deployment("etl", CPU, replicas=3), state=where).is_clean
    told = check(RULE, deployment("etl", CPU, replicas=4), state=where)
    assert "exceeded quota: org, requested: cpu=8, used: cpu=4, limited: cpu=10" in told.one()


def test_what_runs_already_is_not_counted_twice(tmp_path):
    where = cluster(tmp_path, cpu="10")
    running = {"stored": True, "status": {"replicas": 5}}
    assert check(RULE, deployment("etl", CPU, replicas=5, **running), state=where).is_clean
    told = check(RULE, deployment("etl", CPU, replicas=6, **running), state=where)
    assert "requested: cpu=2, used: cpu=10" in told.one()


def test_a_status_from_before_its_controller_ran_says_nothing(tmp_path):
    where = cluster(tmp_path, cpu="10")
    for status in ({}, None):
        stale = deployment("etl", CPU, replicas=5, stored=True, status=status)
        assert check(RULE, stale, state=where).is_clean
    seen = {"stored": True, "status": {"observedGeneration": 1}}
    told = check(RULE, deployment("etl", CPU, replicas=5, **seen), state=where)
    assert "requested: cpu=10, used: cpu=10" in told.one()


def test_at_the_end_of_an_update_what_was_made_is_in_the_usage(tmp_path):
    where = cluster(tmp_path, cpu="10")
    fresh = deployment("etl", CPU, replicas=5)
    assert check(RULE, fresh, made=True, state=where).is_clean
    more = deployment("etl", CPU, replicas=6)
    assert "requested: cpu=2" in check(RULE, more, made=True, state=where).one()


def test_requests_that_rise_are_growth_though_no_pod_is_new(tmp_path):
    where = cluster(tmp_path, cpu="4")
    running = {"stored": True, "status": {"replicas": 2}}
    told = check(
        RULE, deployment("etl", container({"cpu": "6"}), replicas=2, **running), state=where
    )
    assert "requested: cpu=8, used: cpu=4" in told.one()


def test_the_programs_limits_take_the_place_of_the_clusters(tmp_path):
    where = cluster(tmp_path, cpu="4")
    raised = tree_quota("org", cpu="20")
    assert check(RULE, raised, deployment("etl", CPU, replicas=8), state=where).is_clean
    lowered = tree_quota("org", cpu="5")
    told = check(RULE, lowered, deployment("etl", CPU, replicas=1), state=where)
    assert "limited: cpu=5" in told.one()


def test_a_first_limit_on_what_runs_already_is_told_since_its_usage_is_in_no_state(tmp_path):
    where = state(tmp_path, node("org"), node("web", "org"), node("etl", "org"), node("elsewhere"))
    told = check(RULE, tree_quota("org", cpu="10"), deployment("etl", CPU), state=where)
    assert told.violations == {}
    assert "cpu would be limited for the first time" in told.unknown
    assert "what etl, org, web use of it" in told.unknown
    assert check(RULE, tree_quota("web", cpu="10"), deployment("etl", CPU), state=where).is_clean


def test_a_new_namespace_under_one_of_the_cluster_is_held_by_it(tmp_path):
    where = cluster(tmp_path, cpu="4")
    told = check(RULE, namespace("new", "org"), deployment("new", CPU, replicas=4), state=where)
    assert "exceeded quota: org, requested: cpu=8, used: cpu=4" in told.one()


def test_a_namespace_in_no_tree_of_the_cluster_is_limited_by_none(tmp_path):
    where = cluster(tmp_path, cpu="10")
    assert check(RULE, deployment("free", CPU, replicas=100), state=where).is_clean


def test_a_move_that_does_not_fit_is_told(tmp_path):
    where = state(
        tmp_path,
        node("org", hard={"cpu": "10"}, used={"cpu": "8"}, held={"cpu": "0"}),
        node("web", "org", used={"cpu": "8"}),
        node("etl", hard={"cpu": "9"}, used={"cpu": "5"}),
    )
    told = check(RULE, namespace("etl", "org"), state=where)
    assert "namespace etl does not fit under org" in told.one()


def test_a_circle_of_parents_is_told():
    told = check(RULE, namespace("a", "c"), namespace("b", "a"), namespace("c", "b"))
    assert list(told.violations) == ["a", "b", "c"]
    assert "namespace a is below itself: a > b > c > a; give one" in told.violations["a"][0]


# -- guarantees -------------------------------------------------------------------------------


def guarantee(space, **guaranteed):
    token, name, props = tree_quota(space)
    return (token, name, {**props, "spec": {"guaranteed": guaranteed}})


def test_a_guarantee_for_which_another_component_has_no_room_is_told():
    told = check(RULE, *ORG, guarantee("etl", cpu="11"))
    assert list(told.violations) == ["etl-quota"]
    assert "the guarantee of namespace etl would wait: org has no room for it" in told.one()
    assert "cpu: needs 11 more, org has 10 of 10 left" in told.one()
    assert "lower it, free that much below org, or raise org" in told.one()
    assert check(RULE, *ORG, guarantee("etl", cpu="10")).is_clean


def test_guarantees_together_are_held_against_what_is_above_them():
    web = namespace("web", "org")
    told = check(RULE, *ORG, web, guarantee("etl", cpu="6"), guarantee("web", cpu="5"))
    assert "cpu: needs 5 more, org has 4 of 10 left" in told.one()


def test_a_guarantee_finds_the_room_that_the_cluster_has_left(tmp_path):
    used = {"cpu": "4"}
    org = node("org", hard={"cpu": "10"}, used=used, held={"cpu": "0"})
    etl, web = node("etl", "org", used={"cpu": "0"}), node("web", "org", used=used)
    where = state(tmp_path, org, etl, web)
    assert check(RULE, guarantee("etl", cpu="6"), state=where).is_clean
    told = check(RULE, guarantee("etl", cpu="7"), state=where)
    assert "cpu: needs 7 more, org has 6 of 10 left" in told.one()


def test_a_guarantee_under_a_parent_that_nobody_shows_is_no_pass():
    told = check(RULE, namespace("etl", "org"), guarantee("etl", cpu="1"))
    assert told.violations == {}
    assert "whether it fits above org cannot be told" in told.unknown


def test_a_guarantee_of_what_is_limited_for_the_first_time_is_no_pass(tmp_path):
    where = state(tmp_path, node("org"), node("web", "org"), node("etl", "org"))
    told = check(RULE, tree_quota("org", cpu="10"), guarantee("etl", cpu="1"), state=where)
    assert told.violations == {}
    assert "cpu would be limited for the first time" in told.unknown


# -- plain ResourceQuotas ---------------------------------------------------------------------


def test_a_resource_quota_of_the_program_is_a_limit_too():
    quota = resource_quota("etl", {"cpu": "20", "memory": "100Gi"})
    assert check(RULE, namespace("etl"), quota, deployment("etl", CPU, replicas=10)).is_clean
    message = check(RULE, namespace("etl"), quota, deployment("etl", CPU, replicas=11)).one()
    assert "exceeded quota: own, planned: cpu=22, limited: cpu=20" in message


# -- what is not known ------------------------------------------------------------------------


def test_unknown_replicas_and_requests_are_told_and_never_passed():
    told = check(RULE, *ORG, deployment("etl", CPU, replicas=UNKNOWN))
    assert told.violations == {}
    assert "deployment/app: what it costs: spec.replicas not known yet" in told.unknown
    told = check(RULE, *ORG, deployment("etl", container({"cpu": UNKNOWN}), replicas=2))
    assert "containers[0].resources.requests" in told.unknown


def test_what_is_known_is_beyond_whatever_the_rest_comes_to():
    two = [container({"cpu": "6"}), container({"cpu": UNKNOWN}, name="side")]
    told = check(RULE, *ORG, deployment("etl", *two, replicas=2))
    assert "requested: cpu=12" in told.one()
    assert told.unknown


def test_an_unknown_limit_is_told():
    told = check(RULE, namespace("org"), tree_quota("org", cpu=UNKNOWN))
    assert "treequota/quota: how much it limits: spec.hard" in told.unknown


def test_an_unknown_parent_or_namespace_is_told():
    told = check(RULE, namespace("etl", UNKNOWN), deployment("etl", CPU))
    assert "namespace/etl: what it lies under" in told.unknown
    assert "whether it fits: metadata.namespace" in check(RULE, deployment(UNKNOWN, CPU)).unknown


def test_a_parent_that_nobody_shows_is_told():
    told = check(RULE, namespace("etl", "org"), deployment("etl", CPU))
    assert told.violations == {}
    assert "whether it fits above org cannot be told" in told.unknown


def test_a_kind_whose_cost_nobody_knows_is_told():
    props = {"metadata": {"name": "x", "namespace": "etl"}, "spec": {}}
    told = check(RULE, *ORG, ("kubernetes:example.com/v1:Thing", "x", props))
    assert "kind Thing of example.com is not known here" in told.unknown


def test_a_daemon_set_is_told_since_nodes_are_not_known():
    told = check(RULE, *ORG, workload("apps/v1:DaemonSet", "etl", CPU))
    assert "a DaemonSet has a pod on each node" in told.unknown
