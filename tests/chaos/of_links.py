"""Faults of connections between a replica and its API server."""

import asyncio
import random

from tests.chaos.faults import LONGER, fault
from tests.chaos.stage import Stage

SHORT = 5.0


async def broken(stage: Stage, component: str, seconds: float, **how: object) -> None:
    """Let a link be in another mode for a while."""
    await stage.tell(component, **how)
    try:
        await asyncio.sleep(seconds)
    finally:
        await stage.tell(component, mode="pass", delay=0.0)


@fault("cut-leader")
async def cut_leader(stage: Stage, chance: random.Random) -> str:
    """All connections of the leader are reset, ten times in three seconds."""
    leads = await stage.leader()
    cut = 0
    for _ in range(10):
        cut += int(str(await stage.tell(leads, cut="reset")))
        await asyncio.sleep(0.3)
    return f"{leads}, {cut} connections"


@fault("half-close-leader")
async def half_close_leader(stage: Stage, chance: random.Random) -> str:
    """The leader hears the end of all its connections, the API server does not."""
    leads = await stage.leader()
    closed = await stage.tell(leads, cut="half")
    await asyncio.sleep(2.0)
    return f"{leads}, {closed} connections"


@fault("refuse-leader")
async def refuse_leader(stage: Stage, chance: random.Random) -> str:
    """The leader's connections are reset, and for five seconds none is accepted."""
    leads = await stage.leader()
    await stage.tell(leads, cut="reset")
    await broken(stage, leads, SHORT, mode="refuse", cut="reset")
    return f"{leads} for {SHORT:.0f} s"


@fault("refuse-leader-longer")
async def refuse_leader_longer(stage: Stage, chance: random.Random) -> str:
    """The leader cannot reach its API server for longer than its lease; API servers reach it."""
    leads = await stage.leader()
    await broken(stage, leads, LONGER, mode="refuse", cut="reset")
    return f"{leads}, then {await stage.leader()}"


@fault("stall-leader")
async def stall_leader(stage: Stage, chance: random.Random) -> str:
    """The leader's connections stand, and for five seconds no byte moves on them."""
    leads = await stage.leader()
    await broken(stage, leads, SHORT, mode="stall")
    return f"{leads} for {SHORT:.0f} s"


@fault("stall-leader-longer")
async def stall_leader_longer(stage: Stage, chance: random.Random) -> str:
    """The leader's connections stand, without a byte for longer than its lease; then all arrive."""
    leads = await stage.leader()
    await broken(stage, leads, LONGER, mode="stall")
    return f"{leads}, then {await stage.leader()}"


@fault("delay-leader")
async def delay_leader(stage: Stage, chance: random.Random) -> str:
    """Whatever the leader sends or hears is delayed."""
    leads = await stage.leader()
    delay = chance.choice((0.05, 0.2, 0.5))
    await broken(stage, leads, SHORT, delay=delay)
    return f"{leads} by {delay:g} s for {SHORT:.0f} s"


@fault("cut-follower")
async def cut_follower(stage: Stage, chance: random.Random) -> str:
    """A replica that does not lead loses its connections, and is kept away for five seconds."""
    other = chance.choice(await stage.followers())
    await broken(stage, other, SHORT, mode="refuse", cut="reset")
    return f"{other} for {SHORT:.0f} s"
