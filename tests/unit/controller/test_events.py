"""Events: what asks for a hand is said once, what did not change is not said."""

from dataclasses import replace

import pytest

from quotatree.controller.events import Recorder
from quotatree.engine.limits import Limits
from quotatree.model.quota import Condition, QuotaStatus
from quotatree.testing import words
from quotatree.units.resources import EMPTY, Resources


def status(*conditions: Condition) -> QuotaStatus:
    return QuotaStatus(
        hard=EMPTY,
        used=EMPTY,
        charged=EMPTY,
        available=EMPTY,
        guaranteed=EMPTY,
        observed_generation=1,
        conditions=conditions,
    )


def condition(kind: str, holds: bool) -> Condition:
    return Condition(type=kind, status=holds, reason=f"{kind}{holds}", message="m")


def said(before: QuotaStatus | None, after: QuotaStatus) -> list[tuple[str, bool]]:
    recorder = Recorder(words.world("org: cpu 5"), repeat_after=30)
    recorder.conditions(replace(words.quota("org"), status=before), after)
    return [(event.reason, event.warning) for event in recorder.take(0)]


@pytest.mark.parametrize(
    ("kind", "holds", "want"),
    [
        ("Ready", False, []),
        ("Ready", True, []),
        ("Exceeded", False, []),
        ("Exceeded", True, [("ExceededTrue", True)]),
        ("GuaranteeGranted", False, [("GuaranteeGrantedFalse", True)]),
        ("GuaranteeGranted", True, []),
        ("LooserThanAncestor", True, [("LooserThanAncestorTrue", True)]),
    ],
)
def test_of_a_first_status_only_what_asks_for_a_hand_is_said(kind, holds, want):
    assert said(None, status(condition(kind, holds))) == want


@pytest.mark.parametrize(
    ("kind", "holds", "warning"),
    [("Ready", True, False), ("Ready", False, True), ("Exceeded", False, False)],
)
def test_a_change_is_said(kind, holds, warning):
    before, after = status(condition(kind, not holds)), status(condition(kind, holds))
    assert said(before, after) == [(f"{kind}{holds}", warning)]


def test_usage_that_was_written_down_is_said_on_its_resource_quota():
    world = words.world("org: pods 9 > a: holds pods 5")
    recorder = Recorder(world, repeat_after=30)
    recorder.lowered(world.managed["a"]["quotatree"], Resources.parse({"pods": "3"}))
    (event,) = recorder.take(0)
    assert (event.namespace, event.kind, event.reason) == ("a", "ResourceQuota", "UsageCorrected")
    assert event.message == "it counted pods=5, and there is pods=3"


def test_the_same_is_not_said_again_for_a_while():
    recorder = Recorder(words.world("org: cpu 5"), repeat_after=30)
    counts = []
    for now in (0, 10, 40):
        recorder.conditions(words.quota("org"), status(condition("Exceeded", True)))
        counts.append(len(recorder.take(now)))
    assert counts == [1, 0, 1]


def test_an_answer_to_an_older_object_does_not_bring_its_limits_back():
    world = words.world("org: cpu 5")
    limits: Limits = world.limits
    old = words.quota("org", hard={"cpu": "5"})
    world.see_quota(words.quota("org", hard={"cpu": "7"}, generation=2))
    limits.answered(old, status())
    (now,) = limits.quotas(old.namespace)
    assert (now.hard, now.status) == (Resources.parse({"cpu": "7"}), status())
    world.lose_quota(now)
    limits.answered(old, status())
    assert limits.quotas(old.namespace) == ()
