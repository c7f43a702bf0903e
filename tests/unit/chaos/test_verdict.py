"""The judge of the fault tests finds what it is there for, and nothing else."""

from dataclasses import replace

import pytest
from tests.chaos import verdict
from tests.chaos.verdict import Held, Levels, Limits, Refusal
from tests.cluster.harness.marks import Mark

LIMITS = Limits(
    lines={"a": ["a", "org"], "b": ["b", "org"], "org": ["org"]},
    hard={"org": (5, None), "b": (None, 1000)},
)


def held(revision: int, namespace: str, pods: int, cpu: int = 0, epoch: int = 0) -> Held:
    return Held(
        revision=revision,
        namespace=namespace,
        amounts=(pods, cpu),
        received=float(revision),
        epoch=epoch,
    )


def refusal(namespace: str, sent: float, *, pods: int = 1, cpu: int = 0) -> Refusal:
    return Refusal(
        namespace=namespace, name="c0", amounts=(pods, cpu), sent=sent, answered=sent + 0.5
    )


# A mark each tenth of a second; what happens in revision n is between marks n - 1 and n.
MARKS = [Mark(version=n, sent=n, answered=n + 0.01) for n in range(100)]


def test_a_level_above_its_limit_is_found_in_the_state_that_made_it_so():
    steps = [held(1, "a", 3), held(2, "b", 2), held(3, "a", 4), held(4, "b", 1)]

    (over,) = Levels(LIMITS, {}, steps).overs

    assert (over.revision, over.level, over.resource, over.amount) == (3, "org", "pods", 6)


def test_what_was_there_before_counts():
    assert Levels(LIMITS, {"a": (5, 0)}, [held(1, "b", 1)]).overs


def test_each_resource_is_held_to_its_own_limit():
    (over,) = Levels(LIMITS, {}, [held(1, "b", 1, cpu=1001)]).overs

    assert (over.level, over.resource) == ("b", "cpu")
    assert not Levels(LIMITS, {}, [held(1, "a", 1, cpu=1001)]).overs


def test_who_fitted_all_the_time_was_refused_wrongly():
    levels = Levels(LIMITS, {}, [held(1, "a", 4)])

    assert verdict.wrong_refusals(levels, [refusal("b", 10.2)], MARKS)


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param([held(1, "a", 5)], id="full all the time"),
        pytest.param([held(1, "a", 4), held(10, "a", 5), held(11, "a", 4)], id="full in between"),
        pytest.param([held(1, "a", 5), held(10, "a", 4)], id="room came back just before"),
        pytest.param([held(1, "a", 4), held(11, "a", 5)], id="full just before the answer"),
    ],
)
def test_who_did_not_fit_for_a_moment_was_refused_rightly(steps: list[Held]):
    levels = Levels(LIMITS, {}, steps)

    assert not verdict.wrong_refusals(levels, [refusal("b", 10.6)], MARKS)


def test_a_limit_of_what_is_not_asked_for_does_not_matter():
    levels = Levels(LIMITS, {"b": (1, 2000)}, [])

    assert verdict.wrong_refusals(levels, [refusal("b", 10.2)], MARKS)
    assert not verdict.wrong_refusals(levels, [refusal("b", 10.2, cpu=1)], MARKS)


def test_what_no_mark_embraces_is_not_judged():
    levels = Levels(LIMITS, {}, [])

    assert not verdict.wrong_refusals(levels, [refusal("a", 0.5)], MARKS)
    assert not verdict.wrong_refusals(levels, [refusal("a", 99.5)], MARKS)


def test_growth_in_an_older_epoch_than_one_before_is_found():
    steps = [held(1, "a", 1, epoch=7), held(2, "a", 1, epoch=8), held(3, "a", 2, epoch=7)]

    assert verdict.late_grants({}, {}, steps) == [steps[2]]
    assert verdict.late_grants({"a": 9}, {}, steps[:1]) == steps[:1]
    assert not verdict.late_grants({}, {}, [*steps[:2], held(3, "b", 1, epoch=7)])


def test_growth_on_a_closed_account_is_late_but_within_its_slice():
    inside = replace(held(1, "a", 2, epoch=0), sliced=(2, 0))
    assert not verdict.late_grants({}, {"a": (1, 0)}, [inside])
    beyond = replace(inside, amounts=(3, 0))
    assert verdict.late_grants({}, {"a": (1, 0)}, [beyond]) == [beyond]


def test_an_edit_by_hand_that_takes_an_epoch_off_is_no_grant():
    steps = [held(1, "a", 1, epoch=8), held(2, "a", 1, epoch=0), held(3, "a", 0, epoch=0)]

    assert not verdict.late_grants({}, {"a": (1, 0)}, steps)
