"""Never over: no ancestor is above its hard at any instant, whoever creates whatever at once."""

import random
from collections.abc import Iterator

import pytest
from tests.cluster.harness import load, trees
from tests.cluster.harness.judge import Judge
from tests.cluster.harness.rounds import ROUNDS

from quotatree.cluster.client import Client
from quotatree.units.resources import Resources

pytestmark = [pytest.mark.cluster, pytest.mark.alone, pytest.mark.timeout(1200)]

TREE = """
    org: cpu 30, memory 60Gi, pods 120, requests.nvidia.com/gpu 14 > vision: cpu 7 > vision1..6;
    org > speech: memory 8Gi > speech1..6;
    org > search: pods 24, requests.nvidia.com/gpu 9 > search1..6;
    org > lab: cpu 12, memory 30Gi, requests.nvidia.com/gpu 3 > lab1..6
"""
SIZES = [
    Resources.parse(size)
    for size in (
        {"cpu": "50m", "memory": "64Mi"},
        {"cpu": "100m", "memory": "512Mi"},
        {"cpu": "250m", "memory": "100Mi"},
        {"cpu": "500m", "memory": "1Gi"},
        {"cpu": "100m", "memory": "256Mi", "nvidia.com/gpu": "1"},
        {"cpu": "1", "memory": "2Gi", "nvidia.com/gpu": "2"},
    )
]
CREATORS = 220
TEAMS = ("vision", "speech", "search", "lab")


def crowd(tree: trees.Tree, number: int) -> Iterator[load.Ask]:
    """Two pods for each creator, of chance sizes, over 24 namespaces."""
    chance = random.Random(number)
    leaves = [tree[f"{team}{i}"] for team in TEAMS for i in range(1, 7)]
    for i in range(2 * CREATORS):
        yield load.Ask(
            namespace=chance.choice(leaves), name=f"p{number}-{i}", size=chance.choice(SIZES)
        )


async def test_no_ancestor_is_ever_above_its_hard(admin: Client) -> None:
    """Whatever is asked at once, and however busy the machine is.

    That nobody is refused wrongly is the promise of `test_never_wrongly_refused`. In a crowd of
    this size it holds where the machine has time for it; on a busy one a batch may use up its four
    tries while its siblings hold the room: how many it were is printed. Then quota admission may
    also answer 409, which asks the client to try again; it is rare, and is to stay so.
    """
    tree = await trees.plant(admin, TREE)
    scarce: set[str] = set()
    for number in range(ROUNDS):
        async with Judge(admin, tree) as judge:
            answers = await load.burst(admin, crowd(tree, number), creators=CREATORS)
            await judge.caught_up()
            told = load.told(answers)
            assert not judge.overshoots(), told
            wrong = len(judge.wrong_refusals(answers))
            print(f"round {number}: {told}; refused though it fitted throughout: {wrong}")
        admitted = sum(answer.admitted for answer in answers)
        refused = sum(answer.refused for answer in answers)
        conflicts = sum(answer.status == 409 for answer in answers)
        assert admitted + refused + conflicts == len(answers), told
        assert conflicts <= len(answers) / 20, told
        assert min(admitted, refused) >= len(answers) / 5, told
        scarce |= tight(judge, tree)
        await trees.clear(admin, tree)
    assert scarce == {"cpu", "memory", "pods", "requests.nvidia.com/gpu"}
    await trees.fell(admin, tree)


def tight(judge: Judge, tree: trees.Tree) -> set[str]:
    """The resources in which some namespace had no room left for the largest pod."""
    largest = load.Ask(namespace=tree["lab1"], name="largest", size=SIZES[-1]).charge
    numbers = judge.numbers(judge.final())
    return {r for n in tree.parents for r in largest.exceeding(numbers[n].available)}
