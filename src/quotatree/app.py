"""The composition root: the only place that knows all parts and builds them from Settings."""

from __future__ import annotations

import asyncio
import functools
import gc
import logging
import signal
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Final

from quotatree.cluster import lookout, paths
from quotatree.cluster.client import Client
from quotatree.cluster.heartbeat import Heartbeat
from quotatree.cluster.lease import LeaseElector
from quotatree.cluster.live import Live
from quotatree.cluster.reflector import Changed, Listed, Reflector
from quotatree.controller import installation
from quotatree.controller.loop import Controller, EpochPassedError
from quotatree.errors import ClusterError
from quotatree.metrics import Metrics
from quotatree.settings import Settings
from quotatree.webhook import tls
from quotatree.webhook.answers import Answers
from quotatree.webhook.desk import Desk
from quotatree.webhook.front import Front

LOG: Final = logging.getLogger(__name__)

CERTIFICATES_EVERY: Final = 5.0
"""Seconds between looks at the certificates; a webhook configuration that was re-applied without
its CA bundle is mended within this time. Each costs two reads of small objects."""
COLLECT: Final = (50_000, 50, 10)
"""When garbage is looked for. What is listed is kept: with the interpreter's own threshold of 700
objects, half of the time that 10,000 namespaces took to be read went into looking at it again."""
LABEL_WITHIN: Final = 2.0
"""Seconds that a replica which stops spends on its label; nothing depends on it."""
OUTLIVED_LOOK: Final = 0.5
"""Seconds between looks at whether an object bears a later epoch."""


class _LeaseLostError(Exception):
    """Another replica may lead: whatever is known here is of the past."""


class _ToldToStopError(Exception):
    """Somebody wants this replica to end. `settled`: nothing of its term is under way."""

    def __init__(self, *, settled: bool = False) -> None:
        super().__init__("told to stop")
        self.settled = settled


@dataclass(frozen=True, slots=True, kw_only=True)
class _Replica:
    """What one replica keeps from term to term."""

    client: Client
    settings: Settings
    certificates: tls.CertificateKeeper
    elector: LeaseElector
    answers: Answers
    heartbeat: Heartbeat
    front: Front
    metrics: Metrics
    told: asyncio.Event
    """Set when this replica is to end."""


async def run(client: Client, settings: Settings) -> None:
    """Run one replica until it is told to stop.

    One that loses the lease (it stood still for too long, or could not reach the API server) steps
    down, stands for election again for as long as that takes, and then reads everything anew: what
    it knew may be of the past. What has to outlast that is kept in the cluster.

    Raises:
        ClusterError: the API server cannot be used at all, from the beginning, or the acceptor
            ended.
    """
    gc.set_threshold(*COLLECT)
    certificates = tls.CertificateKeeper(
        client, namespace=settings.namespace, hosts=installation.hosts(settings)
    )
    await certificates.refresh()
    metrics = Metrics()
    metrics.time_collections()
    answers = Answers(metrics)
    replica = _Replica(
        client=client,
        settings=settings,
        certificates=certificates,
        elector=LeaseElector(
            client,
            namespace=settings.namespace,
            name=settings.lease,
            identity=settings.identity,
            address=installation.address(settings),
        ),
        answers=answers,
        heartbeat=Heartbeat(
            client,
            settings.api_servers,
            namespace=settings.namespace,
            clock=time.monotonic,
            slow=settings.timing.slow,
        ),
        front=await Front.start(answers, settings.webhook, settings.log),
        metrics=metrics,
        told=asyncio.Event(),
    )
    answers.follows = lambda: replica.elector.leader is not None
    _show_certificates(replica)
    try:
        await _until_told(replica, _serve(replica))
    except* ClusterError as group:
        raise group.exceptions[0] from None
    finally:
        await replica.front.stop()
        await replica.heartbeat.close()


async def _serve(replica: _Replica) -> None:
    """Answer, keep the certificates and look who leads in every replica; lead in one."""
    async with asyncio.TaskGroup() as group:
        group.create_task(replica.front.serve(), name="front")
        group.create_task(_keep_certificates(replica), name="certificates")
        group.create_task(_watch_lease(replica), name="lease watch")
        above = 0
        while not replica.told.is_set():
            above = await _term(replica, above)
            LOG.warning("this term is over")
        raise _ToldToStopError


async def _term(replica: _Replica, above: int) -> int:
    """Stand for election and lead, in an epoch greater than `above`, until that ends.

    Returns the greatest epoch that was seen on anything.
    """
    live = Live(
        clock=time.monotonic,
        timing=replica.settings.timing,
        slices=replica.settings.slices,
    )
    controller = Controller(
        replica.client,
        live,
        settings=replica.settings.loop,
        heartbeat=replica.heartbeat,
        wall=time.time,
        confirm=replica.elector.confirm,
        metrics=replica.metrics,
    )
    replica.answers.desk = Desk(
        live=live,
        apply=controller.apply,
        opener=controller.opener,
        lookout=functools.partial(lookout.admission_sees, replica.client),
        listener=controller.recorder,
        replan=controller.queue.add,
        metrics=replica.metrics,
    )
    settled = False
    try:
        await _lead(replica, live, controller, above=above)
    except* (_LeaseLostError, EpochPassedError) as ended:
        LOG.info("no longer leading", extra={"why": str(ended.exceptions[0])})
    except* _ToldToStopError as ended:
        settled = all(isinstance(e, _ToldToStopError) and e.settled for e in ended.exceptions)
        LOG.info("told to stop", extra={"settled": settled})
    finally:
        replica.answers.desk = None
        await replica.elector.release(settled=settled)
        await _tell_who_leads(replica)
    return max(above, live.world.highest_epoch())


async def _lead(replica: _Replica, live: Live, controller: Controller, *, above: int) -> None:
    """Win the lease, take a new epoch, and run the loop until that ends.

    Whether the epoch is the greatest of all shows when everything was listed: one that came with
    the backup of another cluster may be greater than any resourceVersion here.
    """
    epoch = await replica.elector.acquire(above=above)
    LOG.info("leading", extra={"epoch": epoch})
    live.lead(epoch, continues=replica.elector.continues)
    async with asyncio.TaskGroup() as group:
        group.create_task(controller.run(), name="controller")
        group.create_task(_end_when_told(replica, controller), name="told to stop")
        group.create_task(_keep_lease(replica.elector), name="lease")
        group.create_task(_tell_who_leads(replica), name="who leads")
        group.create_task(_until_outlived(live), name="later epochs")


async def _end_when_told(replica: _Replica, controller: Controller) -> None:
    await replica.told.wait()
    raise _ToldToStopError(settled=await controller.end())


async def _keep_lease(elector: LeaseElector) -> None:
    await elector.renew()
    raise _LeaseLostError("another replica may hold the lease")


async def _until_outlived(live: Live) -> None:
    """Step down when an object bears a later epoch: nothing could be granted in its tree.

    It is that of the next leader, or was written by hand, or came with a backup of another cluster;
    whoever leads next has an epoch above it.
    """
    while not live.world.outlived:
        await asyncio.sleep(OUTLIVED_LOOK)
    raise _LeaseLostError("an object bears a later epoch than ours")


async def _watch_lease(replica: _Replica) -> None:
    """Hear at once of a lease that was released, or taken, and of who leads."""
    name, namespace = replica.settings.lease, replica.settings.namespace
    selector = f"metadata.name={name}"
    watch = Reflector(replica.client, paths.LEASES, namespace=namespace, field_selector=selector)
    async for change in watch.changes():
        match change:
            case Listed(items=items):
                for item in items:
                    replica.elector.notice(item)
            case Changed(object=lease):
                replica.elector.notice(lease)
            case _:
                continue
        _direct(replica)


def _direct(replica: _Replica) -> None:
    """Tell the acceptor whom to ask."""
    elector = replica.elector
    leader = elector.leader
    url = leader.address if leader else ""
    replica.front.counter.tell(here=elector.epoch is not None, leader=url)


async def _tell_who_leads(replica: _Replica) -> None:
    """Tell the acceptor, and people who look at the pods, whether we lead."""
    _direct(replica)
    pod, leads = replica.settings.pod, replica.elector.epoch is not None
    if pod is None:
        return
    try:
        async with asyncio.timeout(LABEL_WITHIN):
            await installation.label_leader(
                replica.client, namespace=replica.settings.namespace, pod=pod, leads=leads
            )
    except (ClusterError, TimeoutError) as error:
        LOG.warning("the pod was not labelled", extra={"error": str(error)})


async def _until_told(replica: _Replica, work: Coroutine[Any, Any, None]) -> None:
    """Run `work` until SIGTERM or SIGINT; who leads ends its term first, unless told twice."""
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()

    def tell() -> None:
        if replica.told.is_set() or replica.elector.epoch is None:
            task.cancel()
        replica.told.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, tell)
    try:
        await task
    except* _ToldToStopError:
        pass
    except* asyncio.CancelledError:
        LOG.info("told to stop")


async def _keep_certificates(replica: _Replica) -> None:
    """Rotate in time, and publish what the API server is to trust before it is used.

    Not before somebody listens: whoever installs us takes the bundle for the sign of that.
    """
    await replica.front.counter.listening.wait()
    while True:
        try:
            if await replica.certificates.refresh():
                _show_certificates(replica)
            await installation.publish_bundle(replica.client, replica.certificates.bundle)
        except ClusterError as error:
            LOG.warning("certificates", extra={"error": str(error)})
        await asyncio.sleep(CERTIFICATES_EVERY)


def _show_certificates(replica: _Replica) -> None:
    replica.front.counter.tell(
        chain=replica.certificates.chain.decode(),
        bundle=replica.certificates.bundle.decode(),
        host=installation.hosts(replica.settings)[0],
    )
