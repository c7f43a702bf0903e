import pytest

from quotatree.model.scope import ScopeTerm
from quotatree.simulate.trace import Ask

EMPTY = Ask(amounts={"pods": 10**9})
BUSY = Ask(amounts={"pods": 10**9, "limits.cpu": 10**9}, priority_class="high")


@pytest.mark.parametrize(
    ("term", "empty", "busy"),
    [
        (ScopeTerm(scope="BestEffort"), True, False),
        (ScopeTerm(scope="NotBestEffort"), False, True),
        (ScopeTerm(scope="Terminating"), False, False),
        (ScopeTerm(scope="NotTerminating"), True, True),
        (ScopeTerm(scope="CrossNamespacePodAffinity"), False, False),
        (ScopeTerm(scope="PriorityClass"), False, True),
        (ScopeTerm(scope="PriorityClass", operator="DoesNotExist"), True, False),
        (ScopeTerm(scope="PriorityClass", operator="In", values=("high", "low")), False, True),
        (ScopeTerm(scope="PriorityClass", operator="NotIn", values=("high",)), True, False),
    ],
    ids=str,
)
def test_scopes_count_what_native_quota_counts(term, empty, busy):
    assert EMPTY.counts_in((term,)) is empty
    assert BUSY.counts_in((term,)) is busy


def test_everything_is_counted_without_scopes():
    assert EMPTY.counts_in(())
