"""The composition root: the only place that knows all parts and builds them from Settings."""

from __future__ import annotations

import asyncio
import functools
import logging
import signal
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Final

from quotatree.cluster import lookout, paths
from quotatree.cluster.client import Client
from quotatree.cluster.lease import LeaseElector
from quotatree.cluster.live import Live
from quotatree.codec import managed
from quotatree.controller import installation
from quotatree.controller.loop import Controller
from quotatree.errors import ClusterError
from quotatree.settings import Settings
from quotatree.webhook import server, tls
from quotatree.webhook.desk import Desk

LOG: Final = logging.getLogger(__name__)

CERTIFICATES_EVERY: Final = 5.0
"""Seconds between looks at the certificates; a webhook configuration that was re-applied without
its CA bundle is mended within this time. Each costs two reads of small objects."""
AGAIN_AFTER: Final = 2.0
"""Seconds before an election whose end the API server kept from us is tried again."""


class _LeaseLostError(Exception):
    """Another replica may lead: whatever is known here is of the past."""


def event_loop() -> asyncio.AbstractEventLoop:
    """Return the loop to run in: uvloop where there is one."""
    try:
        import uvloop
    except ImportError:  # Windows
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Replica:
    """The parts of one replica."""

    client: Client
    live: Live
    controller: Controller
    elector: LeaseElector
    certificates: tls.CertificateKeeper


async def run(client: Client, settings: Settings) -> None:
    """Run one replica until it is told to stop.

    One that loses the lease (it stood still for too long, or could not reach the API server) steps
    down, stands for election again for as long as that takes, and then reads everything anew: what
    it knew may be of the past. What has to outlast that is kept in the cluster.

    Raises:
        ClusterError: the API server cannot be used at all, from the beginning.
    """
    certificates = tls.CertificateKeeper(
        client, namespace=settings.namespace, hosts=installation.hosts(settings)
    )
    await certificates.refresh()
    while not await _until_told(_term(client, settings, certificates)):
        LOG.warning("the lease was lost: starting anew")


async def _term(client: Client, settings: Settings, certificates: tls.CertificateKeeper) -> None:
    """Stand for election and lead until the lease is lost.

    The server listens before the lease is won: a replica in waiting is alive and answers "later".
    """
    live = Live(clock=time.monotonic, timing=settings.timing)
    controller = Controller(client, live, settings=settings.loop, wall=time.time)
    parts = _Replica(
        client=client,
        live=live,
        controller=controller,
        elector=LeaseElector(
            client, namespace=settings.namespace, name=settings.lease, identity=settings.identity
        ),
        certificates=certificates,
    )
    desk = Desk(
        live=live,
        apply=controller.apply,
        lookout=functools.partial(lookout.admission_sees, client),
        listener=controller.recorder,
        replan=controller.queue.add,
    )
    where = settings.webhook
    runner, port = await server.serve(
        desk, host=where.host, port=where.port, tls=parts.certificates.context
    )
    LOG.info("listening", extra={"port": port})
    try:
        await _work(parts)
    except* _LeaseLostError:
        pass
    finally:
        await parts.elector.release()
        await runner.cleanup()


async def _work(parts: _Replica) -> None:
    """Keep the certificates in every replica, and lead when the lease is won."""
    async with asyncio.TaskGroup() as group:
        group.create_task(_keep_certificates(parts), name="certificates")
        await _lead(parts)


async def _until_told(work: Coroutine[Any, Any, None]) -> bool:
    """Run `work` until it ends, or until SIGTERM or SIGINT; returns whether it was these."""
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        LOG.info("told to stop")
        return True
    return False


async def _lead(parts: _Replica) -> None:
    """Win the lease, take a new epoch, and run the loop until the lease is lost."""
    epoch = await _win(parts)
    LOG.info("leading", extra={"epoch": epoch})
    parts.live.lead(epoch)
    async with asyncio.TaskGroup() as group:
        group.create_task(parts.controller.run(), name="controller")
        group.create_task(_keep_lease(parts.elector), name="lease")


async def _win(parts: _Replica) -> int:
    """Return a new epoch, greater than any that a managed ResourceQuota carries.

    A Lease that was deleted counts from the start again; so the quotas are looked at once more
    when the lease is won, since winning may have taken hours.
    """
    above = 0
    while True:
        epoch = await parts.elector.acquire(above=above)
        try:
            above = await highest_epoch(parts.client)
        except ClusterError as error:
            LOG.warning("won the lease, but cannot read", extra={"error": str(error)})
            await parts.elector.release()
            await asyncio.sleep(AGAIN_AFTER)
            continue
        if above < epoch:
            return epoch
        await parts.elector.release()


async def _keep_lease(elector: LeaseElector) -> None:
    await elector.renew()
    raise _LeaseLostError


async def _keep_certificates(parts: _Replica) -> None:
    """Rotate in time, and publish what the API server is to trust before it is used."""
    while True:
        try:
            await parts.certificates.refresh()
            await installation.publish_bundle(parts.client, parts.certificates.bundle)
        except ClusterError as error:
            LOG.warning("certificates", extra={"error": str(error)})
        await asyncio.sleep(CERTIFICATES_EVERY)


async def highest_epoch(client: Client) -> int:
    """Return the greatest epoch that any managed ResourceQuota carries, 0 when there is none."""
    items, _ = await client.list_all(paths.RESOURCE_QUOTAS)
    epochs = [managed.parse(item).epoch or 0 for item in items if managed.is_managed(item)]
    return max(epochs, default=0)
