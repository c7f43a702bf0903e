"""Limits outlast their kind: in this process, and by memory in the next."""

import pytest

from quotatree.cluster.live import Live
from quotatree.cluster.reflector import Deleted, Listed
from quotatree.controller.intake import Intake
from quotatree.model.names import Namespace

ORG = Namespace("org")
MADE = "2026-05-01T10:00:00Z"


def metadata(name: str, version: int, **more: object) -> dict[str, object]:
    return {"name": name, "uid": f"uid-{name}", "resourceVersion": str(version), **more}


def tree_quota(pods: str = "2") -> dict[str, object]:
    return {
        "metadata": metadata("limit", 7, namespace="org", creationTimestamp=MADE, generation=1),
        "spec": {"hard": {"pods": pods}},
    }


REMEMBERED = (
    '[{"metadata":{"name":"limit","uid":"uid-limit","creationTimestamp":"2026-05-01T10:00:00Z"},'
    '"spec":{"hard":{"pods":"2"}}}]'
)


def intake(*, remembers: str = REMEMBERED, listed: tuple[dict[str, object], ...] = ()) -> Intake:
    """A process that has just read the cluster."""
    live = Live(clock=lambda: 0.0)
    live.lead(2)
    found = Intake(live)
    found.namespaces(Listed(items=({"metadata": metadata("org", 1)},), resource_version=9))
    annotations = {"quotatree.dev/limits": remembers}
    managed = {
        "metadata": metadata("quotatree", 8, namespace="org", annotations=annotations),
        "spec": {"hard": {"pods": "1E"}},
        "status": {"hard": {"pods": "1E"}, "used": {"pods": "1"}},
    }
    found.managed(Listed(items=(managed,), resource_version=9))
    found.quotas(Listed(items=listed, resource_version=9))
    return found


def hard(found: Intake) -> dict[str, int]:
    return {
        r: amount // 10**9
        for quota in found._live.world.limits.quotas(ORG)
        for r, amount in quota.hard.nanos().items()
    }


@pytest.mark.parametrize(
    ("kind_since", "want"),
    [
        (None, {"pods": 2}),
        ("2026-06-01T00:00:00Z", {"pods": 2}),
        ("2026-04-01T00:00:00Z", {}),
    ],
    ids=["there is no kind", "the kind was made anew", "somebody deleted it while we were away"],
)
def test_what_is_remembered_and_not_listed_counts_if_it_went_with_its_kind(kind_since, want):
    found = intake()
    found.recall(kind_since=kind_since)
    assert hard(found) == want


def test_what_is_listed_is_believed_and_not_what_is_remembered():
    found = intake(listed=(tree_quota(pods="3"),))
    assert found.remembered() == []
    found.recall(kind_since=None)
    assert hard(found) == {"pods": 3}


def test_a_limit_that_was_recalled_stays_when_its_kind_comes_back_empty():
    found = intake()
    found.recall(kind_since=None)
    found.quotas(Listed(items=(), resource_version=20))
    assert (hard(found), found.departed) == ({"pods": 2}, {})


@pytest.mark.parametrize("text", ["", "nonsense", "{}", '[{"metadata": 3}, "x", 4]', "[[]]"])
def test_garbage_is_no_memory(text):
    found = intake(remembers=text)
    found.recall(kind_since=None)
    assert hard(found) == {}


def test_what_departs_while_we_ask_why_is_asked_for_again():
    found = intake(listed=(tree_quota(),))
    found.bury((), by_hand=True)
    found.quotas(Deleted(object=tree_quota(), resource_version=21))
    found.bury((), by_hand=True)
    assert hard(found) == {"pods": 2}
    found.bury(tuple(found.departed), by_hand=True)
    assert hard(found) == {}
