"""Proof that every API server is past what it had charged."""

import math

import pytest

from quotatree.engine.progress import Progress

NOTHING = -math.inf


def run(*beats: tuple[str, float, float | None], servers: str = "xy") -> float:
    """Return what is overtaken after heartbeats: server, sent, answered."""
    progress = Progress(run=1.0, slow=0.25)
    progress.expect(servers)
    for server, sent, answered in beats:
        progress.beat(server, sent=sent, answered=answered)
    return progress.overtaken()


def through(server: str, begin: float, *, beats: int = 6) -> list[tuple[str, float, float]]:
    """Return heartbeats every 0.2 s, each answered at once."""
    return [(server, begin + 0.2 * i, begin + 0.2 * i + 0.05) for i in range(beats)]


@pytest.mark.parametrize(
    ("beats", "want"),
    [
        pytest.param([], NOTHING, id="no heartbeat"),
        pytest.param([*through("x", 0), *through("y", 3)], 0, id="a run through each"),
        pytest.param(through("x", 0), NOTHING, id="one of two API servers"),
        pytest.param(
            [*through("x", 0), *through("y", 3, beats=5)], NOTHING, id="a run that is too short"
        ),
        pytest.param(
            [*through("x", 0, beats=9), *through("y", 0, beats=9)],
            pytest.approx(0.6),
            id="a run that goes on",
        ),
        pytest.param(
            [*through("y", 0), *through("x", 0), ("x", 1.2, 1.5)], NOTHING, id="a late answer"
        ),
        pytest.param(
            [*through("y", 0), *through("x", 0), ("x", 1.2, None)], NOTHING, id="no answer"
        ),
        pytest.param([*through("y", 0), *through("x", 0), ("x", 1.6, 1.65)], NOTHING, id="a pause"),
        pytest.param(
            [("y", 0, 0.1), ("y", 1.0, 1.1), ("x", 0, 0.1), ("x", 1.0, 1.1)],
            NOTHING,
            id="too few",
        ),
    ],
)
def test_what_was_committed_before_a_whole_run_through_every_api_server_is_overtaken(
    beats: list[tuple[str, float, float | None]], want: float
) -> None:
    assert run(*beats) == want


def test_where_no_api_server_is_known_nothing_is_overtaken() -> None:
    assert run(*through("x", 0), servers="") == NOTHING


def test_an_api_server_that_joins_has_to_prove_itself_and_one_that_left_does_not() -> None:
    progress = Progress(run=1.0, slow=0.25)
    progress.expect("x")
    for _, sent, answered in through("x", 0):
        progress.beat("x", sent=sent, answered=answered)
    assert progress.overtaken() == 0
    progress.expect("xy")
    assert progress.overtaken() == NOTHING
    progress.expect("x")
    assert progress.overtaken() == 0
