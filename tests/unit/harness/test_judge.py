"""The judge of the cluster tests convicts who is guilty, and nobody else."""

from typing import Any

import pytest
from tests.cluster.harness.judge import Commit, Judge
from tests.cluster.harness.load import Answer, Ask
from tests.cluster.harness.marks import Mark
from tests.cluster.harness.trees import sketch

from quotatree.units.resources import Resources

TREE = sketch("org: cpu 10 > a; org > b")
NO = "exceeded quota: quotatree, requested: cpu=1"


def cpu(amount: int) -> Resources:
    return Resources.parse({"cpu": str(amount)})


def judge(*commits: tuple[int, str, int, float], marks: tuple[int, ...] = (0, 99)) -> Judge:
    """A judge who saw commits (version, namespace, cpu, second) and a mark every ten seconds."""
    unused: Any = None
    found = Judge(unused, TREE)
    found.start = {name: cpu(0) for name in TREE.parents}
    found.commits = [
        Commit(version=version, namespace=TREE[name], used=cpu(used), received=at)
        for version, name, used, at in commits
    ]
    found.marks = [
        Mark(version=version, sent=10.0 * i, answered=10.0 * i + 1)
        for i, version in enumerate(marks)
    ]
    return found


def refusal(namespace: str, size: int, *, sent: float, answered: float) -> Answer:
    ask = Ask(namespace=TREE[namespace], name="p", size=cpu(size))
    return Answer(ask=ask, sent=sent, answered=answered, status=403, message=NO)


def test_a_usage_that_falls_is_told_with_its_commit() -> None:
    seen = judge((1, "a", 6, 0.0), (2, "b", 5, 0.0), (3, "a", 5, 0.0), (4, "b", 5, 0.0))
    assert [(one.version, one.namespace) for one in seen.falls()] == [(3, TREE["a"])]


def test_a_sum_above_the_hard_of_an_ancestor_is_an_overshoot() -> None:
    over = judge((1, "a", 6, 0.0), (2, "b", 5, 0.0), (3, "a", 5, 0.0)).overshoots()
    assert [(one.version, one.ancestor, str(one.charged)) for one in over] == [
        (2, TREE["org"], "cpu=11")
    ]


@pytest.mark.parametrize(
    ("size", "want_wrong"),
    [
        pytest.param(4, True, id="it fitted all the time"),
        pytest.param(5, False, id="it did not fit in the end"),
        pytest.param(9, False, id="it never fitted"),
    ],
)
def test_a_refusal_is_judged_by_all_states_of_its_life(size: int, want_wrong: bool) -> None:
    found = judge((5, "a", 3, 4.0), (6, "b", 3, 5.0))
    answer = refusal("b", size, sent=3.0, answered=6.0)
    assert found.wrong_refusals([answer]) == ([answer] if want_wrong else [])


def test_a_state_heard_of_late_may_have_been_there_before_the_answer() -> None:
    found = judge((5, "a", 10, 30.0), marks=(0, 1, 9))
    answer = refusal("b", 1, sent=12.0, answered=13.0)
    assert found.wrong_refusals([answer]) == []


def test_a_state_of_which_a_mark_proves_that_it_came_later_is_no_excuse() -> None:
    found = judge((5, "a", 10, 30.0), marks=(0, 1, 3, 9))
    answer = refusal("b", 1, sent=12.0, answered=13.0)
    assert found.wrong_refusals([answer]) == [answer]


def test_a_state_of_which_a_mark_proves_that_it_was_over_is_no_excuse() -> None:
    found = judge((1, "a", 10, 2.0), (2, "a", 0, 3.0), marks=(0, 5, 9))
    answer = refusal("b", 1, sent=12.0, answered=13.0)
    assert found.wrong_refusals([answer]) == [answer]


def test_a_refusal_just_after_room_came_back_is_not_judged() -> None:
    found = judge((1, "a", 10, 2.0), (2, "a", 0, 11.5), marks=(0, 5, 9))
    assert found.wrong_refusals([refusal("b", 1, sent=12.0, answered=13.0)]) == []


def test_a_charge_without_a_pod_is_a_phantom() -> None:
    found = judge((1, "a", 3, 0.0))
    ask = Ask(namespace=TREE["a"], name="p", size=cpu(1))
    made = Answer(ask=ask, sent=1.0, answered=2.0, status=201, version=1)
    assert {n: str(r) for n, r in found.phantoms([made]).items()} == {TREE["a"]: "cpu=2"}
