"""Whether the kind TreeQuota is there: it may be missing, or on its way out.

Where it stands, a TreeQuota that went was deleted by hand; where it does not, its limits hold on.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

from quotatree.cluster import paths
from quotatree.cluster.client import Client
from quotatree.errors import ClusterError
from quotatree.manifests import crd

LOG: Final = logging.getLogger(__name__)

KIND_LOOK: Final = 1.0
"""Seconds between looks whether the kind is there, while it cannot be listed."""


class Kind:
    """The CRD of TreeQuota."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def find(self) -> dict[str, Any] | None:
        """Return the CRD, None when there is none or it is on its way out.

        Raises:
            ClusterError: the API server did not say.
        """
        found = await self._client.find(paths.CRDS, crd.CRD_NAME)
        gone = found is None or "deletionTimestamp" in found["metadata"]
        return None if gone else found

    async def since(self) -> str | None:
        """Return when it was made, None when there is none; waits for an answer."""
        while True:
            try:
                found = await self.find()
            except ClusterError as error:
                LOG.warning("no word of the kind TreeQuota", extra={"error": str(error)})
                await asyncio.sleep(KIND_LOOK)
            else:
                return None if found is None else str(found["metadata"]["creationTimestamp"])
