"""What a tree makes of a few workloads; `tests/properties` has the laws."""

import pytest

from quotatree.codec import treefile
from quotatree.errors import InputError
from quotatree.model.treefile import TreeFile
from quotatree.simulate.replay import replay
from quotatree.simulate.results import Outcome, Policy
from quotatree.simulate.trace import Ask, Trace, Workload
from quotatree.units.quantity import NANO


def tree(text):
    found = treefile.parse(f"apiVersion: quotatree.dev/v1alpha1\nkind: Tree\n{text}".encode())
    assert isinstance(found, TreeFile), found
    return found


ONE = tree("tree: {org: {hard: {cpu: 4}, children: {a: {}, b: {}}}}")
KEPT = tree(
    "tree: {org: {hard: {cpu: 4}, children: {a: {guaranteed: {cpu: 3}}, b: {hard: {cpu: 9}}}}}"
)
SCOPED = tree(
    "tree: {org: {quotas: [{name: be, hard: {pods: 1}, scopes: [BestEffort]}], children: {a: {}}}}"
)


def run(planted, *rows, policy=Policy.FIFO):
    """Rows are `namespace arrival duration cpu [priority]`, cpu in cores."""
    workloads = []
    for row in rows:
        namespace, *numbers = row.split()
        arrival, duration, cpu, priority = (*map(int, numbers), 0)[:4]
        amounts = {"pods": NANO, "count/pods": NANO} | ({"cpu": cpu * NANO} if cpu else {})
        ask = Ask(amounts=amounts)
        workloads.append(Workload(row, namespace, arrival, duration or None, ask, priority))
    trace = Trace(source="trace", workloads=tuple(workloads))
    return replay(trace, planted, name="tree", policy=policy)


def began(found):
    return [
        found.fates.admitted[n] if found.fates.outcome(n) is Outcome.ADMITTED else None
        for n in range(len(found.trace.workloads))
    ]


def test_what_does_not_fit_is_refused_and_its_refuser_named():
    found = run(ONE, "a 0 9 3", "b 1 9 2", "b 2 9 1", policy=Policy.REFUSE)
    assert began(found) == [0, None, 2]
    assert found.blamed() == [("org: cpu", 1)]


def test_who_waits_is_let_in_when_room_returns():
    assert began(run(ONE, "a 0 5 3", "b 1 5 2")) == [0, 5]


def test_room_goes_to_the_next_at_the_moment_it_returns():
    assert began(run(ONE, "a 0 5 4", "b 5 5 4")) == [0, 5]


def test_the_head_of_a_queue_holds_up_its_namespace_and_no_other():
    assert began(run(ONE, "a 0 9 3", "a 1 9 4", "a 2 9 1", "b 3 9 1")) == [0, 12, 21, 3]


def test_priority_goes_first_and_admits_at_once_what_fits():
    found = run(ONE, "a 0 5 3", "a 1 5 4", "a 2 5 4 7", "a 3 1 1 9", policy=Policy.PRIORITY)
    assert began(found) == [0, 10, 5, 3]


def test_what_never_fits_does_not_hold_up_a_queue():
    found = run(ONE, "a 0 5 9", "a 1 5 4")
    assert found.fates.outcome(0) is Outcome.NEVER
    assert began(found) == [None, 1]


def test_who_waits_for_one_that_never_goes_waits_for_good():
    found = run(ONE, "a 0 0 4", "b 1 5 1")
    assert found.fates.outcome(1) is Outcome.WAITING
    assert found.counted("waiting").peak == NANO


def test_a_guarantee_keeps_room_and_lets_its_owner_borrow_the_rest():
    found = run(KEPT, "b 0 9 2", "b 1 9 1", "a 2 9 3", policy=Policy.REFUSE)
    assert began(found) == [None, 1, 2]
    (line,) = (ln for ln in found.lines if ln.namespace == "a" and ln.borrowed is not None)
    assert found.curves[line.borrowed].peak == 0
    borrowing = run(KEPT, "a 0 9 4", policy=Policy.REFUSE)
    assert borrowing.curves[line.borrowed].peak == NANO


def test_scoped_quotas_count_what_is_in_their_scope():
    found = run(SCOPED, "a 0 9 0", "a 1 9 0", "a 2 9 1", policy=Policy.REFUSE)
    assert began(found) == [0, None, 2]
    assert found.blamed() == [("org: pods [BestEffort]", 1)]


def test_a_guarantee_without_room_is_said_not_to_be_in_force():
    crowded = tree(
        "tree: {org: {hard: {cpu: 4}, children: "
        "{a: {guaranteed: {cpu: 3}}, b: {guaranteed: {cpu: 3}}}}}"
    )
    (note,) = run(crowded, "a 0 9 1").notes
    assert note.startswith("the guarantee of b is not in force: org has no room for it")


def test_a_namespace_that_the_tree_does_not_have_is_named_with_the_tree():
    with pytest.raises(InputError, match=r'^tree: namespace "orgg" .* did you mean "org"'):
        run(ONE, "orgg 0 9 1")
