"""Slices to the cluster: each written by compare-and-swap, again and again where somebody waits."""

from __future__ import annotations

import functools
from typing import Final

from quotatree.cluster import paths
from quotatree.cluster.apply import Apply
from quotatree.cluster.client import Client
from quotatree.cluster.live import Live
from quotatree.cluster.opener import Opener
from quotatree.codec import managed
from quotatree.controller.errands import Errands
from quotatree.engine.account import AccountKey, Way
from quotatree.errors import ClusterError
from quotatree.model import effect

MOST_TRIES: Final = 10
"""Writes in a row against a namespace that keeps growing; then the next tick tries again."""
GONE, LOST = 404, 409


class Slicer:
    """Writes the slices that the ledger asks for; nothing waits for it but requests."""

    def __init__(self, client: Client, live: Live, apply: Apply, *, opener: Opener) -> None:
        self._client = client
        self._live = live
        self._apply = apply
        self._opener = opener

    def send(self, errands: Errands, now: float) -> None:
        """Let time happen to the slices, and send off the writes that this asks for."""
        for key in self._live.world.ledger.lessor.pass_time(now):
            errands.send(("slice", key), functools.partial(self._write, key))
        for key in self._live.world.ledger.lessor.closed:
            errands.send(("open", key), functools.partial(self._open, key))

    async def _open(self, key: AccountKey) -> None:
        """Open an account that is to get a slice; who loses tries again when it is due."""
        what = self._live.world.ledger.lessor.opening(key)
        if what is None:
            return
        try:
            await self._opener.open(what)
        except ClusterError as error:
            if error.status not in {GONE, LOST}:
                raise

    async def _write(self, key: AccountKey) -> None:
        """Write one slice; each try is decided anew, on what was read last."""
        lessor = self._live.world.ledger.lessor
        for _ in range(MOST_TRIES):
            what = lessor.write(key, now=self._live.clock())
            if what is None:
                return
            try:
                await self._apply(what)
            except ClusterError as error:
                if error.status == GONE:
                    return
                if error.status != LOST:
                    raise
                lessor.lost(key)
                await self._look_again(what)
            else:
                return

    async def _look_again(self, what: effect.WriteSlice) -> None:
        """Read what the write lost to, ahead of the watch."""
        found = await self._client.find(paths.RESOURCE_QUOTAS, what.quota, namespace=what.namespace)
        if found is not None:
            self._live.world.see_managed(managed.parse(found), way=Way.AHEAD)
