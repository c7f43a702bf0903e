"""The living state that the controller fills and the webhook asks: the world, and who waits for it.

One event loop, one writer at a time: between two awaits nobody else changes the world.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from quotatree.cluster.reflector import Reflector
from quotatree.engine.ledger import Ledger
from quotatree.engine.reservation import Timing
from quotatree.engine.slices import SliceSettings
from quotatree.engine.world import World
from quotatree.model.names import Namespace


class Live:
    """A world with its waiters.

    `loaded` is False until this replica leads and has listed everything once; until then nothing
    may be decided on the world. `continues`: the epoch is that of the leader before, who left
    nothing under way. `ending`: nothing is granted any more. `watches` are what it is told by.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        timing: Timing | None = None,
        slices: SliceSettings | None = None,
    ) -> None:
        self.clock = clock
        ledger = Ledger(epoch=0, timing=timing, slices=slices, on_change=self._changed)
        self.world = World(ledger)
        self.loaded = False
        self.continues = False
        self.ending = False
        self.freed = False
        self.watches: list[Reflector] = []
        self._bell = asyncio.Event()

    def lead(self, epoch: int, *, continues: bool = False) -> None:
        """Decide in this epoch from now on; nothing was taken in before."""
        self.world.ledger.epoch = epoch
        self.continues = continues

    @property
    def blind(self) -> bool:
        """Whether some kind of object changes unseen: what was freed meanwhile is not known."""
        return any(watch.cut for watch in self.watches)

    def _changed(self, _: Namespace) -> None:
        self.freed = True
        self.ring()

    def ring(self) -> None:
        """Wake everybody who waits for a change."""
        bell, self._bell = self._bell, asyncio.Event()
        bell.set()

    async def change(self, *, until: float) -> None:
        """Return at the next change, at the latest at `until` on the clock."""
        bell = self._bell
        try:
            async with asyncio.timeout(max(0.0, until - self.clock())):
                await bell.wait()
        except TimeoutError:
            return
