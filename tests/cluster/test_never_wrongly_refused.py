"""Never wrongly refused: what fits every ancestor is admitted, however many ask at once."""

import random
from collections.abc import Iterator

import pytest
from tests.cluster.harness import halves, load, trees
from tests.cluster.harness.judge import Judge
from tests.cluster.harness.rounds import ROUNDS

from quotatree.cluster.client import Client
from quotatree.units.resources import Resources

pytestmark = [pytest.mark.cluster, pytest.mark.alone, pytest.mark.timeout(1200)]


@pytest.mark.parametrize(
    "limit",
    [
        pytest.param("cpu 5", id="no count in the quota"),
        pytest.param("cpu 5, pods 1000", id="a count in the quota"),
        pytest.param("cpu 1000, count/pods 50", id="the count is the limit"),
    ],
)
@pytest.mark.parametrize(
    ("shape", "leaves"),
    [
        pytest.param("org: {} > a; org > other", ["a"], id="one namespace"),
        pytest.param(
            "org: {} > a1..5; org > other", [f"a{i}" for i in range(1, 6)], id="five siblings"
        ),
        pytest.param(
            "org: {} > team: cpu 2000 > a; org > other", ["a"], id="the limit two levels up"
        ),
    ],
)
async def test_of_fifty_with_room_for_twenty_five_exactly_those_are_admitted(
    admin: Client, shape: str, leaves: list[str], limit: str
) -> None:
    """The room is an ancestor's: a sibling uses the other half of it."""

    async def prepare(tree: trees.Tree) -> None:
        await halves.use(admin, tree["other"], halves.ROOM)

    await halves.play(admin, shape.format(limit), leaves, prepare=prepare)


SIZES = [Resources.parse({"cpu": cpu}) for cpu in ("25m", "50m", "100m", "250m", "500m", "1")]
HUGE = Resources.parse({"cpu": "90"})
"""It fits the ceiling, and never the room: 60 of 100 are a sibling's."""


def mixture(tree: trees.Tree, leaves: list[str], number: int) -> Iterator[load.Ask]:
    """Three hundred pods of six sizes, the first few of them huge."""
    chance = random.Random(number)
    for i in range(300):
        size = HUGE if i < 5 else chance.choice(SIZES)
        yield load.Ask(namespace=tree[chance.choice(leaves)], name=f"p{number}-{i}", size=size)


@pytest.mark.parametrize(
    "leaves",
    [
        pytest.param(["a1"], id="one namespace"),
        pytest.param(["a1", "a2", "a3"], id="three siblings"),
    ],
)
async def test_beside_huge_requests_all_that_fits_is_admitted(
    admin: Client, leaves: list[str]
) -> None:
    for number in range(ROUNDS):
        tree = await trees.plant(admin, "org: cpu 100, pods 1000 > team > a1..3; org > other")
        tens = [Resources.parse({"cpu": "10"})] * 6
        other = tree["other"]
        asks = [load.Ask(namespace=other, name=f"u{i}", size=s) for i, s in enumerate(tens)]
        used = await load.burst(admin, asks, creators=6)
        assert all(answer.admitted for answer in used), load.told(used)
        async with Judge(admin, tree) as judge:
            answers = await load.burst(admin, mixture(tree, leaves, number), creators=300)
            await judge.caught_up()
        told = load.told(answers)
        assert not judge.overshoots(), told
        assert not judge.wrong_refusals(answers), told
        assert not judge.phantoms(answers), told
        admitted = sum(answer.admitted for answer in answers)
        refused = sum(answer.refused for answer in answers)
        assert admitted + refused == len(answers), told
        assert min(admitted, refused) >= len(answers) / 5, told
        await trees.fell(admin, tree)
