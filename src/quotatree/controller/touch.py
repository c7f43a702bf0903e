"""Touches: writes to objects of which a grant never showed, so that it is decided.

A write of ours has a resourceVersion above every base that was in flight before it. What is created
cannot be touched: its place in the tree is given up when the API server must have given up too.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import Any

from quotatree.cluster.live import Live
from quotatree.codec import managed, namespaces
from quotatree.controller.errands import Errands
from quotatree.engine.account import AccountKey
from quotatree.model import effect, names
from quotatree.model.names import Namespace

Write = Callable[[effect.Effect], Awaitable[dict[str, Any] | None]]
"""Carries an effect out; None when it lost its compare-and-swap, or its object is gone."""


class Toucher:
    """Touches what the ledger asks for; nothing waits for it."""

    def __init__(self, live: Live, write: Write) -> None:
        self._live = live
        self._write = write

    def send(self, errands: Errands, now: float) -> None:
        """Let time happen to the ledger, and send off the touches that this asks for."""
        quotas, moving = self._live.world.ledger.expire(now)
        for key in quotas:
            errands.send(key, functools.partial(self._quota, key))
        for name in moving:
            if name in self._live.world.namespaces:
                errands.send(name, functools.partial(self._namespace, name))
            else:
                self._live.world.ledger.moves.lapse(name, now)

    async def _quota(self, key: AccountKey) -> None:
        ledger = self._live.world.ledger
        account = ledger.account(*key)
        if account is None:
            return
        asked = account.overdue()
        written = await self._write(
            effect.PatchManaged(
                namespace=key[0],
                quota=account.quota,
                resource_version=account.resource_version,
                annotations={names.ANNOTATION_TOUCHED: str(account.resource_version)},
            )
        )
        if written is not None:
            ledger.touched(key, managed.parse(written).resource_version, asked=asked)

    async def _namespace(self, name: Namespace) -> None:
        seen = self._live.world.namespaces.get(name)
        if seen is None:
            return
        moves = self._live.world.ledger.moves
        asked = moves.overdue(name)
        touched = {names.ANNOTATION_TOUCHED: str(seen.resource_version)}
        written = await self._write(
            effect.PatchNamespace(namespace=name, uid=seen.uid, annotations=touched)
        )
        if written is not None:
            version = namespaces.parse(written).resource_version
            moves.touched(name, version, asked=asked)
