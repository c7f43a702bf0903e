"""The short form of `make chaos`: a few faults in a row under traffic, judged by the store."""

import os
import random
import sys
from collections.abc import Iterator

import pytest
from tests.chaos import of_links, of_objects, of_processes, report, stage
from tests.chaos.faults import Fault
from tests.chaos.trial import trial

from quotatree import sandbox as control_plane

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.alone,
    pytest.mark.timeout(600),
]

SHORT = (
    of_processes.stop_leader,
    of_links.cut_leader,
    of_objects.quotas_deleted,
    of_processes.kill_leader_restarted,
)
FAULTS = (
    *SHORT,
    of_objects.status_edited,
    of_processes.kill_api_server_2,
    of_objects.lease_deleted,
)
CHOSEN = FAULTS if os.environ.get("QUOTATREE_SOAK") else SHORT


@pytest.fixture(scope="module")
def ground() -> Iterator[stage.Ground]:
    progress = control_plane.Plain(sys.__stderr__ or sys.stderr)
    with stage.ground(f"test-{os.getpid()}-chaos", progress) as where:
        yield where


async def several(here: stage.Stage, chance: random.Random) -> str:
    """Some faults, each when everything works again after the one before."""
    done = []
    for one in chance.sample(CHOSEN, len(CHOSEN)):
        done.append(f"{one.name}: {await one.act(here, chance)}")
        await here.whole()
    return "; ".join(done)


async def test_faults_under_traffic_let_nothing_over_and_everything_comes_back(
    ground: stage.Ground,
) -> None:
    """No level is above its limit by the pods that exist, no write bears an older epoch, the tree
    grows again after each fault, and in the end every usage is what its pods add up to.

    Who is refused wrongly right after a fault is printed here, and judged by `make chaos`.
    """
    seed = random.randrange(10**6)
    fault = Fault(name="several", what="", act=several)
    async with stage.staged(ground, seed) as here:
        result = await trial(here, fault, number=0, seed=seed)
    told = f"seed {seed}: {report.line(result)}; {result.evidence}; {result.trace}"
    print(told)
    assert (result.over_real, result.late_grants, result.error) == (0, 0, ""), told
    assert min(result.admitted, result.refused, result.deleted) >= 50, told
