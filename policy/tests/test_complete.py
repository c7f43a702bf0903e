"""Rule resource-quota-complete."""

import pytest
from checking import UNKNOWN, check, resource_quota

RULE = "resource-quota-complete"


@pytest.mark.parametrize(
    ("hard", "want"),
    [
        ({"pods": "5"}, "does not limit cpu and memory"),
        ({"cpu": "1"}, "does not limit memory"),
        ({"limits.memory": "1Gi", "count/pods": "3"}, "does not limit cpu"),
        ({}, "does not limit cpu and memory"),
        (None, "does not limit cpu and memory"),
    ],
    ids=["pods", "cpu", "memory", "empty", "absent"],
)
def test_what_is_not_limited_is_named(hard, want):
    told = check(RULE, resource_quota("etl", hard))
    assert f"resourcequota/own in namespace etl {want}:" in told.one()
    assert '"requests.' in told.one()


@pytest.mark.parametrize(
    "hard",
    [
        {"cpu": "1", "memory": "1Gi"},
        {"requests.cpu": "1", "limits.memory": "1Gi"},
    ],
    ids=["plain", "prefixed"],
)
def test_any_name_of_the_resource_will_do(hard):
    assert check(RULE, resource_quota("etl", hard)).is_clean


def test_a_scope_that_cannot_limit_them_excuses():
    assert check(RULE, resource_quota("etl", {"pods": "5"}, scopes=["BestEffort"])).is_clean
    assert not check(RULE, resource_quota("etl", {"pods": "5"}, scopes=["Terminating"])).is_clean


def test_one_resource_can_be_enough():
    assert check(RULE, resource_quota("etl", {"cpu": "1"}), resources=["cpu"]).is_clean


@pytest.mark.parametrize("hard", [UNKNOWN, {"cpu": "1", "memory": UNKNOWN}], ids=["map", "value"])
def test_what_is_not_known_yet_is_not_judged(hard):
    told = check(RULE, resource_quota("etl", hard))
    assert told.violations == {}
    assert "what it limits: spec.hard" in told.unknown
