"""Opening an account: our epoch on its managed ResourceQuota, then a look at the Lease.

The order is the proof: whoever takes the Lease after that look lists the object as open. See
`engine.openings`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from quotatree.cluster.apply import Apply
from quotatree.cluster.live import Live
from quotatree.codec import managed
from quotatree.model import effect, names
from quotatree.model.verdict import Open

Confirm = Callable[[], Awaitable[bool]]
"""Whether the Lease is ours, by a consistent read that begins now. Raises: ClusterError."""


class Opener:
    """Opens accounts in the world of a leader."""

    def __init__(self, live: Live, apply: Apply, confirm: Confirm) -> None:
        self._live = live
        self._apply = apply
        self._confirm = confirm

    async def open(self, what: Open) -> int:
        """Open an account; returns the resourceVersion of what was written, 0 for nothing.

        Raises:
            ClusterError: 409 when another write was faster, or another error of the API server.
        """
        version = 0
        if what.epoch is not None:
            write = effect.PatchManaged(
                namespace=what.namespace,
                quota=what.quota,
                resource_version=what.resource_version,
                annotations={names.ANNOTATION_EPOCH: str(what.epoch)},
            )
            version = managed.parse(await self._apply(write)).resource_version
        openings = self._live.world.ledger.openings
        opened = openings.unsure()
        if opened and await self._confirm():
            openings.confirm(opened)
        return version
