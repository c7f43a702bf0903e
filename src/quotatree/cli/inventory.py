"""How many objects a namespace holds: said before it is deleted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from quotatree.cluster import together
from quotatree.cluster.client import Client
from quotatree.errors import ClusterError

# What is in every namespace, or only tells of others: nobody misses it.
_NOT_COUNTED: Final = frozenset({"events", "endpoints", "endpointslices", "leases"})
_IN_EVERY_NAMESPACE: Final = {"configmaps": 1, "serviceaccounts": 1}
_OURS: Final = frozenset({"resourcequotas", "treequotas"})


async def kinds(client: Client) -> list[tuple[str, str]]:
    """Return (path of the API group, plural) of every namespaced kind that can be listed.

    Raises:
        ClusterError: the API server cannot be asked.
    """
    groups = await client.request("GET", "/apis")
    roots = ["/api/v1"]
    roots += [f"/apis/{g['preferredVersion']['groupVersion']}" for g in groups.get("groups", ())]
    pages = await together.all_of(*(_resources(client, root) for root in roots))
    return [kind for page in pages for kind in page]


async def _resources(client: Client, root: str) -> list[tuple[str, str]]:
    try:
        page = await client.request("GET", root)
    except ClusterError:
        # An aggregated API that is down must not stop the count of the others.
        return []
    return [
        (root, item["name"])
        for item in page.get("resources", ())
        if item.get("namespaced")
        and "/" not in item["name"]
        and "list" in item.get("verbs", ())
        and item["name"] not in _NOT_COUNTED | _OURS
    ]


async def count(client: Client, namespace: str, known: list[tuple[str, str]]) -> dict[str, int]:
    """Return how many objects of each kind a namespace holds; kinds without any are left out."""
    sizes = await together.all_of(*(_count(client, namespace, kind) for kind in known))
    found: dict[str, int] = {}
    for (_, plural), size in zip(known, sizes, strict=True):
        more = size - _IN_EVERY_NAMESPACE.get(plural, 0)
        if more > 0:
            found[plural] = found.get(plural, 0) + more
    return dict(sorted(found.items()))


async def _count(client: Client, namespace: str, kind: tuple[str, str]) -> int:
    root, plural = kind
    path = f"{root}/namespaces/{namespace}/{plural}"
    try:
        page = await client.request("GET", path, params={"limit": "1"})
    except ClusterError as error:
        if error.status in {403, 404, 405}:
            return 0
        raise
    return len(page.get("items") or ()) + _remaining(page)


def _remaining(page: Mapping[str, Any]) -> int:
    remaining = (page.get("metadata") or {}).get("remainingItemCount")
    return remaining if isinstance(remaining, int) else 0


def sentence(counts: Mapping[str, int]) -> str:
    """Return e.g. `12 objects (9 pods, 3 services)`."""
    total = sum(counts.values())
    if not total:
        return "no objects"
    parts = ", ".join(f"{number} {plural}" for plural, number in counts.items())
    return f"{total} object{'' if total == 1 else 's'} ({parts})"
