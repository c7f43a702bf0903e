"""Reading the cluster for commands: a few consistent lists, decoded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from quotatree.cluster import paths, recount, together
from quotatree.cluster.client import Client
from quotatree.codec import managed, namespaces, quotas
from quotatree.codec import offers as offers_codec
from quotatree.engine.survey import Observed
from quotatree.errors import ClusterError
from quotatree.model import names
from quotatree.model.offers import Offers

Listed = tuple[list[dict[str, Any]], int]
"""Objects, and the revision at which they stood."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Lists:
    """The objects that the tree is made of, as the API server shows them."""

    namespaces: list[dict[str, Any]]
    quotas: list[dict[str, Any]]
    managed: list[dict[str, Any]]
    resource_version: int

    def observed(self) -> Observed:
        """Return them as values."""
        return Observed(
            namespaces=tuple(namespaces.parse(item) for item in self.namespaces),
            quotas=tuple(quotas.parse(item) for item in self.quotas),
            managed=tuple(managed.parse(item) for item in self.managed),
            resource_version=self.resource_version,
        )


async def observe(client: Client) -> Observed:
    """Return everything that the tree is made of. Raises: ClusterError."""
    return (await lists(client)).observed()


async def lists(client: Client, *, managed_by_name: bool = False) -> Lists:
    """Return the same as objects. Raises: ClusterError.

    With `managed_by_name` a managed ResourceQuota that has lost its label is there too.
    """
    # By the label where that will do: all other ResourceQuotas need not be sent then.
    selector = None if managed_by_name else f"{names.LABEL_MANAGED}=true"
    spaces, limits, counts = await together.all_of(
        client.list_all(paths.NAMESPACES),
        tree_quotas(client),
        client.list_all(paths.RESOURCE_QUOTAS, label_selector=selector),
    )
    kept = (item for item in counts[0] if not managed_by_name or managed.is_managed(item))
    return Lists(
        namespaces=spaces[0],
        quotas=limits[0],
        managed=list(kept),
        resource_version=min(spaces[1], limits[1], counts[1]),
    )


async def offers(client: Client) -> Offers:
    """Return which devices the cluster has. Raises: ClusterError."""
    nodes, _ = await client.list_all(paths.NODES)
    return offers_codec.parse(nodes, await recount.device_classes(client))
