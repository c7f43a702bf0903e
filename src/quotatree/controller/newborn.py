"""Looks whether newborn namespaces are empty, so that they need not wait to be counted."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from quotatree.cluster import paths
from quotatree.cluster.client import Client
from quotatree.cluster.live import Live
from quotatree.engine import birth
from quotatree.errors import ClusterError
from quotatree.model.effect import PatchManagedStatus
from quotatree.model.names import Namespace, Uid

LOG: Final = logging.getLogger(__name__)


class Newborn:
    """Asks the API server once for each namespace; what is not empty is left to be counted."""

    def __init__(self, client: Client, live: Live) -> None:
        self._client = client
        self._live = live
        self._left: dict[Namespace, Uid] = {}

    async def effects(self, name: Namespace) -> tuple[PatchManagedStatus, ...]:
        """Return the first figures of a namespace, nothing where they are not ours to write.

        They are decided on before the look: what has changed since makes the write lose.
        """
        found = birth.first_figures(self._live.world, name)
        if found is None:
            self._left.pop(name, None)
            return ()
        if self._left.get(name) == found.uid:
            return ()
        if await self._is_empty(name, found.kinds):
            return found.writes
        self._left[name] = found.uid
        return ()

    async def _is_empty(self, name: Namespace, kinds: tuple[str, ...]) -> bool:
        """Whether a consistent list shows no object of any of these kinds."""
        try:
            found = await asyncio.gather(*(self._first(name, kind) for kind in kinds))
        except ClusterError as error:
            LOG.debug("not looked at", extra={"namespace": name, "error": str(error)})
            return False
        return not any(found)

    async def _first(self, name: Namespace, resource: str) -> bool:
        plural, _, group = resource.partition(".")
        path = paths.Kind(group, "v1", plural, True).path(name)
        page = await self._client.request("GET", path, params={"limit": "1"})
        return bool(page.get("items"))
