"""Slices: growth inside one asks nobody, and one that stands idle keeps nobody from its room."""

import asyncio
import itertools
import re

import pytest
from tests.cluster.harness import halves, load, trees
from tests.cluster.harness.halves import pods as some
from tests.cluster.harness.judge import Judge
from tests.cluster.lifecycle_fixtures import deciding

from quotatree import sandbox as control_plane
from quotatree.cluster.client import Client
from quotatree.codec import managed
from quotatree.engine import pace
from quotatree.model import names
from quotatree.model.names import Namespace
from quotatree.sandbox import SandboxState
from quotatree.units.resources import Resources

pytestmark = [pytest.mark.cluster, pytest.mark.alone, pytest.mark.timeout(600)]

_SERIAL = itertools.count(1)
CALLS = re.compile(
    r'^apiserver_admission_webhook_request_total\{.*name="usage[^"]*".*\} (\S+)$', re.MULTILINE
)


async def calls(client: Client) -> int:
    """Return how often the API server has asked about growth since it was started."""
    found = CALLS.findall(await client.text("/metrics"))
    return int(sum(map(float, found)))


async def slices(client: Client, tree: trees.Tree) -> dict[Namespace, Resources]:
    """Return what each namespace may use in all without asking."""
    found = await trees.managed(client)
    return {name: managed.parse(found[name]).slice for name in tree.parents}


async def idle(client: Client, tree: trees.Tree, name: Namespace) -> Resources:
    """Return by how much a namespace may grow without asking."""
    used = await trees.used(client, [name])
    return (await slices(client, tree))[name].growth(used[name])


async def grown(client: Client, tree: trees.Tree, name: Namespace, *, pods: int) -> None:
    """Let a namespace grow until it may grow by `pods` more without asking."""
    serial = next(_SERIAL)

    async def enough() -> bool:
        free = await idle(client, tree, name)
        return free.nano("pods") >= pods * 10**9 and free.nano("cpu") >= pods * 10**8

    for number in range(100):
        answers = await load.burst(client, some(name, f"grow{serial}-{number}", 4), creators=2)
        assert all(answer.admitted for answer in answers), load.told(answers)
        await asyncio.sleep(0.3)
        if await enough():
            return
    raise AssertionError(f"no slice of {pods} pods for {name}")


async def test_growth_inside_a_slice_asks_nobody_even_when_nobody_is_there(
    admin: Client, tree_sandbox: SandboxState
) -> None:
    tree = await trees.plant(admin, "org: cpu 1000, pods 9000 > a; org > b")
    async with Judge(admin, tree) as judge:
        await grown(admin, tree, tree["a"], pods=8)
        before = await calls(admin)
        answers = await load.burst(admin, some(tree["a"], "inside", 4), creators=2)
        assert all(answer.admitted for answer in answers), load.told(answers)
        assert await calls(admin) == before
        await grown(admin, tree, tree["a"], pods=8)
        control_plane.kill(tree_sandbox.name, "quotatree")
        try:
            room = (await idle(admin, tree, tree["a"])).nano("pods") // 10**9
            answers = await load.burst(admin, some(tree["a"], "alone", room), creators=4)
            beyond = await load.create(admin, some(tree["a"], "beyond", 1)[0])
            elsewhere = await load.create(admin, some(tree["b"], "elsewhere", 1)[0])
        finally:
            control_plane.restart(tree_sandbox.name, "quotatree")
            await deciding(admin)
        assert all(answer.admitted for answer in answers), load.told(answers)
        assert not beyond.admitted
        assert not elsewhere.admitted
        await judge.caught_up()
        assert not judge.overshoots()
    await trees.fell(admin, tree)


async def leave_idle(client: Client, tree: trees.Tree, name: Namespace, *, pods: int) -> None:
    """Create pods, the last of them in peace, and return when the namespace could grow by itself.

    Where a tree fills quickly nothing is offered, so this waits until growth before is forgotten.
    """
    *some_, last = some(name, "used", pods)
    used = await load.burst(client, some_, creators=len(some_))
    await asyncio.sleep(pace.FORGOTTEN + 0.5)
    used.append(await load.create(client, last))
    assert all(answer.admitted for answer in used), load.told(used)

    async def so() -> bool:
        return bool((await idle(client, tree, name)).nano("pods"))

    await trees.eventually(so, what=f"a slice of {name} stands idle")


async def test_idle_slices_elsewhere_keep_nobody_from_the_last_room(admin: Client) -> None:
    """Fifty at once over five siblings, room for half of them, and others hold a part of it.

    Among them are ten that do not fit anyhow: for their sake the others must not be refused.
    """
    with_gpu = Resources.parse({"cpu": "100m", "nvidia.com/gpu": "1"})

    async def prepare(tree: trees.Tree) -> None:
        await halves.use(admin, tree["other"], halves.ROOM - 6)
        taken = await load.create(admin, some(tree["other"], "gpu", 1, with_gpu)[0])
        assert taken.admitted, taken.message
        await leave_idle(admin, tree, tree["more"], pods=5)

    shape = "org: cpu 5, pods 1000, requests.nvidia.com/gpu 1 > a1..5; org > other; org > more"
    leaves = [f"a{i}" for i in range(1, 6)]
    await halves.play(admin, shape, leaves, prepare=prepare, vain=with_gpu)


async def test_one_request_takes_all_the_room_that_slices_hold(admin: Client) -> None:
    """It fits to the last milli, though others hold a part of that and do not use it."""
    tree = await trees.plant(admin, "org: cpu 5, pods 1000 > a; org > b > c; org > d")
    async with Judge(admin, tree) as judge:
        used = await load.burst(admin, some(tree["c"], "used", 10), creators=10)
        assert all(answer.admitted for answer in used), load.told(used)
        await leave_idle(admin, tree, tree["a"], pods=10)
        last = Resources.parse({"cpu": "3"})
        answer = await load.create(admin, some(tree["d"], "last", 1, last)[0])
        assert answer.admitted, answer.message
        more = await load.create(admin, some(tree["a"], "more", 1)[0])
        assert more.refused, more.message
        await judge.caught_up()
        assert not judge.overshoots()
    await trees.fell(admin, tree)


async def limit(
    client: Client, name: Namespace, quota: str = "more", **spec: dict[str, str]
) -> None:
    """Put another TreeQuota on a namespace."""
    body = {
        "apiVersion": names.API_VERSION,
        "kind": "TreeQuota",
        "metadata": {"name": quota, "namespace": name},
        "spec": spec,
    }
    await client.apply(body, force=True)


async def test_a_guarantee_is_a_slice_that_nobody_takes_back(admin: Client) -> None:
    tree = await trees.plant(admin, "org: cpu 3, pods 1000 > a; org > b")
    a, b = tree["a"], tree["b"]
    await limit(admin, a, guaranteed={"cpu": "2", "pods": "20"})
    wanted = Resources.parse({"cpu": "2", "pods": "20"})

    async def stands() -> bool:
        return wanted.fits((await slices(admin, tree))[a])

    await trees.eventually(stands, what="the guarantee is a slice")
    async with Judge(admin, tree) as judge:
        pressing = await load.burst(admin, some(b, "pressing", 20), creators=20)
        assert sum(answer.admitted for answer in pressing) == 10, load.told(pressing)
        before = await calls(admin)
        inside = await load.burst(admin, some(a, "inside", 20), creators=10)
        assert all(answer.admitted for answer in inside), load.told(inside)
        assert await calls(admin) == before
        await judge.caught_up()
        assert not judge.overshoots()
    await trees.fell(admin, tree)


async def test_slices_above_a_lowered_limit_are_taken_back(admin: Client) -> None:
    tree = await trees.plant(admin, "org: cpu 1000, pods 9000 > a; org > b")
    for short in ("a", "b"):
        await grown(admin, tree, tree[short], pods=8)
    total = sum((await trees.used(admin, tree.parents)).values(), Resources())
    hard = total.mask(["cpu", "pods"]) + Resources.parse({"cpu": "200m", "pods": "2"})
    await limit(admin, tree["org"], hard=hard.to_strings())

    async def within() -> bool:
        used, granted = await trees.used(admin, tree.parents), await slices(admin, tree)
        held = sum((used[name].maximum(granted[name]) for name in used), Resources())
        return held.mask(hard).fits(hard)

    await trees.eventually(within, what="slices sum to no more than the lowered limit")
    answers = await load.burst(admin, some(tree["b"], "last", 6), creators=6)
    assert sum(answer.admitted for answer in answers) == 2, load.told(answers)
    await trees.fell(admin, tree)


MANY = 250


async def test_a_quota_of_very_many_names_still_grows(admin: Client) -> None:
    """The condition of the webhook looks at each of them, and its cost is bounded."""
    tree = await trees.plant(admin, "org: cpu 1000, pods 9000 > a")
    for part in ("left", "right"):
        kinds = {f"count/{part}{i}.a-rather-long-group.example.com": "9" for i in range(MANY // 2)}
        await limit(admin, tree["org"], part, hard=kinds)

    async def counted() -> bool:
        found = (await trees.managed(admin))[tree["a"]]
        return len(found["status"]["hard"]) > MANY

    await trees.eventually(counted, what="all names are counted")
    await grown(admin, tree, tree["a"], pods=4)
    await trees.fell(admin, tree)
