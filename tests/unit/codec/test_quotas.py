"""TreeQuotas: stored ones are read without fail, wished ones are judged without mercy."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from quotatree.codec import quotas
from quotatree.model.quota import Condition, FailurePolicy, Mode, Quota, QuotaStatus
from quotatree.model.scope import ScopeTerm
from quotatree.units.resources import EMPTY, Resources

CPU = Resources.parse({"cpu": "5"})


def obj(spec, **other):
    return {
        "apiVersion": "quotatree.dev/v1alpha1",
        "kind": "TreeQuota",
        "metadata": {"name": "quota", "namespace": "team"},
        "spec": spec,
        **other,
    }


def test_a_stored_quota_is_read():
    seen = quotas.parse(
        {
            "metadata": {
                "name": "quota",
                "namespace": "team",
                "uid": "u",
                "generation": 3,
                "creationTimestamp": "2026-01-01T00:00:00Z",
            },
            "spec": {
                "hard": {"cpu": "5"},
                "guaranteed": {"cpu": 2},
                "scopes": ["NotTerminating"],
                "scopeSelector": {
                    "matchExpressions": [
                        {"scopeName": "PriorityClass", "operator": "In", "values": ["b", "a"]}
                    ]
                },
                "failurePolicy": "Ignore",
                "mode": "Observe",
            },
            "status": {"guaranteed": {"cpu": "1"}, "observedGeneration": 2},
        }
    )
    assert seen.key == ("team", "quota")
    assert (seen.generation, seen.created) == (3, "2026-01-01T00:00:00Z")
    assert (seen.hard, seen.guaranteed) == (CPU, Resources.parse({"cpu": "2"}))
    assert seen.scopes == (
        ScopeTerm(scope="NotTerminating"),
        ScopeTerm(scope="PriorityClass", operator="In", values=("a", "b")),
    )
    assert seen.failure_policy is FailurePolicy.IGNORE
    assert seen.mode is Mode.OBSERVE
    assert seen.granted == Resources.parse({"cpu": "1"})
    assert seen.status.observed_generation == 2


@pytest.mark.parametrize(
    ("hard", "want", "why"),
    [
        ({"cpu": "5", "memroy": "1Gi"}, {"cpu": "5"}, "a misspelt name would fail the whole write"),
        ({"cpu": "5", "memory": "lots"}, {"cpu": "5"}, "no quantity"),
        ({"cpu": "-5"}, {"cpu": "0"}, "below zero nothing can be, so nothing may be"),
        ({"pods": "1500m"}, {"pods": "1"}, "one and a half pods are one pod"),
        ({"cpu": "1000E"}, {"cpu": str(2**63 - 1)}, "the API server would write it as 1"),
        ({"cpu": None}, {}, "null"),
        ([], {}, "a list"),
    ],
)
def test_what_is_stored_wrongly_loses_no_limit(hard, want, why):
    assert quotas.parse(obj({"hard": hard})).hard == Resources.parse(want), why


@pytest.mark.parametrize("garbage", [{}, {"spec": None}, {"spec": [], "status": 3, "metadata": ""}])
def test_garbage_is_a_quota_without_limits(garbage):
    seen = quotas.parse(garbage)
    assert (seen.hard, seen.scopes, seen.status) == (EMPTY, (), None)


MALFORMED = [
    pytest.param({"hard": {"cpu": "5x"}}, 'spec.hard["cpu"]', "no unit", id="unknown unit"),
    pytest.param({"hard": {"cpu": ""}}, 'spec.hard["cpu"]', "empty", id="empty quantity"),
    pytest.param({"hard": {"cpu": "NaN"}}, 'spec.hard["cpu"]', "no quantity", id="NaN"),
    pytest.param({"hard": {"cpu": "-1"}}, 'spec.hard["cpu"]', "negative", id="negative"),
    pytest.param({"hard": {"cpu": True}}, 'spec.hard["cpu"]', "is true", id="a boolean"),
    pytest.param({"hard": {"cpu": None}}, 'spec.hard["cpu"]', "null", id="null"),
    pytest.param({"hard": {"cpu": 0.1}}, 'spec.hard["cpu"]', "rounded", id="a rounded number"),
    pytest.param({"hard": {"cpu": {}}}, 'spec.hard["cpu"]', "a map", id="a map for a quantity"),
    pytest.param({"hard": {"pods": "1500m"}}, 'spec.hard["pods"]', "whole", id="half a pod"),
    pytest.param({"hard": {"cpu": "1000E"}}, 'spec.hard["cpu"]', "9.2E", id="above what counts"),
    pytest.param(
        {"guaranteed": {"cpu": "9223372036854775808"}},
        'spec.guaranteed["cpu"]',
        "at most 9223372036854775807",
        id="one above what counts",
    ),
    pytest.param(
        {"hard": {"memroy": "1Gi"}}, 'spec.hard["memroy"]', "'memory'", id="misspelt memory"
    ),
    pytest.param(
        {"hard": {"storage": "1Gi"}}, 'spec.hard["storage"]', "requests.storage", id="storage alone"
    ),
    pytest.param(
        {"hard": {"nvidia.com/gpu": "1"}},
        'spec.hard["nvidia.com/gpu"]',
        "requests.nvidia.com/gpu",
        id="a GPU without requests.",
    ),
    pytest.param({"hard": []}, "spec.hard", "a list", id="hard is a list"),
    pytest.param({"hard": "5"}, "spec.hard", "must be a map", id="hard is a text"),
    pytest.param({"hrad": {}}, "spec.hrad", '"hard"', id="misspelt hard"),
    pytest.param(
        {"hard": {"cpu": "1"}, "guaranteed": {"cpu": "2"}},
        'spec.guaranteed["cpu"]',
        "above",
        id="guarantee above hard",
    ),
    pytest.param(
        {"hard": {"cpu": "1"}, "guaranteed": {"requests.cpu": "2"}},
        'spec.guaranteed["requests.cpu"]',
        'hard["cpu"]',
        id="guarantee above hard under its other name",
    ),
    pytest.param({"scopes": "BestEffort"}, "spec.scopes", "a list", id="scopes is a text"),
    pytest.param({"scopes": ["BestEfort"]}, "spec.scopes[0]", '"BestEffort"', id="misspelt scope"),
    pytest.param({"scopes": [3]}, "spec.scopes[0]", "name of a scope", id="scope is a number"),
    pytest.param(
        {"hard": {"cpu": "1"}, "scopes": ["BestEffort"]},
        "spec.scopes[0]",
        "cannot limit",
        id="best effort has no cpu",
    ),
    pytest.param(
        {"hard": {"services": "1"}, "scopes": ["Terminating"]},
        "spec.scopes[0]",
        "cannot limit",
        id="services do not end",
    ),
    pytest.param(
        {"scopes": ["BestEffort", "NotBestEffort"]},
        "spec.scopes",
        "no pod is both",
        id="conflicting scopes",
    ),
    pytest.param(
        {"scopes": ["Terminating", "NotTerminating"]},
        "spec.scopes",
        "no pod is both",
        id="conflicting deadlines",
    ),
    pytest.param({"scopeSelector": []}, "spec.scopeSelector", "a map", id="selector is a list"),
    pytest.param(
        {"scopeSelector": {"matchExpression": []}},
        "spec.scopeSelector.matchExpression",
        "matchExpressions",
        id="misspelt matchExpressions",
    ),
    pytest.param(
        {"scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "Is"}]}},
        "spec.scopeSelector.matchExpressions[0].operator",
        "NotIn",
        id="unknown operator",
    ),
    pytest.param(
        {"scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "In"}]}},
        "spec.scopeSelector.matchExpressions[0].values",
        "at least one",
        id="In without values",
    ),
    pytest.param(
        {
            "scopeSelector": {
                "matchExpressions": [
                    {"scopeName": "PriorityClass", "operator": "Exists", "values": ["a"]}
                ]
            }
        },
        "spec.scopeSelector.matchExpressions[0].values",
        "no values",
        id="Exists with values",
    ),
    pytest.param(
        {
            "scopeSelector": {
                "matchExpressions": [{"scopeName": "BestEffort", "operator": "In", "values": ["a"]}]
            }
        },
        "spec.scopeSelector.matchExpressions[0].operator",
        "Exists only",
        id="BestEffort In",
    ),
    pytest.param(
        {
            "scopeSelector": {
                "matchExpressions": [
                    {"scopeName": "PriorityClass", "operator": "In", "values": [1]}
                ]
            }
        },
        "spec.scopeSelector.matchExpressions[0].values",
        "texts",
        id="values that are numbers",
    ),
    pytest.param(
        {"failurePolicy": "fail"}, "spec.failurePolicy", "Fail or Ignore", id="lower-case policy"
    ),
    pytest.param({"mode": "observe"}, "spec.mode", "Enforce or Observe", id="lower-case mode"),
    pytest.param(None, "spec", "must be a map", id="no spec"),
    pytest.param([], "spec", "must be a map", id="spec is a list"),
]


@pytest.mark.parametrize(("spec", "want_path", "want_words"), MALFORMED)
def test_a_malformed_quota_is_refused_with_its_place(spec, want_path, want_words):
    found = quotas.problems(obj(spec))
    assert [p.path for p in found] == [want_path]
    assert want_words in str(found[0])


@pytest.mark.parametrize(
    ("change", "want_path"),
    [
        ({"apiVersion": "quotatree.dev/v2"}, "apiVersion"),
        ({"kind": "ResourceQuota"}, "kind"),
        ({"metadata": {"name": "Big"}}, "metadata.name"),
        ({"metadata": None}, "metadata.name"),
    ],
)
def test_an_object_of_another_kind_is_no_tree_quota(change, want_path):
    found = quotas.problems({**obj({}), **change})
    assert [p.path for p in found] == [want_path]


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"hard": {"cpu": 20, "memory": "100Gi", "count/jobs.batch": "5"}},
        {"hard": {"cpu": "20"}, "guaranteed": {"cpu": "20", "memory": "1Gi"}},
        {"hard": {"pods": "5", "requests.nvidia.com/gpu": "1"}, "scopes": ["NotBestEffort"]},
        {"hard": {"requests.storage": "1Gi"}, "scopes": ["VolumeAttributesClass"]},
    ],
)
def test_good_quotas_have_no_problems(spec):
    assert quotas.problems(obj(spec)) == ()


@pytest.mark.parametrize("value", [[], {}, None, 3, ["In"]])
def test_a_selector_of_wrong_types_is_refused_without_fail(value):
    term = {"scopeName": value, "operator": value, "values": value}
    found = quotas.problems(obj({"scopeSelector": {"matchExpressions": [term]}}))
    assert "spec.scopeSelector.matchExpressions[0].scopeName" in [p.path for p in found]
    assert "spec.scopeSelector.matchExpressions[0].operator" in [p.path for p in found]


def test_all_problems_are_told_at_once():
    spec = {"hard": {"cpu": "x", "memroy": "1"}, "scopes": ["Best"], "mode": 3}
    assert len(quotas.problems(obj(spec))) == 4


# -- status ---------------------------------------------------------------------------------

NOW = datetime(2026, 3, 1, 13, 0, tzinfo=timezone(timedelta(hours=1)))


def status(*conditions):
    return QuotaStatus(
        hard=CPU,
        used=CPU,
        charged=CPU,
        available=EMPTY,
        guaranteed=EMPTY,
        observed_generation=4,
        conditions=conditions,
    )


def ready(value):
    return Condition(type="Ready", status=value, reason="Enforced", message="m")


def test_a_status_is_written_whole():
    written = quotas.status_to_dict(status(ready(True)), [], NOW)
    assert written["used"] == {"cpu": "5"}
    assert written["available"] == {}
    assert written["conditions"] == [
        {
            "type": "Ready",
            "status": "True",
            "reason": "Enforced",
            "message": "m",
            "lastTransitionTime": "2026-03-01T12:00:00Z",
            "observedGeneration": 4,
        }
    ]


@pytest.mark.parametrize(("before", "want"), [("True", "then"), ("False", "2026-03-01T12:00:00Z")])
def test_only_a_changed_condition_changes_its_time(before, want):
    previous = [{"type": "Ready", "status": before, "lastTransitionTime": "then"}]
    written = quotas.status_to_dict(status(ready(True)), previous, NOW)
    assert [c["lastTransitionTime"] for c in written["conditions"]] == [want]


def test_conditions_of_others_are_kept():
    other = {"type": "Audited", "status": "True"}
    written = quotas.status_to_dict(status(ready(True)), [other], NOW)
    assert written["conditions"][1:] == [other]


def test_a_condition_of_ours_that_ended_goes():
    ended = {"type": "GuaranteeGranted", "status": "False"}
    written = quotas.status_to_dict(status(ready(True)), [ended], NOW)
    assert [c["type"] for c in written["conditions"]] == ["Ready"]


def test_a_condition_of_others_is_no_difference():
    written = quotas.status_to_dict(status(ready(True)), [{"type": "Audited"}], NOW)
    assert quotas.parse({"status": written}).status == status(ready(True))


def test_a_written_status_is_read_back():
    written = quotas.status_to_dict(status(ready(False)), [], NOW.astimezone(UTC))
    assert quotas.parse({"status": written}).status == status(ready(False))


def test_a_quota_is_written_as_it_is_read():
    quota = Quota(
        namespace="team",
        name="quota",
        hard=CPU,
        scopes=(
            ScopeTerm(scope="BestEffort"),
            ScopeTerm(scope="PriorityClass", operator="In", values=("a",)),
        ),
        failure_policy=FailurePolicy.IGNORE,
        mode=Mode.OBSERVE,
    )
    assert quotas.parse(quotas.to_dict(quota)) == quota


def test_a_mode_that_is_none_limits():
    assert quotas.parse({"spec": {"mode": "Watch"}}).mode is Mode.ENFORCE
