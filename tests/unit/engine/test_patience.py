"""Who waits at a full level where objects come and go, and for how long."""

from quotatree.engine.patience import Patience
from quotatree.engine.reservation import Timing
from quotatree.model.names import Namespace

TIMING = Timing(wait=0.1, queue=0.6, queued=2)
A, B, C = ((Namespace(name), ()) for name in "abc")


def test_where_nothing_comes_and_goes_nobody_waits_long() -> None:
    patience = Patience(TIMING)
    assert patience.until(A, now=5.0, arrived=5.0, stirs=False) == 5.1


def test_only_so_many_wait_long_and_one_that_waits_keeps_its_place() -> None:
    patience = Patience(TIMING)
    until = [patience.until(key, now=5.0, arrived=5.0, stirs=True) for key in (A, B, C, A)]
    assert until == [5.6, 5.6, 5.1, 5.6]


def test_whoever_is_answered_or_has_waited_makes_room() -> None:
    patience = Patience(TIMING)
    for key in (A, B):
        patience.until(key, now=5.0, arrived=5.0, stirs=True)
    patience.ends(A)
    assert patience.until(C, now=5.2, arrived=5.2, stirs=True) == 5.2 + 0.6
    assert patience.until(A, now=5.5, arrived=5.5, stirs=True) == 5.6
    assert patience.until(A, now=5.7, arrived=5.7, stirs=True) == 5.7 + 0.6
