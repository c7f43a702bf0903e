"""Leader election by a Lease: who may try to decide. Safety is the epoch, never a clock.

The Lease gives liveness: somebody leads, and when he is gone somebody else does after `duration`.
That two processes believe at the same moment that they lead cannot be excluded by any lease, since
their clocks run apart and a process may stand still between looking at its clock and acting. So
each acquisition makes a new *epoch*, and what a leader does is tied to that number. It is the
resourceVersion of the write that took the Lease: no other write ever has the same, even if the
Lease was deleted in between, and later ones have greater. Only one who ended with nothing under way
hands its epoch on, by a note on the Lease that it releases: whoever takes the lease takes the note
off in the same write, so that one goes on in that epoch, or none.

Differences from client-go's `tools/leaderelection`, whose rules these are otherwise:

- `leaseTransitions` grows with *every* acquisition, also by the same identity after a restart:
  the process before may have left requests on their way;
- a renewal that finds another number there is lost at once, even under the same identity.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Final

from quotatree.cluster import client as clients
from quotatree.cluster import paths
from quotatree.codec import leases
from quotatree.codec.leases import Term
from quotatree.errors import ClusterError
from quotatree.model import names

log = logging.getLogger(__name__)

DURATION: Final = 15.0
"""Seconds without renewal after which others may take the lease; client-go's default."""
DEADLINE_SHARE: Final = 2 / 3
"""Part of the duration after which the holder itself gives up, before anyone else may begin."""
PERIOD_SHARE: Final = 2 / 15
"""Part of the duration between two renewals, and between two looks at another's lease."""


class LeaseElector:
    """One candidate for one Lease.

    `duration` is in seconds. `clock` is monotonic, `wall` gives Unix seconds for people who read
    the Lease. `address` is written beside our name, for replicas that do not lead. `lost` is set
    when the lease is not ours any more; `epoch` is then None. `continues`: the epoch is that of the
    leader before, who handed it on.
    """

    def __init__(
        self,
        client: clients.Client,
        *,
        namespace: str,
        name: str,
        identity: str,
        address: str = "",
        duration: float = DURATION,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        chance: Callable[[], float] = random.random,  # noqa: S311 - spreads, guards nothing
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._address = address
        self._duration = duration
        self._clock = clock
        self._wall = wall
        self._sleep = sleep
        self._chance = chance
        self._seen: Term | None = None
        self._seen_at = 0.0
        self._renewed_at = 0.0
        self._acquired = ""
        self._epoch: int | None = None
        self._transitions = 0
        self.continues = False
        self._nudge = asyncio.Event()
        self.lost = asyncio.Event()

    @property
    def epoch(self) -> int | None:
        """The epoch in which this process leads, None when it does not."""
        return self._epoch

    @property
    def holder(self) -> str:
        """Who held the lease when it was last looked at, empty when nobody did."""
        return self._seen.holder if self._seen else ""

    @property
    def leader(self) -> Term | None:
        """What another one wrote who holds the lease by our own observation, None when none does.

        Whoever died is the leader until his lease is over.
        """
        seen = self._seen
        if seen is None or seen.holder in ("", self._identity) or not self._unexpired(seen):
            return None
        return seen

    def notice(self, lease: dict[str, Any]) -> None:
        """Take in a state of the Lease that a watch showed: it may be taken, or lost, at once."""
        found = leases.parse(lease)
        if self._seen is not None and int(found.version) <= int(self._seen.version):
            return
        if self._epoch is None:
            self._observe(found)
            if not found.holder:
                self._nudge.set()
        elif not self._ours(found):
            self._observe(found)
            self._lose(f"{found.holder or 'nobody'} holds it")
            self._nudge.set()

    async def confirm(self) -> bool:
        """Whether the lease is ours still, by a consistent read that begins now.

        Raises:
            ClusterError: the API server did not answer.
        """
        if self._epoch is None:
            return False
        found = await self._read()
        return found is not None and self._ours(found) and not self.lost.is_set()

    async def acquire(self, *, above: int = 0) -> int:
        """Wait until the lease is ours and return the new epoch, which is greater than `above`.

        Or return the epoch that the last leader handed on, if it is not below `above`. Give the
        greatest epoch seen anywhere as `above`: what was restored from the backup of another
        cluster may carry one that is greater than all resourceVersions here. `renew` must run from
        now on. Errors of the API server are logged and tried again; the caller ends the
        waiting by cancelling it.
        """
        while True:
            try:
                if await self._try(above):
                    assert self._epoch is not None
                    return self._epoch
            except ClusterError as error:
                log.warning("lease %s/%s: %s", self._namespace, self._name, error)
            await self._pause()

    async def renew(self) -> None:
        """Keep the lease; return when it is lost, with `lost` set.

        It gives up at two thirds of the duration, when nobody else may have taken it yet.
        """
        while self._epoch is not None:
            await self._pause()
            if self._epoch is None:
                return
            left = self._renewed_at + self._duration * DEADLINE_SHARE - self._clock()
            # A process that stood still for long does not ask first whether it was noticed.
            if left <= 0:
                self._lose("it was not renewed in time")
                return
            try:
                await self._renew_once(min(left, self._patience))
            except ClusterError as error:
                log.warning("lease %s/%s not renewed: %s", self._namespace, self._name, error)

    async def release(self, *, settled: bool = False) -> None:
        """Give the lease back, so that the next need not wait; what fails is only logged.

        `settled`: nothing that was granted or written in this epoch can be committed any more, and
        nothing more will be: the next leader goes on in it. End `renew` first. A renewal that was
        cut off may have been carried out all the same, so a lost compare-and-swap is tried once
        more.
        """
        if self._epoch is None or self._seen is None:
            return
        version, note = self._seen.version, self._epoch if settled else 0
        self._lose("released")
        try:
            if not await self._give_back(version, note):
                found = await self._read()
                if found and self._ours(found):
                    await self._give_back(found.version, note)
        except ClusterError as error:
            log.warning("lease %s/%s not released: %s", self._namespace, self._name, error)

    def _ours(self, found: Term) -> bool:
        """Whether this is the lease as we took it, whoever else bears our name."""
        return (found.holder, found.transitions) == (self._identity, self._transitions)

    async def _give_back(self, version: str, note: int) -> bool:
        # One second, as client-go writes: zero is not a valid duration.
        body = self._body(holder="", transitions=self._transitions, version=version, duration=1)
        if note:
            body["metadata"]["annotations"] = {names.ANNOTATION_SETTLED: str(note)}
        try:
            self._observe(leases.parse(await self._put(body)))
        except ClusterError as error:
            if error.status == 409:
                return False
            raise
        return True

    async def _try(self, above: int) -> bool:
        """Look at the lease and take it if it may be taken; return whether it is ours."""
        asked = self._clock()
        found = await self._read()
        if found is None:
            body = self._body(holder=self._identity, transitions=1, new=True)
            return await self._take("POST", body, asked, above=above)
        self._observe(found)
        unchanged = self._clock() - self._seen_at
        if not leases.may_take(found, identity=self._identity, unchanged=unchanged):
            return False
        body = self._body(
            holder=self._identity,
            transitions=found.transitions + 1,
            version=found.version,
            new=True,
        )
        handed = 0 if found.holder else found.settled
        return await self._take("PUT", body, asked, above=above, handed=handed)

    async def _take(
        self, method: str, body: dict[str, Any], asked: float, *, above: int, handed: int = 0
    ) -> bool:
        try:
            answer = await (self._put(body) if method == "PUT" else self._post(body))
        except ClusterError as error:
            if error.status == 409:
                return False
            raise
        taken = leases.parse(answer)
        self._observe(taken)
        self._transitions, self._renewed_at = taken.transitions, asked
        # The number of the transition tells two apart that both find the same `above`.
        own = max(int(taken.version), above + taken.transitions)
        self.continues = 0 < handed < own and handed >= above
        self._epoch = handed if self.continues else own
        self.lost.clear()
        log.info("lease %s/%s is ours, epoch %s", self._namespace, self._name, self._epoch)
        return True

    async def _renew_once(self, timeout: float) -> None:
        assert self._seen is not None
        asked = self._clock()
        body = self._body(
            holder=self._identity, transitions=self._transitions, version=self._seen.version
        )
        try:
            answer = await self._put(body, timeout=timeout)
        except ClusterError as error:
            if error.status not in (404, 409):
                raise
            await self._look_again(timeout)
            return
        self._observe(leases.parse(answer))
        self._renewed_at = asked

    async def _look_again(self, timeout: float) -> None:
        """After a lost compare-and-swap: another took it, or only something else was written."""
        found = await self._read(timeout)
        if found is None:
            self._lose("the Lease object was deleted")
        elif not self._ours(found):
            self._observe(found)
            self._lose(f"{found.holder or 'nobody'} holds it")
        else:
            # The renewal whose answer was lost, or an edited label: the next renewal uses this.
            self._observe(found)

    def _observe(self, found: Term) -> None:
        if not found.same_renewal(self._seen):
            self._seen_at = self._clock()
        self._seen = found

    def _lose(self, why: str) -> None:
        log.info("lease %s/%s is no longer ours: %s", self._namespace, self._name, why)
        self._epoch = None
        self.lost.set()

    def _unexpired(self, seen: Term) -> bool:
        return self._clock() - self._seen_at < seen.duration

    async def _pause(self) -> None:
        """Sleep until the next attempt, at the latest until the other's lease is over, or nudged.

        Spread so that candidates do not collide.
        """
        seconds = self._duration * PERIOD_SHARE * (0.75 + 0.5 * self._chance())
        if self.leader is not None:
            seconds = min(seconds, self.leader.duration - (self._clock() - self._seen_at))
        self._nudge.clear()
        waits = [
            asyncio.ensure_future(self._sleep(seconds)),
            asyncio.ensure_future(self._nudge.wait()),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    def _body(
        self,
        *,
        holder: str,
        transitions: int,
        version: str | None = None,
        duration: int | None = None,
        new: bool = False,
    ) -> dict[str, Any]:
        stamp = datetime.fromtimestamp(self._wall(), UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        if new:
            self._acquired = stamp
        metadata: dict[str, Any] = {"name": self._name, "namespace": self._namespace}
        if holder and self._address:
            metadata["annotations"] = {names.ANNOTATION_ADDRESS: self._address}
        return {
            "apiVersion": paths.LEASES.api_version,
            "kind": paths.LEASES.kind,
            "metadata": metadata | ({"resourceVersion": version} if version else {}),
            "spec": {
                "holderIdentity": holder,
                "leaseDurationSeconds": duration or max(1, round(self._duration)),
                "leaseTransitions": transitions,
                "acquireTime": self._acquired,
                "renewTime": stamp,
            },
        }

    async def _read(self, timeout: float | None = None) -> Term | None:
        try:
            lease = await self._client.request(
                "GET",
                paths.LEASES.path(self._namespace, self._name),
                timeout=timeout or self._patience,
                retry=False,
            )
        except ClusterError as error:
            if error.status == 404:
                return None
            raise
        return leases.parse(lease)

    async def _put(self, body: dict[str, Any], timeout: float | None = None) -> dict[str, Any]:
        return await self._client.request(
            "PUT",
            paths.LEASES.path(self._namespace, self._name),
            body=body,
            timeout=timeout or self._patience,
            retry=False,
        )

    async def _post(self, body: dict[str, Any]) -> dict[str, Any]:
        return await self._client.request(
            "POST",
            paths.LEASES.path(self._namespace),
            body=body,
            timeout=self._patience,
            retry=False,
        )

    @property
    def _patience(self) -> float:
        """Seconds for one request, so that several fit into the duration."""
        return self._duration * (1 - DEADLINE_SHARE)
