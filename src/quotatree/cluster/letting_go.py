"""Taking a managed ResourceQuota away without refusing the requests that it measures just then.

Quota admission writes the usage of a ResourceQuota that it knows from its cache. Where that is gone
meanwhile it tries four times and then answers the request with 404 (`checkQuotas` in apiserver's
plugin/resourcequota/controller.go). One that limits nothing it does not write, so it is emptied
first, and deleted when admission has seen that.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from quotatree.cluster import lookout, paths
from quotatree.cluster.client import Client
from quotatree.errors import ClusterError
from quotatree.model.effect import DeleteManaged

TRIES: Final = 10
PAUSE: Final = 0.05
"""Seconds between two looks at what admission goes by, and the wait where it cannot be asked."""


async def let_go(client: Client, what: DeleteManaged) -> dict[str, Any]:
    """Empty a managed ResourceQuota, then delete it; what is gone already is no error.

    Raises:
        ClusterError: 409 when the one there has another uid, or another error of the API server.
    """
    try:
        version = await _empty(client, what)
    except ClusterError as error:
        if error.status == 404:
            return {}
        raise
    await _until_seen(client, what, version)
    return await client.delete(
        paths.RESOURCE_QUOTAS, what.quota, namespace=what.namespace, uid=what.uid
    )


async def _empty(client: Client, what: DeleteManaged) -> int:
    """Have it limit nothing; returns its resourceVersion then.

    `status.hard` is what admission goes by, and the native controller would set it to the spec's.
    """
    written: dict[str, Any] = {}
    for part, subresource, values in (
        ("spec", None, {"hard": None}),
        ("status", "status", {"hard": None, "used": None}),
    ):
        written = await client.patch(
            paths.RESOURCE_QUOTAS,
            what.quota,
            body={"metadata": {"uid": what.uid}, part: values},
            namespace=what.namespace,
            subresource=subresource,
        )
    return int(written["metadata"]["resourceVersion"])


async def _until_seen(client: Client, what: DeleteManaged, version: int) -> None:
    """Wait until admission goes by this version; half a second at the most, for it may be down."""
    for _ in range(TRIES):
        seen = await lookout.admission_sees(client, what.namespace, what.quota)
        if seen is not None and seen >= version:
            return
        await asyncio.sleep(PAUSE)
        if seen is None:
            return
