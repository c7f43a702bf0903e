"""Fifty at once with room for twenty-five: exactly those are admitted, and the rest refused."""

from collections.abc import Awaitable, Callable, Iterator
from typing import Final

from tests.cluster.harness import load, trees
from tests.cluster.harness.judge import Judge
from tests.cluster.harness.rounds import ROUNDS

from quotatree.cluster.client import Client
from quotatree.model.names import Namespace
from quotatree.units.resources import Resources

SMALL: Final = Resources.parse({"cpu": "100m"})
ROOM: Final = 25
CROWD: Final = 2 * ROOM
VAIN: Final = 10

Prepare = Callable[[trees.Tree], Awaitable[None]]


def pods(namespace: Namespace, name: str, count: int, size: Resources = SMALL) -> list[load.Ask]:
    """Return equal pods of one namespace."""
    return [load.Ask(namespace=namespace, name=f"{name}-{i}", size=size) for i in range(count)]


def spread(
    tree: trees.Tree, leaves: list[str], vain: Resources | None = None
) -> Iterator[load.Ask]:
    """Yield a crowd of equal pods, spread evenly, and some of the size `vain` among them."""
    every = CROWD // VAIN
    for i in range(CROWD):
        namespace = tree[leaves[i % len(leaves)]]
        if vain is not None and i % every == 0:
            place = tree[leaves[i // every % len(leaves)]]
            yield load.Ask(namespace=place, name=f"vain-{i}", size=vain)
        yield load.Ask(namespace=namespace, name=f"p-{i}", size=SMALL)


async def use(client: Client, namespace: Namespace, count: int) -> None:
    """Use a part of the room, all of which fits."""
    used = await load.burst(client, pods(namespace, "used", count), creators=count)
    assert all(answer.admitted for answer in used), load.told(used)


async def play(
    client: Client,
    shape: str,
    leaves: list[str],
    *,
    prepare: Prepare,
    vain: Resources | None = None,
) -> None:
    """Play the rounds, each in a tree of its own: `prepare` leaves room for half of the crowd.

    With `vain` some of that size come along, for which it has to leave no room.
    A round in which the native controller has counted less than there is shows nothing of the
    refusals; it is played again.
    """
    played = miscounted = 0
    while played < ROUNDS:
        tree = await trees.plant(client, shape)
        async with Judge(client, tree) as judge:
            await prepare(tree)
            asks = list(spread(tree, leaves, vain))
            answers = await load.burst(client, asks, creators=len(asks))
            await judge.caught_up()
        told = load.told(answers)
        if judge.falls():
            miscounted += 1
            print(f"native quota counted too low: {told}")
            assert miscounted <= ROUNDS, "native quota cannot count on this machine"
            continue
        played += 1
        assert sum(answer.admitted for answer in answers) == ROOM, told
        assert sum(answer.refused for answer in answers) == len(asks) - ROOM, told
        assert not judge.overshoots(), told
        await trees.fell(client, tree)
