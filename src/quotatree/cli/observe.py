"""Reading the cluster for commands: a few consistent lists, decoded."""

from __future__ import annotations

import asyncio
from typing import Any

from quotatree.cluster import paths
from quotatree.cluster.client import Client
from quotatree.codec import managed, namespaces, quotas
from quotatree.engine.survey import Observed
from quotatree.errors import ClusterError
from quotatree.model import names


async def tree_quotas(client: Client) -> tuple[list[dict[str, Any]], int]:
    """Return all TreeQuotas and their revision.

    Raises:
        ClusterError: the kind is unknown to the API server, so quotatree is not installed.
    """
    try:
        return await client.list_all(paths.TREE_QUOTAS)
    except ClusterError as error:
        if error.status != 404:
            raise
        raise ClusterError(
            f"quotatree is not installed on {client.server}: the API server knows no TreeQuota; "
            "next: quotatree manifests | kubectl apply --server-side -f -",
            status=error.status,
            reason=error.reason,
        ) from error


async def observe(client: Client) -> Observed:
    """Return everything that the tree is made of. Raises: ClusterError."""
    (
        (spaces, *revisions_of_spaces),
        (limits, *revisions_of_limits),
        (counts, *revisions),
    ) = await asyncio.gather(
        client.list_all(paths.NAMESPACES),
        tree_quotas(client),
        client.list_all(paths.RESOURCE_QUOTAS, label_selector=f"{names.LABEL_MANAGED}=true"),
    )
    return Observed(
        namespaces=tuple(namespaces.parse(item) for item in spaces),
        quotas=tuple(quotas.parse(item) for item in limits),
        managed=tuple(managed.parse(item) for item in counts),
        resource_version=min(*revisions_of_spaces, *revisions_of_limits, *revisions),
    )
