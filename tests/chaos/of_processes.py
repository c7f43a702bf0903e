"""Faults of processes: killed, frozen, stopped and started again."""

import asyncio
import random
import signal

from tests.chaos.faults import LONGER, fault
from tests.chaos.stage import ACCEPTOR, ANSWERS_WITHIN, DECIDER, REPLICAS, WHOLE, Stage
from tests.cluster.harness import replicas, trees
from tests.cluster.harness.trees import eventually

from quotatree.sandbox import state

SHORT = 5.0
"""Seconds that are shorter than a lease."""
STOP, GO = signal.SIGSTOP, signal.SIGCONT


async def frozen(stage: Stage, component: str, seconds: float, *, part: str = WHOLE) -> None:
    """Freeze a process for a while."""
    await stage.signal(component, STOP, part=part)
    try:
        await asyncio.sleep(seconds)
    finally:
        await stage.signal(component, GO, part=part)


# -- the leader -------------------------------------------------------------------------------


@fault("kill-leader")
async def kill_leader(stage: Stage, chance: random.Random) -> str:
    """kill -9 of the leader, which stays away until another one leads."""
    leads = await stage.leader()
    await stage.kill(leads)
    other = await stage.other_leads(leads)
    await stage.start(leads)
    return f"{leads}, then {other}"


@fault("kill-leader-restarted")
async def kill_leader_restarted(stage: Stage, chance: random.Random) -> str:
    """kill -9 of the leader, which is there again at once under the same name."""
    leads = await stage.leader()
    await stage.kill(leads)
    await stage.start(leads)
    return f"{leads}, then {await stage.leader()}"


@fault("kill-leader-acceptor")
async def kill_leader_acceptor(stage: Stage, chance: random.Random) -> str:
    """kill -9 of the leader's acceptor alone; the replica ends, and is started again."""
    leads = await stage.leader()
    await stage.signal(leads, signal.SIGKILL, part=ACCEPTOR)
    await ended(stage, leads)
    await stage.start(leads)
    return f"{leads}, then {await stage.leader()}"


async def ended(stage: Stage, component: str) -> None:
    """Wait until a replica that lost one of its two processes has ended."""

    async def so() -> bool:
        return not stage.alive(component)

    await eventually(so, what=f"{component} has ended")


@fault("stop-leader")
async def stop_leader(stage: Stage, chance: random.Random) -> str:
    """SIGTERM to the leader, which releases its lease, and is started again."""
    leads = await stage.leader()
    await stage.start(leads)
    return f"{leads}, then {await stage.leader()}"


@fault("freeze-leader")
async def freeze_leader(stage: Stage, chance: random.Random) -> str:
    """SIGSTOP to both processes of the leader, SIGCONT before its lease is over."""
    leads = await stage.leader()
    await frozen(stage, leads, SHORT)
    return f"{leads} for {SHORT:.0f} s"


@fault("freeze-leader-longer")
async def freeze_leader_longer(stage: Stage, chance: random.Random) -> str:
    """SIGSTOP to the whole leader for longer than its lease; when it wakes it is asked itself."""
    leads = await stage.leader()
    await frozen(stage, leads, LONGER)
    asked = [await ask_directly(stage, leads) for _ in range(40)]
    assert not any(asked), f"{sum(asked)} grants of a deposed leader"
    return f"{leads}, then {await stage.leader()}; asked 40 times, granted {sum(asked)}"


async def ask_directly(stage: Stage, component: str) -> bool:
    """Ask one replica's own decider about a pod more in the calm corner; return if it granted.

    Only an answer on an object that has not changed meanwhile could ever be committed.
    """
    client, name = stage.clients[0], stage.still
    base, granted = await replicas.ask_directly(
        client, stage.sandbox, component, name, pods="1000", timeout=ANSWERS_WITHIN
    )
    now = (await trees.managed(client))[name]
    return granted and int(now["metadata"]["resourceVersion"]) == base


@fault("hang-decider")
async def hang_decider(stage: Stage, chance: random.Random) -> str:
    """SIGSTOP to the leader's decider alone; its acceptor refuses meanwhile."""
    leads = await stage.leader()
    await frozen(stage, leads, SHORT, part=DECIDER)
    return f"{leads} for {SHORT:.0f} s"


@fault("hang-decider-longer")
async def hang_decider_longer(stage: Stage, chance: random.Random) -> str:
    """SIGSTOP to the leader's decider alone for longer than its lease."""
    leads = await stage.leader()
    await frozen(stage, leads, LONGER, part=DECIDER)
    return f"{leads}, then {await stage.leader()}"


@fault("hang-acceptor")
async def hang_acceptor(stage: Stage, chance: random.Random) -> str:
    """SIGSTOP to the leader's acceptor alone: it leads, and cannot be asked."""
    leads = await stage.leader()
    await frozen(stage, leads, SHORT, part=ACCEPTOR)
    return f"{leads} for {SHORT:.0f} s"


# -- the others -------------------------------------------------------------------------------


@fault("kill-follower")
async def kill_follower(stage: Stage, chance: random.Random) -> str:
    """kill -9 of a replica that does not lead."""
    other = chance.choice(await stage.followers())
    await stage.kill(other)
    await asyncio.sleep(2.0)
    await stage.start(other)
    return other


@fault("kill-follower-acceptor")
async def kill_follower_acceptor(stage: Stage, chance: random.Random) -> str:
    """kill -9 of the acceptor of a replica that does not lead."""
    other = chance.choice(await stage.followers())
    await stage.signal(other, signal.SIGKILL, part=ACCEPTOR)
    await ended(stage, other)
    await stage.start(other)
    return other


@fault("freeze-follower")
async def freeze_follower(stage: Stage, chance: random.Random) -> str:
    """SIGSTOP to a replica that does not lead, or to one of its processes."""
    other = chance.choice(await stage.followers())
    part = chance.choice((WHOLE, DECIDER, ACCEPTOR))
    await frozen(stage, other, SHORT, part=part)
    return f"{other} ({part}) for {SHORT:.0f} s"


@fault("rolling-update")
async def rolling_update(stage: Stage, chance: random.Random) -> str:
    """Every replica is stopped and started, each when the one before is ready again."""
    first = await stage.leader()
    for component in REPLICAS:
        await stage.start(component)
        await eventually(lambda one=component: stage.ready(one), what=f"{component} is ready")
    return f"{first}, then {await stage.leader()}"


@fault("kill-all-replicas", headless=True)
async def kill_all_replicas(stage: Stage, chance: random.Random) -> str:
    """kill -9 of all replicas; all of them are dead for six seconds."""
    leads = await stage.leader()
    for component in REPLICAS:
        await stage.kill(component)
    await asyncio.sleep(6.0)
    for component in REPLICAS:
        await stage.start(component)
    return f"{leads}, then {await stage.leader()}"


# -- the control plane ------------------------------------------------------------------------


async def killed(stage: Stage, component: str, seconds: float) -> None:
    await stage.kill(component)
    await asyncio.sleep(seconds)
    await stage.start(component)


@fault("kill-api-server-1")
async def kill_api_server_1(stage: Stage, chance: random.Random) -> str:
    """kill -9 of the first API server, which the native controllers use too."""
    await killed(stage, state.API_SERVERS[0], 2.0)
    return f"leader {await stage.leader()}"


@fault("kill-api-server-2")
async def kill_api_server_2(stage: Stage, chance: random.Random) -> str:
    """kill -9 of the second API server."""
    await killed(stage, state.API_SERVERS[1], 2.0)
    return f"leader {await stage.leader()}"


@fault("freeze-api-server")
async def freeze_api_server(stage: Stage, chance: random.Random) -> str:
    """SIGSTOP to one of the two API servers, with everything that is under way in it."""
    server = chance.choice(state.API_SERVERS[:2])
    await frozen(stage, server, SHORT)
    return f"{server} for {SHORT:.0f} s"


@fault("kill-etcd")
async def kill_etcd(stage: Stage, chance: random.Random) -> str:
    """kill -9 of etcd, and a start on the same data."""
    await killed(stage, state.ETCD, 1.0)
    return f"leader {await stage.leader()}"


@fault("freeze-etcd")
async def freeze_etcd(stage: Stage, chance: random.Random) -> str:
    """SIGSTOP to etcd."""
    await frozen(stage, state.ETCD, SHORT)
    return f"for {SHORT:.0f} s"


@fault("kill-native")
async def kill_native(stage: Stage, chance: random.Random) -> str:
    """kill -9 of kube-controller-manager, which counts usage down."""
    await killed(stage, state.CONTROLLER_MANAGER, 3.0)
    return "for 3 s"


@fault("freeze-native")
async def freeze_native(stage: Stage, chance: random.Random) -> str:
    """SIGSTOP to kube-controller-manager: then it counts with caches that lag behind."""
    await frozen(stage, state.CONTROLLER_MANAGER, SHORT)
    return f"for {SHORT:.0f} s"
